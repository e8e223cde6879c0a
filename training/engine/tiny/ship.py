"""Stage "ship": what the stages learnt becomes the files that the bundles are built from, with a record of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.engine.tiny.corpus import RATE
from training.engine.tiny.recipe import MADE_OF, REPORT, Workshop
from training.engine.tiny.sizes import mel_stats, tiny_config
from xttsproject.bundles.tiny import shipped, xtts
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, atomic_path, sha256_of, write_json
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.networks import build_decoder, build_dvae, build_gpt, load_into

MOST_BYTES = 60_000_000

SPEAKERS = {"Amber": "f2", "Basalt": "m2", "Cedar": "adam", "Daisy": "linda"}
"""The built-in speakers: voices of the corpus, the middle one of their variant's pitches."""
_REFERENCE_CLIPS = 8

_REPORTED = ("speech", "features", "dvae", "speaker", "whisper", "style", "gpt", "decoder_mel", "decoder")

State = dict[str, Tensor]


def run(workshop: Workshop) -> None:
    """Write the weights beside the bundles' builders, replacing what is there. Raises DomainError ``ship_…``."""
    ship(workshop, shipped.WEIGHTS)
    record = shipped.open_shipped()
    workshop.finish("ship", {"bytes": record.bytes, "files": sorted(record.files), "seconds": 0})


def ship(workshop: Workshop, target: Path) -> None:
    """Gather what the stages wrote, see that it is whole, halve its precision and write it with its record."""
    written, parts = _speaking(workshop)
    written[shipped.WHISPER_FILE] = _learnt(workshop, "whisper")
    parts["whisper"] = _numbers(written[shipped.WHISPER_FILE])
    with atomic_directory(target) as folder:
        counts = {name: _write(folder / name, state) for name, state in written.items()}
        # The speakers' voices are what the model itself takes from clips, so it has to stand without them first.
        _record(folder, counts, parts, workshop)
        counts[shipped.SPEAKERS_FILE] = _write(folder / shipped.SPEAKERS_FILE, _speakers(workshop, folder))
        _record(folder, counts, parts, workshop)
        total = shipped.open_shipped(folder).bytes
        if total > MOST_BYTES:
            raise DomainError(
                "ship_too_large", f"The weights have {total / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB is the most."
            )
    workshop.log(f"ship: {total / 1e6:.1f} MB in {len(counts)} files")


def _speaking(workshop: Workshop) -> tuple[dict[str, State], dict[str, int]]:
    """The files of the model that speaks, and how many numbers each network has."""
    model = {f"gpt.{name}": value for name, value in _learnt(workshop, "gpt").items()}
    model |= {f"hifigan_decoder.{name}": value for name, value in _decoder(workshop).items()}
    model["mel_stats"] = mel_stats()
    dvae = _learnt(workshop, "dvae")
    _require_whole(model, dvae)
    parts = {part: _numbers(model, f"{part}.") for part in ("gpt", "hifigan_decoder.speaker_encoder")}
    parts["hifigan_decoder"] = _numbers(model, "hifigan_decoder.") - parts["hifigan_decoder.speaker_encoder"]
    return {shipped.XTTS_FILE: model, shipped.DVAE_FILE: dvae}, parts | {"dvae": _numbers(dvae)}


def half(state: Mapping[str, Tensor]) -> State:
    """Half precision where the numbers fit into it; whole numbers, and the tables of the speaker encoder's front end,
    which its network computes itself, stay as they are. Contiguous and by name.
    """
    kept = {}
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        smaller = value.half() if value.is_floating_point() and "torch_spec" not in name else value
        if not smaller.isfinite().all():
            if not value.isfinite().all():
                raise DomainError("ship_damaged", f"{name} holds numbers that are not finite; train its stage again.")
            smaller = value.float()
        kept[name] = smaller.clone()
    return kept


def _learnt(workshop: Workshop, stage: str) -> State:
    path = workshop.work / stage / f"{stage}.safetensors"
    if not path.is_file():
        raise DomainError("ship_incomplete", f"The stage {stage} has not written {path.name}; run it first.")
    if not workshop.finished(stage):
        raise DomainError(
            "ship_incomplete", f"The stage {stage} is not done with what it is made of now; run it again."
        )
    state: State = load_file(path)
    return state


def _decoder(workshop: Workshop) -> State:
    """The decoder carries the speaker encoder, which is a stage of its own."""
    state = {n: v for n, v in _learnt(workshop, "decoder").items() if not n.startswith("speaker_encoder.")}
    return state | {f"speaker_encoder.{name}": value for name, value in _learnt(workshop, "speaker").items()}


def _require_whole(model: State, dvae: State) -> None:
    """Every network of the bundle's config takes its tensors, none missing and none left over."""
    config, here = tiny_config(), Path("tiny")
    for part, network in (("gpt", build_gpt(config)), ("hifigan_decoder", build_decoder(config))):
        own = {name.removeprefix(f"{part}."): value for name, value in model.items() if name.startswith(f"{part}.")}
        load_into(network, own, here, part)
    load_into(build_dvae(config), dvae, here, "dvae")


def _speakers(workshop: Workshop, weights: Path) -> State:
    corpus = workshop.corpus("train")
    state: State = {}
    with tempfile.TemporaryDirectory() as folder:
        engine = XttsEngine.load(xtts.build(Path(folder) / "tiny", weights).path)
        for name, variant in SPEAKERS.items():
            own = sorted(voice for voice in corpus.by_voice if voice.rsplit("-", 1)[0] == variant)
            chosen = own[len(own) // 2]
            clips = [Audio(corpus.wave(i), RATE) for i in islice(corpus.by_voice[chosen], _REFERENCE_CLIPS)]
            voice = engine.conditioning(clips)
            state[f"{name}/gpt_cond_latent"] = voice.gpt_latents
            state[f"{name}/speaker_embedding"] = voice.speaker_embedding
    return state


def _write(path: Path, state: Mapping[str, Tensor]) -> int:
    """Write a file in half precision; how many numbers are in it."""
    kept = half(state)
    with atomic_path(path) as temporary:
        save_file(kept, temporary)
    return sum(value.numel() for value in kept.values())


def _numbers(state: Mapping[str, Tensor], prefix: str = "") -> int:
    return sum(value.numel() for name, value in state.items() if name.startswith(prefix))


def _record(target: Path, counts: Mapping[str, int], parts: Mapping[str, int], workshop: Workshop) -> None:
    files = {
        name: {"sha256": sha256_of(target / name), "bytes": (target / name).stat().st_size, "parameters": count}
        for name, count in counts.items()
    }
    stages = {stage: _report(workshop, stage) for stage in _REPORTED if workshop.finished(stage)}
    content = {"format": shipped.FORMAT, "files": files, "parts": dict(parts), "stages": stages}
    facts = {"scale": workshop.scale, "device": workshop.device.type, "torch": torch.__version__}
    write_json(target / shipped.RECORD, {**content, "made_with": facts})


def _report(workshop: Workshop, stage: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((workshop.work / stage / REPORT).read_text(encoding="utf-8"))
    content.pop(MADE_OF, None)
    return content
