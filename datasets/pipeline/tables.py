"""The table of a dataset from outside: which clip says what, row by row.

Two forms are read:

- LJSpeech (https://keithito.com/LJ-Speech-Dataset/): ``metadata.csv`` without a header, ``id|written|spoken`` divided
  by bars without any quoting, the sound at ``wavs/<id>.wav``. A row may lack its third column.
- Coqui's (the formatter ``coqui`` of coqui-tts): a CSV divided by bars with the header
  ``audio_file|text|speaker_name`` in any order, where further columns may follow; paths count from the table's folder.
  Several such tables side by side (``metadata_train.csv``, ``metadata_eval.csv``) are one dataset.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from datasets.pipeline.archive import FileFault, Files, ImportLimits, safe_name
from datasets.pipeline.transcript import clean_text
from xttsproject.lib.errors import DomainError

Form = Literal["ljspeech", "coqui"]

MAX_PROBLEMS = 1000
"""So many are listed; a dataset with more of them has one cause, which the first ones show."""
LONGEST_LINE = 20_000
RAW_COLUMN = "raw"
"""The column of Coqui's form in which the portal's own exports keep the text as it was written."""
_TABLE = "metadata.csv"
_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".webm", ".wma", ".aiff", ".mp4")


@dataclass(frozen=True)
class Row:
    """``number`` is the line of ``table``, from 1; ``name`` is the clip's own (LJSpeech's id, Coqui's path).

    ``audio`` is the sound's file inside the dataset; ``spoken`` is empty where the table has one text only.
    """

    table: str
    number: int
    name: str
    audio: str
    written: str
    spoken: str = ""
    speaker: str = ""


@dataclass(frozen=True)
class Problem:
    """Why a row, or a file that no row names (``row`` 0), cannot be taken: ``reason`` is one sentence."""

    table: str
    row: int
    name: str
    code: str
    reason: str


@dataclass
class Problems:
    """Collects problems: the first :data:`MAX_PROBLEMS` as they are, of the others their number."""

    listed: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, table: str, row: int, name: str, code: str, reason: str) -> None:
        self.count += 1
        if len(self.listed) < MAX_PROBLEMS:
            self.listed.append(Problem(table, row, name[:200], code, reason))

    @property
    def enough(self) -> bool:
        return self.count >= MAX_PROBLEMS


@dataclass(frozen=True)
class Table:
    """``rows`` are those without a problem, in the order of the table."""

    form: Form
    rows: tuple[Row, ...]
    speakers: dict[str, int]


def read_table(files: Files, limits: ImportLimits, problems: Problems, speaker_name: str = "") -> Table:
    """Find the dataset's table and judge every row of it by itself; what is wrong is added to ``problems``.

    ``speaker_name`` takes the rows of one speaker only, where the table names speakers. DomainErrors:
    ``table_missing``, ``table_unreadable``, ``speaker_unclear`` (several and no choice), ``speaker_unknown``.
    """
    for name, fault in files.faults.items():
        problems.add("", 0, name, fault.code, f"The file {name} {fault.message}.")
    tables = _tables(files, limits)
    if not tables:
        raise _missing(files)
    form: Form = "coqui" if all(_has_header(content) for content in tables.values()) else "ljspeech"
    if form == "ljspeech" and not any(name.startswith("wavs/") for name in (*files.sizes, *files.faults)):
        raise DomainError(
            "table_missing",
            f"{_TABLE} has no header “audio_file|text|speaker_name”, so its sound is looked for in a folder wavs "
            "beside it, and there is none; add either.",
            field="file",
        )
    read = _coqui_rows if form == "coqui" else _ljspeech_rows
    rows: list[Row] = []
    seen: dict[str, Row] = {}
    speakers: Counter[str] = Counter()
    stems = _stems(files)
    for table, content in tables.items():
        for row in read(table, content, problems, stems):
            speakers[row.speaker] += 1
            if (not speaker_name or row.speaker == speaker_name) and _accept(row, files, seen, problems):
                rows.append(row)
    _check_speakers(speakers, speaker_name)
    return Table(form, tuple(rows), dict(speakers))


def _tables(files: Files, limits: ImportLimits) -> dict[str, bytes]:
    """The bytes of ``metadata.csv``; without one, of all tables at the top that have Coqui's header."""
    at_top = sorted(name for name in files.sizes if "/" not in name and name.endswith(".csv"))
    # metadata_train.csv before metadata_eval.csv.
    names = [_TABLE] if _TABLE in files.sizes else sorted(at_top, key=lambda name: "train" not in name)
    contents: dict[str, bytes] = {}
    for name in names:
        try:
            content = files.read(name, limits.table_bytes).removeprefix(b"\xef\xbb\xbf")
        except FileFault as fault:
            raise DomainError("table_unreadable", f"The table {name} {fault.message}.", field="file") from fault
        if name == _TABLE or _has_header(content):
            contents[name] = content
    return contents


def _missing(files: Files) -> DomainError:
    shown = ", ".join(sorted({name.partition("/")[0] for name in files.sizes})[:5]) or "nothing"
    return DomainError(
        "table_missing",
        f"There is no {_TABLE} at the top of the dataset and no table with the header audio_file|text|speaker_name "
        f"(found: {shown}); see “Importing a dataset” in the documentation.",
        field="file",
    )


def _has_header(content: bytes) -> bool:
    first = content.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    columns = [column.strip().strip('"') for column in first.split("|")]
    return {"audio_file", "text"} <= set(columns)


def _lines(table: str, content: bytes, problems: Problems) -> Iterator[tuple[int, str]]:
    """Each line with its number; one that is no text is a problem of its own."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        line = line.removesuffix(b"\r")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            shown = line[:40].decode("utf-8", "replace")
            problems.add(table, number, shown, "text_encoding", "The row is not UTF-8; save the table as UTF-8.")
            continue
        if len(text) > LONGEST_LINE:
            reason = f"The row has {len(text)} characters; {LONGEST_LINE} are the limit."
            problems.add(table, number, text[:40], "row_broken", reason)
        elif text.strip():
            yield number, text


def _ljspeech_rows(table: str, content: bytes, problems: Problems, stems: dict[str, str]) -> Iterator[Row]:
    for number, line in _lines(table, content, problems):
        columns = [column.strip() for column in line.split("|")]
        if len(columns) not in (2, 3):
            count = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
            reason = f"The row has {count}; an id, the text and the text as it is spoken are expected."
            problems.add(table, number, columns[0], "row_broken", reason)
            continue
        name = columns[0]
        audio = safe_name(f"wavs/{name}") if safe_name(name) else None
        if not name or audio is None:
            _outside(table, number, name, problems)
            continue
        found = stems.get(audio) or f"{audio}.wav"
        yield Row(table, number, name, found, columns[1], columns[2] if len(columns) == 3 else "")


def _coqui_rows(table: str, content: bytes, problems: Problems, stems: dict[str, str]) -> Iterator[Row]:
    """As the formatter reads it: Python's csv with quotes, which bars and quotes inside a text need."""
    kept = dict(_lines(table, content, problems))
    # Lines that were left out keep their place, so that the numbers stay those of the file.
    last = max(kept, default=0)
    reader = csv.reader(io.StringIO("\n".join(kept.get(n, "") for n in range(1, last + 1))), delimiter="|")
    header = [column.strip() for column in next(reader)]
    place = {column: header.index(column) for column in header}
    begin = reader.line_num + 1
    for columns in reader:
        number, begin = begin, reader.line_num + 1
        if not any(column.strip() for column in columns):
            continue
        shown = columns[0]
        if reader.line_num > number:
            reason = "The row goes on over several lines; a quotation mark at the start of a text is not closed."
            problems.add(table, number, shown, "row_broken", reason)
            continue
        if len(columns) != len(header):
            reason = f"The row has {len(columns)} columns and the header {len(header)}."
            problems.add(table, number, shown, "row_broken", reason)
            continue
        name = columns[place["audio_file"]].strip()
        audio = safe_name(name)
        if audio is None:
            _outside(table, number, name, problems)
            continue
        text, raw = columns[place["text"]], columns[place[RAW_COLUMN]] if RAW_COLUMN in place else ""
        speaker = columns[place["speaker_name"]].strip() if "speaker_name" in place else ""
        found = stems.get(audio, audio)
        yield Row(table, number, name, found, raw or text, text if raw else "", speaker)


def _outside(table: str, number: int, name: str, problems: Problems) -> None:
    if name:
        reason = f"“{name[:80]}” leads out of the dataset; give a path inside it."
        problems.add(table, number, name, "path_outside", reason)
    else:
        problems.add(table, number, "", "row_broken", "The row names no file.")


def _stems(files: Files) -> dict[str, str]:
    """Files of sound by their names with and without suffix, since tables often leave it out or keep ".wav"."""
    found: dict[str, str] = {}
    for name in sorted(files.sizes, key=lambda name: (not name.endswith(".wav"), name)):
        if PurePosixPath(name).suffix.lower() in _SUFFIXES:
            found.setdefault(name, name)
            found.setdefault(name[: -len(PurePosixPath(name).suffix)], name)
    return found


def _accept(row: Row, files: Files, seen: dict[str, Row], problems: Problems) -> bool:
    """Whether the row can be taken as far as the table and the list of files tell."""

    def refuse(code: str, reason: str) -> bool:
        problems.add(row.table, row.number, row.name, code, reason)
        return False

    first = seen.setdefault(row.audio, row)
    if first is not row:
        where = "row" if first.table == row.table else f"{first.table}, row"
        return refuse("duplicate", f"“{row.name}” was named before, in {where} {first.number}.")
    if row.audio in files.faults:
        return refuse("file_unusable", f"{row.audio} {files.faults[row.audio].message}.")
    if row.audio not in files.sizes:
        return refuse("file_missing", f"The file {row.audio} is not in the dataset.")
    if not clean_text(row.written) and not clean_text(row.spoken):
        return refuse("text_missing", "The row has no text.")
    if files.sizes[row.audio] == 0:
        return refuse("media_empty", f"The file {row.audio} is empty.")
    return True


def _check_speakers(speakers: Counter[str], chosen: str) -> None:
    """A dataset holds one voice: a table of several says which are there, and the person chooses."""
    shown = ", ".join(f"{name or '(none)'} with {count}" for name, count in speakers.most_common(10))
    if chosen and speakers and chosen not in speakers:
        raise DomainError(
            "speaker_unknown",
            f"No row of the table is of the speaker “{chosen}”; the speakers there are {shown} rows.",
            field="speaker_name",
        )
    if not chosen and len(speakers) > 1:
        raise DomainError(
            "speaker_unclear",
            f"The table has {len(speakers)} speakers ({shown} rows), and a dataset holds one voice; name the one whose "
            "rows are to be imported, and import the others by themselves.",
            field="speaker_name",
        )
