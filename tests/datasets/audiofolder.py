"""A reader of Hugging Face's audiofolder that knows its specification and nothing of the portal.

https://huggingface.co/docs/hub/datasets-audio: splits are folders whose name is (or begins with) a split's keyword; in
each a ``metadata.jsonl`` has one line per file with a ``file_name`` relative to itself. Every sound needs its line, and
every line its sound.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KEYWORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "dev": "validation",
}
SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".opus"}


def read_audiofolder(data_dir: Path) -> dict[str, list[dict[str, Any]]]:
    """{split: [{"audio": path, …the line's other fields}]}."""
    splits: dict[str, list[dict[str, Any]]] = {}
    for folder in sorted(path for path in data_dir.iterdir() if path.is_dir()):
        split = KEYWORDS[folder.name]
        lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert all(set(row) == set(rows[0]) for row in rows), "every line has the same fields"
        named = {folder / row["file_name"] for row in rows}
        there = {path for path in folder.rglob("*") if path.suffix in SOUNDS}
        assert named == there, "each sound has its line and each line its sound"
        splits[split] = [{"audio": folder / row.pop("file_name"), **row} for row in rows]
    return splits
