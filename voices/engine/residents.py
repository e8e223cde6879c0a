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
from voices.engine.state import OwnerSettings, OwnerState
from xttsproject.bundles.manifest import MANIFEST_FILE
from xttsproject.lib.errors import Cancelled, DomainError

if TYPE_CHECKING:
    from voices.engine.sessions import Group, Sentence
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.loop import Row, SpeechLoop

logger = logging.getLogger(__name__)

# When a file or folder last changed, in nanoseconds, and its size in bytes; zeros for none.
_Stamp = tuple[int, int]
# Folder and stamp of bundle and adapter: a model that was replaced on disk is another model.
_Key = tuple[Path, _Stamp, Path | None, _Stamp]


class Resident:
    """A model in memory, the loop in which all its sentences are spoken, and who needs it."""

    def __init__(self, engine: XttsEngine, limit: int):
        self.engine = engine
        self.groups: set[Group] = set()
        """Who is not done with it; while there are any it stays."""
        self.rows: dict[Row, Sentence] = {}
        self.suspects: set[Sentence] = set()
        """Sentences during which the loop broke. They are spoken one at a time, so that the one that breaks it is
        found and the others are not lost with it."""
        self._limit = limit
        self._loop: SpeechLoop | None = None

    @property
    def room(self) -> int:
        """How many more sentences may begin."""
        return (1 if self.suspects else self._limit) - len(self.rows)

    @property
    def loop(self) -> SpeechLoop:
        from xttsproject.xtts.loop import SpeechLoop

        if self._loop is None:
            self._loop = SpeechLoop(self.engine.gpt, self._limit)
        return self._loop

    @property
    def has_loop(self) -> bool:
        return self._loop is not None

    def drop_loop(self) -> None:
        """Give back what its keys and values take, or what a broken one left."""
        self._loop = None
        self.rows.clear()


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
    def all(self) -> list[Resident]:
        with self._lock:
            return list(self._loaded.values())

    def take(self, model: ModelChoice) -> Resident | None:
        """The model, loaded if need be; None while others are needed whose place it would take.

        Raises what :meth:`XttsEngine.load` raises.
        """
        key = _key(model)
        if key in self._loaded:
            with self._lock:
                self._loaded.move_to_end(key)
            return self._loaded[key]
        # Room first: two models at once may be more than the machine holds.
        if not self._make_room(adapter=model.adapter is not None):
            return None
        self._set_state(OwnerState.LOADING)
        try:
            resident = Resident(self._load(model), self._settings.batch)
        except BaseException as error:
            if isinstance(error, DomainError) and error.permanent:
                with self._lock:
                    self._failed[model] = key
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
        for resident in self.all:
            resident.drop_loop()

    def unload(self) -> None:
        with self._lock:
            if not self._loaded:
                return
            self._loaded.clear()
        self._set_state(OwnerState.UNLOADED)
        give_back_memory()
        logger.info("Speech models left memory")

    def note(self, error: BaseException) -> None:
        """Keep what went wrong with a model itself; a bad text is no matter of the engine's health."""
        if isinstance(error, DomainError):
            if error.code.startswith(("model_", "adapter_")):
                self.last_error = error.message
        elif not isinstance(error, Cancelled):
            logger.error("Speech broke", exc_info=error)
            self.last_error = f"unexpected error ({type(error).__name__}); the log has the details"

    def _load(self, model: ModelChoice) -> XttsEngine:
        from xttsproject.xtts.engine import XttsEngine

        started = time.monotonic()
        engine = XttsEngine.load(
            model.bundle,
            adapter=model.adapter,
            device=self._settings.device,
            # The loader refuses what it does not know, in words.
            precision=cast(Any, self._settings.precision),
        )
        logger.info("Loaded %s in %.1f s", model.bundle.name, time.monotonic() - started)
        return engine

    def _make_room(self, *, adapter: bool) -> bool:
        """Drop least recently used models of the same sort until one more fits; not those that somebody needs."""
        low = self._settings.low_memory
        limit = self._settings.adapters if adapter and not low else 1
        alike = [key for key in self._loaded if low or (key[2] is not None) == adapter]
        leaving = [key for key in alike if not self._loaded[key].groups][: max(0, len(alike) - limit + 1)]
        if len(alike) - len(leaving) >= limit:
            return False
        with self._lock:
            for key in leaving:
                del self._loaded[key]
        give_back_memory()
        return True

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
