"""The tables of written and spoken forms beside this file: a line a case, a tab between, ``# `` before a heading."""

from __future__ import annotations

from pathlib import Path

FILES = {"en": "english.tsv", "pt": "portuguese.tsv"}


def cases(language: str) -> list[tuple[str, str]]:
    """Each case as (written, spoken)."""
    lines = (Path(__file__).parent / FILES[language]).read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t") for line in lines if line and not line.startswith("# ")]
    return [(written, spoken) for written, spoken in rows]


ALL = [(language, written, spoken) for language in FILES for written, spoken in cases(language)]
