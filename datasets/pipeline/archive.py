"""The files of a dataset that comes from outside, in a zip or a folder, read within limits.

Nothing is ever unpacked by the name that an archive gives: files are looked up by their names inside the dataset and
read one at a time into a scratch file of ours. So a name that leads out of the archive can at worst be listed.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import IO, Protocol

from datasets.pipeline.wording import bytes_words
from xttsproject.lib.errors import DomainError

_BLOCK = 1024 * 1024
# One entry of the directory takes some hundred bytes of the file and some thousand of memory.
_DIRECTORY_BYTES = 32 * 1024 * 1024
_ENTRIES = 250_000
_END, _END64_LOCATOR, _END64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"


@dataclass(frozen=True)
class ImportLimits:
    """What a dataset from outside may demand of this machine.

    ``max_bytes`` counts all files as they are once unpacked, ``max_seconds`` the sound of all clips; the others hold
    for a single file. All are checked by what a file says of itself first, and again while it is read.
    """

    max_bytes: int
    max_seconds: float
    clip_bytes: int = 200_000_000
    clip_seconds: float = 60.0
    table_bytes: int = 64_000_000


class FileFault(Exception):
    """A single file that cannot be taken; ``code`` for programs, the message completes the sentence "it …"."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


class Files(Protocol):
    """``sizes``: bytes of each usable file by its name ("wavs/a.wav"); ``faults``: why another cannot be used."""

    @property
    def sizes(self) -> Mapping[str, int]: ...

    @property
    def faults(self) -> Mapping[str, FileFault]: ...

    def read(self, name: str, limit: int) -> bytes:
        """A small file as a whole. Raises :class:`FileFault`."""

    def local(self, name: str, scratch: Path, limit: int) -> contextlib.AbstractContextManager[Path]:
        """The file as one on the disk, at ``scratch`` where it has to be unpacked. Raises :class:`FileFault`."""


def safe_name(given: str) -> str | None:
    """A path as it reads inside the dataset ("./wavs\\a.wav" is "wavs/a.wav"); None where it leads out of it."""
    name = given.replace("\\", "/")
    if name.startswith("/") or PureWindowsPath(name).drive or "\0" in name:
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) if parts and ".." not in parts else None


@contextlib.contextmanager
def open_files(path: Path, limits: ImportLimits) -> Iterator[Files]:
    """A folder, or a zip. DomainErrors ``dataset_missing``, ``not_zip``, ``too_large``."""
    path = Path(path)
    if path.is_dir():
        yield _folder(path, limits)
        return
    if not path.is_file():
        raise DomainError("dataset_missing", f"There is no file or folder {path.name}; give the path of a dataset.")
    _check_directory(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise _not_zip(path) from error
    with archive:
        yield _zip(archive, path.name, limits)


@dataclass
class _ZipFiles:
    archive: zipfile.ZipFile
    entries: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    faults: dict[str, FileFault] = field(default_factory=dict)

    def read(self, name: str, limit: int) -> bytes:
        return b"".join(self._blocks(name, limit))

    @contextlib.contextmanager
    def local(self, name: str, scratch: Path, limit: int) -> Iterator[Path]:
        try:
            with open(scratch, "wb") as out:
                for block in self._blocks(name, limit):
                    out.write(block)
            yield scratch
        finally:
            scratch.unlink(missing_ok=True)

    def _blocks(self, name: str, limit: int) -> Iterator[bytes]:
        entry = self.entries[name]
        _check_size(entry.file_size, limit)
        try:
            with self.archive.open(entry) as source:
                # The library ends at the stated size and checks the sum, so no entry grows beyond what it said.
                yield from _bounded(source, limit)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise FileFault("file_damaged", "is damaged in the archive") from error
        except RuntimeError as error:
            # Encrypted, or (a RuntimeError too) by a method that zipfile does not know.
            raise FileFault("file_unreadable", "is packed in a way that cannot be read here") from error


@dataclass
class _FolderFiles:
    top: Path
    sizes: dict[str, int] = field(default_factory=dict)
    faults: dict[str, FileFault] = field(default_factory=dict)

    def read(self, name: str, limit: int) -> bytes:
        _check_size(self.sizes[name], limit)
        try:
            with open(self.top / name, "rb") as source:
                return b"".join(_bounded(source, limit))
        except OSError as error:
            raise FileFault("file_unreadable", f"cannot be read ({error.strerror})") from error

    @contextlib.contextmanager
    def local(self, name: str, scratch: Path, limit: int) -> Iterator[Path]:
        _check_size(self.sizes[name], limit)
        yield self.top / name


def _zip(archive: zipfile.ZipFile, shown: str, limits: ImportLimits) -> _ZipFiles:
    files = _ZipFiles(archive)
    total = 0
    for entry in archive.infolist():
        name = safe_name(entry.filename)
        if entry.is_dir() and name is not None:
            continue
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if name is None:
            files.faults[entry.filename] = FileFault("path_outside", "leads out of the archive")
        elif _is_litter(name):
            continue
        elif kind not in (0, stat.S_IFREG):
            files.faults[name] = FileFault("file_link", "is a link or a device, not a file")
        elif entry.flag_bits & 0x1:
            files.faults[name] = FileFault("file_encrypted", "is encrypted")
        elif name in files.entries or name in files.faults:
            files.faults[name] = FileFault("duplicate", "is in the archive twice")
        else:
            files.entries[name] = entry
            total += entry.file_size
    for name in files.faults.keys() & files.entries.keys():
        del files.entries[name]
    _check_total(total, shown, limits)
    top = _single_top(list(files.entries))
    files.entries = {name.removeprefix(top): entry for name, entry in files.entries.items()}
    files.faults = {name.removeprefix(top): fault for name, fault in files.faults.items()}
    files.sizes = {name: entry.file_size for name, entry in files.entries.items()}
    return files


def _folder(path: Path, limits: ImportLimits) -> _FolderFiles:
    """Links are not followed: the folder may belong to somebody else than the one who runs the import."""
    files = _FolderFiles(path)
    waiting, total = [path], 0
    while waiting:
        for each in sorted(waiting.pop().iterdir()):
            name = each.relative_to(path).as_posix()
            facts = each.lstat()
            if _is_litter(name):
                continue
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(each)
            elif stat.S_ISREG(facts.st_mode):
                files.sizes[name] = facts.st_size
                total += facts.st_size
            else:
                files.faults[name] = FileFault("file_link", "is a link or a device, not a file")
            if len(files.sizes) > _ENTRIES:
                raise _too_many(path.name)
    _check_total(total, path.name, limits)
    return files


def _is_litter(name: str) -> bool:
    """What desktops add to archives and folders."""
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts)


def _single_top(names: list[str]) -> str:
    """ "folder/" where everything lies in one folder, as in archives of a folder; else ""."""
    tops = {name.partition("/")[0] for name in names}
    lone = len(tops) == 1 and all("/" in name for name in names)
    # A folder that holds sound only is the dataset's own part, whose table is missing.
    top = next(iter(tops)) if lone else ""
    return f"{top}/" if lone and top != "wavs" else ""


def _bounded(source: IO[bytes], limit: int) -> Iterator[bytes]:
    count = 0
    while block := source.read(_BLOCK):
        count += len(block)
        _check_size(count, limit)
        yield block


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise FileFault("too_large", f"has {bytes_words(size)}, and the limit is {bytes_words(limit)}")


def _check_total(total: int, shown: str, limits: ImportLimits) -> None:
    if total > limits.max_bytes:
        raise DomainError(
            "too_large",
            f"Unpacked, {shown} has {bytes_words(total)}, and the limit is {bytes_words(limits.max_bytes)}; "
            "divide the dataset.",
            field="file",
        )


def _check_directory(path: Path) -> None:
    """Refuse an archive whose directory would not fit in memory, before it is read as a whole.

    The end record and, for large archives, its 64-bit twin are searched for as the library does (APPNOTE.TXT 4.3.14
    to 4.3.16); whichever states more counts.
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        handle.seek(max(0, size - 22 - 0xFFFF))
        tail = handle.read()
        found = tail.rfind(_END)
        if found < 0 or len(tail) < found + 22:
            raise _not_zip(path)
        entries, directory = struct.unpack("<HL", tail[found + 10 : found + 16])
        locator = tail[max(0, found - 20) : found]
        if locator[:4] == _END64_LOCATOR and len(locator) == 20:
            handle.seek(min(struct.unpack("<Q", locator[8:16])[0], size))
            record = handle.read(56)
            if len(record) == 56 and record[:4] == _END64:
                entries, directory = struct.unpack("<QQ", record[32:48])
    if directory > _DIRECTORY_BYTES or entries > _ENTRIES:
        raise _too_many(path.name)


def _too_many(shown: str) -> DomainError:
    return DomainError(
        "too_large", f"{shown} holds more than {_ENTRIES:,} files; divide the dataset.".replace(",", " "), field="file"
    )


def _not_zip(path: Path) -> DomainError:
    return DomainError(
        "not_zip",
        f"{path.name} is not a zip archive, or not a whole one; pack the dataset's folder as a zip.",
        field="file",
    )
