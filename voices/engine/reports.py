"""What is good and bad about reference clips, in figures and in plain advice.

The measures are those by which a dataset's clips are screened, with the same thresholds; whether several people speak
is told by the model's own speaker encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from datasets.pipeline.screening.catalogue import RULES
from datasets.pipeline.screening.recording import MeasuredClip, measure_clips
from datasets.pipeline.voice_activity import CLIP_LEAD
from xttsproject.lib.audio import Audio, read_wav
from xttsproject.lib.progress import Progress, Silent

FORMAT = 2
"""Raised when a figure is added or changed: clips are then measured anew."""

LEAST_SPEECH = 3.0
"""Seconds."""

ANOTHER_VOICE = 0.35
"""Cosine below which two stretches of at least 2 s are taken for two people's."""

LEAST_PIECES = 2
"""Of 2 s, a second apart: what a second person must say in a clip to be told from a cough."""

_ADVICE = {
    "noise": "choose one from a quieter place, or have the clips denoised",
    "clipping": "choose one that was recorded less loud; the voice would sound rough",
    "flat_peaks": "choose one that was recorded less loud; the voice would sound rough",
    "loudness": "choose one recorded closer to the microphone, or have the loudness evened out",
    "bandwidth": "choose one that was not recorded by telephone; the voice would sound muffled",
    "speech": "have the silence trimmed, or cut out the part with speech",
    "background": "choose one without music or other voices behind the speech",
}

Embeddings = npt.NDArray[np.float32]


class Ear(Protocol):
    """:class:`xttsproject.xtts.likeness.SpeakerEar`, or anything that tells voices apart as it does."""

    def embed(self, audio: Audio) -> Embeddings | None:
        """Of the whole clip, then of its pieces; None where it cannot be told."""


@dataclass(frozen=True)
class Report:
    """``values`` by the measures' names; ``advice`` as whole sentences, empty where nothing is wrong."""

    values: dict[str, Any]
    advice: tuple[str, ...]


def report_clips(paths: Sequence[Path], ear: Ear, progress: Progress) -> list[Report]:
    """Measure mono 16-bit WAVs of one voice: each by itself, and each against the others.

    To the measures of screening come ``speech_seconds``, ``other_voice`` (cosine of the two most different voices
    within the clip, None where it holds one) and ``likeness`` (cosine with the mean of the other clips, None where
    there are none, or it is shorter than 3 s). Raises ``Cancelled`` and what reading a file raises.
    """
    values, voices = [], []
    for place, path in enumerate(paths):
        progress.check()
        progress.report(place / len(paths), "measuring the clips")
        (clip,) = measure_clips(path, [(0.0, read_wav(path).seconds)], Silent(), lead=CLIP_LEAD)
        values.append(_figures(clip))
        voices.append(ear.embed(clip.audio))
    reports = []
    for place, own in enumerate(values):
        own["other_voice"] = two_voices(voices[place])
        own["likeness"] = _likeness(voices, place)
        reports.append(Report(own, tuple(advice(own))))
    return reports


def advice(values: Mapping[str, Any]) -> list[str]:
    """Sentences about what is wrong and what to do, of a clip's values."""
    found = []
    speech = values.get("speech_seconds")
    if speech is not None and speech < LEAST_SPEECH:
        found.append(f"Somebody speaks in it for {speech:.1f} s only; {LEAST_SPEECH:g} s and more show a voice better.")
    for name, what in _ADVICE.items():
        rule = RULES[name]
        value = values.get(rule.measure.name)
        if value is not None and rule.review is not None and rule.broken(value, rule.review):
            shown = f"{rule.measure.label.lower()} {rule.measure.words(value)}"
            found.append(f"It is {rule.fault} ({shown}); {what}.")
    if values.get("other_voice") is not None:
        found.append("Perhaps several people speak in it; choose one in which only the one speaks.")
    if values.get("likeness") is not None and values["likeness"] < ANOTHER_VOICE:
        found.append("It does not sound like the person in the other clips; a voice mixed of two people is nobody's.")
    return found


def two_voices(voice: Embeddings | None) -> float | None:
    """The cosine of the two voices in a clip, by its pieces; None where they are one person's or cannot be told.

    The pieces are parted into two groups around the two least alike (spherical k-means, k = 2). They are two people's
    where each group has at least ``LEAST_PIECES`` and the groups' means have a cosine below ``ANOTHER_VOICE``.
    """
    if voice is None or len(voice) < 1 + 2 * LEAST_PIECES:
        return None
    pieces = voice[1:].astype(np.float64)
    alike = pieces @ pieces.T
    first, second = np.unravel_index(int(np.argmin(alike)), alike.shape)
    centres = pieces[[first, second]]
    for _round in range(10):
        nearer = np.argmax(pieces @ centres.T, axis=1)
        if min(np.sum(nearer == 0), np.sum(nearer == 1)) < LEAST_PIECES:
            return None
        moved = np.stack([_unit(pieces[nearer == group].mean(axis=0)) for group in (0, 1)])
        if np.allclose(moved, centres):
            break
        centres = moved
    cosine = float(centres[0] @ centres[1])
    return round(cosine, 3) if cosine < ANOTHER_VOICE else None


def _figures(clip: MeasuredClip) -> dict[str, Any]:
    values = dict(clip.values)
    ratio = values.get("speech_ratio")
    values["speech_seconds"] = None if ratio is None else round(ratio * clip.audio.seconds, 2)
    # A clip is cut where its owner cut it, and nothing is said of its text.
    return {name: value for name, value in values.items() if name not in ("edge_excess_db", "characters_per_second")}


def _likeness(voices: Sequence[Embeddings | None], place: int) -> float | None:
    own = voices[place]
    # An embedding of less than 3 s (no pieces) says more about the words than about the person.
    if own is None or len(own) < 2:
        return None
    others = [voice[0] for index, voice in enumerate(voices) if index != place and voice is not None and len(voice) > 1]
    if not others:
        return None
    return round(float(own[0] @ _unit(np.mean(others, axis=0))), 3)


def _unit(vector: npt.NDArray[Any]) -> npt.NDArray[Any]:
    unit: npt.NDArray[Any] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit
