"""Stage "gpt": the network that turns text and a voice into audio codes.

What helps a small network to speak within an hour on two cores: positions that begin as sinusoids whose pace is that
of the speech, code embeddings that begin as the DVAE's own code vectors, two heads that are shown the character being
spoken (Tachibana et al. 2018 guide by a diagonal; here the synthesiser's word times say where), noise on the codes
read, and a second task for the latents: mel, pitch and voicing of their own sound, which is what the decoder needs of
them.
The voice's latents come from the stage "style" and stay as they are (:mod:`style`).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as fn

from training.engine.tiny import style
from training.engine.tiny.alignment import Aligned, align
from training.engine.tiny.corpus import GRID, Corpus
from training.engine.tiny.dvae import Codes
from training.engine.tiny.features import Features
from training.engine.tiny.recipe import Steps, Workshop
from training.engine.tiny.sizes import tiny_config
from training.engine.tiny.speaking import Pack, SoundHead, forward, noisy, pack
from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.lib.files import atomic_path, write_json
from xttsproject.xtts.config import XttsConfig
from xttsproject.xtts.networks import build_gpt
from xttsproject.xtts.tokenizer import Tokenizer

STEPS = 7_200
VOICES, PER_VOICE = 8, 4
"""A batch has four clips each of eight voices; on a GPU, of more."""
PEAK_RATE = 1.5e-3
_STYLES = 16
"""Style latents kept of each voice, of as many stretches of its clips."""
_NOISE = 0.4
_MISLED_ROWS, _MISLED = 0.2, 0.85
"""In some rows almost nothing of what was said before is true: there the voice can only come from its latents."""
_GUIDE = 0.15
_SMOOTH = 0.15
WEIGHTS = "gpt.safetensors"
_HEAD = "sound_head.safetensors"


def run(workshop: Workshop) -> None:
    torch.manual_seed(5)
    config = tiny_config()
    train, check = Set(workshop, "train"), Set(workshop, "validation")
    gpt: Any = build_gpt(config).to(workshop.device)
    codebook = load_file(workshop.folder("dvae") / "dvae.safetensors")["codebook.embed"]
    begin(gpt, config, codebook, train)
    head = SoundHead(config.gpt.width).to(workshop.device)
    style.without_dropout(gpt)
    style.place(gpt, workshop)
    styles = Styles(gpt, workshop, train.corpus)
    near = neighbours(codebook).to(workshop.device)
    fixed = {id(weight) for name in style.PARTS for weight in getattr(gpt, name).parameters()}
    trained = [weight for weight in (*gpt.parameters(), *head.parameters()) if id(weight) not in fixed]
    optimizer = torch.optim.AdamW(trained, lr=PEAK_RATE, betas=(0.9, 0.96), weight_decay=0.01)
    parts = {"gpt": gpt, "head": head, "optimizer": optimizer}
    steps = Steps(workshop, "gpt", STEPS, parts)
    many = workshop.rows(VOICES)

    def draw(_step: int, random: Random) -> tuple[list[int], Pack, Tensor, tuple[Tensor, Tensor, Tensor]]:
        indices = train.draw(random, many)
        return indices, train.pack(indices), styles.draw(train.voices(indices), random), train.sound(indices)

    for step, random, (indices, drawn, voices, true_sound) in steps.drawn(draw):
        done = step / steps.total
        for group in optimizer.param_groups:
            group["lr"] = steps.cosine(step, PEAK_RATE, warmup=150)
        batch = drawn.to(workshop.device)
        shares = [_MISLED if random.random() < _MISLED_ROWS else _NOISE * random.random() for _ in indices]
        read = noisy(batch.codes, torch.tensor(shares, device=workshop.device)[:, None], config.gpt)
        with workshop.autocast():
            heard = voices.to(workshop.device).repeat_interleave(PER_VOICE, 0)
            latents, told, away = forward(gpt, heard, batch, read, guided=True)
            codes_loss = cross_entropy(gpt.mel_head, latents, batch.targets, near, _SMOOTH * max(0.0, 1 - 1.6 * done))
            text_loss = next_token(gpt.text_head, told, batch)
        true = [part.to(workshop.device) for part in true_sound]
        sound = head.loss(latents[:, : train.longest(indices)].float(), *true)
        loss = codes_loss + 3 * sound[0] + 2 * sound[1] + 0.1 * sound[2] + 0.01 * text_loss
        torch.autograd.backward(loss + _GUIDE * max(0.1, 1 - 1.6 * done) * away)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps.report(codes=codes_loss, mel=sound[0], semitones=12 * sound[1], guide=away)
        if (step + 1) % 500 == 0:
            workshop.log(f"   validation {evaluate(gpt, head, check, styles, workshop)}")
    # What was resumed from may hold those of an earlier stage "style".
    style.place(gpt, workshop)
    figures = evaluate(gpt, head, check, styles, workshop)
    folder = workshop.folder("gpt")
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file({name: value.contiguous() for name, value in own_state(gpt).items()}, temporary)
    with atomic_path(folder / _HEAD) as temporary:
        save_file(head.state_dict(), temporary)
    workshop.finish("gpt", {"steps": steps.total, "seconds": round(steps.seconds), **figures})


def own_state(gpt: Any) -> dict[str, Tensor]:
    """The GPT's tensors by the names that a bundle has."""
    return {name: value.detach().cpu() for name, value in gpt.state_dict().items()}


def begin(gpt: Any, config: XttsConfig, codebook: Tensor, train: Set) -> None:
    """Starting weights; see the module's docstring."""
    width = config.gpt.width
    codes_per_token = train.codes_per_token()
    with torch.no_grad():
        gpt.text_embedding.weight.normal_(0, 0.1)
        text, audio = gpt.text_pos_embedding.emb.weight, gpt.mel_pos_embedding.emb.weight
        # Speech begins after two codes of silence, text after the start token and the language's.
        text.copy_(0.1 * sinusoids((torch.arange(len(text)) - 2) * codes_per_token + 2, width))
        audio.copy_(0.1 * sinusoids(torch.arange(len(audio)).float(), width))
        vectors = codebook.T.float()
        vectors = (vectors - vectors.mean(0)) / vectors.std()
        turned, _ = torch.linalg.qr(torch.randn(width, vectors.shape[1]))
        placed = vectors @ turned.T
        count = len(placed)
        gpt.mel_embedding.weight.normal_(0, 0.1)
        gpt.mel_embedding.weight[:count] = 0.1 * placed / placed.std()
        gpt.mel_head.weight.normal_(0, 0.02)
        gpt.mel_head.weight[:count] = 0.03 * placed / placed.std()
        gpt.mel_head.bias.zero_()


def sinusoids(places: Tensor, width: int) -> Tensor:
    """Rows of sines and cosines with periods from 4 to 4 000 places (Vaswani et al. 2017)."""
    rates = 2 * np.pi / torch.logspace(np.log10(4.0), np.log10(4000.0), width // 2)
    angles = places[:, None].float() * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def neighbours(codebook: Tensor) -> Tensor:
    """``(codes, codes)``: a share of the expectation for codes that sound alike, rows summing to 1."""
    vectors = codebook.T.float()
    distance = torch.cdist(vectors, vectors) ** 2
    scale = distance.topk(9, largest=False).values[:, -1:].clamp(min=1e-6) / 2
    return (-distance / scale).softmax(dim=1)


def cross_entropy(head: Any, latents: Tensor, targets: Tensor, near: Tensor, smooth: float) -> Tensor:
    wanted = targets >= 0
    logits = head(latents[wanted]).float()
    expected = targets[wanted]
    loss = fn.cross_entropy(logits, expected)
    spoken = expected < len(near)
    if smooth and bool(spoken.any()):
        chances = logits[spoken].log_softmax(-1)[:, : len(near)]
        loss = (1 - smooth) * loss - smooth * (near[expected[spoken]] * chances).sum(-1).mean()
    return loss


def next_token(head: Any, hidden: Tensor, batch: Pack) -> Tensor:
    logits = head(hidden[:, :-1]).float()
    targets = batch.text[:, 1:].clone()
    targets[torch.arange(targets.shape[1])[None].to(targets.device) >= batch.text_lengths[:, None] - 1] = -1
    return fn.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-1)


@torch.no_grad()
def evaluate(gpt: Any, head: SoundHead, check: Set, styles: Styles, workshop: Workshop) -> dict[str, float]:
    """Losses over the validation sentences, with references of the same voices from training."""
    gpt.eval()
    found = []
    for begin_ in range(0, len(check.corpus), 24):
        indices = [i for i in range(begin_, min(begin_ + 24, len(check.corpus))) if check.aligned[i] is not None]
        batch = check.pack(indices).to(workshop.device)
        voices = torch.cat([styles.of[check.corpus.utterances[i].voice][:1] for i in indices]).float()
        with workshop.autocast():
            latents, _, away = forward(gpt, voices.to(workshop.device), batch, batch.codes, guided=True)
            wanted = batch.targets >= 0
            logits = gpt.mel_head(latents[wanted]).float()
        expected = batch.targets[wanted]
        true = [part.to(workshop.device) for part in check.sound(indices)]
        sound = head.loss(latents[:, : check.longest(indices)].float(), *true)
        right = (logits.argmax(-1) == expected).float().mean()
        found.append([fn.cross_entropy(logits, expected), right, sound[0], 12 * sound[1], away])
    gpt.train()
    means = torch.tensor(found).mean(0).tolist()
    return dict(zip(("codes", "accuracy", "mel", "semitones", "guide"), (round(v, 4) for v in means), strict=True))


class Set:
    """A set of the corpus as the GPT sees it."""

    def __init__(self, workshop: Workshop, name: str):
        self.corpus: Corpus = workshop.corpus(name)
        self.features = Features.open(workshop.folder("features") / name)
        self.codes = Codes.open(workshop.folder("dvae") / name)
        tokenizer = _tokenizer(workshop)
        # Every second text keeps its full stop: speech is asked for without, datasets have it.
        self.aligned: list[Aligned | None] = [
            align(utterance, tokenizer, with_stop=number % 2 == 0)
            for number, utterance in enumerate(self.corpus.utterances)
        ]
        self._by_length = {
            voice: sorted((i for i in mine if self.aligned[i] is not None), key=self.count)
            for voice, mine in self.corpus.by_voice.items()
        }

    def count(self, index: int) -> int:
        """Codes of a clip."""
        return self.corpus.utterances[index].samples // GRID

    def longest(self, indices: Sequence[int]) -> int:
        return max(map(self.count, indices))

    def codes_per_token(self) -> float:
        used = [i for i in range(len(self.corpus)) if (line := self.aligned[i]) is not None and len(line.tokens) > 20]
        spoken = [(self.count(i) - 5) / (len(line.tokens) - 1) for i in used if (line := self.aligned[i]) is not None]
        return float(np.median(spoken))

    def draw(self, random: Random, many: int) -> list[int]:
        """Clips of about one length, so that little is padded, of ``many`` voices."""
        voices = random.sample([voice for voice, mine in self._by_length.items() if len(mine) >= PER_VOICE], many)
        share, indices = random.random(), []
        for voice in voices:
            mine = self._by_length[voice]
            first = round(share * (len(mine) - PER_VOICE) + random.uniform(-2, 2))
            first = min(max(first, 0), len(mine) - PER_VOICE)
            indices += mine[first : first + PER_VOICE]
        return indices

    def pack(self, indices: Sequence[int]) -> Pack:
        lines = [line for i in indices if (line := self.aligned[i]) is not None]
        shape = tiny_config().gpt
        return pack(shape, lines, [self.codes[i][: self.count(i)] for i in indices])

    def voices(self, indices: Sequence[int]) -> list[str]:
        """The voices of a drawn batch, one for each of its groups."""
        return [self.corpus.utterances[i].voice for i in indices[::PER_VOICE]]

    def sound(self, indices: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Mel ``(b, 80, 4m)``, pitch and what is known of them ``(b, 4m)``; see :class:`SoundHead`."""
        frames = 4 * self.longest(indices)
        mel, pitch, known = (torch.zeros(len(indices), *size) for size in ((80, frames), (frames,), (frames,)))
        for row, i in enumerate(indices):
            mine = 4 * self.count(i)
            mel[row, :, :mine] = torch.as_tensor(self.features.mel(i), dtype=torch.float32)[:, :mine]
            pitch[row, :mine] = torch.as_tensor(self.features.f0(i), dtype=torch.float32)[:mine]
            known[row, :mine] = 1.0
        return mel, pitch, known


class Styles:
    """Style latents of every voice of a set, ``of[voice]`` ``(16, 32, width)``, computed once."""

    def __init__(self, gpt: Any, workshop: Workshop, corpus: Corpus):
        self.of = style.latents(gpt, workshop, corpus, _STYLES)

    def draw(self, voices: Sequence[str], random: Random) -> Tensor:
        """For each voice one row, half of the time the mean of several, as several references or a long one give."""
        rows = []
        for voice in voices:
            mine = self.of[voice].float()
            count = 1 if random.random() < 0.5 else random.randint(2, 4)
            rows.append(mine[random.sample(range(len(mine)), count)].mean(0))
        return torch.stack(rows)


def _tokenizer(workshop: Workshop) -> Tokenizer:
    path = workshop.folder("gpt") / "vocab.json"
    write_json(path, vocabulary())
    return Tokenizer(path)
