"""Reading weights that come from outside, whatever the file is called. Nothing in them is ever executed."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from xttsproject.lib.disk import size_words
from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    from xttsproject.xtts.weights import State

# Checkpoints carry configurations and measurements as pickled objects of these classes. They are let through as empty
# shells: nothing of them is needed, and their code need not run.
_SHELLS = (
    "TTS.tts.configs.xtts_config.XttsConfig",
    "TTS.tts.configs.xtts_config.XttsArgs",
    "TTS.tts.configs.xtts_config.XttsAudioConfig",
    "TTS.tts.models.xtts.XttsArgs",
    "TTS.tts.models.xtts.XttsAudioConfig",
    "TTS.config.shared_configs.BaseDatasetConfig",
    "TTS.tts.layers.xtts.trainer.gpt_trainer.GPTTrainerConfig",
    "TTS.tts.layers.xtts.trainer.gpt_trainer.GPTArgs",
    # A trainer's configuration may hold paths, its losses may be numbers of numpy's.
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
)
# torch's magic number, pickled, begins what torch wrote before version 1.6.
_OLD, _PICKLE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80"
_ZIP, _LFS, _HTML = b"PK\x03\x04", b"version https://git-lfs", (b"<!doctype html", b"<html")
# More tensors' names than any model has; a length beyond it is no safetensors header.
_LONGEST_HEADER = 100_000_000
_WEIGHTS = (".pth", ".pt", ".bin", ".safetensors")
_WRAPPERS = ("model", "state_dict", "model_state_dict")


@dataclass(frozen=True)
class Weights:
    """A file's tensors under the names that it has them by (on the CPU, mapped from the file where it allows that),
    and the configuration that it carries as plain values, if any."""

    tensors: State
    config: Mapping[str, Any] | None


def read_weights(path: Path) -> Weights:
    """The weights in a file of torch's or in a safetensors file; which it is, its first bytes tell.

    Raises :class:`DomainError` ``model_missing``, ``model_cut_short``, ``model_unsafe``, ``model_unreadable`` (a file
    of another kind) or ``model_damaged``.
    """
    if is_safetensors(path):
        from safetensors.torch import load_file

        try:
            return Weights(load_file(path), None)
        except Exception as error:
            raise DomainError("model_damaged", f"{path.name} cannot be read as safetensors ({error}).") from error
    content = read_checkpoint(path)
    table = content
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            table = content[wrapper]
            break
    if not isinstance(table, Mapping):
        raise DomainError("model_damaged", f"{path.name} holds no table of weights but {type(table).__name__}.")
    config = content.get("config") if isinstance(content, Mapping) else None
    plain = config if isinstance(config, Mapping) and isinstance(config.get("model_args"), Mapping) else None
    return Weights(dict(_tensors_in(table, path)), plain)


def read_tensor(path: Path, name: str) -> Any:
    """One tensor that a file holds by itself, or, in a safetensors file, the only one. DomainErrors as above."""
    content = next(iter(read_weights(path).tensors.values()), None) if is_safetensors(path) else read_checkpoint(path)
    return require_tensor(content, f"{path.name} ({name})")


def read_checkpoint(path: Path) -> Any:
    """The content of a file that ``torch.save`` wrote: tensors and plain values. Anything else in it is refused unread.

    Tensors stay in the file and are read when they are used, which spares memory for an optimizer that is not.
    DomainErrors as :func:`read_weights`'s.
    """
    import torch
    from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

    mapped = not is_safetensors(path) and _is_mappable(path)
    # One shell per name: torch tells classes apart by identity.
    shells = {name: type("Shell", (_Shell,), {}) for name in _SHELLS}
    try:
        foreign = sorted(set(get_unsafe_globals_in_checkpoint(str(path))) - set(shells)) if mapped else []
        if foreign:
            raise DomainError(
                "model_unsafe",
                f"{path.name} wants to run {', '.join(foreign[:3])} while it is read; a model needs no such thing. "
                "It was not opened.",
            )
        with safe_globals([(shell, name) for name, shell in shells.items()]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise DomainError(
            "model_unsafe", f"{path.name} holds more than weights and was not opened ({_first_line(error)})."
        ) from error
    # What a file that is no checkpoint makes torch raise is not documented, and anything but a crash will do.
    except (RuntimeError, ValueError, EOFError, OSError, LookupError, TypeError, AttributeError) as error:
        raise DomainError(
            "model_damaged", f"{path.name} is no checkpoint that torch can read ({_first_line(error)})."
        ) from error


def is_safetensors(path: Path) -> bool:
    """Whether the file begins as one. Raises ``model_missing``, and ``model_cut_short`` where its tensors are not all
    there."""
    size = _size(path)
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if size < 9 or not 2 <= length <= _LONGEST_HEADER or handle.read(1) != b"{":
            return False
        handle.seek(8)
        header = handle.read(length)
    if len(header) < length:
        raise _cut_short(path, size, f"its list of tensors alone has {size_words(length)}")
    try:
        entries = json.loads(header)
        end = max((entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"), default=0)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    if size < 8 + length + end:
        raise _cut_short(path, size, f"its tensors need {size_words(8 + length + end)}")
    return True


def require_tensor(value: Any, where: str) -> Any:
    """The value, detached. DomainError ``model_damaged`` where it is no tensor."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise DomainError("model_damaged", f"{where} is no tensor but {type(value).__name__}.")
    return value.detach()


class _Shell:
    """Takes the place of a configuration object and keeps nothing of it."""

    def __new__(cls, *_: object) -> _Shell:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass


def _tensors_in(table: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        yield str(name), require_tensor(value, f"{path.name}: {name}")


def require_whole(path: Path) -> None:
    """What a file's beginning and end tell without any ML library. DomainErrors ``model_missing``,
    ``model_cut_short``, ``model_unsafe``, ``model_unreadable``."""
    if not is_safetensors(path):
        _is_mappable(path)


def _is_mappable(path: Path) -> bool:
    """Whether the file is of the kind that can be mapped, which torch has written since version 1.6."""
    size = _size(path)
    with open(path, "rb") as handle:
        start = handle.read(64)
    if start.startswith(_LFS):
        raise DomainError(
            "model_unreadable",
            f"{path.name} is only a Git LFS pointer to the model; get the file itself with “git lfs pull”.",
        )
    if start.lstrip().lower().startswith(_HTML):
        raise DomainError("model_unreadable", f"{path.name} is a web page and no model; download the file itself.")
    if start.startswith(_ZIP) and not zipfile.is_zipfile(path):
        # A zip's directory stands at its end.
        raise _cut_short(path, size, "the directory that ends such a file is missing")
    if start.startswith(_ZIP):
        _refuse_archive(path)
    if start.startswith(_PICKLE) and not start.startswith(_OLD):
        raise DomainError(
            "model_unsafe",
            f"{path.name} is a pickle that torch did not write, and reading one runs code; it was not opened. Save the "
            "weights with torch.save or as safetensors.",
        )
    if not start.startswith((_ZIP, _OLD)):
        raise DomainError(
            "model_unreadable",
            f"{path.name} is neither a checkpoint of torch's nor safetensors; choose the model's file.",
        )
    return start.startswith(_ZIP)


def _refuse_archive(path: Path) -> None:
    """A zip that torch wrote has its table in one folder beside the tensors; any other is somebody's package."""
    with zipfile.ZipFile(path) as archive:
        files = archive.infolist()
    if any(file.filename.endswith("data.pkl") for file in files):
        return
    found = [file for file in files if file.filename.endswith(_WEIGHTS)]
    # A DVAE lies beside it, which may be the larger one.
    weights = max(found, key=lambda file: ("model" in PurePosixPath(file.filename).name, file.file_size), default=None)
    said = f"{path.name} is an archive and no checkpoint"
    if weights is None:
        raise DomainError("model_unreadable", f"{said}; unpack it first.")
    inside = PurePosixPath(weights.filename).name
    raise DomainError(
        "model_unreadable", f"{said}: unpack it and choose {inside}, with what lies beside it as further files."
    )


def _size(path: Path) -> int:
    if not path.is_file():
        raise DomainError("model_missing", f"There is no file {path.name} in {path.parent.name}.")
    size = path.stat().st_size
    if not size:
        raise _cut_short(path, size, "it is empty")
    return size


def _cut_short(path: Path, size: int, why: str) -> DomainError:
    return DomainError(
        "model_cut_short",
        f"{path.name} was cut short: {size_words(size)} are here, but {why}; copy or download it again.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
