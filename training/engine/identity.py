"""What makes a run the run it is: a state is gone on with only by a process that would have come to it itself."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from training.engine.spec import LORA, TrainSpec
from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    from training.engine.dataset import Dataset
    from training.engine.model import Base

CONTINUED = (
    "batch_size",
    "accumulation",
    "learning_rate",
    "schedule",
    "warmup_fraction",
    "weight_decay",
    "max_grad_norm",
    "seed",
    "method",
    "lora",
    "train_conditioning",
    "train_heads",
    "augment_conditioning",
    "text_loss_weight",
    "mel_loss_weight",
    "code_noise",
)
"""Fields of the spec that a resumed run shares with the one that was begun. The number of epochs may grow."""

UNTOLD = {"method": LORA, "train_conditioning": False, "train_heads": False, "augment_conditioning": False}
"""What runs were that were begun before there was a choice."""


def identity_of(spec: TrainSpec, base: Base, dataset: Dataset) -> dict[str, Any]:
    values = spec.to_dict()
    used = [[clip.id, clip.text, clip.language, clip.samples] for clip in (*dataset.train, *dataset.validation)]
    digest = hashlib.sha256(json.dumps([used, len(dataset.train)]).encode()).hexdigest()
    return {**{name: values[name] for name in CONTINUED}, "model": base.key, "dataset": digest}


def check_identity(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """A run goes on only as the run it was: ``resume_mismatch`` names the first setting that is another."""
    found = {**UNTOLD, **found}
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            raise DomainError(
                "resume_mismatch",
                f"The run was begun with {key} {found.get(key)!r} and cannot go on with {wanted.get(key)!r}; "
                "start a new run.",
                field=key,
            )
