"""The models that a search for values needs, each loaded once: the voice's own, an ear for voices, one for words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from datasets.services.freezing import version_manifest
from datasets.services.transcribers import listening_options, transcriber_load
from training.engine.scoring import Scorer, Speaker, Utterance, characters, whisper_language
from voices.engine.decoding import Said, speak_values
from voices.models import Candidate, DecodingSearch, Voice
from xttsproject import storage
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.languages import language_names

if TYPE_CHECKING:
    from datasets.pipeline.transcribe import Transcriber
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.likeness import SpeakerEar
    from xttsproject.xtts.projections import Wanted


@dataclass
class Measure:
    """Lets candidates speak and measures what they said, against the speaker's own figures."""

    search: DecodingSearch
    engine: XttsEngine
    conditioning: Conditioning
    scorer: Scorer
    speaker: Speaker

    def speak(self, candidate: Candidate, seeds: Sequence[int], progress: Progress) -> list[Said]:
        return speak_values(
            self.engine,
            self.conditioning,
            self.search.voice.language,
            self.search.texts,
            seeds,
            candidate.values,
            self.search.folder,
            candidate.index,
            self.search.voice.spoke,
            f"{self.search.created_at:%Y-%m-%d}",
            progress,
        )

    def score(
        self, samples: Sequence[Mapping[str, Any]], progress: Progress
    ) -> tuple[dict[str, Any], tuple[Mapping[str, Any], ...]]:
        """Figures of all together and of each. DomainError ``clip_unreadable``."""
        said = [Utterance(self.search.folder / str(sample["path"]), str(sample["text"])) for sample in samples]
        scores = self.scorer.samples(said, self.speaker, progress)
        return dict(scores.figures), tuple(scores.samples)


def measure_open(*, search: DecodingSearch, progress: Progress) -> Measure:
    """Load the models and measure the speaker, as far as an earlier attempt has not.

    DomainErrors ``voice_outdated``, ``model_missing``, ``model_damaged``, ``clip_unreadable``, ``version_damaged``.
    """
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.likeness import SpeakerEar

    voice = search.voice
    engine = XttsEngine.load(
        voice.bundle_path,
        adapter=voice.adapter_path,
        device=settings.DEVICE,
        precision=cast("Wanted", settings.SPEECH_PRECISION),
        packed_dir=None if voice.adapter_path else storage.packed_dir(),
    )
    if engine.model_key != voice.model_key:
        raise DomainError(
            "voice_outdated",
            f"The model below “{voice.name}” has been replaced since the voice was prepared; prepare it again.",
        )
    progress.check()
    ear = SpeakerEar.load(voice.bundle_path)
    transcriber, notice = _transcriber(voice.language)
    scorer = Scorer(ear, transcriber, listening_options(), voice.language)
    if search.speaker:
        speaker = _stored(search.speaker)
    else:
        speaker = _speaker(voice, ear, transcriber, Part(progress, 0.5, 1.0))
        centre = speaker.centre.tolist() if speaker.centre is not None else None
        search.speaker = {"figures": dict(speaker.figures), "centre": centre, "notice": notice}
        DecodingSearch.objects.filter(pk=search.pk).update(speaker=search.speaker)
    return Measure(search, engine, Conditioning.load(voice.conditioning_path), scorer, speaker)


def _transcriber(language: str) -> tuple[Transcriber | None, str]:
    """The transcription model, or what is to be said where it does not help."""
    try:
        transcriber = transcriber_load(settings.WHISPER_BUNDLE)
    except DomainError as error:
        if error.code != "model_missing":
            raise
        return None, f"{error.message} Until then character errors are not measured."
    if whisper_language(language) not in transcriber.languages:
        return None, f"The transcription model does not know {language_names([language])}."
    return transcriber, ""


def _speaker(voice: Voice, ear: SpeakerEar, transcriber: Transcriber | None, progress: Progress) -> Speaker:
    """Of the held-out clips of the checkpoint's dataset, or of the voice's reference clips where there are none."""
    held_out, pace = _held_out(voice)
    known = held_out or [Utterance(clip.path, "") for clip in voice.clips.all()]
    # Errors in the reference's words are nobody's measure here, so they are not listened for.
    scorer = Scorer(ear, None, listening_options(), voice.language)
    speaker = scorer.speaker(known, pace, Part(progress, 0.0, 0.5))
    figures = dict(speaker.figures)
    if figures.get("similarity") is None:
        # A single clip does not show how alike the speaker is to themselves: then the clip is the ideal.
        figures["similarity"] = 1.0
    if pace is None and transcriber is not None:
        figures["seconds_per_character"] = _heard_pace(known, voice.language, transcriber, Part(progress, 0.5, 1.0))
    return Speaker(figures, speaker.centre)


def _heard_pace(
    clips: Sequence[Utterance], language: str, transcriber: Transcriber, progress: Progress
) -> float | None:
    """Seconds per character of clips whose words nobody wrote down: of what the transcription model hears in them."""
    sounds = [read_wav(clip.audio) for clip in clips]
    heard = transcriber.transcribe_many(sounds, whisper_language(language), listening_options(), progress)
    count = sum(characters(transcript.text, language) for transcript in heard)
    return round(sum(sound.seconds for sound in sounds) / count, 5) if count else None


def _held_out(voice: Voice) -> tuple[list[Utterance], float | None]:
    if voice.checkpoint is None:
        return [], None
    version = voice.checkpoint.run.version
    try:
        rows = version_manifest(version=version)
    except (DomainError, OSError, ValueError):
        # Its files have gone; the reference clips are the voice's own.
        return [], None
    count = sum(characters(str(row["text"]), version.dataset.language) for row in rows)
    pace = round(sum(float(row["seconds"]) for row in rows) / count, 5) if count else None
    return [
        Utterance(version.folder / str(row["audio"]), str(row["text"])) for row in rows if row["split"] == "validation"
    ], pace


def _stored(kept: Mapping[str, Any]) -> Speaker:
    import numpy as np

    centre = kept.get("centre")
    return Speaker(kept["figures"], np.asarray(centre, dtype=np.float32) if centre is not None else None)
