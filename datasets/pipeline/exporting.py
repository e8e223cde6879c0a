"""A frozen version to a zip that other programs read. Memory does not grow with the number of clips.

- ``ljspeech`` (https://keithito.com/LJ-Speech-Dataset/): ``wavs/<id>.wav`` and ``metadata.csv`` with
  ``id|written|spoken``. Bars and line ends cannot stand in it and become spaces. It knows no split.
- ``coqui`` (the formatter ``coqui`` of coqui-tts): ``wavs/`` and a table per split, ``metadata_train.csv`` and
  ``metadata_eval.csv``, with ``audio_file|text|speaker_name|language|raw``; ``text`` is the spoken form.
- ``audiofolder`` (https://huggingface.co/docs/hub/datasets-audio): a folder per split, ``train`` and ``validation``,
  with the clips and a ``metadata.jsonl`` whose ``file_name`` names them.

Everything lies in one folder inside the zip. Clips are mono 16-bit WAV at 22 050 Hz, as they were frozen, and are
stored: sound hardly shrinks. Entries have a fixed date, so the same version makes the same zip, byte for byte.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Literal

from datasets.pipeline.manifest import CLIP_RATE, MANIFEST
from datasets.pipeline.tables import RAW_COLUMN
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress, Silent

Form = Literal["ljspeech", "coqui", "audiofolder"]
Row = dict[str, Any]
"""A line of the manifest, see :func:`datasets.pipeline.manifest.freeze`."""

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16


def write_export(
    folder: Path, form: Form, target: Path, *, name: str, about: str, progress: Progress | None = None
) -> None:
    """Write the version in ``folder`` to the zip ``target``, whole or not at all.

    ``name`` becomes the folder inside the zip, ``about`` its README.md. Raises ``Cancelled`` and DomainError
    ``clip_missing`` or ``manifest_missing``.
    """
    progress = progress or Silent()
    total = sum(1 for _row in _rows(folder))
    clip_path, write_tables = _FORMS[form]
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as out:
        write_tables(_Zip(out, name), folder)
        _Zip(out, name).text("README.md", about)
        for done, row in enumerate(_rows(folder), start=1):
            progress.check()
            _add_clip(out, folder / row["audio"], f"{name}/{clip_path(row)}", row["id"])
            progress.report(done / total, f"clip {done} of {total}")


def _rows(folder: Path) -> Iterator[Row]:
    try:
        with open(folder / MANIFEST, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except FileNotFoundError as error:
        raise DomainError(
            "manifest_missing", "The files of the version are gone from the disk; freeze the dataset anew."
        ) from error


def _add_clip(out: zipfile.ZipFile, path: Path, name: str, shown: str) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = _MODE
    try:
        entry.file_size = path.stat().st_size
        with open(path, "rb") as source, out.open(entry, "w") as goal:
            shutil.copyfileobj(source, goal, 1024 * 1024)
    except FileNotFoundError as error:
        raise DomainError(
            "clip_missing", f"The clip {shown} of the version is gone from the disk; freeze the dataset anew."
        ) from error


class _Zip:
    """The tables' part of an archive: compressed text, written as it comes."""

    def __init__(self, out: zipfile.ZipFile, top: str):
        self._out, self._top = out, top

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        entry = zipfile.ZipInfo(f"{self._top}/{name}", _DATE)
        entry.external_attr = _MODE
        entry.compress_type = zipfile.ZIP_DEFLATED
        return self._out.open(entry, "w")

    def text(self, name: str, content: str) -> None:
        with self.open(name) as out:
            out.write(content.encode())


def _ljspeech(out: _Zip, folder: Path) -> None:
    with out.open("metadata.csv") as table:
        for row in _rows(folder):
            columns = (row["id"], _unbarred(row["raw"]), _unbarred(row["text"]))
            table.write(("|".join(columns) + "\n").encode())


def _unbarred(text: str) -> str:
    return " ".join(text.replace("|", " ").split())


def _coqui(out: _Zip, folder: Path) -> None:
    for split, name in (("train", "metadata_train.csv"), ("validation", "metadata_eval.csv")):
        if not any(row["split"] == split for row in _rows(folder)):
            continue
        with out.open(name) as table, io.TextIOWrapper(table, encoding="utf-8", newline="") as text:
            writer = csv.writer(text, delimiter="|", lineterminator="\n")
            writer.writerow(("audio_file", "text", "speaker_name", "language", RAW_COLUMN))
            for row in _rows(folder):
                if row["split"] == split:
                    texts = [" ".join(row[key].split()) for key in ("text", "raw")]
                    writer.writerow((_in_wavs(row), texts[0], row["speaker"], row["language"], texts[1]))


def _audiofolder(out: _Zip, folder: Path) -> None:
    for split in ("train", "validation"):
        if not any(row["split"] == split for row in _rows(folder)):
            continue
        with out.open(f"{split}/metadata.jsonl") as table:
            for row in _rows(folder):
                if row["split"] == split:
                    kept = {key: row[key] for key in ("id", "text", "raw", "speaker", "language", "seconds")}
                    line = json.dumps({"file_name": f"{row['id']}.wav", **kept}, ensure_ascii=False)
                    table.write(f"{line}\n".encode())


def _in_wavs(row: Row) -> str:
    return f"wavs/{row['id']}.wav"


def _in_split(row: Row) -> str:
    return f"{row['split']}/{row['id']}.wav"


_FORMS: dict[Form, tuple[Callable[[Row], str], Callable[[_Zip, Path], None]]] = {
    "ljspeech": (_in_wavs, _ljspeech),
    "coqui": (_in_wavs, _coqui),
    "audiofolder": (_in_split, _audiofolder),
}

READING: dict[Form, str] = {
    "ljspeech": "LJSpeech's form: each line of `metadata.csv` is `id|written text|spoken text`, the sound of a line is "
    "`wavs/<id>.wav`.",
    "coqui": "Coqui's form: `metadata_train.csv` and `metadata_eval.csv` are read by coqui-tts's formatter `coqui`; "
    f"`text` is the spoken text, `{RAW_COLUMN}` the written one.",
    "audiofolder": 'Hugging Face\'s audiofolder: `load_dataset("audiofolder", data_dir=…)` reads the splits; `text` is '
    "the spoken text, `raw` the written one.",
}
"""How to read each form, for the README inside the zip."""
SOUND = f"WAV, mono, 16 bits, {CLIP_RATE} Hz"
