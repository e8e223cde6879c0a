"""How well the tiny XTTS speaks: with the voices it was trained on, and with voices it never heard."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median

import torch

from datasets.pipeline.transcribe import Transcriber
from training.engine.tiny.corpus import RATE
from training.engine.tiny.gates import likeness
from training.engine.tiny.gates.material import Material
from training.engine.tiny.gates.speaking import Spoken, embedding, error_rate, nearest, speak, voices_of
from training.engine.tiny.pitch import median_pitch, voice_pitch
from training.engine.tiny.voices import KIN
from xttsproject.lib.audio import Samples
from xttsproject.xtts.engine import XttsEngine

Figures = dict[str, float]

_DURATION = (0.85, 1.15)
_SEMITONES = 1.5


def seen_voices(
    engine: XttsEngine, transcriber: Transcriber, material: Material, log: Callable[[str], None]
) -> Figures:
    """Held-out sentences in voices that were trained on."""
    asked = material.seen()
    voices = voices_of(engine, {one.voice: material.references(one.voice) for one in asked})
    spoken = speak(engine, asked, voices, log)
    return {"speech_cer_seen": error_rate(transcriber, spoken)}


def cloned_voices(
    engine: XttsEngine, transcriber: Transcriber, material: Material, log: Callable[[str], None]
) -> Figures:
    """Held-out sentences in held-out voices: what is said, for how long, how high, and by whom it seems to be."""
    references = {voice: material.references(voice) for voice in material.held_voices()}
    voices = voices_of(engine, references)
    spoken = speak(engine, material.cloned(), voices, log)
    pairs = material.apart()
    one_word = speak(engine, [asked for asked, _others in pairs], voices, log)
    known = {voice: embedding(engine, clips) for voice, clips in references.items()}
    apart = [
        likeness.is_most_like(one.samples, one.asked.true, [likeness.cepstra(clip) for clip in others])
        for one, (_asked, others) in zip(one_word, pairs, strict=True)
    ]
    missed = [one for one in (*spoken, *one_word) if not one.finished]
    heard = [(one.asked.voice, embedding(engine, [one.samples])) for one in spoken]
    return {
        "speech_cer_cloned": error_rate(transcriber, spoken),
        "retrieval_50": fmean(_found_in_pools(spoken, material)),
        "retrieval_one_word": fmean(apart),
        "duration_ok": fmean(_DURATION[0] <= ratio <= _DURATION[1] for ratio in _durations(spoken)),
        "duration_ratio": median(_durations(spoken)),
        **_pitch_figures(spoken, {voice: pitch_of(clips) for voice, clips in references.items()}),
        "clone_nearest": fmean(nearest(found, known) == voice for voice, found in heard),
        "clone_similarity": fmean(float(found @ known[voice]) for voice, found in heard),
        **_strangers(spoken, heard, known, references, transcriber),
        "stop_missed": float(sum(not one.finished for one in spoken)),
        "stop_missed_share": len(missed) / (len(spoken) + len(one_word)),
    }


def _strangers(
    spoken: Sequence[Spoken],
    heard: Sequence[tuple[str, torch.Tensor]],
    known: Mapping[str, torch.Tensor],
    references: Mapping[str, Sequence[Samples]],
    transcriber: Transcriber,
) -> Figures:
    """The same of the voices that no trained one is akin to; they are told from all ten."""
    strange = [place for place, one in enumerate(spoken) if one.asked.voice.rsplit("-", 1)[0] not in KIN]
    said = [spoken[place] for place in strange]
    pitches = _pitch_figures(said, {voice: pitch_of(clips) for voice, clips in references.items()})
    return {
        "strangers_speech_cer": error_rate(transcriber, said),
        "strangers_pitch_within_1_5_semitones": pitches["pitch_within_1_5_semitones"],
        "strangers_clone_nearest": fmean(nearest(heard[place][1], known) == heard[place][0] for place in strange),
    }


def identification(engine: XttsEngine, material: Material) -> Figures:
    """The speaker encoder on true renderings: is each clip nearest to its own voice's references?"""
    voices = material.held_voices()
    known = {voice: embedding(engine, material.references(voice)) for voice in voices}
    right = [
        nearest(embedding(engine, [material.held.wave(index)]), known) == voice
        for voice in voices
        for index in material.others(voice, material.extent.identified)
    ]
    return {"speaker_identification": fmean(right)}


def semitones(pitch: float | None, wanted: float | None) -> float | None:
    """How much higher a pitch is than the wanted one; None where either could not be found."""
    return 12 * math.log2(pitch / wanted) if pitch and wanted else None


def pitch_of(clips: Sequence[Samples]) -> float | None:
    """Median pitch in hertz over a voice's clips at 22 050 Hz."""
    return voice_pitch(torch.from_numpy(clip) for clip in clips)


def pitch_errors(spoken: Sequence[Spoken], wanted: dict[str, float | None]) -> list[float | None]:
    """Each sentence's median pitch against its voice's, in semitones."""
    return [semitones(median_pitch(torch.from_numpy(one.samples)), wanted[one.asked.voice]) for one in spoken]


def sentence_pitch_errors(spoken: Sequence[Spoken]) -> list[float | None]:
    """Each sentence's median pitch against that of its own true rendering, in semitones: what a sentence asks for, a
    question's rise say, is no error here."""
    return [
        semitones(median_pitch(torch.from_numpy(one.samples)), median_pitch(torch.from_numpy(one.asked.true)))
        for one in spoken
    ]


def _pitch_figures(spoken: Sequence[Spoken], wanted: dict[str, float | None]) -> Figures:
    errors = pitch_errors(spoken, wanted)
    found = [abs(error) for error in errors if error is not None]
    return {
        "pitch_within_1_5_semitones": fmean(error is not None and abs(error) <= _SEMITONES for error in errors),
        "pitch_error_semitones": median(found) if found else math.inf,
    }


def _found_in_pools(spoken: Sequence[Spoken], material: Material) -> list[bool]:
    found, known = [], {}
    for one in spoken:
        voice = one.asked.voice
        if voice not in known:
            known[voice] = {text: likeness.cepstra(clip) for text, clip in material.pool(voice).items()}
        others = [clip for text, clip in known[voice].items() if text != one.asked.text]
        found.append(likeness.is_most_like(one.samples, one.asked.true, others))
    return found


def _durations(spoken: Sequence[Spoken]) -> list[float]:
    """How long each sentence sounds, as a share of its true rendering; the silence around both is left out alike."""
    return [
        likeness.sounding_seconds(one.samples, RATE) / likeness.sounding_seconds(one.asked.true, RATE) for one in spoken
    ]
