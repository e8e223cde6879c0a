"""Speaking a text that is heard while it is spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from django.utils import timezone

from voices.engine.tags import speech_tags
from voices.models import Synthesis
from voices.services.speech import TIMEOUT_SECONDS, Asked, speech_ask, speech_keep
from voices.services.wishes import Wish
from xttsproject.lib.audio import Samples


class SpeechStream:
    """Sound on its way. Iterate over it once; whoever stops listening before its end closes it.

    What has been spoken whole is kept as a synthesis, with the id that is known from the beginning; of what was broken
    off nothing is.
    """

    def __init__(self, asked: Asked, gone: Callable[[], bool] | None):
        self._asked = asked
        self._chunks = asked.ticket.stream(TIMEOUT_SECONDS, gone)
        try:
            # What is wrong with the request shows by now, when it can still be answered as an error.
            self._first = next(self._chunks)
        except BaseException:
            self.close()
            raise
        self.synthesis: Synthesis | None = None
        """What was kept, after the end."""

    @property
    def id(self) -> UUID:
        return self._asked.id

    @property
    def seed(self) -> int:
        assert self._asked.sampling.seed is not None
        return self._asked.sampling.seed

    @property
    def bundle(self) -> str:
        return self._asked.voice.bundle

    @property
    def tags(self) -> Mapping[str, str]:
        """What a file of it says of itself."""
        asked = self._asked
        return speech_tags(
            text=asked.text,
            spoke=[voice.spoke for voice in asked.plan.voices],
            date=f"{timezone.now():%Y-%m-%d}",
        )

    @property
    def sample_rate(self) -> int:
        return self._asked.ticket.sample_rate

    @property
    def tokens(self) -> int:
        """Text tokens that the model has been given."""
        return self._asked.ticket.tokens

    def __iter__(self) -> Iterator[Samples]:
        """Samples in order; raises what went wrong on the way. The synthesis is kept before the iterator ends."""
        yield self._first.samples
        for chunk in self._chunks:
            yield chunk.samples
        speech = self._asked.ticket.wait(TIMEOUT_SECONDS)
        assert speech is not None
        self.synthesis = speech_keep(asked=self._asked, speech=speech)

    def close(self) -> None:
        """Nobody listens any more."""
        if not self._asked.ticket.done:
            self._asked.ticket.abandon()


def speech_stream(*, wish: Wish, gone: Callable[[], bool] | None = None, settled: bool = False) -> SpeechStream:
    """Speak as :func:`voices.services.speech_make` does, from which the errors are, piece by piece.

    Blocks until the first piece is there. With ``settled`` what comes is what would have come whole: a sentence is
    heard once its guard is done with it, so that bad ones have been said again.
    """
    return SpeechStream(speech_ask(wish=wish, streamed=True, settled=settled), gone)
