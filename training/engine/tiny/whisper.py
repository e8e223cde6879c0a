"""Stage "whisper": the tiny Whisper learns to write what the corpus' voices say, and when.

Beside the text it is taught where in the sound each letter is (the attention of its alignment heads), and its encoder
to spell by itself: both come from the synthesiser for free, and both make a network learn from thousands of clips what
takes millions otherwise.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from datasets.pipeline.transcribe import Transcriber
from training.engine.tiny.corpus import LISTENING
from training.engine.tiny.listener import Listener, losses, place_error
from training.engine.tiny.listening import measure
from training.engine.tiny.recipe import Steps, Workshop
from training.engine.tiny.windows import FRAMES_PER_SECOND, Batch, Desk
from xttsproject.bundles.tiny import whisper as bundle
from xttsproject.bundles.tiny.whisper_tokens import tokens
from xttsproject.lib.files import atomic_path

STAGE = "whisper"
STEPS = 6_800
BATCH_SECONDS = 48.0
LEARNING_RATE = 2.0e-3
_PLACE_WEIGHT, _LETTERS_WEIGHT = 0.3, 0.5
_SPOKEN_WEIGHT, _GUIDED_SHARE = 1.0, 0.4
"""At first the encoder is told which letter is spoken at each moment. That is only roughly true (letters do not share a
word's time evenly), so the say of it falls to nothing; spelling without times takes over."""
_BETAS = (0.9, 0.98)
_EXACT_SHARE, _EXACT_POSITIONS = 0.2, 64
"""In the last steps silence is taken more exactly."""
_MEASURED_CLIPS = 60


def run(workshop: Workshop) -> None:
    """Train, write ``whisper.safetensors`` and the bundle made of it, and report how well it listens."""
    vocabulary = tokens()
    corpora = [workshop.corpus(name) for name in ("train", LISTENING)]
    desk = Desk(corpora, vocabulary, seconds=workshop.rows(1) * BATCH_SECONDS)
    torch.manual_seed(3)
    model = Listener(vocabulary).to(workshop.device)
    optimizer = _optimizer(model)
    steps = Steps(workshop, STAGE, STEPS, {"model": model, "optimizer": optimizer})
    count = sum(weight.numel() for weight in model.whisper.parameters())
    workshop.log(f"{STAGE}: {sum(map(len, corpora))} clips, {count / 1e6:.2f} M parameters")

    def draw(step: int, random: Random) -> Batch:
        return desk.batch(step, np.random.default_rng(random.getrandbits(64)))

    for step, _random, drawn in steps.drawn(draw):
        batch = drawn.to(workshop.device)
        if step > (1 - _EXACT_SHARE) * steps.total:
            model.silent_positions = _EXACT_POSITIONS
        rate = steps.cosine(step, LEARNING_RATE, warmup=200)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with workshop.autocast():
            heard = model(batch.features, batch.inputs)
        text, place, letters, spoken = losses(heard, batch, vocabulary)
        optimizer.zero_grad(set_to_none=True)
        guided = max(0.0, 1 - step / (_GUIDED_SHARE * steps.total))
        torch.autograd.backward(
            text + _PLACE_WEIGHT * place + _LETTERS_WEIGHT * letters + _SPOKEN_WEIGHT * guided * spoken
        )
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps.report(
            text=text,
            place=place,
            letters=letters,
            spoken=spoken,
            off_ms=place_error(heard.attention.detach(), batch.stretches) * 1000 / FRAMES_PER_SECOND,
            norm=norm,
        )
    folder = workshop.folder(STAGE)
    weights = folder / "whisper.safetensors"
    with atomic_path(weights) as temporary:
        save_file(shipped(model), temporary)
    path = bundle.build(folder / "bundle", weights).path
    workshop.finish(
        STAGE,
        {
            "steps": steps.total,
            "seconds": round(steps.seconds, 1),
            **{name: round(value, 4) for name, value in steps.figures.items()},
            **_measured(workshop, path),
        },
    )


def _optimizer(model: Listener) -> torch.optim.AdamW:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": 0.01},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=_BETAS)


def shipped(model: Listener) -> dict[str, Tensor]:
    """The weights in half precision, without the projection, which is the table of the tokens' embeddings."""
    state: dict[str, Tensor] = model.whisper.state_dict()
    return {
        name: weight.detach().to("cpu", torch.float16).contiguous()
        for name, weight in state.items()
        if name != "proj_out.weight"
    }


def _measured(workshop: Workshop, path: Path) -> dict[str, float]:
    transcriber = Transcriber.load(path, device="cpu", threads=workshop.threads)
    figures: dict[str, float] = {}
    for name in ("validation", "held"):
        corpus = workshop.corpus(name)
        indices = range(0, len(corpus), max(1, len(corpus) // _MEASURED_CLIPS))
        for noise, label in ((None, "clean"), (15.0, "noise")):
            found = measure(transcriber, corpus, indices, noise_db=noise)
            workshop.log(
                f"{STAGE}: {name}, {label}: CER {found.cer:.3f}, word times {found.word_time_error_ms:.0f} ms off"
            )
            figures[f"{name}_cer_{label}"] = round(found.cer, 4)
            figures[f"{name}_word_time_error_ms_{label}"] = round(found.word_time_error_ms, 1)
    return figures
