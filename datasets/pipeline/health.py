"""What a frozen version is made of, in figures: computed once from its clips and texts, then kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from datasets.pipeline.coverage import Coverage, coverage
from datasets.pipeline.distributions import Spread, outliers, spread
from datasets.pipeline.frozen import MeasuredClip, Row

FORMAT = 1
"""Counts up when a stored health can no longer be read by this code."""
MAX_SECONDS = 11.6
"""The longest clip that the model takes (255 995 samples at 22 050 Hz)."""
MIN_SECONDS = 0.5
SHORT_SECONDS, LONG_SECONDS = 3.0, 8.0
NOISY_DB = 15.0
TOLD = 500
"""Clips that are named per finding; the number counts all of them."""

FINDINGS = {
    "damaged": "not what was frozen",
    "too_long": "longer than the model takes",
    "too_short": "too short for the model",
    "unknown": "with characters that the model does not know",
    "leaked": "held out, with a text that is also trained on",
    "repeated": "with the text of another clip",
    "pace": "at an unusual pace",
    "loudness": "unusually loud or soft",
    "noisy": "noisy",
    "clipped": "overdriven",
}
"""What can be odd about a clip, with words that follow “clips”."""
LOUDNESS = (("loudness_lufs", "LUFS"), ("rms_dbfs", "dBFS RMS"))
"""Keys of a clip's measures, the best first: loudness as heard (ITU-R BS.1770), else plain level."""


@dataclass(frozen=True)
class Health:
    """``findings``: ids of clips by what is odd about them, see :func:`health`. ``gap``: seconds between the two blocks
    of a version of one recording, None where whole recordings are held out or nothing is."""

    clips: int
    clips_train: int
    clips_validation: int
    clips_short: int
    clips_long: int
    seconds: float
    seconds_train: float
    seconds_validation: float
    recordings: int
    gap: float | None
    seconds_spread: Spread | None
    pace_spread: Spread | None
    loudness_spread: Spread | None
    snr_spread: Spread | None
    text: Coverage
    findings: dict[str, list[str]]


def health(clips: Sequence[MeasuredClip], language: str, known: Collection[str] | None = None) -> Health:
    """Sum up the clips of a version; ``known`` are the single characters of the model's tokenizer.

    Findings: ``damaged`` (not what was frozen), ``too_long`` and ``too_short`` for the model, ``pace`` (characters per
    second far from the others'), ``loudness`` (level far from the others'), ``noisy`` (SNR below ``NOISY_DB``),
    ``clipped``, ``repeated`` (a text that stands in another clip too), ``leaked`` (a validation clip whose text is
    also trained on), ``unknown`` (characters that the tokenizer does not know).
    """
    rows = [clip.row for clip in clips]
    texts = [str(row["text"]) for row in rows]
    sides = {side: [row for row in rows if row["split"] == side] for side in ("train", "validation")}
    total, train, validation = (sum(float(row["seconds"]) for row in part) for part in (rows, *sides.values()))
    loudness, unit = _loudness(clips)
    words = coverage(texts, language, known)
    return Health(
        clips=len(rows),
        clips_train=len(sides["train"]),
        clips_validation=len(sides["validation"]),
        clips_short=sum(1 for row in rows if float(row["seconds"]) < SHORT_SECONDS),
        clips_long=sum(1 for row in rows if float(row["seconds"]) > LONG_SECONDS),
        seconds=round(total, 3),
        seconds_train=round(train, 3),
        seconds_validation=round(validation, 3),
        recordings=len({row.get("recording", 0) for row in rows}),
        gap=_gap(rows),
        seconds_spread=spread([float(row["seconds"]) for row in rows], "s", 1.0),
        pace_spread=spread([value for _, value in _values(clips, "characters_per_second")], "characters/s", 1.0),
        loudness_spread=spread([value for _, value in loudness], unit, 1.0),
        snr_spread=spread([value for _, value in _values(clips, "snr_db")], "dB", 5.0),
        text=words,
        findings=_findings(clips, loudness, words),
    )


def _values(clips: Sequence[MeasuredClip], key: str) -> list[tuple[str, float]]:
    measured = [(str(clip.row["id"]), clip.measures.get(key)) for clip in clips]
    return [(name, float(value)) for name, value in measured if value is not None]


def _loudness(clips: Sequence[MeasuredClip]) -> tuple[list[tuple[str, float]], str]:
    for key, unit in LOUDNESS:
        values = _values(clips, key)
        if values:
            return values, unit
    return [], LOUDNESS[-1][1]


def _findings(
    clips: Sequence[MeasuredClip], loudness: Sequence[tuple[str, float]], words: Coverage
) -> dict[str, list[str]]:
    rows = [clip.row for clip in clips]
    seen: dict[str, list[Row]] = {}
    for row in rows:
        seen.setdefault(_said(row), []).append(row)
    trained = {_said(row) for row in rows if row["split"] == "train"}
    strange = set(words.unknown or ())
    found = {
        "damaged": [clip.row["id"] for clip in clips if clip.problem],
        "too_long": [row["id"] for row in rows if float(row["seconds"]) > MAX_SECONDS],
        "too_short": [row["id"] for row in rows if float(row["seconds"]) < MIN_SECONDS],
        "pace": _far(_values(clips, "characters_per_second"), 1.0),
        "loudness": _far(loudness, 1.5),
        "noisy": [name for name, value in _values(clips, "snr_db") if value < NOISY_DB],
        "clipped": [name for name, value in _values(clips, "clipped_share") if value > 0.001],
        "repeated": [row["id"] for alike in seen.values() for row in alike[1:]],
        "leaked": [row["id"] for row in rows if row["split"] == "validation" and _said(row) in trained],
        "unknown": [row["id"] for row in rows if strange & set(str(row["text"]).lower())],
    }
    return {code: [str(name) for name in names] for code, names in found.items()}


def _said(row: Row) -> str:
    return "".join(sign for sign in str(row["text"]).lower() if sign.isalnum())


def _far(values: Sequence[tuple[str, float]], least_deviation: float) -> list[str]:
    places = outliers([value for _, value in values], least_deviation=least_deviation)
    return [values[place][0] for place in places]


def _gap(rows: Sequence[Row]) -> float | None:
    """The least silence between a clip of one side and one of the other within one recording."""
    gaps = []
    for recording in {row.get("recording") for row in rows}:
        inside = sorted(
            (row for row in rows if row.get("recording") == recording and "start" in row), key=lambda row: row["start"]
        )
        gaps += [
            float(after["start"]) - float(before["end"])
            for before, after in pairwise(inside)
            if before["split"] != after["split"]
        ]
    return round(min(gaps), 3) if gaps else None


def health_as_dict(found: Health) -> dict[str, Any]:
    """For storing: lists of clips are cut at ``TOLD``, beside their full numbers."""
    spreads = {
        "seconds": found.seconds_spread,
        "characters_per_second": found.pace_spread,
        "loudness": found.loudness_spread,
        "snr": found.snr_spread,
    }
    return {
        "format": FORMAT,
        "clips": found.clips,
        "clips_train": found.clips_train,
        "clips_validation": found.clips_validation,
        "clips_short": found.clips_short,
        "clips_long": found.clips_long,
        "seconds": found.seconds,
        "seconds_train": found.seconds_train,
        "seconds_validation": found.seconds_validation,
        "recordings": found.recordings,
        "gap": found.gap,
        "measures": {name: one.as_dict() for name, one in spreads.items() if one is not None},
        "text": found.text.as_dict(),
        "findings": {
            code: {"clips": len(names), "ids": names[:TOLD]} for code, names in found.findings.items() if names
        },
    }
