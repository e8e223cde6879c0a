"""What the GPT's latents are for the corpus's own codes: what the decoder learns to read.

Everything is as the product has it: style and speaker embedding from other clips of the voice, the text as it is asked
for, the stop code's latent at the end. In half of the clips some codes are the GPT's own choice: when it speaks freely
it never hears quite what was recorded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.engine.tiny.corpus import GRID, RATE, REFERENCES, Corpus
from training.engine.tiny.recipe import Workshop
from training.engine.tiny.sizes import mel_stats
from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.lib.audio import Audio
from xttsproject.lib.files import atomic_path, write_json
from xttsproject.xtts.conditioning import Conditioning, compute
from xttsproject.xtts.config import XttsConfig
from xttsproject.xtts.networks import build_gpt, build_speaker_encoder, load_into
from xttsproject.xtts.reference import StyleEncoder
from xttsproject.xtts.text import spoken_form
from xttsproject.xtts.tokenizer import Tokenizer

CLIPS = {"train": 6_000, "validation": 60, "held": 60}
"""So many clips of each set; of ``train``, times the workshop's scale."""

_BATCH = 16
"""Clips of one pass; on a GPU, more."""
_VOICE_VARIANTS, _VOICE_CLIPS = 2, 2
"""So many times each voice is taken from so many of its reference clips, drawn anew."""
_OWN_SHARE, _TEMPERATURE = (0.05, 0.35), 0.75
_SPEAK_SECONDS = 20.0
_SOURCE = "made_of"


@torch.no_grad()
def teacher_latents(gpt: Any, style: Tensor, tokens: Tensor, codes: Tensor) -> Tensor:
    """The latents ``(b, m, width)`` that predict each of ``codes`` ``(b, m)`` from those before it.

    ``gpt`` is Coqui's GPT in evaluation mode; ``style`` ``(b, 32, width)``; ``tokens`` ``(b, t)`` without start and
    stop, all rows of one length. Equal to what :class:`xttsproject.xtts.decode.GptDecoder` has when it speaks these
    codes. Rows whose codes end earlier are filled with the stop code: what follows an end changes nothing before it.
    """
    rows, count = codes.shape
    device = codes.device
    latents: Tensor = gpt(
        tokens,
        torch.full((rows,), tokens.shape[1], device=device),
        # Coqui writes into the codes it is given.
        codes.clone(),
        torch.full((rows,), count * gpt.code_stride_len, device=device),
        cond_latents=style,
        return_latent=True,
    )
    return latents


@dataclass(frozen=True)
class Bank:
    """Latents of some clips of the set ``name``. ``clips`` are their numbers there; ``values`` ``(all codes, width)``
    in half precision, a clip's from ``offsets[row]`` on; ``voices`` ``(voices, variants, 512)``, ``owners`` whose each
    row is."""

    name: str
    clips: Sequence[int]
    values: Tensor
    offsets: Sequence[int]
    voices: Tensor
    owners: Sequence[int]

    def latents(self, row: int) -> Tensor:
        """``(codes + 1, width)``: the last is that of the stop code."""
        return self.values[self.offsets[row] : self.offsets[row + 1]].float()

    def voice(self, row: int, random: Random) -> Tensor:
        """A speaker embedding ``(512, 1)``."""
        return self.voices[self.owners[row], random.randrange(self.voices.shape[1])][:, None]


def collect(workshop: Workshop, config: XttsConfig, name: str) -> Bank:
    """The bank of a set, computed with the GPT of stage "gpt" and kept until that one is trained anew."""
    path = workshop.folder("decoder") / f"latents-{name}.safetensors"
    # Of another scale there are other numbers of clips.
    source = json.dumps({**workshop.made_of("decoder"), "scale": workshop.scale})
    if _source(path) != source:
        begun = time.monotonic()
        tensors = _computed(workshop, config, name)
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata={_SOURCE: source})
        workshop.log(f"latents of {name}: {len(tensors['clips'])} clips, {time.monotonic() - begun:.0f} s")
    kept = load_file(path)
    return Bank(
        name=name,
        clips=kept["clips"].tolist(),
        values=kept["values"],
        offsets=kept["offsets"].tolist(),
        voices=kept["voices"],
        owners=kept["owners"].tolist(),
    )


def _source(path: Path) -> str:
    """What a kept bank was computed of."""
    if not path.is_file():
        return ""
    with safe_open(path, framework="pt") as kept:
        return str((kept.metadata() or {}).get(_SOURCE, ""))


@dataclass(frozen=True)
class _Networks:
    """What a voice is taken with; see :class:`xttsproject.xtts.conditioning.VoiceNetworks`."""

    style_encoder: nn.Module
    speaker_encoder: nn.Module
    mel_stats: Tensor
    device: torch.device


@dataclass(frozen=True)
class _Line:
    row: int
    owner: int
    tokens: list[int]
    codes: Tensor


def _computed(workshop: Workshop, config: XttsConfig, name: str) -> dict[str, Tensor]:
    gpt, networks = _load(workshop, config)
    corpus = workshop.corpus(name)
    # A validation voice has one clip there; the same voice was trained on, and its references lie there.
    source = workshop.corpus("train") if name == "validation" else corpus
    clips = _chosen(corpus, name, workshop.steps(CLIPS[name]) if name == "train" else CLIPS[name])
    keys = sorted({corpus.utterances[index].voice for index in clips})
    voices = [_variants(networks, source, key) for key in keys]
    rows = _lines(workshop, corpus, name, clips, {key: place for place, key in enumerate(keys)}, config)
    found: dict[int, Tensor] = {}
    spoken = time.monotonic()
    for number, batch in enumerate(_batches(rows, workshop.rows(_BATCH))):
        random = Random(f"latents {name} {number}")  # noqa: S311 - variation that must repeat
        torch.manual_seed(random.getrandbits(48))
        style = torch.cat([random.choice(voices[line.owner]).gpt_latents for line in batch])
        latents = _latents(gpt, style, batch, random if name == "train" else None, workshop)
        for line, values in zip(batch, latents, strict=True):
            found[line.row] = values[: len(line.codes)].to("cpu", torch.float16)
        if time.monotonic() - spoken > _SPEAK_SECONDS:
            workshop.log(f"latents of {name}: {len(found)} of {len(rows)}")
            spoken = time.monotonic()
    ordered = [found[row] for row in range(len(clips))]
    lengths = torch.tensor([0, *(len(values) for values in ordered)])
    embeddings = [torch.stack([variant.speaker_embedding[0, :, 0] for variant in voice]) for voice in voices]
    return {
        "clips": torch.tensor(clips),
        "values": torch.cat(ordered),
        "offsets": lengths.cumsum(0),
        "voices": torch.stack(embeddings),
        "owners": torch.tensor([line.owner for line in sorted(rows, key=lambda line: line.row)]),
    }


def _load(workshop: Workshop, config: XttsConfig) -> tuple[Any, _Networks]:
    state = load_file(workshop.folder("gpt") / "gpt.safetensors")
    speaker = load_file(workshop.folder("speaker") / "speaker.safetensors")
    place = Path("tiny")
    gpt = load_into(build_gpt(config), state, place, "gpt")
    style = load_into(StyleEncoder(config.gpt), StyleEncoder.pick(state), place, "conditioning")
    encoder = load_into(build_speaker_encoder(config), speaker, place, "speaker encoder")
    device = workshop.device
    networks = _Networks(style.to(device), encoder.to(device), mel_stats().to(device), device)
    return gpt.to(device), networks


def _chosen(corpus: Corpus, name: str, count: int) -> list[int]:
    """So many clips from all over the set. A voice's references are left out: none hears itself."""
    if name == "validation":
        free = list(range(len(corpus)))
    else:
        free = sorted(index for own in corpus.by_voice.values() for index in own[REFERENCES:])
    step = max(1, len(free) // count)
    return free[::step][:count]


def _variants(networks: _Networks, corpus: Corpus, voice: str) -> list[Conditioning]:
    random = Random(f"voice {voice}")  # noqa: S311
    own = corpus.by_voice[voice][:REFERENCES]
    drawn = [random.sample(own, min(_VOICE_CLIPS, len(own))) for _ in range(_VOICE_VARIANTS)]
    return [compute(networks, [Audio(corpus.wave(index), RATE) for index in clips]) for clips in drawn]


def _lines(
    workshop: Workshop, corpus: Corpus, name: str, clips: Sequence[int], owners: dict[str, int], config: XttsConfig
) -> list[_Line]:
    from training.engine.tiny.dvae import Codes

    path = workshop.folder("decoder") / "vocab.json"
    write_json(path, vocabulary())
    tokenizer, codes = Tokenizer(path), Codes.open(workshop.folder("dvae") / name)
    stop = torch.tensor([config.gpt.stop_audio_token])
    lines = []
    for row, index in enumerate(clips):
        utterance = corpus.utterances[index]
        tokens = tokenizer.encode_clean(tokenizer.clean(spoken_form(utterance.text), "en"), "en")
        spoken = torch.as_tensor(codes[index])[: utterance.samples // GRID].long()
        lines.append(_Line(row, owners[utterance.voice], list(tokens), torch.cat([spoken, stop])))
    return lines


def _batches(lines: Sequence[_Line], most: int) -> Iterator[list[_Line]]:
    """Lines of one length of text: Coqui's pass has no padding that the codes do not see."""
    batch: list[_Line] = []
    for line in sorted(lines, key=lambda line: (len(line.tokens), len(line.codes), line.row)):
        if batch and (len(batch) == most or len(batch[0].tokens) != len(line.tokens)):
            yield batch
            batch = []
        batch.append(line)
    if batch:
        yield batch


def _latents(gpt: Any, style: Tensor, batch: Sequence[_Line], random: Random | None, workshop: Workshop) -> Tensor:
    """Latents ``(b, longest, width)``; with ``random`` some of the codes heard are the GPT's own."""
    device = workshop.device
    stop = int(batch[0].codes[-1])
    tokens = torch.tensor([line.tokens for line in batch], device=device)
    codes = nn.utils.rnn.pad_sequence([line.codes for line in batch], batch_first=True, padding_value=stop).to(device)
    style = style.to(device)
    with workshop.autocast():
        latents = teacher_latents(gpt, style, tokens, codes)
        shares = [random.uniform(*_OWN_SHARE) if random.random() < 0.5 else 0.0 for _ in batch] if random else [0.0]
        if not any(shares):
            return latents
        chances = (gpt.mel_head(latents).float() / _TEMPERATURE).softmax(dim=-1)
        # Never a start or stop code in the middle of speech.
        chances[..., min(stop, gpt.start_audio_token) :] = 0.0
        own = torch.multinomial(chances.flatten(0, 1), 1).view(codes.shape)
        replaced = torch.rand(codes.shape, device=device) < torch.tensor(shares, device=device)[:, None]
        return teacher_latents(gpt, style, tokens, torch.where(replaced & (codes != stop), own, codes))
