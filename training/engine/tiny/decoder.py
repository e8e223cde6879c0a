"""Stages "decoder_mel" and "decoder": the source-filter decoder, first from true mels, then from the GPT's latents.

Mels hold what sounds, so the first stage teaches how to make sound of a description; it needs no GPT. The second swaps
the first layer for one that reads latents, and learns to find that description in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.engine.tiny.corpus import GRID, RATE, Corpus
from training.engine.tiny.features import Features
from training.engine.tiny.recipe import Steps, Workshop
from training.engine.tiny.sizes import tiny_config
from training.engine.tiny.sounding import figures, hear, losses, resampled
from xttsproject.lib.files import atomic_path
from xttsproject.xtts.config import SOURCE_FILTER, XttsConfig
from xttsproject.xtts.source_filter import SourceFilterDecoder

WEIGHTS = "decoder.safetensors"
"""The decoder's own weights, without the speaker encoder, as :class:`SourceFilterDecoder` names them."""

MEL_STEPS, LATENT_STEPS = 2_400, 3_600
_PEAK_RATE = 1.5e-3
_ROWS, _CODES = 8, 32
"""A batch: so many stretches of so many codes; on a GPU, more stretches."""
_FRAMES_PER_CODE = 4
_MELS = 80
_CHECKED = 60
"""Clips of a set that a stage is measured on."""


@dataclass(frozen=True)
class Sounds:
    """Stretches to learn from. inputs ``(b, n, width)``; voices ``(b, 512, 1)`` or None; pitch ``(b, 4n)`` in hertz,
    0 where unvoiced; wave ``(b, samples)`` at the decoder's output rate."""

    inputs: Tensor
    voices: Tensor | None
    pitch: Tensor
    wave: Tensor

    def to(self, device: torch.device) -> Sounds:
        voices = None if self.voices is None else self.voices.to(device)
        return Sounds(self.inputs.to(device), voices, self.pitch.to(device), self.wave.to(device))


class Truth:
    """A set's sound and pitch, as the decoder is to give them."""

    def __init__(self, workshop: Workshop, name: str):
        self.name = name
        self.corpus: Corpus = workshop.corpus(name)
        self.features = Features.open(workshop.folder("features") / name)

    def __len__(self) -> int:
        return len(self.corpus)

    def codes(self, index: int) -> int:
        return self.corpus.utterances[index].samples // GRID

    def mel(self, index: int, start: int = 0, codes: int | None = None) -> Tensor:
        """The mel of a stretch in the place of latents: ``(codes, 320)``, four frames to each."""
        count = self.codes(index) - start if codes is None else codes
        first, last = _FRAMES_PER_CODE * start, _FRAMES_PER_CODE * (start + count)
        mel = torch.as_tensor(self.features.mel(index))[:, first:last].float()
        return mel.reshape(_MELS, count, _FRAMES_PER_CODE).transpose(0, 1).flatten(1)

    def pitch(self, index: int, start: int = 0, codes: int | None = None) -> Tensor:
        """Hertz, 0 where unvoiced, ``(4 · codes,)``; unvoiced beyond the clip's end."""
        count = self.codes(index) - start if codes is None else codes
        first, last = _FRAMES_PER_CODE * start, _FRAMES_PER_CODE * (start + count)
        return _lengthened(torch.as_tensor(self.features.f0(index))[first:last].float(), last - first)

    def wave(self, index: int, start: int = 0, codes: int | None = None) -> Tensor:
        """Samples at 22 050 Hz, ``(1024 · codes,)``; silence beyond the clip's end."""
        count = self.codes(index) - start if codes is None else codes
        sound = torch.from_numpy(self.corpus.wave(index)[GRID * start : GRID * (start + count)])
        return _lengthened(sound, GRID * count)

    def spread(self, count: int) -> Sequence[int]:
        """About so many clips, from all over the set."""
        return range(0, len(self), max(1, len(self) // count))


def _lengthened(values: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, length - len(values)))


def run_mel(workshop: Workshop) -> None:
    """Stage "decoder_mel"."""
    config = tiny_config()
    torch.manual_seed(11)
    decoder = new_decoder(config, _MELS * _FRAMES_PER_CODE).to(workshop.device)
    train = Truth(workshop, "train")
    usable = [index for index in range(len(train)) if train.codes(index) >= _CODES]

    def draw(_step: int, random: Random) -> Sounds:
        indices = [random.choice(usable) for _ in range(workshop.rows(_ROWS))]
        places = [(index, random.randint(0, train.codes(index) - _CODES)) for index in indices]
        return Sounds(
            inputs=torch.stack([train.mel(index, start, _CODES) for index, start in places]),
            voices=None,
            pitch=torch.stack([train.pitch(index, start, _CODES) for index, start in places]),
            wave=output_waves(decoder, [train.wave(index, start, _CODES) for index, start in places]),
        )

    steps = fit(workshop, "decoder_mel", decoder, MEL_STEPS, draw)
    measured = {
        name: measure(decoder, ((truth, i, truth.mel(i), None) for i in truth.spread(_CHECKED)), workshop.device)
        for name in ("validation", "held")
        for truth in [Truth(workshop, name)]
    }
    _keep(workshop, "decoder_mel", decoder, steps, measured)


def run(workshop: Workshop) -> None:
    """Stage "decoder"."""
    from training.engine.tiny.latents import Bank, collect

    config = tiny_config()
    train, validation, held = (collect(workshop, config, name) for name in ("train", "validation", "held"))
    torch.manual_seed(12)
    decoder = new_decoder(config, config.gpt.width)
    learnt = load_file(workshop.folder("decoder_mel") / WEIGHTS)
    # The layer that reads is new; so is the one that hears the voice, which mels needed no help from.
    fresh = {name: value for name, value in decoder.state_dict().items() if name.startswith(("entry.", "voice."))}
    decoder.load_state_dict({**learnt, **fresh})
    decoder.to(workshop.device)
    truth = Truth(workshop, "train")
    usable = [row for row, index in enumerate(train.clips) if truth.codes(index) + 1 >= _CODES]

    def draw(_step: int, random: Random) -> Sounds:
        inputs, voices, pitch, waves = [], [], [], []
        for _ in range(workshop.rows(_ROWS)):
            row = random.choice(usable)
            latents = train.latents(row)
            start = random.randint(0, len(latents) - _CODES)
            inputs.append(latents[start : start + _CODES])
            voices.append(train.voice(row, random))
            pitch.append(truth.pitch(train.clips[row], start, _CODES))
            waves.append(truth.wave(train.clips[row], start, _CODES))
        noisy = torch.stack(inputs)
        noise = torch.randn(noisy.shape, generator=torch.Generator().manual_seed(random.getrandbits(48)))
        noisy = noisy + noise * noisy.std() * random.uniform(0.0, _LATENT_NOISE)
        return Sounds(noisy, torch.stack(voices), torch.stack(pitch), output_waves(decoder, waves))

    def clips(bank: Bank, known: bool) -> Iterator[tuple[Truth, int, Tensor, Tensor | None]]:
        truth = Truth(workshop, bank.name)
        for row in range(0, len(bank.clips), max(1, len(bank.clips) // _CHECKED)):
            voice = bank.voice(row, Random(row))[None] if known else None  # noqa: S311 - repeatable, no secret
            yield truth, bank.clips[row], bank.latents(row), voice

    steps = fit(workshop, "decoder", decoder, LATENT_STEPS, draw)
    measured = {
        name: measure(decoder, clips(bank, known), workshop.device)
        for name, bank, known in (
            ("validation", validation, True), ("held", held, True), ("held_without_voice", held, False)
        )
    }  # fmt: skip
    _keep(workshop, "decoder", decoder, steps, measured)


_LATENT_NOISE = 0.15
"""Of the latents' own spread, at most: what is said freely never meets the latents of true codes exactly."""


def new_decoder(config: XttsConfig, width: int) -> SourceFilterDecoder:
    """With random weights, for inputs of so many channels, in the size that the bundle's config says."""
    return SourceFilterDecoder(
        width,
        input_rate=config.input_rate,
        output_rate=config.output_rate,
        hop=config.decoder_hop,
        code_stride=config.gpt.code_stride,
        speaker_width=config.speaker_width,
        **(config.decoder if config.decoder_class == SOURCE_FILTER else {}),
    )


def output_waves(decoder: SourceFilterDecoder, waves: Sequence[Tensor]) -> Tensor:
    """Sound at 22 050 Hz as ``(b, samples)`` at the decoder's rate."""
    return resampled(torch.stack(list(waves)), RATE, decoder.output_rate)


def fit(
    workshop: Workshop, stage: str, decoder: SourceFilterDecoder, total: int, draw: Callable[[int, Random], Sounds]
) -> Steps:
    """Train ``decoder`` on what ``draw`` gives; returns the loop, which knows its steps and seconds."""
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.98), weight_decay=1e-4)
    steps = Steps(workshop, stage, total, {"decoder": decoder, "optimizer": optimizer})
    decoder.train()
    for step, _random, drawn in steps.drawn(draw):
        for group in optimizer.param_groups:
            group["lr"] = steps.cosine(step, _PEAK_RATE, warmup=50, floor=0.01)
        batch = drawn.to(workshop.device)
        with workshop.autocast():
            controls = decoder.controls(batch.inputs, batch.voices)
        lost = losses(decoder, controls, batch.pitch, batch.wave)
        lost.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 2.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps.report(spectral=lost.spectral, semitones=12 * lost.octaves, voicing=lost.voicing)
    decoder.eval()
    return steps


@torch.inference_mode()
def measure(
    decoder: SourceFilterDecoder,
    clips: Iterator[tuple[Truth, int, Tensor, Tensor | None]],
    device: torch.device,
) -> dict[str, float]:
    """``clips`` gives for each: its set, its number there, inputs ``(n, width)`` and the voice ``(1, 512, 1)``."""
    heard = []
    for truth, index, inputs, voice in clips:
        spoken = decoder(inputs[None].to(device), None if voice is None else voice.to(device))[0, 0]
        count = len(inputs)
        wave = resampled(truth.wave(index, 0, count), RATE, decoder.output_rate)
        heard.append(hear(spoken, decoder.output_rate, wave, truth.pitch(index, 0, count), RATE))
    return figures(heard)


def _keep(
    workshop: Workshop, stage: str, decoder: SourceFilterDecoder, steps: Steps, measured: dict[str, dict[str, float]]
) -> None:
    with atomic_path(workshop.folder(stage) / WEIGHTS) as temporary:
        save_file({name: value.detach().cpu().contiguous() for name, value in decoder.state_dict().items()}, temporary)
    for name, found in measured.items():
        workshop.log(f"   {name}: " + ", ".join(f"{key} {value:g}" for key, value in found.items()))
    workshop.finish(stage, {"steps": steps.total, "seconds": round(steps.seconds), **measured})
