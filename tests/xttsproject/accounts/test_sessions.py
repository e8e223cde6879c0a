"""Sign-ins whose time is over leave the database; the others stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

pytestmark = pytest.mark.django_db


def test_the_hourly_look_deletes_sessions_that_are_over(people: Any, page_for: Any) -> None:
    over, going_on = page_for(people.anna), page_for(people.ben)
    Session.objects.filter(pk=over.session.session_key).update(expire_date=timezone.now() - timedelta(minutes=1))
    call_command("rescue", "--once")
    assert [row.pk for row in Session.objects.all()] == [going_on.session.session_key]
    assert going_on.get("/profile/").status_code == 200
