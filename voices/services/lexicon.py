"""Writing a lexicon, one entry at a time or from a table."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from typing import Any, BinaryIO

from django.db import IntegrityError, transaction

from voices.models import LexiconEntry
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.text import is_speakable

MOST_ENTRIES = 5_000
"""Of one person: each is looked for in every text that they have spoken."""

LARGEST_TABLE = 1_000_000
"""Bytes of a CSV file."""

COLUMNS = ("language", "written", "spoken", "whole_word", "match_case")
_LENGTHS = {"written": 100, "spoken": 200}
_TRUE, _FALSE = ("true", "yes", "1", "x"), ("false", "no", "0", "")


def lexicon_add(
    *,
    owner: Any,
    written: str,
    spoken: str,
    language: str = "",
    whole_word: bool = True,
    match_case: bool = False,
    visibility: str = Visibility.PRIVATE,
) -> LexiconEntry:
    """DomainErrors: ``lexicon_invalid``, ``language_unsupported``, ``duplicate``, ``lexicon_full``."""
    values = _checked({"written": written, "spoken": spoken, "language": language})
    _require_room(owner, 1)
    entry = LexiconEntry(owner=owner, whole_word=whole_word, match_case=match_case, visibility=visibility, **values)
    return _saved(entry)


def lexicon_update(*, entry: LexiconEntry, **changes: Any) -> LexiconEntry:
    """Change any of the fields of :func:`lexicon_add`; its DomainErrors."""
    texts = {name: changes.get(name, getattr(entry, name)) for name in ("written", "spoken", "language")}
    for name, value in {**changes, **_checked(texts)}.items():
        setattr(entry, name, value)
    return _saved(entry)


def lexicon_delete(*, entry: LexiconEntry) -> None:
    entry.delete()


def lexicon_import(*, owner: Any, table: BinaryIO, visibility: str = Visibility.PRIVATE) -> tuple[int, int]:
    """Add the rows of a CSV file and change those that are there already: how many were added, how many changed.

    UTF-8 with a header of ``written`` and ``spoken``, and ``language``, ``whole_word`` and ``match_case`` where
    wanted; comma, semicolon or tab. All rows or none: DomainError ``lexicon_invalid`` names the first bad row.
    """
    # One more tells that there is more, and no upload of gigabytes is read into memory.
    rows = _rows(table.read(LARGEST_TABLE + 1))
    with transaction.atomic():
        there = {(entry.language, entry.written): entry for entry in LexiconEntry.objects.filter(owner=owner)}
        new = [LexiconEntry(owner=owner, visibility=visibility, **row) for row in rows if _key(row) not in there]
        _require_room(owner, len(new))
        changed = []
        for row in rows:
            if entry := there.get(_key(row)):
                for name, value in row.items():
                    setattr(entry, name, value)
                changed.append(entry)
        LexiconEntry.objects.bulk_create(new)
        LexiconEntry.objects.bulk_update(changed, ("spoken", "whole_word", "match_case"))
    return len(new), len(changed)


def lexicon_table(entries: Iterable[LexiconEntry]) -> str:
    """Entries as the CSV that :func:`lexicon_import` reads."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([_cell(getattr(entry, name)) for name in COLUMNS])
    return target.getvalue()


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["language"], row["written"]


def _rows(table: bytes) -> list[dict[str, Any]]:
    if len(table) > LARGEST_TABLE:
        raise _refused(f"The file has more than {LARGEST_TABLE} bytes, which are the limit; divide it.")
    try:
        text = table.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"The file is no UTF-8 text (byte {error.start}); save it as CSV in UTF-8.") from None
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    try:
        read = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise _refused(f"The file cannot be read as CSV ({error}).") from None
    columns = {(name or "").strip().lower() for name in (read[0] if read else ())}
    if not {"written", "spoken"} <= columns:
        raise _refused("The first line must name the columns written and spoken, and at least one row must follow.")
    rows = [_row(number, row) for number, row in enumerate(read, start=2)]
    seen: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows, start=2):
        if seen.setdefault(_key(row), number) != number:
            raise _refused(f"Row {number} writes “{row['written']}” again, after row {seen[_key(row)]}.")
    return rows


def _row(number: int, read: dict[str, Any]) -> dict[str, Any]:
    cells = {(name or "").strip().lower(): value for name, value in read.items() if isinstance(value, str)}
    try:
        values: dict[str, Any] = _checked({name: cells.get(name, "") for name in ("written", "spoken", "language")})
        for name, default in (("whole_word", True), ("match_case", False)):
            values[name] = _truth(name, cells[name]) if cells.get(name, "").strip() else default
    except DomainError as error:
        raise _refused(f"Row {number}: {error.message}") from None
    return values


def _truth(name: str, value: str) -> bool:
    given = value.strip().lower()
    if given not in (*_TRUE, *_FALSE):
        raise _refused(f"{name} is “{value}”, but must be true or false.")
    return given in _TRUE


def _checked(values: dict[str, str]) -> dict[str, str]:
    checked = {name: " ".join(unicodedata.normalize("NFC", values[name]).split()) for name in ("written", "spoken")}
    for name, value in checked.items():
        if not value:
            raise _refused(f"The {name} form is empty.", name)
        if len(value) > _LENGTHS[name]:
            raise _refused(f"The {name} form has {len(value)} characters; {_LENGTHS[name]} are the limit.", name)
        if "[" in value or "]" in value:
            raise _refused(f"The {name} form “{value}” has a bracket, which is for commands; leave it out.", name)
        if any(unicodedata.category(sign) == "Cc" for sign in value):
            raise _refused(f"The {name} form {value!r} has a control character; leave it out.", name)
    if not is_speakable(checked["spoken"]):
        raise _refused(f"The spoken form “{checked['spoken']}” has no letters to speak; write how it sounds.", "spoken")
    language = values["language"].strip()
    return {**checked, "language": validate_language(language) if language else ""}


def _require_room(owner: Any, more: int) -> None:
    there = LexiconEntry.objects.filter(owner=owner).count()
    if there + more > MOST_ENTRIES:
        raise DomainError(
            "lexicon_full",
            f"You have {there} entries; with {more} more they would pass the limit of {MOST_ENTRIES}; delete some.",
        )


def _saved(entry: LexiconEntry) -> LexiconEntry:
    try:
        with transaction.atomic():
            entry.save()
    except IntegrityError:
        where = entry.get_language_display()
        raise DomainError(
            "duplicate", f"You already have an entry for “{entry.written}” ({where}); change that one.", field="written"
        ) from None
    return entry


def _refused(message: str, field: str | None = None) -> DomainError:
    return DomainError("lexicon_invalid", message, field=field)
