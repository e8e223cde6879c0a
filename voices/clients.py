"""Whether the client of a request is still there."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from django.http import HttpRequest

CLIENT_GONE = 499
"""Status of an answer that nobody reads; servers' logs know this number for a client that hung up."""


def hung_up(request: HttpRequest) -> Callable[[], bool] | None:
    """A function that says whether the client has closed its connection; None where the server does not show it.

    Gunicorn hands its socket to the application; other servers (the development server, the tests') do not, and
    there a request simply runs to its end.
    """
    connection = request.META.get("gunicorn.socket")
    if not isinstance(connection, socket.socket):
        return None

    def gone() -> bool:
        try:
            # Not select(), which knows the first 1024 descriptors of a process only.
            waiting = select.poll()
            waiting.register(connection, select.POLLIN)
            # Readable without a byte to read: the other side has closed. A byte would be its next request.
            return bool(waiting.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            return True

    return gone
