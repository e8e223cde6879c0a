"""The portal and its workers under one process manager, started and ended as a whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import psutil
import requests

START_SECONDS = 90
STOP_SECONDS = 15


class StartError(Exception):
    """The portal did not come up; the message ends with the last lines of its log."""


class PortalProcesses:
    """honcho with the Procfile's processes. Leaving the block ends every one of them."""

    def __init__(self, root: Path, environment: dict[str, str], log: Path, port: int, *, keep: tuple[int, ...] = ()):
        """``keep``: open files that the manager holds too, such as a lock that must outlive a killed starter."""
        self._root, self._log, self._keep = root, log, keep
        self.address = f"http://127.0.0.1:{port}"
        self._environment = {**environment, "BIND": f"127.0.0.1:{port}"}
        self._manager: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PortalProcesses:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with open(self._log, "wb") as log:
            # Its own session: Ctrl-C reaches this program alone, which then ends the others in order.
            self._manager = subprocess.Popen(
                [sys.executable, "-m", "honcho", "-e", os.devnull, "-f", "Procfile", "start"],
                cwd=self._root,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=self._keep,
            )
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def alive(self) -> bool:
        return self._manager is not None and self._manager.poll() is None

    def stop(self) -> None:
        """Ask all to end, and after a while insist. Knows them by their own process ids, never by name."""
        if self._manager is None:
            return
        family = []
        try:
            parent = psutil.Process(self._manager.pid)
            family = [*parent.children(recursive=True), parent]
            self._manager.send_signal(signal.SIGTERM)
        except psutil.NoSuchProcess:
            pass
        _gone, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=5)
        self._manager.wait()
        self._manager = None

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        session = requests.Session()
        session.trust_env = False
        while time.monotonic() < deadline:
            if not self.alive():
                raise StartError(f"The portal ended while it was starting:\n{self.tail()}")
            try:
                if session.get(f"{self.address}/healthz", timeout=2).ok:
                    return
            except (requests.ConnectionError, requests.Timeout):
                pass
            time.sleep(0.2)
        raise StartError(f"The portal did not answer within {START_SECONDS} s:\n{self.tail()}")


def free_port(wanted: int) -> int:
    """The wanted port, or the next one that nobody listens on."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise StartError(f"No port from {wanted} to {wanted + 49} is free on 127.0.0.1.")
