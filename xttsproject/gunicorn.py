"""How gunicorn serves the portal."""

import os
import socket
import struct
from typing import Any

bind = os.environ.get("BIND", "127.0.0.1:8000")
# One process: it owns the speech model, and threads share it. More machines, not more processes, serve more speech.
workers = 1
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "24"))
# Speaking a long text may take minutes; the thread answers when it is done. A speech that is streamed is written by its
# thread as it comes: with this worker a plain generator is all that it takes.
timeout = 0
graceful_timeout = 3
keepalive = 5
# A form's values are sent along while it is filled in: five hundred characters, nine bytes each in a Chinese sentence.
limit_request_line = 8190
accesslog = None
errorlog = "-"
loglevel = "warning"
# Python waits for ever for a client that has asked for a file and takes none of it; writing its blocks does not.
sendfile = False
stall_seconds = int(os.environ.get("WEB_STALL_SECONDS", "60"))


def when_ready(server: Any) -> None:
    """A client that takes or sends no byte for so long (it sleeps, it has gone out of reach) frees its thread.

    Connections have this of the socket that accepted them (Linux, socket(7)). Whoever is slow but moves has all the
    time there is.
    """
    for listener in server.LISTENERS:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", stall_seconds, 0))
