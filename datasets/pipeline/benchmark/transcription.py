"""How fast clips are transcribed in batches, beside faster-whisper clip by clip with the same model."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from datasets.pipeline.benchmark.long_recording import clips_in, synthetic_clips
from datasets.pipeline.listening import WHISPER_RATE, BatchListener, Listening
from datasets.pipeline.media import decode_to_master
from datasets.pipeline.segment import find_segments
from datasets.pipeline.transcribe import Transcriber
from datasets.pipeline.transcript import Transcript
from datasets.pipeline.windows import Window, plan_windows
from xttsproject.lib.audio import Audio, read_wav

Log = Callable[[str], None]
T = TypeVar("T")

_LONGEST_RECORDING = 4 * 3600.0


@dataclass(frozen=True)
class _Spent:
    """Seconds by the clock and of the processor, by way. On a machine that has other work to do only the second say
    what a way costs.
    """

    wall: dict[str, float]
    cpu: dict[str, float]

    def figures(self) -> dict[str, Any]:
        return {
            "speedup": round(self.wall["reference"] / self.wall["batched"], 2),
            "speedup_shared": round(self.wall["reference"] / self.wall["shared"], 2),
            "speedup_cpu": round(self.cpu["reference"] / self.cpu["batched"], 2),
            "speedup_shared_cpu": round(self.cpu["reference"] / self.cpu["shared"], 2),
            "seconds": {name: round(spent, 2) for name, spent in self.wall.items()},
            "cpu_seconds": {name: round(spent, 2) for name, spent in self.cpu.items()},
        }

    def tell(self, log: Log) -> None:
        for name, spent in self.wall.items():
            log(f"{name}: {spent:.2f} s, {self.cpu[name]:.2f} s of the processor")


@dataclass(frozen=True)
class Clips:
    """The segments of one recording; ``said`` is what is spoken in each, where that is known."""

    sounds: tuple[Audio, ...]
    said: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return sum(sound.seconds for sound in self.sounds)


def measure_transcription(bundle: Path, audio: Path | None, options: Mapping[str, Any], log: Log) -> dict[str, Any]:
    """Transcribe the segments of ``audio`` (None: synthetic speech) with the model in ``bundle`` in three ways.

    The reference is ``faster_whisper.WhisperModel.transcribe`` with its defaults and word times, clip by clip. Ours
    gives each clip a window of its own (``speedup``) or lets neighbours share one (``speedup_shared``), and ends with
    the same rising temperatures. Each is run ``options["repeat"]`` times in turn and the fastest run counts, since
    another program can only slow it down. ``cer``: character errors of each, where what is said is known.
    ``options``: ``threads``, ``batch``, ``repeat``, ``compute_type``.

    DomainErrors: ``media_missing``, ``espeak_missing``, ``model_missing`` and those of decoding.
    """
    clips = segments_of(audio)
    log(f"{len(clips.sounds)} segments, {clips.seconds:.0f} s of sound")
    model = Transcriber.load(bundle, "cpu", options["compute_type"], threads=options["threads"])
    model.transcribe(clips.sounds[0], "en")
    ways: dict[str, Callable[[], list[Transcript]]] = {
        "reference": lambda: [model.transcribe(sound, "en") for sound in clips.sounds],
        "batched": lambda: model.transcribe_many(clips.sounds, "en", Listening(batch=options["batch"])),
        "shared": lambda: model.transcribe_many(clips.sounds, "en", Listening(batch=options["batch"], shared=True)),
    }
    spent, heard = _in_turn(ways, options["repeat"])
    spent.tell(log)
    errors = {name: character_errors(clips, found) for name, found in heard.items()} if any(clips.said) else None
    same = sum(a.text == b.text for a, b in zip(heard["reference"], heard["batched"], strict=True))
    return {
        **spent.figures(),
        "segments": len(clips.sounds),
        "sound_seconds": round(clips.seconds, 1),
        "same_text": round(same / len(clips.sounds), 3),
        "cer": errors,
        "model": bundle.name,
        **{name: options[name] for name in ("threads", "batch", "compute_type")},
    }


def measure_architecture(bundle: Path, audio: Path | None, options: Mapping[str, Any], log: Log) -> dict[str, Any]:
    """The same for a model whose weights say nothing: encoder, decoder and alignment over the same windows.

    Every clip gets ``options["tokens_per_second"]`` tokens, because an untrained decoder does not know where to end:
    one window and one temperature for each clip, which is the least that the reference does.
    """
    clips = segments_of(audio)
    model = Transcriber.load(bundle, "cpu", options["compute_type"], threads=options["threads"])
    listener = BatchListener(model.whisper)
    sounds = [sound.at_rate(WHISPER_RATE).samples for sound in clips.sounds]
    lengths = [len(sound) for sound in sounds]
    alone = plan_windows(lengths, listener.room, listener.gap, shared=False)
    together = plan_windows(lengths, listener.room, listener.gap, shared=True)
    log(f"{len(alone)} segments, {clips.seconds:.0f} s of sound, {len(together)} shared windows")

    def run(windows: Sequence[Window], batch: int) -> Callable[[], None]:
        def go() -> None:
            for first in range(0, len(windows), batch):
                listener.steps(windows[first : first + batch], sounds, options["tokens_per_second"])

        return go

    ways = {"reference": run(alone, 1), "batched": run(alone, options["batch"])}
    spent, _nothing = _in_turn({**ways, "shared": run(together, options["batch"])}, options["repeat"])
    spent.tell(log)
    return {
        **spent.figures(),
        "segments": len(alone),
        "shared_windows": len(together),
        "sound_seconds": round(clips.seconds, 1),
        **{name: options[name] for name in ("random", "threads", "batch", "compute_type", "tokens_per_second")},
    }


def segments_of(audio: Path | None) -> Clips:
    """Decode and cut as the portal does; what is said is known of the synthetic recording alone."""
    with tempfile.TemporaryDirectory(prefix="transcription-") as name:
        folder = Path(name)
        recordings = clips_in(audio) if audio else synthetic_clips(folder)
        sounds: list[Audio] = []
        said: list[str] = []
        for recording in recordings:
            master = folder / "master.wav"
            decode_to_master(recording, master, max_seconds=_LONGEST_RECORDING)
            truth = _truth(recording) if audio is None else []
            for span in find_segments(master).spans:
                sounds.append(read_wav(master, span.start, span.end))
                inside = [text for text, middle in truth if span.start <= middle < span.end]
                said.append(" ".join(inside))
    return Clips(tuple(sounds), tuple(said))


def _truth(recording: Path) -> list[tuple[str, float]]:
    rows = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))
    return [(row["text"], (row["start"] + row["end"]) / 2) for row in rows]


def character_errors(clips: Clips, heard: Sequence[Transcript]) -> float:
    """Over all clips together, letters and spaces alone, whatever their case."""
    import jiwer

    pairs = [(_letters(said), _letters(found.text)) for said, found in zip(clips.said, heard, strict=True) if said]
    return round(float(jiwer.cer([said for said, _ in pairs], [found for _, found in pairs])), 4)


def _letters(text: str) -> str:
    return " ".join("".join(sign if sign.isalpha() else " " for sign in text.lower()).split())


def _in_turn(ways: Mapping[str, Callable[[], T]], repeat: int) -> tuple[_Spent, dict[str, T]]:
    """The fastest of the runs of each, and what the last one gave."""
    best = _Spent(dict.fromkeys(ways, np.inf), dict.fromkeys(ways, np.inf))
    given: dict[str, T] = {}
    for _ in range(repeat):
        for name, way in ways.items():
            begun, used = time.perf_counter(), time.process_time()
            given[name] = way()
            best.wall[name] = min(best.wall[name], time.perf_counter() - begun)
            best.cpu[name] = min(best.cpu[name], time.process_time() - used)
    return best, given
