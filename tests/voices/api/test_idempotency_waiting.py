"""Two requests at once under one key: each commits for itself, so the file has nothing else in it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from tests.voices.api.once import once
from tests.voices.factories import SynthesisFactory
from voices.models import Synthesis
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)


def test_while_one_speaks_others_with_the_key_are_told_to_wait(people):
    begun, let_go = threading.Event(), threading.Event()
    outcomes: list[str] = []

    def speak(gone: Any) -> Synthesis:
        begun.set()
        assert let_go.wait(30)
        made: Synthesis = SynthesisFactory(owner=people.anna)
        return made

    def ask() -> None:
        try:
            once(people.anna, speak)
            outcomes.append("spoken")
        except DomainError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    first = threading.Thread(target=ask)
    first.start()
    assert begun.wait(30)
    # One after the other: SQLite in memory, as tests have it, refuses at once what a file would let wait.
    for _ in range(5):
        with pytest.raises(DomainError) as caught:
            once(people.anna, speak)
        assert caught.value.code == "idempotency_in_progress"
    let_go.set()
    first.join(30)
    assert outcomes == ["spoken"]
    assert Synthesis.objects.count() == 1
