"""Speaking once what a client asks for several times under one key."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from voices.models import IdempotentRequest, Synthesis
from xttsproject.lib.errors import DomainError

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
HEADER = "Idempotency-Key"
# Who answers a request says so this often; whose last word is older has died, and another may answer.
_BEAT_SECONDS = 10.0
_DEAD = timedelta(seconds=60)

Gone = Callable[[], bool]


def fingerprint_of(path: str, body: Any) -> str:
    """What makes two requests the same: address and body, whatever the order of its fields."""
    return hashlib.sha256(json.dumps([path, body], sort_keys=True, default=str).encode()).hexdigest()


def speak_once(
    *,
    user: Any,
    key: str,
    fingerprint: str,
    make: Callable[[Gone | None], Synthesis],
    gone: Gone | None,
    at_once: bool = False,
) -> tuple[Synthesis, bool]:
    """What ``make`` speaks, and whether it had been spoken before under this key; without a key it always speaks.

    ``make`` is given a function that says whether the client has hung up, to be asked now and then. What failed is not
    kept: it may be tried again with the same key. ``at_once``: ``make`` only writes rows, and they are committed
    together with what is known of the key, so that a process that dies leaves both or neither.

    DomainErrors ``idempotency_key_invalid``, ``idempotency_key_reused``, ``idempotency_in_progress``, and what ``make``
    raises.
    """
    if not key:
        return make(gone), False
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise DomainError(
            "idempotency_key_invalid",
            f"The key has {len(key)} characters; give up to {LONGEST_KEY} printable ones, such as a UUID.",
            field=HEADER,
        )
    row = _claim(user, key, fingerprint)
    if row.synthesis is not None:
        return row.synthesis, True
    mine = IdempotentRequest.objects.filter(pk=row.pk, claim=row.claim)
    try:
        with transaction.atomic() if at_once else nullcontext():
            synthesis = make(_beating(mine, gone))
            _told(mine, synthesis)
    except BaseException:
        mine.delete()
        raise
    return synthesis, False


def _told(mine: Any, synthesis: Synthesis) -> None:
    mine.update(synthesis=synthesis)


def keys_forget() -> int:
    """Delete the keys that are over; returns how many."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _claim(user: Any, key: str, fingerprint: str) -> IdempotentRequest:
    """The row of this key: answered already, or now ours to answer."""
    now = timezone.now()
    own = IdempotentRequest.objects.filter(owner=user, key=key)
    own.filter(created_at__lt=now - KEPT).delete()
    # Of two at once the unique constraint lets one create it.
    row, created = IdempotentRequest.objects.select_related("synthesis").get_or_create(
        owner=user, key=key, defaults={"fingerprint": fingerprint}
    )
    if created or (row.synthesis is not None and row.fingerprint == fingerprint):
        return row
    if row.fingerprint != fingerprint:
        raise DomainError(
            "idempotency_key_reused",
            f"The key “{key}” was used for another request less than 24 hours ago; give this one a key of its own.",
            field=HEADER,
        )
    claim = uuid.uuid4()
    if own.filter(claim=row.claim, synthesis=None, touched_at__lt=now - _DEAD).update(claim=claim, touched_at=now):
        row.claim = claim
        return row
    raise DomainError(
        "idempotency_in_progress",
        f"The request with the key “{key}” is being answered; try again when it is done.",
        permanent=False,
        field=HEADER,
    )


def _beating(mine: Any, gone: Gone | None) -> Gone:
    """Ask ``gone``, and say now and then that somebody is at work on the request."""
    beaten = time.monotonic()

    def asked() -> bool:
        nonlocal beaten
        if time.monotonic() - beaten >= _BEAT_SECONDS:
            beaten = time.monotonic()
            mine.update(touched_at=timezone.now())
        return gone is not None and gone()

    return asked
