"""Keeping a checkpoint's weights, and refusing to work with those that have gone."""

from __future__ import annotations

from training.models import Checkpoint
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of


def checkpoint_pin(*, checkpoint: Checkpoint, pinned: bool) -> None:
    """Keep a checkpoint's weights whatever comes after it, or leave it to the policy again.

    DomainError ``checkpoint_removed`` where there is nothing left to keep.
    """
    if not pinned:
        Checkpoint.objects.filter(pk=checkpoint.pk).update(pinned=False)
    elif not Checkpoint.objects.filter(pk=checkpoint.pk).kept().update(pinned=True):
        checkpoint.refresh_from_db(fields=["removed_at"])
        raise checkpoint_gone(checkpoint)
    checkpoint.refresh_from_db(fields=["pinned"])


def checkpoint_require(*, checkpoint: Checkpoint) -> None:
    """DomainError ``checkpoint_removed`` where its weights have gone.

    Holds the row until the surrounding transaction ends, so that they do not go while something is made to need them.
    """
    if not Checkpoint.objects.select_for_update().filter(pk=checkpoint.pk).kept().exists():
        raise checkpoint_gone(checkpoint)


def checkpoint_verify(*, checkpoint: Checkpoint) -> None:
    """What lies on the disk is what training wrote: for jobs, before they load a model for it. Reads the file once.

    DomainErrors ``checkpoint_missing``, ``checkpoint_damaged``.
    """
    path = checkpoint.weights_path
    try:
        size = path.stat().st_size
        whole = size == checkpoint.bytes and sha256_of(path) == checkpoint.sha256
    except OSError:
        raise DomainError(
            "checkpoint_missing",
            f"The file {path.name} of {checkpoint} is gone from the run's folder; choose another checkpoint, or put it "
            "back from a backup.",
            field="checkpoint",
        ) from None
    if not whole:
        what = (
            f"has {size} of its {checkpoint.bytes} bytes"
            if size != checkpoint.bytes
            else "is not the one that was written"
        )
        raise DomainError(
            "checkpoint_damaged",
            f"The file {path.name} of {checkpoint} {what}; choose another checkpoint, or put it back from a backup.",
            field="checkpoint",
        )


def checkpoint_gone(checkpoint: Checkpoint) -> DomainError:
    return DomainError(
        "checkpoint_removed",
        f"The file of {checkpoint} was removed to make room for better checkpoints; its losses and samples are kept. "
        "Choose another checkpoint, or train again and keep more of them.",
        field="checkpoint",
    )
