"""What is cleared away of sign-ins."""

from __future__ import annotations

from xttsproject.accounts.services import sessions_expire
from xttsproject.jobs.registry import housekeeping


@housekeeping("sessions")
def expire_sessions() -> int:
    """Sign-ins that are over; Django itself keeps their rows for ever."""
    return sessions_expire()
