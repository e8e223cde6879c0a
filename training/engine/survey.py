"""What :func:`training.engine.dataset.read_dataset` will find, told beforehand without reading the clips.

The limits are the same; what only hearing a file tells (another sound than was frozen, a broken header) is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.engine.dataset import LeftOut, missing_file, nothing_left
from xttsproject.xtts.limits import MODEL_RATE, Encode, Limits, Problem, length_problem, text_tokens

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Survey:
    """What a run will use; ``seconds_*`` are of speech. ``left_out`` in the manifest's order."""

    clips_train: int
    clips_validation: int
    seconds_train: float
    seconds_validation: float
    left_out: tuple[LeftOut, ...]


def text_problems(rows: Sequence[Row], language: str, encode: Encode, limits: Limits) -> dict[str, Problem]:
    """By clip, why the model cannot take its text; a tenth of a millisecond a clip. ``language``: of rows that name
    none."""
    found = {}
    for row in rows:
        tokens = text_tokens(str(row["text"]).strip(), str(row.get("language") or language), encode, limits)
        if isinstance(tokens, Problem):
            found[str(row["id"])] = tokens
    return found


def survey(folder: Path, rows: Sequence[Row], texts: Mapping[str, Problem], max_samples: int) -> Survey:
    """Of a manifest's ``rows`` (with ``seconds``) in ``folder``: a look at the disk for each, nothing is opened.

    ``texts`` is what :func:`text_problems` found, ``max_samples`` counts at MODEL_RATE. DomainError ``dataset_empty``.
    """
    clips, seconds = {"train": 0, "validation": 0}, {"train": 0.0, "validation": 0.0}
    left_out: list[LeftOut] = []
    for row in rows:
        clip, name, length = str(row["id"]), str(row["audio"]), float(row["seconds"])
        # In the order in which the run looks, so that a clip has the same reason here and there.
        problem = None if (folder / name).is_file() else missing_file(name)
        problem = problem or length_problem(round(length * MODEL_RATE), max_samples) or texts.get(clip)
        if problem is not None:
            left_out.append(LeftOut(clip, problem.reason, problem.code))
            continue
        clips[row["split"]] += 1
        seconds[row["split"]] += length
    if not clips["train"]:
        raise nothing_left(left_out, len(rows))
    return Survey(
        clips["train"],
        clips["validation"],
        round(seconds["train"], 3),
        round(seconds["validation"], 3),
        tuple(left_out),
    )
