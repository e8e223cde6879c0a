"""One request for speech, from the moment it is asked until it is answered, refused or abandoned."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.xtts.types import PAUSE_SECONDS, Sampling, Speech

# How often a waiting caller looks whether its client is still there.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class ModelChoice:
    """A bundle's folder, and the folder of an adapter fine-tuned upon it (None: the base model)."""

    bundle: Path
    adapter: Path | None = None


@dataclass(frozen=True)
class Piece:
    """What one voice says in one language without a pause of its own.

    ``conditioning`` is the file of the voice's latents, made for the model whose content key is ``model_key``.
    ``before`` is the silence before it and ``pause`` that between its sentences, in seconds.
    """

    model: ModelChoice
    model_key: str
    conditioning: Path
    text: str
    language: str
    sampling: Sampling = field(default_factory=Sampling)
    before: float = 0.0
    pause: float = PAUSE_SECONDS


@dataclass(frozen=True)
class SpeechRequest:
    """Pieces to be spoken in order as one speech, and the seconds of silence ``after`` the last."""

    pieces: tuple[Piece, ...]
    after: float = 0.0

    def by_model(self) -> dict[ModelChoice, list[int]]:
        """The places of the pieces that each model speaks, so that none is loaded twice for one speech."""
        places: dict[ModelChoice, list[int]] = {}
        for place, piece in enumerate(self.pieces):
            places.setdefault(piece.model, []).append(place)
        return places


class Ticket:
    """A place in the owner's queue. The caller waits on it, the owner's thread works on it.

    It is a :class:`xttsproject.lib.progress.Progress`: the decoding loop asks it whether anybody still waits.
    """

    def __init__(self, request: SpeechRequest | ModelChoice, asker: str = ""):
        self.request = request
        self.asker = asker
        self.fraction = 0.0
        self._abandoned = threading.Event()
        self._done = threading.Event()
        self._speech: Speech | None = None
        self._error: BaseException | None = None

    # --- the caller's side ------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None, gone: Callable[[], bool] | None = None) -> Speech | None:
        """The speech, or None for a request that only loads a model.

        Raises what the work raised; DomainError ``speech_timeout`` after ``timeout`` seconds and ``Cancelled`` once
        ``gone`` says that nobody listens any more. Either way the request is abandoned, and others go on.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        while not self._done.wait(
            _LOOK_SECONDS if ends is None else min(_LOOK_SECONDS, max(0.0, ends - time.monotonic()))
        ):
            if gone is not None and gone():
                self.abandon()
                raise Cancelled
            if ends is not None and time.monotonic() >= ends:
                self.abandon()
                raise DomainError(
                    "speech_timeout",
                    f"The speech was not ready after {timeout:g} s; try a shorter text, "
                    "or try again when fewer people speak.",
                    permanent=False,
                )
        if self._error is not None:
            raise self._error
        return self._speech

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def failed(self) -> bool:
        return self._error is not None

    def abandon(self) -> None:
        """Nobody waits any more: work not begun is skipped, work under way stops at its next step."""
        self._abandoned.set()

    @property
    def abandoned(self) -> bool:
        return self._abandoned.is_set()

    # --- the owner's side -------------------------------------------------------------------------------------

    def report(self, fraction: float, message: str = "") -> None:
        self.fraction = fraction

    def check(self) -> None:
        if self.abandoned:
            raise Cancelled

    def finish(self, speech: Speech | None) -> None:
        self._speech = speech
        self._done.set()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._done.set()
