"""How gunicorn serves the portal."""

import os

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
accesslog = None
errorlog = "-"
loglevel = "warning"
