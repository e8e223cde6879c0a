"""What a service refuses, told to the person on the page that comes next."""

from __future__ import annotations

from types import TracebackType

from django.contrib import messages
from django.http import HttpRequest

from xttsproject.lib.errors import DomainError


class _Told:
    def __init__(self, request: HttpRequest):
        self._request = request

    def __enter__(self) -> None:
        """Nothing is opened."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, DomainError):
            return False
        messages.error(self._request, error.message)
        return True


def refusals_told(request: HttpRequest) -> _Told:
    """``with refusals_told(request):`` around the call of a service: its DomainError becomes a message.

    What is said or answered where all went well stands in the block, too; behind it stands the answer for both, or for
    the refusal.
    """
    return _Told(request)
