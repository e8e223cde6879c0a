"""Many clients of a running portal at once: does everybody get an answer, and their own?

Knows the portal's address and a token, and nothing else of it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import requests

from xttsproject.lib.audio import Samples

_TEXTS = (
    "The first of the people who speak here has one sentence.",
    "The second has two of them. This is the other one.",
    "Short and sweet.",
    "The fourth tells a longer story, of a fox that jumps over a dog, and of a dog that does not mind.",
    "Five is a prime number, and so is seven. Six is not.",
    "Who would have thought that the sixth asks a question?",
    "The seventh counts: one, two, three, four.",
    "The eighth and last of them says goodbye.",
)
_RATE = 24_000
_ALIKE = 0.05
"""Of the sound's own level. What decoding beside others, and streaming, change by rounding lies far below; 20 ms of
another's voice within four seconds lie above."""
_SOONEST_SECONDS = 0.2
"""Until a client that was turned away asks again."""


@dataclass
class Tally:
    """What the clients saw; ``differences`` are from the sound that the same request got alone."""

    latencies: list[float] = field(default_factory=list)
    first_sounds: list[float] = field(default_factory=list)
    audio_seconds: float = 0.0
    busy: int = 0
    errors: list[str] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)


def run_crowd(address: str, token: str, voice: str, *, clients: int, seconds: float) -> dict[str, object]:
    """Have ``clients`` ask one request after the other for so long, every second one streamed; figures for JSON.

    Each client's request is spoken alone first: that is what every answer is compared with.
    """
    people = [_Client(address, token, voice, number) for number in range(clients)]
    alone = [person.ask(streamed=False)[0] for person in people]
    tally, lock = Tally(), threading.Lock()
    ends = time.monotonic() + seconds
    threads = [
        threading.Thread(target=person.go_on, args=(expected, ends, tally, lock), name=f"client-{person.number}")
        for person, expected in zip(people, alone, strict=True)
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    answered = np.array(tally.latencies or [0.0])
    return {
        "clients": clients,
        "seconds": round(took, 1),
        "requests": len(tally.latencies),
        "errors": len(tally.errors),
        "first_errors": sorted(set(tally.errors))[:3],
        "mixed": sum(each > _ALIKE for each in tally.differences),
        "largest_difference": round(min(max(tally.differences, default=0.0), 9.99), 4),
        "turned_away": tally.busy,
        "p50_seconds": round(float(np.quantile(answered, 0.5)), 3),
        "p95_seconds": round(float(np.quantile(answered, 0.95)), 3),
        "first_sound_p50_seconds": round(float(np.median(tally.first_sounds or [0.0])), 3),
        "audio_seconds_per_second": round(tally.audio_seconds / took, 2),
    }


class _Client:
    """One person with one text and one seed of their own, in a connection of their own."""

    def __init__(self, address: str, token: str, voice: str, number: int):
        self.number, self._url = number, f"{address}/api/v1/speech/"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        text = _TEXTS[number % len(_TEXTS)]
        self._body = {"voice": voice, "text": text, "seed": 1000 + number, "format": "pcm"}

    def ask(self, *, streamed: bool) -> tuple[Samples, float]:
        """The sound, and after how many seconds its first bytes came. Raises what goes wrong."""
        begun = time.monotonic()
        with self._session.post(self._url, json={**self._body, "stream": streamed}, stream=True, timeout=300) as answer:
            answer.raise_for_status()
            blocks: Iterator[bytes] = answer.iter_content(None)
            first = next(blocks)
            waited = time.monotonic() - begun
            pcm = first + b"".join(blocks)
        return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768), waited

    def go_on(self, expected: Samples, ends: float, tally: Tally, lock: threading.Lock) -> None:
        """Ask until the time is over; what is under way then is waited for."""
        for turn in range(self.number, 1_000_000):
            if time.monotonic() >= ends:
                return
            begun = time.monotonic()
            try:
                sound, first = self.ask(streamed=turn % 2 == 0)
            except requests.HTTPError as error:
                busy = error.response.status_code == 429
                with lock:
                    tally.busy += busy
                    if not busy:
                        tally.errors.append(f"status {error.response.status_code}")
                time.sleep(_SOONEST_SECONDS)
                continue
            except Exception as error:
                # Whatever a client may see is counted, not raised: that is what is measured.
                with lock:
                    tally.errors.append(f"{type(error).__name__}: {error}")
                continue
            with lock:
                tally.latencies.append(time.monotonic() - begun)
                if turn % 2 == 0:
                    tally.first_sounds.append(first)
                tally.audio_seconds += len(sound) / _RATE
                tally.differences.append(difference(sound, expected))


def difference(one: Samples, other: Samples) -> float:
    """How loud what differs is, beside the other sound; infinite where they do not last equally long."""
    if len(one) != len(other):
        return math.inf
    return float(np.sqrt(np.mean((one - other) ** 2)) / max(float(np.sqrt(np.mean(other**2))), 1e-9))
