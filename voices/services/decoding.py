"""Finding the values with which a voice speaks best, on fixed sentences, by the figures that score checkpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import IntegrityError, models, transaction

from datasets.services.following import stop_jobs
from training.choices import RunState
from training.engine.figures import FIGURES, judge
from training.engine.search import DECODING, SOBOL, Space, propose
from training.prompts import prompts_for
from voices.engine.decoding import ROUNDS, survivors
from voices.models import Candidate, DecodingSearch, Voice
from voices.models.decoding import PRESENT
from voices.services.measuring import Measure, measure_open
from voices.services.speech import checked_text, require_ready
from xttsproject import storage
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_cancel, job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.types import Sampling

KIND = "voices.decoding"
MOST = 100
PRESET_SPACE: dict[str, Any] = {
    "temperature": {"low": 0.5, "high": 0.95},
    "repetition_penalty": {"low": 2.0, "high": 10.0},
    "top_p": {"low": 0.6, "high": 0.95},
    "speed": {"low": 0.95, "high": 1.05},
}
PRESET_COUNT = 12
SOUNDS_KEPT = 3
"""Of so many searches of a voice, the latest, the sounds are kept."""


@dataclass(frozen=True)
class Ranked:
    """A row of a search's table: ``cells`` are the figures in the order of FIGURES, their labels and what is shown."""

    candidate: Candidate
    values: tuple[tuple[str, str], ...]
    cells: tuple[tuple[str, str], ...]
    is_best: bool
    is_used: bool


def decoding_create(
    *,
    voice: Voice,
    user: Any,
    space: Space,
    count: int = PRESET_COUNT,
    seed: int = 1,
    text: str = "",
    write_winner: bool = False,
) -> DecodingSearch:
    """Have ``count`` candidates speak and be measured beside the voice as it is. ``text``: said besides the fixed four.

    DomainErrors ``space_invalid``, ``count_invalid``, ``text_too_long``, ``search_active``, and why the voice cannot
    speak (:func:`require_ready`).
    """
    require_ready(voice)
    if voice.studio:
        raise DomainError(
            "no_reference", f"“{voice.name}” came with its model and has no clips to measure what it says against."
        )
    if not 2 <= count <= MOST:
        raise DomainError(
            "count_invalid", f"A search compares 2 to {MOST} candidates, and {count} were asked for.", field="count"
        )
    if not 0 <= seed < 2**31:
        raise DomainError("seed_invalid", f"A seed is from 0 to {2**31 - 1}, got {seed}.", field="seed")
    for dimension in space:
        for value in dimension.extremes:
            try:
                Sampling(**{dimension.name: value})  # type: ignore[arg-type]
            except DomainError as error:
                raise DomainError("space_invalid", error.message, field=f"space.{dimension.name}") from error
    own = [checked_text(text, "text")] if text.strip() else []
    search = DecodingSearch(
        voice=voice,
        asked_by=user,
        space=space.to_dict(),
        count=count,
        seed=seed,
        texts=prompts_for(voice.language, own, fixed=True),
        write_winner=write_winner,
    )
    with transaction.atomic():
        try:
            with transaction.atomic():
                search.save(force_insert=True)
        except IntegrityError:
            raise DomainError(
                "search_active", f"Values for “{voice.name}” are being looked for already; wait for it, or cancel it."
            ) from None
        job = job_start(kind=KIND, title=f"Find settings for “{voice.name}”", owner=user, subject=search)
        DecodingSearch.objects.filter(pk=search.pk).update(job=job)
    search.refresh_from_db()
    return search


def decoding_run(*, search: DecodingSearch, progress: Progress) -> int:
    """Let the candidates speak and measure them, round by round; what was measured before is not done again.

    Returns the index of the best. Raises Cancelled, and DomainErrors ``voice_outdated``, ``model_missing``,
    ``model_damaged``, ``clip_unreadable``, ``subject_gone``.
    """
    if not search.begin():
        return decoding_best(search=search) or PRESENT
    progress.check()
    candidates = _candidates(search)
    require_ready(search.voice)
    progress.report(0.0, "loading the models")
    measure = measure_open(search=search, progress=Part(progress, 0.0, 0.1))
    heard = [candidate.index for candidate in candidates]
    # In units of one seed: the first round's, then what the best third needs besides.
    units = len(heard) + (len(survivors(heard, PRESENT)) * (ROUNDS[1] - ROUNDS[0]))
    done = 0
    for seeds in ROUNDS:
        for index in heard:
            candidate = next(each for each in candidates if each.index == index)
            more = seeds - candidate.seeds
            if more > 0:
                part = Part(progress, 0.1 + 0.9 * done / units, 0.1 + 0.9 * min((done + more) / units, 1.0))
                part.report(0.0, f"{candidate}, {seeds} seed{'s' if seeds > 1 else ''}")
                _hear(search, candidate, seeds, measure, part)
            done += max(more, 0)
        _reckon(search, candidates)
        heard = survivors([each.index for each in _ranked(candidates)], PRESENT)
    best = decoding_best(search=search) or PRESENT
    if search.write_winner and best != PRESENT:
        decoding_use(candidate=next(each for each in candidates if each.index == best))
    search.succeed()
    return best


def decoding_best(*, search: DecodingSearch) -> int | None:
    """The index of the best candidate so far: the highest composite of those that were heard most; None before any."""
    ranked = _ranked([each for each in search.candidates.all() if each.composite is not None])
    return ranked[0].index if ranked else None


def decoding_table(*, search: DecodingSearch) -> list[Ranked]:
    """The best first; those that were heard less, then those that were not heard, at the end."""
    best = decoding_best(search=search)
    labels = {parameter.name: parameter for parameter in DECODING}
    rows = []
    for candidate in _ranked(list(search.candidates.all())):
        candidate.search = search
        used = candidate.values == search.voice.values
        rows.append(
            Ranked(
                candidate,
                tuple(
                    # A seed is told to its last digit.
                    (labels[name].label if name in labels else name, str(value) if name == "seed" else f"{value:g}")
                    for name, value in candidate.values.items()
                    if isinstance(value, int | float)
                ),
                tuple((figure.label, _shown(candidate.figures.get(figure.name), figure.digits)) for figure in FIGURES),
                candidate.index == best,
                used,
            )
        )
    return rows


def decoding_use(*, candidate: Candidate) -> None:
    """Give the voice a candidate's values; from now on it speaks with them where nothing else is asked for.

    DomainError ``voice_gone`` where it has been deleted.
    """
    if not Voice.objects.filter(pk=candidate.search.voice_id).update(defaults=candidate.values, profile=None):
        raise DomainError("voice_gone", "The voice has been deleted.")
    candidate.search.voice.refresh_from_db(fields=["defaults", "profile"])


def decoding_forget(*, voice: Voice) -> None:
    """Let the voice speak with its model's own values again."""
    Voice.objects.filter(pk=voice.pk).update(defaults={}, profile=None)
    voice.refresh_from_db(fields=["defaults", "profile"])


def decoding_cancel(*, search: DecodingSearch) -> None:
    """Stop it; what was measured is kept. DomainError ``search_ended``."""
    job = Job.objects.about(search).active().first()
    if job is not None:
        job_cancel(job=job)
    elif not search.mark_cancelled():
        raise DomainError("search_ended", f"This search does not run any more: it is {search.get_state_display()}.")
    search.refresh_from_db()


def decoding_delete(*, search: DecodingSearch) -> None:
    """Remove a search with its sounds; the voice keeps its values. What is under way is stopped."""
    stop_jobs(subject=search)
    folder = search.folder
    with transaction.atomic():
        search.delete()
        transaction.on_commit(lambda: storage.remove_tree(folder))


def decoding_sweep() -> int:
    """Remove the sounds of all but the latest searches of each voice; returns of how many.

    Figures and values stay. One that did not end could not go on without its sounds, so it goes as a whole.
    """
    seen: Counter[Any] = Counter()
    removed = 0
    for search in DecodingSearch.objects.select_related("voice").order_by("-created_at"):
        seen[search.voice_id] += 1
        if seen[search.voice_id] <= SOUNDS_KEPT or search.is_active or not search.has_sounds:
            continue
        if search.state == RunState.SUCCEEDED:
            storage.remove_tree(search.folder)
        else:
            decoding_delete(search=search)
        removed += 1
    return removed


def decoding_ended(subject: models.Model, ending: Ending) -> None:
    """The job ended without success: so did the search."""
    if not isinstance(subject, DecodingSearch):
        return
    if ending.cancelled:
        subject.mark_cancelled()
    else:
        subject.fail(ending.code, ending.message)


def decoding_may_retry(subject: models.Model, user: Any) -> None:
    """Whoever may not change the voice any more does not search for its values. DomainErrors ``forbidden``,
    ``search_active``."""
    assert isinstance(subject, DecodingSearch)
    if not Voice.objects.editable_by(user).filter(pk=subject.voice_id).exists():
        raise DomainError("forbidden", "This voice is shared with you to use, not to change.")
    others = DecodingSearch.objects.filter(voice=subject.voice_id).exclude(pk=subject.pk)
    if others.filter(state__in=(RunState.QUEUED, RunState.RUNNING)).exists():
        raise DomainError("search_active", f"Values for “{subject.voice.name}” are being looked for already.")


def _candidates(search: DecodingSearch) -> list[Candidate]:
    """The voice as it is and the drawn ones; made once, found again after an interruption."""
    with transaction.atomic():
        DecodingSearch.objects.select_for_update().get(pk=search.pk)
        rows = list(search.candidates.order_by("index"))
        if not rows:
            points = propose(Space.from_dict(search.space, DECODING), SOBOL, search.count, search.seed)
            # What is not searched stays as the voice has it, its seed too: each is heard with the search's seeds, but
            # the voice goes on to speak with its own.
            present = search.voice.values
            every = [present, *({**present, **point} for point in points)]
            made = [Candidate(search=search, index=index, values=values) for index, values in enumerate(every)]
            Candidate.objects.bulk_create(made)
            rows = list(search.candidates.order_by("index"))
    for row in rows:
        row.search = search
    return rows


def _hear(search: DecodingSearch, candidate: Candidate, seeds: int, measure: Measure, progress: Progress) -> None:
    """Speak with the seeds that are missing, measure all together, and save both at once."""
    search_folder, voice_folder = search.folder, search.voice.folder
    more = range(search.seed + candidate.seeds, search.seed + seeds)
    said = measure.speak(candidate, list(more), Part(progress, 0.0, 0.7))
    samples = [*candidate.samples, *(asdict(each) for each in said)]
    figures, each = measure.score(samples, Part(progress, 0.7, 1.0))
    candidate.samples = [{**sample, **measured} for sample, measured in zip(samples, each, strict=True)]
    candidate.figures, candidate.seeds = figures, seeds
    with transaction.atomic():
        # Held until it is written, so that nothing is left of a search that is being deleted.
        if not DecodingSearch.objects.select_for_update().filter(pk=search.pk).exists():
            # Whoever deleted it has removed the folder, and what was said since is in one of the same name.
            kept = Voice.objects.filter(pk=search.voice_id).exists()
            storage.remove_tree(search_folder if kept else voice_folder)
            raise DomainError("subject_gone", "The search was deleted while it was at work.")
        candidate.save(update_fields=["samples", "figures", "seeds"])


def _reckon(search: DecodingSearch, candidates: Sequence[Candidate]) -> None:
    """What the figures come to, of all that were heard."""
    own: Mapping[str, float | None] = search.speaker.get("figures", {})
    verdicts = judge({each.index: each.figures for each in candidates if each.seeds}, own)
    for candidate in candidates:
        if candidate.index in verdicts:
            composite = verdicts[candidate.index].composite
            candidate.composite = None if composite is None else round(composite, 4)
            candidate.save(update_fields=["composite"])


def _ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Where two are equal, the voice as it is comes first: it is changed only for something better."""
    return sorted(
        candidates, key=lambda each: (-each.seeds, each.composite is None, -(each.composite or 0.0), each.index)
    )


def _shown(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "–"
