"""A model hub on loopback: the metadata and resolve endpoints, ranges, and connections that break when told to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "6c2b0d75eae4b7047358e3b6bd9325f857d43f77"


@dataclass
class Hub:
    """``files`` of one repository. ``cut_after`` breaks the next transfers of a file after so many bytes, once for each
    number; ``lies`` maps a file to the SHA-256 that the metadata promise instead of the true one."""

    repository: str
    files: dict[str, Path]
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    lies: dict[str, str] = field(default_factory=dict)
    large: int = 4096
    ranges: list[tuple[str, str]] = field(default_factory=list)
    requests: int = 0
    endpoint: str = ""

    def metadata(self) -> dict[str, object]:
        siblings = []
        for name, path in self.files.items():
            content = path.read_bytes()
            sibling: dict[str, object] = {"rfilename": name, "size": len(content)}
            sibling["blobId"] = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            if len(content) > self.large:
                sha = self.lies.get(name, hashlib.sha256(content).hexdigest())
                sibling["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 134}
            siblings.append(sibling)
        return {"id": self.repository, "modelId": self.repository, "sha": COMMIT, "siblings": siblings}


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.requests += 1
            path = self.path.split("?")[0]
            if path == f"/api/models/{hub.repository}/revision/main":
                self._send(200, json.dumps(hub.metadata()).encode(), {"Content-Type": "application/json"})
                return
            prefix = f"/{hub.repository}/resolve/{COMMIT}/"
            name = path.removeprefix(prefix)
            if not path.startswith(prefix) or name not in hub.files:
                self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
                return
            self._send_file(name, hub.files[name].read_bytes())

        def _send_file(self, name: str, content: bytes) -> None:
            asked, start = self.headers.get("Range"), 0
            headers = {"Accept-Ranges": "bytes"}
            if asked:
                hub.ranges.append((name, asked))
                start = int(asked.removeprefix("bytes=").split("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            cuts = hub.cut_after.get(name)
            cut = cuts.pop(0) if cuts else None
            self._send(206 if asked else 200, content[start:], headers, cut)

        def _send(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[:cut])
            if cut is not None:
                # The promised length was not reached: the client sees a broken connection.
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
