"""A real HTTP server on loopback whose answers misbehave on request."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VTT = """WEBVTT

00:00:00.200 --> 00:00:01.000 align:start
<v Anna>Hello &amp; welcome.

00:00:01.000 --> 00:00:01.900
To the
<i>talk</i>.
"""
SRT = "1\r\n00:00:00,500 --> 00:00:01,500\r\n<b>Olá</b>, como está?\r\n"


class MisbehavingServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, media: Path):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.media = media.read_bytes()
        self.asked: Counter[str] = Counter()
        self.redirect_to = ""
        self.sent = 0

    def address(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: MisbehavingServer

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked[path] += 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, "answer_" + path.strip("/").partition(".")[0])()

    def _send(self, body: bytes, kind: str, *, stated: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if stated:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def answer_speech(self) -> None:
        self._send(self.server.media, "audio/wav")

    def answer_plain(self) -> None:
        self._send(self.server.media, "application/octet-stream")

    def answer_unstated(self) -> None:
        self._send(self.server.media, "audio/wav", stated=False)

    def answer_page(self) -> None:
        self._send(
            b"<!doctype html><html><head><title>Hello</title></head><body>Words only.</body></html>", "text/html"
        )

    def answer_embedding(self) -> None:
        body = f'<html><body><video src="{self.server.address("/speech.wav")}"></video></body></html>'
        self._send(body.encode(), "text/html")

    def answer_captioned(self) -> None:
        """A page with a recording and four caption tracks: two that are well, one missing, one elsewhere."""
        tracks = "".join(
            f'<track kind="subtitles" srclang="{language}" src="{address}">'
            for language, address in (
                ("en", self.server.address("/captions.vtt")),
                ("pt-BR", self.server.address("/captions_pt.srt")),
                ("de", self.server.address("/missing.vtt")),
                ("fr", self.server.redirect_to or self.server.address("/missing.vtt")),
            )
        )
        body = f'<html><body><video><source src="{self.server.address("/speech.wav")}">{tracks}</video></body></html>'
        self._send(body.encode(), "text/html")

    def answer_captions(self) -> None:
        self._send(VTT.encode(), "text/vtt")

    def answer_captions_pt(self) -> None:
        self._send(SRT.encode("cp1252"), "text/plain")

    def answer_several(self) -> None:
        """A podcast's feed of three: one elsewhere on this machine, one that is missing."""
        items = "".join(
            f"<item><title>Talk {number}</title><pubDate>Wed, 19 Aug 2026 10:00:00 GMT</pubDate>"
            f"<itunes:duration>{number}:05</itunes:duration>"
            f'<enclosure url="{address}" type="audio/wav"/></item>'
            for number, address in enumerate(
                (self.server.address("/speech.wav"), "http://127.0.0.2:9/a.wav", self.server.address("/missing.wav")), 1
            )
        )
        body = (
            '<?xml version="1.0"?><rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">'
            f"<channel><title>The feed</title>{items}</channel></rss>"
        )
        self._send(body.encode(), "application/rss+xml")

    def answer_onandon(self) -> None:
        """A WAV of 8 000 bytes a second whose header does not know where it ends."""
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
        head = b"RIFF" + b"\xff" * 4 + b"WAVE" + form + b"data" + b"\xff" * 4
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(head)
        while self.command == "GET":
            self.wfile.write(b"\x80" * 65536)
            self.server.sent += 65536

    def answer_gallery(self) -> None:
        videos = "".join(f'<video src="{self.server.address(path)}"></video>' for path in ("/speech.wav", "/other.wav"))
        self._send(f"<html><body>{videos}</body></html>".encode(), "text/html")

    def answer_stream(self) -> None:
        """An HLS playlist of two pieces; where it is told to, the second is on another host."""
        second = self.server.redirect_to or self.server.address("/speech.wav")
        pieces = "".join(f"#EXTINF:2,\n{address}\n" for address in (self.server.address("/speech.wav"), second))
        head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
        self._send(f"{head}{pieces}#EXT-X-ENDLIST\n".encode(), "application/vnd.apple.mpegurl")

    def answer_bomb(self) -> None:
        """A page of 300 MB that travels as 300 kB."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = packer.compress(b"<!doctype html><html><body>")
        body += b"".join(packer.compress(b"<p>" + b" " * 999_997) for _ in range(300)) + packer.flush()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_program(self) -> None:
        self._send(b'<html><body><video src="rtmp://127.0.0.1/live/talk"></video></body></html>', "text/html")

    def answer_private(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.server.redirect_to)
        self.end_headers()

    def answer_missing(self) -> None:
        self.send_error(404)

    def answer_busy(self) -> None:
        """Unavailable for the first two requests, then all is well."""
        if self.server.asked["/busy.wav"] <= 2:
            self.send_error(503)
        else:
            self.answer_speech()

    def answer_endless(self) -> None:
        self._endless("audio/wav", b"\0" * 65536)

    def answer_endlesspage(self) -> None:
        self._endless("text/html", b"<html><body>" + b"<p>more</p>" * 6000)

    def _endless(self, kind: str, piece: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        while self.command == "GET":
            self.wfile.write(piece)

    def answer_slowpage(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        while self.command == "GET":
            self.wfile.write(b"<p>more</p>")
            time.sleep(0.05)

    def answer_slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while self.command == "GET":
            self.wfile.write(b"\0" * 64)
            time.sleep(0.05)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(media: Path) -> Iterator[MisbehavingServer]:
    server = MisbehavingServer(media)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
