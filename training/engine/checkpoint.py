"""What a run keeps: a folder for every epoch, and one file from which it goes on after any death."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, atomic_path, sha256_of, write_json
from xttsproject.xtts.checkpoints import ADAPTER_CONFIG_FILE, ADAPTER_FILE, FULL_FILE, weights_file

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINTS = "checkpoints"
SAMPLES = "samples"
STATE = "state"
FACTS = "checkpoint.json"
RESUME = "resume.safetensors"


@dataclass(frozen=True)
class Losses:
    """Cross-entropy means in nats; ``total`` is text and mel under the run's weights."""

    total: float
    text: float
    mel: float


@dataclass(frozen=True)
class CheckpointFacts:
    """``bytes`` and ``sha256`` are those of the weights' file; ``validation`` is None without validation clips."""

    epoch: int
    step: int
    train_loss: float
    validation: Losses | None
    base_validation: Losses | None
    seconds: float
    bytes: int
    sha256: str


def checkpoint_folder(run_dir: Path, epoch: int) -> Path:
    return run_dir / CHECKPOINTS / f"epoch-{epoch:04d}"


def write_checkpoint(
    run_dir: Path,
    save: Callable[[Path], None],
    *,
    needed: int,
    epoch: int,
    step: int,
    train_loss: float,
    validation: Losses | None,
    base_validation: Losses | None,
    seconds: float,
) -> CheckpointFacts:
    """Write an epoch's folder whole or not at all; ``save`` puts the weights' files into the folder it is given.

    ``needed`` is about how many bytes that takes. DomainError ``disk_full``, before the first of them is written.
    """
    with (
        room_for(run_dir, needed, f"The checkpoint of epoch {epoch}"),
        atomic_directory(checkpoint_folder(run_dir, epoch)) as folder,
    ):
        save(folder)
        weights = weights_file(folder)
        facts = CheckpointFacts(
            epoch, step, train_loss, validation, base_validation, seconds, weights.stat().st_size, sha256_of(weights)
        )
        write_json(folder / FACTS, {"format": 1, **asdict(facts)})
    return facts


def read_facts(run_dir: Path, epoch: int) -> CheckpointFacts:
    """An epoch's facts, whether its weights are still kept or not; ``checkpoint_damaged`` where they are not there."""
    try:
        values = json.loads((checkpoint_folder(run_dir, epoch) / FACTS).read_text(encoding="utf-8"))
        values.pop("format")
        for name in ("validation", "base_validation"):
            values[name] = Losses(**values[name]) if values[name] is not None else None
        return CheckpointFacts(**values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DomainError("checkpoint_damaged", f"The checkpoint of epoch {epoch} cannot be read: {error}.") from error


def read_checkpoint(run_dir: Path, epoch: int) -> CheckpointFacts:
    """An epoch's facts; ``checkpoint_damaged`` where they are not there or the weights are not those they tell of."""
    facts = read_facts(run_dir, epoch)
    weights = weights_file(checkpoint_folder(run_dir, epoch))
    try:
        whole = weights.stat().st_size == facts.bytes and sha256_of(weights) == facts.sha256
    except OSError as error:
        raise DomainError("checkpoint_damaged", f"The checkpoint of epoch {epoch} cannot be read: {error}.") from error
    if not whole:
        raise DomainError("checkpoint_damaged", f"The checkpoint of epoch {epoch} is not the file that was written.")
    return facts


@dataclass(frozen=True)
class Position:
    """``epoch`` whole epochs and ``steps_in_epoch`` of the next are behind the run; ``step`` counts over all.

    ``loss_sum`` is of that begun epoch, ``seconds`` its time so far. ``pieces`` is into how many
    every batch had to be divided for memory's sake. ``identity`` is what must be the same for the
    state to be continued.
    """

    epoch: int
    step: int
    steps_in_epoch: int
    loss_sum: float
    seconds: float
    identity: dict[str, Any]
    base_validation: Losses | None
    pieces: int = 1


def write_state(run_dir: Path, tensors: dict[str, Tensor], position: Position) -> None:
    """Replace the resume file in one step: a kill leaves either the previous one or this one."""
    from safetensors.torch import save_file

    needed = sum(value.numel() * value.element_size() for value in tensors.values())
    with (
        room_for(run_dir, needed, "The file from which the run goes on"),
        atomic_path(run_dir / STATE / RESUME) as temporary,
    ):
        save_file(tensors, temporary, metadata={"position": json.dumps(asdict(position))})


def read_state(run_dir: Path) -> tuple[dict[str, Tensor], Position] | None:
    """What :func:`write_state` wrote, or None for a run that has not got that far."""
    from safetensors import SafetensorError, safe_open

    path = run_dir / STATE / RESUME
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as handle:
            values = json.loads((handle.metadata() or {})["position"])
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DomainError(
            "state_damaged", f"The run cannot go on: its file {STATE}/{RESUME} is damaged ({error}). Start a new run."
        ) from error
    base = values["base_validation"]
    return tensors, Position(**{**values, "base_validation": Losses(**base) if base else None})


def remove_weights(folder: Path) -> None:
    """Take the weights out of a checkpoint's folder and leave its facts: early stopping and the best epoch need them.

    Doing it again, after a kill in its middle, does the rest.
    """
    for name in (ADAPTER_FILE, ADAPTER_CONFIG_FILE, FULL_FILE):
        (folder / name).unlink(missing_ok=True)


def clear_leftovers(run_dir: Path) -> None:
    """Remove the temporary files and folders that a killed process of the run left (all begin with a dot).

    What stands beside its epochs (an average) may be in the making by another process, and is left alone.
    """
    samples = run_dir / SAMPLES
    _clear([*(run_dir / CHECKPOINTS).glob(".epoch-*"), *samples.glob("epoch-*/.*"), *samples.glob("base/.*")])
    _clear((run_dir / STATE).glob(".*"))


def clear_leftovers_of(run_dir: Path, name: str) -> None:
    """The same for one checkpoint that is no epoch's, by its folder's name."""
    _clear([*(run_dir / CHECKPOINTS).glob(f".{name}-*"), *(run_dir / SAMPLES / name).glob(".*")])


def _clear(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
