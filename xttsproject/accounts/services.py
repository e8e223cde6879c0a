"""API tokens, and the end of sign-ins."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from xttsproject.accounts.models import ApiToken, User
from xttsproject.lib.errors import DomainError

MAX_TOKENS = 50


def token_create(*, user: User, name: str, days: int | None = None) -> tuple[ApiToken, str]:
    """Make a token. Returns its row and the token itself, of which only a hash is kept.

    ``days``: how long it lives; None takes API_TOKEN_DAYS, and 0 means that it never expires.
    """
    name = name.strip()
    if not name:
        raise DomainError("token_name_empty", "Give the token a name that tells what will use it.", field="name")
    if ApiToken.objects.filter(user=user).count() >= MAX_TOKENS:
        raise DomainError("too_many_tokens", f"You have {MAX_TOKENS} tokens already; withdraw one you no longer use.")
    lifetime = settings.API_TOKEN_DAYS if days is None else days
    row, token = ApiToken.objects.create(
        user=user, name=name[:80], expiry=timedelta(days=lifetime) if lifetime else None
    )
    return row, token


def token_withdraw(*, user: User, key: str) -> None:
    """Delete one of the person's tokens by its digest. DomainError when it is not theirs or already gone."""
    deleted, _ = ApiToken.objects.filter(user=user, digest=key).delete()
    if not deleted:
        raise DomainError("token_unknown", "That token is already gone.")


def sessions_expire() -> int:
    """Delete the sessions whose time is over; returns how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]
