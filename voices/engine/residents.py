"""The speech models that are in memory: loaded when needed, the least recently used leaving for others."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from voices.engine.memory import give_back_memory
from voices.engine.requests import ModelChoice
from voices.engine.state import Graphs, OwnerSettings, OwnerState
from xttsproject.bundles.manifest import MANIFEST_FILE
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.memory import is_out_of_memory

if TYPE_CHECKING:
    from voices.engine.sentences import Group, Sentence
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.loop import Row, SpeechLoop

logger = logging.getLogger(__name__)

# When a file or folder last changed, in nanoseconds, and its size in bytes; zeros for none.
_Stamp = tuple[int, int]
# Folder and stamp of bundle and adapter: a model that was replaced on disk is another model.
_Key = tuple[Path, _Stamp, Path | None, _Stamp]


_ADAPTERS_BESIDE = 32
"""Adapters kept beside the weights of one model: each is about a hundredth of it."""


class Core:
    """Weights in memory, and the loop in which every sentence that they speak is spoken."""

    def __init__(self, engine: XttsEngine, limit: int):
        self.rows: dict[Row, Sentence] = {}
        self.suspects: set[Sentence] = set()
        """Sentences during which the loop broke. They are spoken one at a time, so that the one that breaks it is
        found and the others are not lost with it."""
        self._engine, self._limit = engine, limit
        self._loop: SpeechLoop | None = None

    @property
    def room(self) -> int:
        """How many more sentences may begin."""
        return (1 if self.suspects else self._limit) - len(self.rows)

    @property
    def loop(self) -> SpeechLoop:
        from xttsproject.xtts.loop import SpeechLoop

        if self._loop is None:
            self._loop = SpeechLoop(self._engine.gpt, self._limit)
        return self._loop

    @property
    def graphs(self) -> Graphs:
        recorder = self._engine.gpt.recorder
        if recorder is None:
            return Graphs(False, "the device has none, or SPEECH_GRAPHS is off")
        return Graphs(not recorder.off, recorder.off)

    @property
    def has_loop(self) -> bool:
        return self._loop is not None

    def drop_loop(self) -> None:
        """Give back what its keys and values take, or what a broken one left."""
        self._loop = None
        self.rows.clear()


class Resident:
    """A model that speaks: weights of its own, or an adapter beside those of another, with which it shares a loop."""

    def __init__(self, engine: XttsEngine, core: Core, *, beside: bool):
        self.engine, self.core, self.beside = engine, core, beside
        self.groups: set[Group] = set()
        """Who is not done with it; while there are any it stays."""


class Residents:
    """Only the owner's thread calls its methods; what it says of itself may be read by any."""

    def __init__(self, settings: OwnerSettings):
        self._settings = settings
        self._lock = threading.Lock()
        self._loaded: OrderedDict[_Key, Resident] = OrderedDict()
        self._failed: dict[ModelChoice, _Key] = {}
        self._state, self._since = OwnerState.UNLOADED, datetime.now(UTC)
        self.loads = 0
        self.last_error = ""

    def __len__(self) -> int:
        return len(self._loaded)

    @property
    def state(self) -> tuple[OwnerState, datetime]:
        """And since when."""
        with self._lock:
            return self._state, self._since

    @property
    def failed(self) -> tuple[ModelChoice, ...]:
        """Models whose files could not be loaded, and are still the same."""
        with self._lock:
            failed = dict(self._failed)
        return tuple(model for model, key in failed.items() if _key(model) == key)

    @property
    def cores(self) -> list[Core]:
        """All weights that are there, each once."""
        with self._lock:
            return list(dict.fromkeys(resident.core for resident in self._loaded.values()))

    @property
    def graphs(self) -> Graphs | None:
        """Of the weights that are there; a device's recorder is one for all of them."""
        return next((core.graphs for core in self.cores), None)

    def take(self, model: ModelChoice) -> Resident | None:
        """The model, loaded if need be; None while others are needed whose place it would take.

        Raises what :meth:`XttsEngine.load` raises.
        """
        key = _key(model)
        if key in self._loaded:
            with self._lock:
                self._loaded.move_to_end(key)
            return self._loaded[key]
        base = None
        beside = model.adapter is not None and self._beside(model, key)
        if beside:
            base = self.take(ModelChoice(model.bundle))
            if base is None:
                return None
        # Room first: two models at once may be more than the machine holds.
        if not self._make_room(key, beside=beside):
            return None
        self._set_state(OwnerState.LOADING)
        try:
            resident = self._load(model, base)
        except BaseException as error:
            self._failing(model, key, error)
            self._set_state(OwnerState.READY if self._loaded else OwnerState.UNLOADED)
            raise
        with self._lock:
            self._loaded[key] = resident
            self._failed.pop(model, None)
            self.loads += 1
            self.last_error = ""
        self._set_state(OwnerState.READY)
        return resident

    def drop_loops(self) -> None:
        for core in self.cores:
            core.drop_loop()

    def unload(self) -> None:
        with self._lock:
            if not self._loaded:
                return
            self._loaded.clear()
        self._set_state(OwnerState.UNLOADED)
        try:
            give_back_memory()
        except Exception as error:
            # A device that has broken may refuse. The models are gone all the same, and the thread must live on.
            self.note(error)
        logger.info("Speech models left memory")

    def give_back(self) -> None:
        """Memory ran out: give back what is held for speed alone."""
        for core in self.cores:
            if not core.rows:
                core.drop_loop()
        try:
            give_back_memory()
        except Exception as error:
            self.note(error)

    def told(self, error: BaseException) -> BaseException:
        """What whoever asked is told of an error. That memory ran out is said in words, by DomainError ``memory_full``,
        which does not hold on to what was being computed, as the error itself does."""
        if not is_out_of_memory(error):
            return error
        logger.error("Memory ran out while speech was made: %s", error)
        batch, device, precision = self._settings.batch, self._settings.device, self._settings.precision
        return DomainError(
            "memory_full",
            f"Memory ran out while this was spoken (device {device}, precision {precision}, up to {batch} sentences "
            "together); try again in a moment. Where it happens often, a smaller SPEECH_BATCH, SPEECH_PRECISION=fp16, "
            "SPEECH_LOW_MEMORY or another DEVICE helps.",
            permanent=False,
        )

    def note(self, error: BaseException) -> None:
        """Keep what went wrong with a model itself; a bad text is no matter of the engine's health."""
        if isinstance(error, DomainError):
            if error.code.startswith(("model_", "adapter_", "memory_")):
                self.last_error = error.message
        elif not isinstance(error, Cancelled):
            logger.error("Speech broke", exc_info=error)
            self.last_error = f"unexpected error ({type(error).__name__}); the log has the details"

    def _beside(self, model: ModelChoice, key: _Key) -> bool:
        """Whether an adapter can stay beside its base model's weights, instead of being merged into a copy of them."""
        import torch

        from xttsproject.xtts.adapters import read_adapter
        from xttsproject.xtts.config import read_config

        assert model.adapter is not None
        try:
            shape = read_config(model.bundle).gpt
            return read_adapter(model.adapter, shape, torch.device("cpu"), torch.float32) is not None
        except BaseException as error:
            self._failing(model, key, error)
            raise

    def _load(self, model: ModelChoice, base: Resident | None) -> Resident:
        from xttsproject.xtts.engine import XttsEngine

        started = time.monotonic()
        if base is not None and model.adapter is not None:
            return Resident(base.engine.adapted(model.adapter), base.core, beside=True)
        engine = XttsEngine.load(
            model.bundle,
            adapter=model.adapter,
            device=self._settings.device,
            # The loader refuses what it does not know, in words.
            precision=cast(Any, self._settings.precision),
            packed_dir=self._settings.packed_dir,
            graphs=self._settings.graphs,
        )
        logger.info("Loaded %s in %.1f s", model.bundle.name, time.monotonic() - started)
        return Resident(engine, Core(engine, self._settings.batch), beside=False)

    def _failing(self, model: ModelChoice, key: _Key, error: BaseException) -> None:
        if isinstance(error, DomainError) and error.permanent:
            with self._lock:
                self._failed[model] = key

    def _make_room(self, key: _Key, *, beside: bool) -> bool:
        """Drop least recently used models of the same sort until one more fits; not those that somebody needs."""
        tuned = key[2] is not None
        low = self._settings.low_memory
        if beside:
            limit = _ADAPTERS_BESIDE
            alike = [each for each, resident in self._loaded.items() if resident.beside]
        else:
            limit = self._settings.adapters if tuned and not low else 1
            alike = [
                each
                for each, resident in self._loaded.items()
                if not resident.beside and (low or (each[2] is not None) == tuned)
            ]
        leaving = [each for each in alike if not self._needed(self._loaded[each])][: max(0, len(alike) - limit + 1)]
        if len(alike) - len(leaving) >= limit:
            return False
        gone = {self._loaded[each].core for each in leaving if not beside}
        with self._lock:
            for each in [each for each, resident in self._loaded.items() if each in leaving or resident.core in gone]:
                del self._loaded[each]
        if not beside:
            give_back_memory()
        return True

    def _needed(self, resident: Resident) -> bool:
        """Whether somebody is not done with it, or with an adapter beside its weights."""
        if resident.beside:
            return bool(resident.groups)
        return any(other.groups for other in self._loaded.values() if other.core is resident.core)

    def _set_state(self, state: OwnerState) -> None:
        with self._lock:
            if state != self._state:
                self._state, self._since = state, datetime.now(UTC)


def _key(model: ModelChoice) -> _Key:
    return model.bundle, _stamp(model.bundle / MANIFEST_FILE), model.adapter, _stamp(model.adapter)


def _stamp(path: Path | None) -> _Stamp:
    """Size too, because a copy may bring its times along. What is missing is for the loader to explain."""
    try:
        facts = path.stat() if path is not None else None
    except OSError:
        facts = None
    return (facts.st_mtime_ns, facts.st_size) if facts is not None else (0, 0)
