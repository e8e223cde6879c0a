"""Stage "report": the figures in ``docs/TINY_MODELS.md``, written between their markers from what is shipped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.engine.tiny.gates.goals import GOALS, missed, table
from xttsproject.bundles.tiny.shipped import RECORD, WEIGHTS, Shipped, open_shipped
from xttsproject.lib.files import atomic_path

if TYPE_CHECKING:
    from training.engine.tiny.recipe import Workshop

PAGE = Path(__file__).resolve().parents[3] / "docs" / "TINY_MODELS.md"

_NOTHING = "No weights are shipped yet."
_PARTS = {
    "gpt": "GPT with its conditioning networks",
    "hifigan_decoder": "decoder",
    "hifigan_decoder.speaker_encoder": "speaker encoder",
    "dvae": "DVAE",
    "whisper": "Whisper",
}
_KNOWN_ELSEWHERE = ("steps", "seconds")


def run(workshop: Workshop) -> None:
    """Bring the page in step with the weights and gates; never counts as done, because it costs nothing."""
    text = PAGE.read_text(encoding="utf-8")
    with atomic_path(PAGE) as temporary:
        temporary.write_text(filled(text, sections()), encoding="utf-8")
    workshop.log(f"report: {PAGE.name}")


def sections(weights: Path = WEIGHTS) -> dict[str, str]:
    """What stands between each pair of markers, by the markers' name."""
    from training.engine.tiny.gates.record import GATES, read_gates

    if not (weights / RECORD).is_file():
        return dict.fromkeys(("files", "stages", "gates"), _NOTHING)
    record = open_shipped(weights)
    gates = read_gates(weights) if (weights / GATES).is_file() else None
    return {"files": _files(record), "stages": _stages(record), "gates": _gates(gates)}


def filled(text: str, parts: Mapping[str, str]) -> str:
    """The page with its generated parts replaced. Raises ValueError where a pair of markers is not there once."""
    for name, content in parts.items():
        found = re.findall(rf"<!-- made: {name} -->\n.*?\n<!-- end: {name} -->", text, re.DOTALL)
        if len(found) != 1:
            raise ValueError(f"The page has the markers of {name!r} {len(found)} times.")
        text = text.replace(found[0], f"<!-- made: {name} -->\n\n{content}\n\n<!-- end: {name} -->")
    return text


def _files(record: Shipped) -> str:
    lines = ["| file | MB | SHA-256 |", "| --- | ---: | --- |"]
    lines += [f"| `{name}` | {fact.bytes / 1e6:.1f} | `{fact.sha256}` |" for name, fact in record.files.items()]
    lines += ["", "| network | parameters |", "| --- | ---: |"]
    lines += [
        f"| {meaning} | {record.parts[part] / 1e6:.2f} million |"
        for part, meaning in _PARTS.items()
        if part in record.parts
    ]
    return "\n".join(lines)


def _stages(record: Shipped) -> str:
    lines = ["| stage | steps | minutes | figures of its own |", "| --- | ---: | ---: | --- |"]
    for stage, facts in record.stages.items():
        steps = f"{facts['steps']}" if "steps" in facts else ""
        told = {name: value for name, value in facts.items() if name not in _KNOWN_ELSEWHERE}
        lines.append(f"| {stage} | {steps} | {float(facts.get('seconds', 0)) / 60:.1f} | {_told(told)} |")
    total = sum(float(facts.get("seconds", 0)) for facts in record.stages.values()) / 60
    return "\n".join([*lines, f"| together | | {total:.0f} | |"])


def _told(facts: Mapping[str, Any]) -> str:
    said = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            said.append(f"{name}: {_told(value)}")
        else:
            said.append(f"{name} {value:.4g}" if isinstance(value, int | float) else f"{name} {value}")
    return "; ".join(said) if any(isinstance(value, Mapping) for value in facts.values()) else ", ".join(said)


def _gates(gates: Mapping[str, Any] | None) -> str:
    if gates is None:
        return "Not measured yet."
    figures, goals = gates["figures"], {goal.figure for goal in GOALS}
    short = missed(figures)
    verdict = "All goals are reached." if not short else f"Not reached: {', '.join(f'`{name}`' for name in short)}."
    more = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if name not in goals)
    measured = f"Measured in {gates['seconds'] / 60:.0f} minutes on {gates['machine']} ({gates['cores']} cores)."
    return f"{table(figures)}\n\n{verdict} {measured}\n\nBesides: {more}."
