"""How the owner of the speech models is set up, and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from voices.engine.requests import ModelChoice


class OwnerState(StrEnum):
    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"


@dataclass(frozen=True)
class Graphs:
    """Whether decoding steps are recorded as CUDA graphs; ``reason`` says why not, and is empty where they are."""

    recorded: bool
    reason: str = ""


@dataclass(frozen=True)
class OwnerSettings:
    """``device`` is auto, cpu, cuda or cuda:N. ``idle_seconds`` without a request free the memory (0: never).

    ``batch`` bounds how many sentences are decoded together and ``together`` how many requests they are of; further
    ones wait, ``queue_limit`` of them, and of one person's ``asker_limit``. ``adapters`` bounds how many fine-tuned
    models stay loaded beside one base model, the least recently used leaves first. With ``low_memory`` one model at
    most is in memory, and only while something is spoken. In the folder ``packed_dir`` shrunk weights are kept for the
    next load. ``graphs``: on a GPU, steps of decoding are recorded and done again with one call.
    """

    device: str = "auto"
    precision: str = "fp32"
    graphs: bool = True
    idle_seconds: float = 900.0
    batch: int = 16
    together: int = 8
    adapters: int = 2
    queue_limit: int = 8
    asker_limit: int = 4
    low_memory: bool = False
    packed_dir: Path | None = None


@dataclass(frozen=True)
class OwnerStatus:
    """What ``/readyz`` tells.

    ``loads`` counts how often a model has been loaded, ``models`` those in memory now; ``waiting`` and ``speaking``
    count requests, ``sentences`` what is decoded together. ``failed`` are models whose files could not be loaded and
    have not changed since. ``memory_bytes`` is the whole process's; None where the system does not say. ``graphs`` is
    None while no model is in memory.
    """

    state: OwnerState
    since: datetime
    models: int
    loads: int
    failed: tuple[ModelChoice, ...]
    waiting: int
    speaking: int
    sentences: int
    memory_bytes: int | None
    last_error: str
    graphs: Graphs | None
