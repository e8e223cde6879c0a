"""Scoring what the checkpoints of a run say: as a job, only what is missing, one card at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction

from datasets.services.freezing import version_manifest
from datasets.services.transcribers import listening_options, transcriber_bundle, transcriber_load
from training.choices import Scored
from training.engine.figures import judge
from training.engine.sampling import BASE_EPOCH, SampleFacts, Sampler
from training.engine.scoring import Scorer, Speaker, Utterance, characters, whisper_language
from training.models import Checkpoint, EpochSample, Scorecard, TrainingRun
from training.services.ingest import sample_record
from training.services.spec import bundle_open, spec_of
from xttsproject.bundles.manifest import Bundle
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.languages import language_names

if TYPE_CHECKING:
    from datasets.pipeline.transcribe import Transcriber

SCORE = "training.score"
FORMAT = 2
"""Raised when a figure is measured in another way: everything is then measured anew."""


@dataclass(frozen=True)
class Scoring:
    """``scored``: cards that were written; ``spoken``: samples that were missing; ``notice``: what stays untold."""

    scored: int
    spoken: int
    notice: str


@dataclass(frozen=True)
class _Subject:
    """Who speaks, and the adapter that lets it; None for the base model."""

    checkpoint: Checkpoint | None

    @property
    def key(self) -> int | None:
        return self.checkpoint.pk if self.checkpoint else None

    @property
    def epoch(self) -> int:
        return self.checkpoint.epoch if self.checkpoint else BASE_EPOCH

    @property
    def label(self) -> str:
        return self.checkpoint.label if self.checkpoint else "base model"


def scoring_start(*, run: TrainingRun, user: Any) -> Job:
    """Queue the scoring of a run, or return the job under way. DomainError ``nothing_to_score``."""
    if not _is_scorable(run):
        raise DomainError(
            "nothing_to_score", f"“{run.name}” has neither samples nor checkpoints yet, so there is nothing to score."
        )
    return job_start(kind=SCORE, title=f"Score the checkpoints of “{run.name}”", owner=user, subject=run)


def _is_scorable(run: TrainingRun) -> bool:
    return EpochSample.objects.filter(run=run).exists() or run.checkpoints.kept().exists()


def scoring_may_retry(subject: models.Model, user: Any) -> None:
    """Whoever may not change the run any more does not score it again. DomainError ``forbidden``."""
    if not TrainingRun.objects.editable_by(user).filter(pk=subject.pk).exists():
        raise DomainError("forbidden", "This run is shared with you to look at, not to score.")


def scoring_follow(*, run: TrainingRun) -> Job | None:
    """What follows a finished run: its scoring, where SCORE_RUNS says so."""
    if not settings.SCORE_RUNS or not _is_scorable(run):
        return None
    return scoring_start(run=run, user=run.owner)


def run_score(*, run: TrainingRun, progress: Progress) -> Scoring:
    """Let every checkpoint speak that has not, measure what has no card of this sound, and reckon what they come to.

    Each card is saved by itself, so an interrupted job goes on where it was. Without a transcription model for the
    language, character errors stay untold. Samples that this device cannot speak in the run's precision stay missing,
    and the rest is measured. DomainErrors ``clip_unreadable``, ``version_damaged``, ``model_missing``,
    ``model_damaged``, ``subject_gone``; ``precision_unsupported`` where there is no sample at all.
    """
    progress.report(0.0, "looking at the samples")
    subjects = [
        _Subject(None),
        *(_Subject(checkpoint) for checkpoint in run.checkpoints.in_order().select_related("run")),
    ]
    spoken, mute = (0, None) if run.is_active else _speak(run, subjects, Part(progress, 0.0, 0.3))
    bundle = bundle_open(name=run.bundle)
    listener, notice = _listener()
    model_key = _models_key(bundle, listener, run)
    samples = {subject.key: _samples(run, subject) for subject in subjects}
    subjects = [subject for subject in subjects if samples[subject.key]]
    if mute is not None and not subjects:
        raise mute
    keys = {subject.key: _key(model_key, samples[subject.key]) for subject in subjects}
    known = {card.checkpoint_id: card.key for card in run.scorecards.exclude(subject=Scored.SPEAKER)}
    waiting = [subject for subject in subjects if known.get(subject.key) != keys[subject.key]]
    own = run.scorecards.filter(subject=Scored.SPEAKER, key=model_key).first()
    if waiting or own is None:
        progress.report(0.3, "loading the models")
        scorer, notice = _scorer(run, bundle, listener, notice)
        speaker = _speaker(run, scorer, model_key, notice, Part(progress, 0.3, 0.5)) if own is None else _stored(own)
        for number, subject in enumerate(waiting):
            part = Part(progress, 0.5 + 0.5 * number / len(waiting), 0.5 + 0.5 * (number + 1) / len(waiting))
            part.report(0.0, subject.label)
            said = [Utterance(sample.audio_path, sample.text) for sample in samples[subject.key]]
            scores = scorer.samples(said, speaker, part)
            each = [
                {"prompt": sample.prompt_index, **figures}
                for sample, figures in zip(samples[subject.key], scores.samples, strict=True)
            ]
            _save(
                run,
                Scored.CHECKPOINT if subject.checkpoint else Scored.BASE,
                subject.checkpoint,
                figures=dict(scores.figures),
                samples=each,
                key=keys[subject.key],
                epoch=subject.epoch,
            )
    _reckon(run)
    return Scoring(len(waiting), spoken, _remember(run, mute.message if mute else ""))


def _speak(run: TrainingRun, subjects: Sequence[_Subject], progress: Progress) -> tuple[int, DomainError | None]:
    """Samples that are missing or whose sound is gone, of whatever still has its weights: how many were spoken.

    And why none could be, where this device lacks the precision in which the run's samples are spoken: in another they
    would not compare.
    """
    found = EpochSample.objects.filter(run=run).select_related("run")
    rows = {(row.checkpoint_id, row.prompt_index): row for row in found}
    wanted = range(len(run.spec.get("sample_prompts", ())))
    lacking: list[tuple[_Subject, frozenset[int]]] = []
    for subject in subjects:
        there = frozenset(
            index for index in wanted if (row := rows.get((subject.key, index))) and row.audio_path.is_file()
        )
        if len(there) < len(wanted) and (subject.checkpoint is None or subject.checkpoint.is_kept):
            lacking.append((subject, there))
    if not lacking:
        return 0, None
    try:
        sampler = Sampler(spec_of(run=run), settings.DEVICE, keep=True)
    except DomainError as error:
        if error.code != "precision_unsupported":
            raise
        names = ", ".join(subject.label for subject, _ in lacking)
        return 0, DomainError(error.code, f"Samples are missing and cannot be spoken here ({names}). {error.message}")
    for number, (subject, there) in enumerate(lacking):
        part = Part(progress, number / len(lacking), (number + 1) / len(lacking))

        def write(facts: SampleFacts, checkpoint: Checkpoint | None = subject.checkpoint) -> None:
            sample_record(run=run, checkpoint=checkpoint, data=asdict(facts))

        part.report(0.0, f"{subject.label} speaks")
        adapter = subject.checkpoint.folder if subject.checkpoint else None
        folder = subject.checkpoint.folder.name if subject.checkpoint and subject.checkpoint.is_average else ""
        sampler.speak(subject.epoch, adapter, part, write, there, folder)
    return sum(len(wanted) - len(there) for _, there in lacking), None


def _samples(run: TrainingRun, subject: _Subject) -> list[EpochSample]:
    rows = EpochSample.objects.filter(run=run, checkpoint=subject.key).select_related("run").order_by("prompt_index")
    return [row for row in rows if row.audio_path.is_file()]


def _listener() -> tuple[Bundle | None, str]:
    """The transcription model's bundle, or what is to be said where there is none."""
    try:
        return transcriber_bundle(settings.WHISPER_BUNDLE), ""
    except DomainError as error:
        if error.code != "model_missing":
            raise
        return None, f"{error.message} Until then character errors are not measured."


def _scorer(run: TrainingRun, bundle: Bundle, listener: Bundle | None, notice: str) -> tuple[Scorer, str]:
    """Each model once, for all that is to be measured."""
    from xttsproject.xtts.likeness import SpeakerEar

    language = run.version.dataset.language
    transcriber: Transcriber | None = None
    if listener is not None:
        transcriber = transcriber_load(settings.WHISPER_BUNDLE)
        if whisper_language(language) not in transcriber.languages:
            transcriber, notice = (
                None,
                f"The transcription model “{listener.name}” does not know {language_names([language])}.",
            )
    return Scorer(SpeakerEar.load(bundle.path), transcriber, listening_options(), language), notice


def _speaker(run: TrainingRun, scorer: Scorer, key: str, notice: str, progress: Progress) -> Speaker:
    """Measure the speaker's own clips, those of the validation split, and save their card."""
    progress.report(0.0, "held-out clips")
    language = run.version.dataset.language
    rows = version_manifest(version=run.version)
    count = sum(characters(str(row["text"]), language) for row in rows)
    pace = round(sum(float(row["seconds"]) for row in rows) / count, 5) if count else None
    held_out = [
        Utterance(run.version.folder / str(row["audio"]), str(row["text"]))
        for row in rows
        if row["split"] == "validation"
    ]
    speaker = scorer.speaker(held_out, pace, progress)
    if not held_out:
        notice = f"The dataset version has no validation clips, so there is no voice to compare with. {notice}".strip()
    elif len(held_out) == 1:
        notice = f"One held-out clip does not show how alike the speaker is to themselves. {notice}".strip()
    centre = speaker.centre.tolist() if speaker.centre is not None else None
    _save(
        run,
        Scored.SPEAKER,
        None,
        figures=dict(speaker.figures),
        facts={"centre": centre, "clips": len(held_out), "notice": notice},
        key=key,
    )
    return speaker


def _stored(card: Scorecard) -> Speaker:
    import numpy as np

    centre = card.facts.get("centre")
    return Speaker(card.figures, np.asarray(centre, dtype=np.float32) if centre is not None else None)


def _save(run: TrainingRun, subject: Scored, checkpoint: Checkpoint | None, **values: Any) -> None:
    with transaction.atomic():
        # Held until the card is written, so that none is left of a run that is being deleted.
        if not TrainingRun.objects.select_for_update().filter(pk=run.pk).exists():
            raise DomainError("subject_gone", f"“{run.name}” was deleted while it was being scored.")
        Scorecard.objects.update_or_create(run=run, subject=subject, checkpoint=checkpoint, defaults=values)


def _remember(run: TrainingRun, unspoken: str) -> str:
    """Keep why samples are missing, or that none are, where the page finds it; returns all that stays untold."""
    card = run.scorecards.get(subject=Scored.SPEAKER)
    if card.facts.get("unspoken", "") != unspoken:
        card.facts["unspoken"] = unspoken
        # The time of measuring stays.
        Scorecard.objects.filter(pk=card.pk).update(facts=card.facts)
    return " ".join(filter(None, (card.facts["notice"], unspoken)))


def _reckon(run: TrainingRun) -> None:
    """What the figures come to, of all cards together."""
    with transaction.atomic():
        cards = list(run.scorecards.select_for_update())
        own: dict[str, float | None] = next((card.figures for card in cards if card.subject == Scored.SPEAKER), {})
        spoken = {card.pk: card for card in cards if card.subject != Scored.SPEAKER}
        verdicts = judge({pk: card.figures for pk, card in spoken.items()}, own)
        for pk, verdict in verdicts.items():
            if spoken[pk].composite != verdict.composite:
                # The time of measuring stays.
                Scorecard.objects.filter(pk=pk).update(composite=verdict.composite)


def _models_key(bundle: Bundle, listener: Bundle | None, run: TrainingRun) -> str:
    files = [
        sorted((name, fact.sha256) for name, fact in each.files.items())
        for each in (bundle, listener)
        if each is not None
    ]
    language = run.version.dataset.language
    return _hash([FORMAT, files, run.version.content_hash, language, settings.WHISPER_BEAM_SIZE])


def _key(model_key: str, samples: Sequence[EpochSample]) -> str:
    return _hash([model_key, [[row.prompt_index, row.text, sha256_of(row.audio_path)] for row in samples]])


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
