"""Datasets: which recordings of a speaker are trained on together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import IntegrityError, models, transaction

from datasets.models import Dataset, SourceVideo, Speaker
from datasets.services.following import stop_jobs
from xttsproject import storage
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import validate_language


def dataset_create(
    *,
    owner: Any,
    name: str,
    speaker: Speaker,
    language: str,
    sources: Sequence[SourceVideo],
    validation_share: float = 0.1,
    visibility: str = Visibility.PRIVATE,
) -> Dataset:
    """Choose recordings of one speaker in one language.

    DomainErrors: ``name_empty``, ``duplicate``, ``sources_empty``, ``speaker_mismatch``, ``language_mismatch``,
    ``language_undetermined``, ``language_unsupported``, ``validation_share``.
    """
    name = " ".join(name.split())
    if not name:
        raise DomainError("name_empty", "Give the dataset a name.", field="name")
    _check_languages(sources)
    language = validate_language(language)
    _check_share(validation_share)
    _check_sources(sources, speaker, language)
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                owner=owner,
                name=name,
                speaker=speaker,
                language=language,
                validation_share=validation_share,
                visibility=visibility,
            )
            dataset.sources.set(sources)
    except IntegrityError:
        raise DomainError("duplicate", f"You already have a dataset named “{name}”.", field="name") from None
    return dataset


def dataset_update(
    *,
    dataset: Dataset,
    editor: Any,
    sources: Sequence[SourceVideo] | None = None,
    validation_share: float | None = None,
    visibility: str | None = None,
) -> Dataset:
    """Change the choice for versions to come; frozen ones stay.

    ``sources`` replaces those that ``editor`` sees: what is hidden from them is not theirs to take out. DomainErrors as
    for :func:`dataset_create`.
    """
    if validation_share is not None:
        _check_share(validation_share)
        dataset.validation_share = validation_share
    if visibility is not None:
        dataset.visibility = visibility
    if sources is not None:
        hidden = dataset.sources.exclude(pk__in=SourceVideo.objects.visible_to(editor)).select_related("speaker")
        chosen = {*sources, *hidden}
        if sources or not chosen:
            _check_sources(sources, dataset.speaker, dataset.language)
    with transaction.atomic():
        dataset.save(update_fields=["validation_share", "visibility"])
        if sources is not None:
            dataset.sources.set(chosen)
    return dataset


def dataset_delete(*, dataset: Dataset) -> None:
    """Delete a dataset and its versions. DomainError ``in_use`` while a run or a sweep stands on one of them."""
    versions = list(dataset.versions.all())
    folders = [folder for version in versions for folder in (version.folder, storage.exports_dir(version.pk))]
    try:
        with transaction.atomic():
            # What measures or screens its clips would fail on rows that are gone.
            stop_jobs(subject=dataset)
            for version in versions:
                for subject in (version, *version.exports.all()):
                    stop_jobs(subject=subject)
            dataset.delete()
            for folder in folders:
                transaction.on_commit(partial(storage.remove_tree, folder))
    except models.ProtectedError as error:
        kinds = Counter(type(thing) for thing in error.protected_objects)
        counted = [
            f"{count} {kind._meta.verbose_name if count == 1 else kind._meta.verbose_name_plural}"
            for kind, count in sorted(kinds.items(), key=lambda each: each[0].__name__, reverse=True)
        ]
        one = kinds.total() == 1
        raise DomainError(
            "in_use",
            f"“{dataset.name}” cannot be deleted: {' and '.join(counted)} stand{'s' if one else ''} on it.",
        ) from None


def _check_share(share: float) -> None:
    if not 0 < share <= 0.5:
        raise DomainError(
            "validation_share",
            f"The share kept for validation lies above 0 and up to 0.5, got {share:g}.",
            field="validation_share",
        )


def _check_languages(sources: Sequence[SourceVideo]) -> None:
    for source in sources:
        if not source.language_known:
            raise DomainError(
                "language_undetermined",
                f"The language of “{source.title}” is not known yet; choose it on the recording's page first.",
                field="sources",
            )


def _check_sources(sources: Sequence[SourceVideo], speaker: Speaker, language: str) -> None:
    if not sources:
        raise DomainError("sources_empty", "Choose at least one recording.", field="sources")
    _check_languages(sources)
    for source in sources:
        if source.speaker_id != speaker.pk:
            raise DomainError(
                "speaker_mismatch",
                f"“{source.title}” is a recording of {source.speaker.name}, not of {speaker.name}; a dataset holds one "
                "voice.",
                field="sources",
            )
        if source.language != language:
            raise DomainError(
                "language_mismatch",
                f"“{source.title}” is spoken in {source.get_language_display()}, not in the dataset's language.",
                field="sources",
            )
