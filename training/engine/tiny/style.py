"""Stage "style": the GPT's conditioning encoder and perceiver learn what a voice is, before the GPT stands on them.

Trained together with a GPT at the rate that it needs, they end as one constant vector for every voice: the encoder's
attention blocks have nothing between them, and a large step makes them shout down what they hear. So they have a task,
a small rate and a stage of their own, and this stage refuses to end with latents that are the same for all.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.engine.tiny.corpus import RATE, Corpus
from training.engine.tiny.recipe import Steps, Workshop
from training.engine.tiny.sizes import tiny_config
from training.engine.tiny.voice_head import VoiceHead
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.xtts.mel import conditioning_mel
from xttsproject.xtts.networks import build_gpt

STEPS = 500
VOICES = 16
REFERENCE_SECONDS = (1.5, 4.0)
_RATE = 4e-4
_COLLAPSED = 0.05
"""Deviation over voices, as a mean over the latents' numbers: a live encoder has 0.2 and more, a collapsed one 1e-4."""
WEIGHTS = "style.safetensors"
PARTS = ("conditioning_encoder", "conditioning_perceiver")


def run(workshop: Workshop) -> None:
    torch.manual_seed(8)
    config, corpus = tiny_config(), workshop.corpus("train")
    gpt: Any = build_gpt(config).to(workshop.device)
    without_dropout(gpt)
    head = VoiceHead.of(workshop, corpus, config.gpt.width).to(workshop.device)
    parts = nn.ModuleDict({name: getattr(gpt, name) for name in PARTS})
    trained = [*parts.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=_RATE, weight_decay=0.01)
    stats = workshop.mel_stats()
    names = list(corpus.by_voice)
    steps = Steps(workshop, "style", STEPS, {"parts": parts, "head": head, "optimizer": optimizer})
    for step in steps:
        random = steps.random(step)
        for group in optimizer.param_groups:
            group["lr"] = steps.cosine(step, _RATE, warmup=50)
        voices = random.sample(names, VOICES)
        seconds = random.uniform(*REFERENCE_SECONDS)
        heard = torch.stack([reference(corpus, voice, seconds, random) * random.uniform(0.5, 1.5) for voice in voices])
        with workshop.autocast():
            mels = conditioning_mel(heard.to(workshop.device), stats)
            style = gpt.get_style_emb(mels).transpose(1, 2)
            loss, pitch = head.loss(style, voices, mels)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps.report(loss=loss, semitones=pitch, differs=differs(style))
    figures = {"differs": _checked(gpt, workshop), "semitones_held": measured(gpt, workshop, head)}
    with atomic_path(workshop.folder("style") / WEIGHTS) as temporary:
        state = {name: value.detach().cpu().contiguous() for name, value in parts.state_dict().items()}
        save_file(state, temporary)
    workshop.finish("style", {"steps": steps.total, "seconds": round(steps.seconds), **figures})


def differs(style: Tensor) -> float:
    """How far the latents ``(voices, 32, width)`` of different voices are from being one."""
    return float(style.detach().float().std(0).mean())


def place(gpt: Any, workshop: Workshop) -> None:
    """Put what this stage made into a GPT."""
    state = load_file(workshop.folder("style") / WEIGHTS)
    for name in PARTS:
        mine = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        getattr(gpt, name).load_state_dict(mine)


def without_dropout(network: nn.Module) -> None:
    """Nets this small never fit so well that forgetting would help."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


@torch.no_grad()
def latents(gpt: Any, workshop: Workshop, corpus: Corpus, each: int) -> dict[str, Tensor]:
    """For every voice of a set ``each`` style latents, ``(each, 32, width)`` in half precision: of stretches of its
    clips, of the lengths that people's references have once they are cut."""
    random, stats, found = Random(9), workshop.mel_stats(), {}  # noqa: S311 - variation that must repeat
    gpt.eval()
    for voice in corpus.by_voice:
        seconds = random.uniform(*REFERENCE_SECONDS)
        heard = torch.stack([reference(corpus, voice, seconds, random) * random.uniform(0.5, 1.5) for _ in range(each)])
        with workshop.autocast():
            style = gpt.get_style_emb(conditioning_mel(heard.to(workshop.device), stats))
        found[voice] = style.transpose(1, 2).to("cpu", torch.float16)
    gpt.train()
    return found


def reference(corpus: Corpus, voice: str, seconds: float, random: Random) -> Tensor:
    """A stretch of a voice's clips, ``(samples,)``."""
    wanted, pieces, length = round(seconds * RATE), [], 0
    while length < wanted:
        pieces.append(corpus.wave(random.choice(corpus.by_voice[voice])))
        length += len(pieces[-1])
    start = random.randint(0, length - wanted)
    return torch.from_numpy(np.concatenate(pieces)[start : start + wanted])


def measured(gpt: Any, workshop: Workshop, head: VoiceHead) -> float:
    """Median error in semitones of the pitch that the head reads off latents of voices never heard before."""
    corpus = workshop.corpus("held")
    found = latents(gpt, workshop, corpus, 4)
    errors: list[float] = []
    for voice, octaves in VoiceHead.pitches(workshop, list(found)).items():
        with torch.no_grad():
            told = head(found[voice].float().to(workshop.device))[0]
        errors += (told - octaves).abs().flatten().tolist()
    return round(12 * float(np.median(errors)), 3)


def _checked(gpt: Any, workshop: Workshop) -> float:
    """How much the latents differ over voices never heard before; an error where they hardly do."""
    found = latents(gpt, workshop, workshop.corpus("held"), 1)
    spread = differs(torch.cat(list(found.values())))
    if spread < _COLLAPSED:
        raise DomainError(
            "style_collapsed",
            f"The style latents differ by {spread:.4f} over voices where {_COLLAPSED} is expected: the conditioning "
            "encoder is the same for every voice. Remove the folder “style”; the stage then begins anew.",
        )
    return round(spread, 3)
