"""Whose sentences are decoded next, and when which sound is made: continuous batching over all requests.

Every turn of :meth:`Scheduler.turn` is one code for each sentence of one model, and then at most one piece of sound for
a stream and one sentence's for the others, so that nobody's stream waits for another's whole text. Judges that listen
do so in another thread; what they have heard is taken up at the next turn.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from voices.engine.ear import Ear
from voices.engine.residents import Core, Residents
from voices.engine.sessions import Session
from voices.engine.state import OwnerSettings
from voices.engine.tickets import Ticket
from xttsproject.lib.memory import is_out_of_memory

_PATIENCE_SECONDS = 5.0
"""How long a request whose model has no place is overtaken by those whose models are there."""

_REPORT_TURNS = 8
"""Turns between two reports of how far a request is."""


class Scheduler:
    """For the owner's thread alone; :attr:`sessions` may be looked at by others. Its judges listen with the ``ear``."""

    def __init__(self, settings: OwnerSettings, residents: Residents, ear: Ear):
        self._settings, self._residents, self._ear = settings, residents, ear
        self.sessions: tuple[Session, ...] = ()
        self._turns = 0
        self._short = False
        """Memory ran out in this turn."""

    @property
    def room(self) -> bool:
        """Whether another request may begin."""
        return len(self.sessions) < self._settings.together

    @property
    def sentences(self) -> int:
        """Being decoded."""
        return sum(session.rows for session in self.sessions)

    def begin(self, ticket: Ticket) -> None:
        self.sessions = (*self.sessions, Session(ticket, self._ear))

    @property
    def has_heard(self) -> bool:
        """Whether a judge that had to listen has."""
        return any(session.has_heard for session in self.sessions)

    def turn(self) -> bool:
        """One step of everything; whether there was anything to do. If not, everybody waits for somebody to listen."""
        begun = self.sessions
        for session in self.sessions:
            with self._answering(session):
                session.ticket.check()
        done = [self._take_up(), self._open(), self._fill(), self._step(), self._sound()]
        for session in self.sessions:
            with self._answering(session):
                if session.finished:
                    speech = session.speech()
                    self._leave(session)
                    session.ticket.finish(speech)
                elif self._turns % _REPORT_TURNS == 0:
                    session.report()
        if self._short:
            # Not where it is noticed: an error holds on to what was being computed.
            self._short = False
            self._residents.give_back()
        return any(done) or self.sessions != begun

    def fail_all(self, error: BaseException) -> None:
        """Tell everybody; the models may have to be loaded anew."""
        for session in self.sessions:
            try:
                self._leave(session)
            except Exception as another:
                self._residents.note(another)
            session.ticket.fail(error)

    # --- steps of a turn: whether each had anything to do --------------------------------------------------------

    def _take_up(self) -> bool:
        """Go on with what was listened to meanwhile."""
        able = [session for session in self.sessions if session.has_heard]
        for session in able:
            with self._answering(session):
                while session.has_heard:
                    session.take_up()
        return bool(able)

    def _open(self) -> bool:
        """Plan what has a model to speak it; the oldest request goes first."""
        opened = False
        for session in self.sessions:
            while session.unopened:
                group, resident = session.unopened[0], None
                with self._answering(session):
                    resident = self._residents.take(group.model)
                    if resident is not None:
                        session.unopened.popleft()
                        session.opened.append(group)
                        opened = True
                        group.begin(resident)
                if resident is None or session not in self.sessions:
                    break
            if session.unopened and time.monotonic() - session.since > _PATIENCE_SECONDS:
                # Those who came later would keep the models that are in its way.
                break
        return opened

    def _fill(self) -> bool:
        """Let sentences into their loops: those of whoever has fewest there, in the order of the text."""
        filled = False
        while self.sentences < self._settings.batch:
            rows: Counter[object] = Counter()
            for session in self.sessions:
                rows[_asker(session)] += session.rows
            able = [session for session in self.sessions if self._may_begin(session)]
            if not able:
                break
            filled = True
            session = min(able, key=lambda each: (rows[_asker(each)], each.rows))
            with self._answering(session):
                sentence = session.pending.popleft()
                resident = sentence.group.resident
                assert resident is not None
                sentence.row = resident.core.loop.add(sentence.utterance)
                resident.core.rows[sentence.row] = sentence
                session.rows += 1
        return filled

    def _may_begin(self, session: Session) -> bool:
        """Half of the places at most are one request's: the next one need not wait for a sentence to end."""
        if not session.pending or session.rows >= max(1, self._settings.batch // 2):
            return False
        resident = session.pending[0].group.resident
        return resident is not None and resident.core.room > 0

    def _step(self) -> bool:
        """A code for every sentence of one model; models take turns."""
        busy = [core for core in self._residents.cores if core.rows]
        if not busy:
            return False
        self._turns += 1
        core = busy[self._turns % len(busy)]
        try:
            ended = core.loop.step()
        except BaseException as error:
            self._broken(core, error)
            return True
        for row in ended:
            sentence = core.rows.pop(row, None)
            if sentence is None:
                # It left with another sentence of its request.
                continue
            sentence.row = None
            core.suspects.discard(sentence)
            session = sentence.group.session
            session.rows -= 1
            with self._answering(session):
                sentence.decoded = row.result()
                session.ended(sentence)
        return True

    def _sound(self) -> bool:
        streams = [session for session in self.sessions if session.ticket.streamed and session.ready_to_send]
        if streams:
            # Whose listener has least left to hear.
            session = min(streams, key=lambda each: each.sent_seconds - (time.monotonic() - each.since))
            with self._answering(session):
                session.send()
        others = [session for session in self.sessions if session.may_render]
        if others:
            session = min(others, key=lambda each: each.since)
            with self._answering(session):
                session.render(session.decoded.popleft())
        return bool(streams or others)

    # --- when something goes wrong ----------------------------------------------------------------------------

    @contextmanager
    def _answering(self, session: Session) -> Iterator[None]:
        """What breaks in here is told to the one who asked, and to nobody else."""
        try:
            yield
        except BaseException as error:
            # Caught once, here: the thread must outlive whatever one request does to it; the caller raises it.
            self._short |= is_out_of_memory(error)
            told = self._residents.told(error)
            self._residents.note(told)
            try:
                self._leave(session)
            finally:
                # A device that has broken may refuse that as well, and whoever waits is told all the same.
                session.ticket.fail(told)

    def _broken(self, core: Core, error: BaseException) -> None:
        """A step has failed, and the loop with it. If it was one request's, that is answered; else all its sentences
        begin again, one at a time, with the same luck: they say the same, and the guilty one fails alone. So do those
        of one request for which memory did not suffice: one at a time they need less."""
        sentences = list(core.rows.values())
        short = is_out_of_memory(error)
        self._short |= short
        core.drop_loop()
        for sentence in sentences:
            sentence.row = None
            sentence.group.session.rows -= 1
        sessions = {sentence.group.session for sentence in sentences}
        if len(sessions) == 1 and not (short and len(sentences) > 1):
            with self._answering(sessions.pop()):
                raise error
            return
        core.suspects.update(sentences)
        for sentence in reversed(sentences):
            sentence.group.session.pending.appendleft(sentence)

    def _leave(self, session: Session) -> None:
        """Stop what is computed for it."""
        self.sessions = tuple(other for other in self.sessions if other is not session)
        for group in session.opened:
            resident = group.resident
            group.end()
            if resident is None:
                continue
            core = resident.core
            core.suspects -= {each for each in core.suspects if each.group.session is session}
            for row in [row for row, each in core.rows.items() if each.group.session is session]:
                del core.rows[row]
                core.loop.drop(row)
        session.close()


def _asker(session: Session) -> object:
    """Who it is for; what nobody asked for is nobody else's."""
    return session.ticket.asker or session
