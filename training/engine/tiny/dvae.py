"""Stage "dvae": 1 024 audio codes that carry the voice, and the codes of every clip.

Coqui's stock class learns to rebuild the clips' own mels. What sets it apart from plain training: codes that nothing
uses are moved to where sound is; quiet noise is added to what it hears and not to what it has to rebuild, so that rooms
of any quietness get the same few codes; and a head that is thrown away afterwards reads pitch from the codes, so that
they keep it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as fn

from training.engine.tiny.corpus import SETS
from training.engine.tiny.features import BANDS, Features, each
from training.engine.tiny.recipe import Steps, Workshop
from training.engine.tiny.sizes import mel_stats, tiny_config
from xttsproject.lib.files import atomic_directory, atomic_path
from xttsproject.xtts.mel import dvae_mel
from xttsproject.xtts.networks import build_dvae

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.dvae import DiscreteVAE

STAGE = "dvae"
WEIGHTS = "dvae.safetensors"
FRAMES = 4
"""Mel frames of a code."""

_STEPS = 4_000
_PEAK_RATE = 1.5e-3
_BATCH, _WINDOW = 32, 128
_FREE = 150
"""Steps without codes, after which the codebook is taken from what the encoder says."""
_REVIVE_EVERY, _REVIVE_UNTIL, _DEAD = 25, 0.75, 0.12
"""Codes used less than this share of the mean are moved, until this share of the steps is done."""
_COMMITMENT, _PITCH = 0.25, 0.1
_LOW_BANDS, _LOW_WEIGHT = 26, 2.0
"""Below 1 kHz, where the harmonics are apart: they tell the pitch."""
_GAIN = 0.3
"""Deviation of the loudness in which a clip is heard, as the logarithm of its power: 1.3 dB."""
_NOISE_DB = (-78.0, -52.0)
_NOISY = 0.7
_ROOM_DB = -57.0
"""Level of the noise that every rebuilt mel lies in: quieter sound counts as silence."""

_PITCH_CENTRE = math.log2(130.0)


class Codes:
    """The audio codes of one set. A clip of ``n * 1024`` samples has ``n + 1``, as the product computes them:
    the mel has a frame that is centred on the clip's end, and the DVAE gives it a code of its own."""

    def __init__(self, codes: npt.NDArray[np.int16], offsets: npt.NDArray[np.int64]):
        self.codes, self.offsets = codes, offsets

    @classmethod
    def open(cls, folder: Path) -> Codes:
        return cls(np.load(folder / "codes.npy"), np.load(folder / "offsets.npy"))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Tensor:
        """``(n + 1,)``, int64."""
        return torch.from_numpy(self.codes[self.offsets[index] : self.offsets[index + 1]].astype(np.int64))

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))


class PitchHead(nn.Module):
    """For training only: quantised codes ``(batch, width, n)`` to octaves and voicing logits, ``(batch, 4 n)`` each."""

    def __init__(self, width: int):
        super().__init__()
        self.inner = nn.Conv1d(width, 128, 3, padding=1)
        self.outer = nn.Conv1d(128, 2 * FRAMES, 1)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Octaves are relative to 130 Hz."""
        told = self.outer(fn.gelu(self.inner(codes)))
        octave, voiced = told.unflatten(1, (2, FRAMES)).transpose(2, 3).flatten(2).unbind(1)
        return octave, voiced

    def loss(self, codes: Tensor, f0: Tensor) -> tuple[Tensor, Tensor]:
        """Mean error in octaves over voiced frames, and the cross-entropy of voicing; ``f0`` ``(batch, 4 n)`` in Hz."""
        octave, logits = self(codes)
        voiced = (f0 > 0).float()
        wrong = (octave - (f0.clamp(min=40).log2() - _PITCH_CENTRE)).abs() * voiced
        return wrong.sum() / voiced.sum().clamp(min=1), fn.binary_cross_entropy_with_logits(logits, voiced)


def run(workshop: Workshop) -> None:
    figures = train(workshop)
    begun = time.monotonic()
    dvae = load_dvae(workshop)
    for name in SETS:
        encode(dvae, workshop, name)
    figures |= measure(dvae, workshop)
    workshop.log(f"{STAGE}: {figures}")
    seconds = figures["training_seconds"] + time.monotonic() - begun
    workshop.finish(STAGE, {**figures, "seconds": round(seconds, 1)})


def load_dvae(workshop: Workshop) -> DiscreteVAE:
    """The trained DVAE on the CPU, in evaluation mode, its weights rounded as they ship."""
    return read_dvae(workshop.folder(STAGE) / WEIGHTS)


def read_dvae(path: Path) -> DiscreteVAE:
    dvae = build_dvae(tiny_config())
    dvae.load_state_dict({name: _widened(value) for name, value in load_file(path).items()})
    return dvae.requires_grad_(False).eval()


def train(workshop: Workshop) -> dict[str, Any]:
    """Train, and write the weights in half precision. Returns the figures of the last steps."""
    torch.manual_seed(11)
    config = tiny_config()
    dvae: Any = build_dvae(config).to(workshop.device).train()
    head = PitchHead(dvae.codebook.dim).to(workshop.device)
    windows = Windows(Features.open(workshop.folder("features") / "train"), workshop.device)
    trained = [*dvae.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=_PEAK_RATE, betas=(0.9, 0.98), weight_decay=1e-4)
    steps = Steps(workshop, STAGE, _STEPS, {"dvae": dvae, "head": head, "optimizer": optimizer})
    free = min(_FREE, steps.total // 4)
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = steps.cosine(step, _PEAK_RATE)
        if step == free:
            begin_codebook(dvae, torch.cat([_encoded(dvae, windows.draw()[0], workshop) for _ in range(8)]))
        heard, wanted, f0 = windows.draw()
        with workshop.autocast():
            said = dvae.encoder(heard).permute(0, 2, 1)
        said = said.float()
        if step > free and step % _REVIVE_EVERY == 0 and step < steps.total * _REVIVE_UNTIL:
            steps.report(moved=revive(dvae, said.detach().reshape(-1, said.shape[-1])))
        quantised, commitment = said, said.new_zeros(())
        if step >= free:
            quantised, used, commitment = dvae.codebook(said)
            steps.report(used=used.unique().numel())
        with workshop.autocast():
            rebuilt = dvae.decoder(quantised.permute(0, 2, 1))
            octaves, voicing = head.loss(quantised.permute(0, 2, 1), f0)
        error = windows.error(rebuilt.float(), wanted)
        loss = error + _COMMITMENT * commitment + _PITCH * (octaves + 0.3 * voicing)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        steps.report(error=error, commitment=commitment, semitones=12 * octaves)
    folder = workshop.folder(STAGE)
    save(dvae, folder / WEIGHTS)
    with atomic_path(folder / "pitch_head.safetensors") as temporary:
        save_file({name: value.cpu() for name, value in head.state_dict().items()}, temporary)
    return {"steps": steps.total, "training_seconds": round(steps.seconds, 1), "last": steps.figures}


class Windows:
    """Random stretches of a set: as the encoder hears them, as they are to be rebuilt, and their pitch."""

    def __init__(self, features: Features, device: torch.device):
        self.features, self.device = features, device
        self.stats = mel_stats().to(device)[:, None]
        self.noise_power, self.noise_shape = (value.to(device)[:, None] for value in noise_in_mels())
        weight = torch.ones(BANDS, 1, device=device)
        weight[:_LOW_BANDS] = _LOW_WEIGHT
        self.weight = weight / weight.mean()

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Heard and wanted mels ``(batch, 80, frames)``, and F0 ``(batch, frames)`` in hertz, by torch's generator."""
        # Any phase: nothing tells where in a product's recording the codes begin.
        starts = torch.randint(0, len(self.features.mels) - _WINDOW, (_BATCH,)).tolist()
        mel = torch.from_numpy(np.stack([self.features.mels[at : at + _WINDOW] for at in starts]))
        f0 = torch.from_numpy(np.stack([self.features.pitch[at : at + _WINDOW] for at in starts]))
        gain = torch.randn(_BATCH, 1, 1, device=self.device) * _GAIN
        power = (mel.to(self.device).float().transpose(1, 2) * self.stats + gain).exp()
        return self.heard(power), self.wanted(power), f0.to(self.device).float()

    def heard(self, power: Tensor) -> Tensor:
        """With white noise of any quietness, drawn as it comes out in mels."""
        level = torch.empty(len(power), 1, 1, device=self.device).uniform_(*_NOISE_DB)
        level = 10 ** (level / 10) * (torch.rand_like(level) < _NOISY)
        # A band's power is a sum of squares: a gamma variable, here by Wilson and Hilferty's cube of a normal one.
        ninth = 1 / (9 * self.noise_shape)
        drawn = (1 - ninth + ninth.sqrt() * torch.randn_like(power)).clamp(min=0.05) ** 3
        return (power + level * self.noise_power * drawn).clamp(min=1e-5).log() / self.stats

    def wanted(self, power: Tensor) -> Tensor:
        return (power + 10 ** (_ROOM_DB / 10) * self.noise_power).log() / self.stats

    def error(self, rebuilt: Tensor, wanted: Tensor) -> Tensor:
        return ((rebuilt - wanted).abs() * self.weight).mean()


def noise_in_mels() -> tuple[Tensor, Tensor]:
    """What white noise of power 1 is in each mel band, ``(80,)`` each: its mean power, and the shape of its gamma
    distribution (half of its degrees of freedom)."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1024 * 1500, generator=generator)
    power = dvae_mel(noise, torch.ones(BANDS))[0].double().exp()
    mean = power.mean(1)
    return mean.float(), (mean**2 / power.var(1)).float()


@torch.no_grad()
def _encoded(dvae: Any, heard: Tensor, workshop: Workshop) -> Tensor:
    with workshop.autocast():
        said: Tensor = dvae.encoder(heard)
    return said.permute(0, 2, 1).reshape(-1, said.shape[1]).float()


@torch.no_grad()
def begin_codebook(dvae: Any, said: Tensor, rounds: int = 6) -> None:
    """Set the codes among the encoder's vectors ``(n, width)``, by a few rounds of k-means."""
    book, count = dvae.codebook, dvae.codebook.n_embed
    chosen = said[torch.randperm(len(said))[:count].to(said.device)]
    if len(chosen) < count:
        chosen = torch.cat([chosen, said[torch.randint(len(said), (count - len(chosen),))]])
    for _ in range(rounds):
        nearest = (chosen.square().sum(1) - 2 * said @ chosen.t()).argmin(1)
        sums = torch.zeros_like(chosen).index_add_(0, nearest, said)
        uses = torch.bincount(nearest, minlength=count).to(said)[:, None]
        chosen = torch.where(uses > 0, sums / uses.clamp(min=1), said[torch.randint(len(said), (count,))])
    place(book, torch.ones(count, dtype=torch.bool, device=said.device), chosen)


@torch.no_grad()
def revive(dvae: Any, said: Tensor) -> int:
    """Move codes that are hardly used to vectors ``(n, width)`` just seen. Returns how many were."""
    book = dvae.codebook
    dead = book.cluster_size < _DEAD * book.cluster_size.mean()
    place(book, dead, said[torch.randint(len(said), (book.n_embed,))])
    return int(dead.sum())


def place(book: Any, which: Tensor, vectors: Tensor) -> None:
    """Put codes at vectors ``(codes, width)``, and let the running means begin there."""
    book.embed[:, which] = vectors[which].t()
    book.embed_avg[:, which] = vectors[which].t()
    book.cluster_size[which] = 1.0


def save(dvae: Any, path: Path) -> None:
    """In half precision, as it ships: the codes are computed with exactly these weights."""
    state = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in dvae.state_dict().items()
    }
    with atomic_path(path) as temporary:
        save_file(state, temporary)


def _widened(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def codes_of(dvae: Any, wave: Tensor, stats: Tensor) -> Tensor:
    """Codes ``(1 + samples // 1024,)`` of sound ``(samples,)``: what the product computes of a clip to train on."""
    codes: Tensor = dvae.get_codebook_indices(dvae_mel(wave[None], stats))
    return codes[0]


def encode(dvae: DiscreteVAE, workshop: Workshop, name: str) -> None:
    """Write the codes of every clip of a set."""
    corpus, stats = workshop.corpus(name), mel_stats()

    def one(index: int) -> npt.NDArray[np.int16]:
        return codes_of(dvae, torch.from_numpy(corpus.wave(index)), stats).numpy().astype(np.int16)

    codes = each(one, range(len(corpus)), workshop, f"codes of {name}")
    with atomic_directory(workshop.folder(STAGE) / name) as folder:
        np.save(folder / "codes.npy", np.concatenate(codes))
        np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum([len(part) for part in codes])]))


@torch.no_grad()
def measure(dvae: Any, workshop: Workshop) -> dict[str, Any]:
    """How much the codes are used, and what of the held voices they keep: mels, and pitch as the head reads it."""
    codes = Codes.open(workshop.folder(STAGE) / "train").codes
    share = np.bincount(codes, minlength=dvae.num_tokens) / len(codes)
    used = share[share > 0]
    figures: dict[str, Any] = {
        "codes_used": len(used),
        "perplexity": round(float(np.exp(-(used * np.log(used)).sum())), 1),
        "repeated": round(float((codes[1:] == codes[:-1]).mean()), 4),
        "parameters": sum(value.numel() for value in dvae.parameters()),
    }
    head = PitchHead(dvae.codebook.dim)
    head.load_state_dict(load_file(workshop.folder(STAGE) / "pitch_head.safetensors"))
    windows = Windows(Features.open(workshop.folder("features") / "train"), torch.device("cpu"))
    for name in ("validation", "held"):
        features, kept = Features.open(workshop.folder("features") / name), Codes.open(workshop.folder(STAGE) / name)
        errors, wrong, confused = [], [], []
        for index in range(len(features)):
            mel, f0 = features.mel(index), features.f0(index)
            wanted = windows.wanted((mel * windows.stats).exp())
            rebuilt = dvae.decode(kept[index][None])[0][0, :, : mel.shape[1]]
            errors.append(float((rebuilt - wanted).abs().mean()))
            octave, logits = head(dvae.codebook.embed_code(kept[index])[None].transpose(1, 2))
            octave, logits, voiced = octave[0, : len(f0)], logits[0, : len(f0)], f0 > 0
            wrong.append(12 * (octave[voiced] - (f0[voiced].log2() - _PITCH_CENTRE)).abs())
            confused.append(((logits > 0) != voiced).float())
        figures[f"{name}_l1"] = round(sum(errors) / len(errors), 4)
        figures[f"{name}_semitones_median"] = round(float(torch.cat(wrong).median()), 3)
        figures[f"{name}_within_semitone"] = round(float((torch.cat(wrong) < 1).float().mean()), 3)
        figures[f"{name}_voicing_wrong"] = round(float(torch.cat(confused).mean()), 4)
    return figures
