"""``python -m tests.training.killed.nursery DEEDS``: loads everything once, and forks processes that may be killed.

``DEEDS`` is a module with what they can do, and with ``LOADED``, what is loaded before.

A line on standard input names what to do and where to answer; the new process's id is the line on standard output.
Each process has its own connections and files, and dies alone: to the portal it is a worker like any other.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    import django

    django.setup()
    import torch

    deeds = importlib.import_module(sys.argv[1])
    for name in deeds.LOADED:
        importlib.import_module(name)
    torch.set_num_threads(1)
    # A process that nobody waits for is gone when it is dead, as a worker's is.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _do(getattr(deeds, order["deed"]), order["values"], Path(order["answer"]))
        print(pid, flush=True)


def _do(deed: Callable[..., Any], values: dict[str, Any], answer: Path) -> None:
    try:
        said = {"value": deed(**values)}
    except BaseException:
        said = {"error": traceback.format_exc()}
    temporary = answer.with_suffix(".part")
    temporary.write_text(json.dumps(said, default=str))
    temporary.replace(answer)
    os._exit(0)


if __name__ == "__main__":
    main()
