"""Synthetic speech for the tiny models: ``python -m training.engine.tiny.espeak OUT < REQUESTS``.

Requests are JSON lines ``{"text", "variant", "pitch", "words_per_minute"}``. OUT.pcm gets their sound, one after the
other (16-bit mono), and OUT.jsonl a line for each: ``{"rate", "samples", "words"}``, words as ``[word, start, end]`` in
seconds.

The voice is espeak-ng's, licensed under the GPL, version 3 or later; PyPI's ``espeakng-loader`` carries it. This module
runs as a program of its own, and only its output is used: nothing of the portal imports it or that library.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]
Word = tuple[str, float, float]

LANGUAGE = "en-us"

# From espeak-ng's speak_lib.h.
_RETRIEVAL = 1
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_LIST_END, _WORD_EVENT, _END_EVENT = 0, 1, 5


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """espeak-ng in retrieval mode: text in, 16-bit samples out. One per process: the library keeps global state."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path()).encode()
        self.rate: int = self._library.espeak_Initialize(_RETRIEVAL, 0, data, 0)
        if self.rate <= 0:
            raise RuntimeError("espeak-ng found no voices.")
        self._pieces: list[Pcm] = []
        self._marks: list[tuple[int, int]] = []
        self._end = 0
        self._variant: str | None = None
        # Kept as an attribute: the library holds a bare pointer to it.
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def say(
        self, text: str, *, words_per_minute: int, pitch: int, pitch_range: int = 60, variant: str = ""
    ) -> tuple[Pcm, list[Word]]:
        """One text: its samples without the silence around them, and when each word is spoken in them."""
        self._choose(variant)
        for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._pieces, self._marks, self._end = [], [], 0
        encoded = text.encode() + b"\0"
        failed = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if failed or self._library.espeak_Synchronize() != 0 or not self._pieces:
            raise RuntimeError(f"espeak-ng did not speak “{text}”.")
        samples = np.concatenate(self._pieces)
        first, last = sounding(samples)
        return samples[first:last], self._words(text, first, last)

    def _choose(self, variant: str) -> None:
        if variant == self._variant:
            return
        name = f"{LANGUAGE}+{variant}" if variant else LANGUAGE
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {name}.")
        self._variant = variant

    def _words(self, text: str, first: int, last: int) -> list[Word]:
        """Times of the words as written. A word that the library joined to its neighbour shares that one's time."""
        spans = [match.span() for match in re.finditer(r"[^\s]*\w[^\s]*", text)]
        starts: list[float | None] = [None] * len(spans)
        for position, sample in self._marks:
            for number, (begin, end) in enumerate(spans):
                if begin <= position < end and starts[number] is None:
                    starts[number] = float(sample)
        bounds = _filled(starts, [end - begin for begin, end in spans], float(last))
        length = (last - first) / self.rate
        times = [min(max((bound - first) / self.rate, 0.0), length) for bound in bounds]
        return [
            (text[begin:end].strip(",.;:?!"), round(times[number], 3), round(times[number + 1], 3))
            for number, (begin, end) in enumerate(spans)
        ]

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        number = 0
        while events and events[number].type != _LIST_END:
            event = events[number]
            if event.type == _WORD_EVENT:
                self._marks.append((event.text_position - 1, event.sample))
            number += 1
        if samples and count > 0:
            # The library reuses its buffer after this call.
            self._pieces.append(np.ctypeslib.as_array(samples, shape=(count,)).astype(np.int16, copy=True))
        return 0


def _filled(starts: Sequence[float | None], letters: Sequence[int], last: float) -> list[float]:
    """Every word's start and the last one's end; gaps are shared out by letters."""
    bounds = [*starts, last]
    bounds[0] = bounds[0] if bounds[0] is not None else 0.0
    for number in range(1, len(starts)):
        if bounds[number] is not None:
            continue
        after = next(later for later in range(number + 1, len(bounds)) if bounds[later] is not None)
        before, following = bounds[number - 1], bounds[after]
        assert before is not None
        assert following is not None
        share = letters[number - 1] / max(1, sum(letters[number - 1 : after]))
        bounds[number] = before + (following - before) * share
    return [bound if bound is not None else last for bound in bounds]


def sounding(samples: Pcm) -> tuple[int, int]:
    """First and last sample (exclusive) above 0.5 % of full scale."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 160)
    if not len(loud):
        raise RuntimeError("espeak-ng gave silence.")
    return int(loud[0]), int(loud[-1]) + 1


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m training.engine.tiny.espeak OUT < REQUESTS\n")
        return 2
    target = Path(arguments[0])
    voice = Espeak()
    with open(target.with_suffix(".pcm"), "wb") as sound, open(target.with_suffix(".jsonl"), "w") as index:
        for line in sys.stdin:
            request = json.loads(line)
            samples, words = voice.say(
                request["text"],
                words_per_minute=request["words_per_minute"],
                pitch=request["pitch"],
                variant=request["variant"],
            )
            sound.write(samples.tobytes())
            index.write(json.dumps({"rate": voice.rate, "samples": len(samples), "words": words}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
