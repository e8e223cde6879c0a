"""Measuring what checkpoints say: against what was to be said, and against clips that no training has seen.

Loads its libraries when it is called. The models are given: one speaker encoder, one transcription model, for all.
"""

from __future__ import annotations

import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from datasets.pipeline.screening.loudness import loudness_lufs
from training.engine.levels import PAUSE_DB, frame_levels
from xttsproject.lib.audio import Audio, read_wav
from xttsproject.lib.error_rates import character_error_rate, plain
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.guard.pace import CODE_SECONDS, length_of, pace_of, speaker_pace
from xttsproject.xtts.guard.verdict import Fault, Spoken
from xttsproject.xtts.guard.verdict import judge as guard
from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.normaliser import normalise

if TYPE_CHECKING:
    from datasets.pipeline.transcribe import Listening, Transcriber
    from xttsproject.xtts.likeness import SpeakerEar

Vector = npt.NDArray[np.float32]

HELD_OUT_CLIPS = 20
"""More tell hardly more of a voice, and each is transcribed."""


BABBLING = frozenset({Fault.BABBLE, Fault.TAIL, Fault.LOOP})
"""Findings of the guard that count as babble: cut words and silence have figures of their own."""

MUTE_DBFS = -60.0
"""What never gets louder has no voice in it."""


@dataclass(frozen=True)
class Utterance:
    """Sound and what it says; a text is normalised before it is compared, so written numbers are fine."""

    audio: Path
    text: str


@dataclass(frozen=True)
class Speaker:
    """The speaker's own ``figures``, and the ``centre`` of their voice: mean embedding of the held-out clips, length
    one; None where no clip was held out."""

    figures: Mapping[str, float | None]
    centre: Vector | None


@dataclass(frozen=True)
class Scores:
    """``figures`` of all samples together, and of each by itself, in their order."""

    figures: Mapping[str, float | None]
    samples: tuple[Mapping[str, float | str | None], ...]


class Scorer:
    """Asks the ear and the transcription model; ``transcriber`` None leaves character errors untold."""

    def __init__(self, ear: SpeakerEar, transcriber: Transcriber | None, listening: Listening, language: str):
        self._ear, self._transcriber, self._listening, self._language = ear, transcriber, listening, language

    def speaker(self, held_out: Sequence[Utterance], pace: float | None, progress: Progress) -> Speaker:
        """The speaker's own figures from clips that were held out, ``HELD_OUT_CLIPS`` of them at most.

        ``similarity`` is the mean cosine of each clip and the centre of the others: as alike as the speaker is to
        themselves (None below two clips). ``pace``: the speaker's seconds per character in the whole dataset.
        DomainError ``clip_unreadable``.
        """
        measured, voices = self._measure(held_out[:HELD_OUT_CLIPS], pace, progress)
        figures = {**measured.figures, "seconds_per_character": pace, "similarity": _self_similarity(voices)}
        return Speaker(figures, _centre(voices) if voices else None)

    def samples(self, samples: Sequence[Utterance], speaker: Speaker, progress: Progress) -> Scores:
        """Measure what one checkpoint says. ``similarity`` is the mean cosine to the speaker's centre.

        ``babble_rate`` is the share of samples in which the guard of speech finds what is no speech of the text, by the
        speaker's own pace. Only their sound is asked, so that samples of any age can be judged; none is retried.
        DomainError ``clip_unreadable``.
        """
        measured, voices = self._measure(samples, speaker.figures.get("seconds_per_character"), progress)
        if speaker.centre is None or not voices:
            return measured
        cosines = {index: float(voice @ speaker.centre) for index, voice in voices.items()}
        each = tuple(
            {**sample, "similarity": _rounded(cosines.get(index))} for index, sample in enumerate(measured.samples)
        )
        # A sample that is silence or too short to hear a voice in is like nobody's.
        similarity = sum(cosines.values()) / len(samples)
        return Scores({**measured.figures, "similarity": _rounded(similarity)}, each)

    def _measure(
        self, said: Sequence[Utterance], pace: float | None, progress: Progress
    ) -> tuple[Scores, dict[int, Vector]]:
        sounds: list[Audio] = []
        voices: dict[int, Vector] = {}
        looking = Part(progress, 0.0, 0.4)
        for index, utterance in enumerate(said):
            looking.check()
            looking.report(index / len(said), "voice and level")
            audio = _read(utterance.audio)
            sounds.append(audio)
            # The encoder has an opinion of silence too.
            voice = self._ear.embed(audio) if sounds_at_all(audio) else None
            if voice is not None:
                voices[index] = voice[0] / np.linalg.norm(voice[0])
        spoken = [normalise(utterance.text, self._language) for utterance in said]
        told = [plain(text) for text in spoken]
        heard = self._hear(sounds, Part(progress, 0.4, 1.0))
        each: list[dict[str, float | str | None]] = []
        for index, (sound, text) in enumerate(zip(sounds, told, strict=True)):
            row: dict[str, float | str | None] = {
                "seconds_per_character": _pace([sound], [text]),
                "loudness": _rounded(loudness_lufs(sound.samples.astype(np.float64), sound.sample_rate), 2),
                "silence": _rounded(silence_share(sound)),
                "babble_rate": _babbles(sound, spoken[len(each)], self._language, pace),
            }
            if heard is not None:
                row |= {"heard": heard[index], "character_error_rate": _rounded(self._errors([(text, heard[index])]))}
            each.append(row)
        figures: dict[str, float | None] = {
            "seconds_per_character": _pace(sounds, told),
            "loudness": _mean([row["loudness"] for row in each]),
            "silence": _mean([row["silence"] for row in each]),
            "babble_rate": _mean([row["babble_rate"] for row in each]),
            "character_error_rate": None,
            "similarity": None,
        }
        if heard is not None and told:
            figures["character_error_rate"] = _rounded(self._errors(list(zip(told, heard, strict=True))))
        return Scores(figures, tuple(each)), voices

    def _hear(self, sounds: Sequence[Audio], progress: Progress) -> list[str] | None:
        if self._transcriber is None:
            return None
        progress.report(0.0, "listening")
        code = whisper_language(self._language)
        found = self._transcriber.transcribe_many(sounds, code, self._listening, progress)
        return [transcript.text for transcript in found]

    def _errors(self, pairs: Sequence[tuple[str, str]]) -> float:
        """Both sides spoken out, so that "12" is no error for "twelve"."""
        return character_error_rate((said, normalise(heard, self._language)) for said, heard in pairs)


def whisper_language(code: str) -> str:
    """Whisper knows Chinese as "zh"; none of its languages has a region."""
    return code.split("-")[0]


def sounds_at_all(audio: Audio) -> bool:
    """Whether any frame is louder than MUTE_DBFS."""
    return bool((frame_levels(audio) > MUTE_DBFS).any())


def silence_share(audio: Audio) -> float | None:
    """Share of frames of 20 ms more than PAUSE_DB below the loudest; 1 for digital silence, None for no frame."""
    levels = frame_levels(audio)
    if not len(levels):
        return None
    if not np.isfinite(levels).any():
        return 1.0
    return float(np.mean(levels <= levels.max() - PAUSE_DB))


def characters(text: str, language: str) -> int:
    """What of a text takes time to say: letters and digits of its spoken form."""
    return len("".join(plain(normalise(text, language)).split()))


def _babbles(sound: Audio, text: str, language: str, pace: float | None) -> float:
    """1 where the guard finds babble or a loop in it, else 0. ``pace``: the speaker's seconds per letter, if known."""
    letters = len("".join(plain(text).split()))
    own = pace_of(validate_language(language), ())
    if pace and letters:
        # The guard's characters are those of the text, spaces too.
        own = speaker_pace(pace / CODE_SECONDS * letters / length_of(text))
    verdict = guard(Spoken(text, sound.samples, sound.sample_rate), own)
    return float(bool(verdict.faults & BABBLING))


def _pace(sounds: Sequence[Audio], told: Sequence[str]) -> float | None:
    count = sum(len("".join(text.split())) for text in told)
    return round(sum(sound.seconds for sound in sounds) / count, 5) if count else None


def _read(path: Path) -> Audio:
    try:
        return read_wav(path)
    except (OSError, EOFError, ValueError, wave.Error) as error:
        raise DomainError(
            "clip_unreadable", f"{path.name} in the folder {path.parent.name} cannot be read, so it cannot be scored."
        ) from error


def _centre(voices: Mapping[int, Vector]) -> Vector:
    mean = np.mean(list(voices.values()), axis=0)
    centre: Vector = (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)
    return centre


def _self_similarity(voices: Mapping[int, Vector]) -> float | None:
    if len(voices) < 2:
        return None
    cosines = [
        float(voice @ _centre({other: each for other, each in voices.items() if other != index}))
        for index, voice in voices.items()
    ]
    return _rounded(sum(cosines) / len(cosines))


def _mean(values: Sequence[object]) -> float | None:
    known = [value for value in values if isinstance(value, float)]
    return _rounded(sum(known) / len(known)) if known else None


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
