"""Speakers: nobody's voice enters the portal without their consent on record."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, models, transaction

from datasets.choices import ConsentKind
from datasets.models import Speaker
from datasets.models.speaker import GLOSSARY_LENGTH, glossary_entries
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError


def speaker_create(
    *,
    owner: Any,
    name: str,
    consent_kind: str,
    consent_statement: str,
    consent_evidence: str = "",
    notes: str = "",
    glossary: str = "",
    visibility: str = Visibility.PRIVATE,
) -> Speaker:
    """Add a speaker with the consent that allows cloning; ``owner`` is who vouches for it.

    DomainErrors: ``name_empty``, ``consent_missing``, ``glossary_too_long``, ``duplicate``.
    """
    name, statement = " ".join(name.split()), consent_statement.strip()
    if not name:
        raise DomainError("name_empty", "Give the speaker a name.", field="name")
    if consent_kind not in ConsentKind.values:
        kinds = ", ".join(ConsentKind.values)
        raise DomainError(
            "consent_missing", f"“{consent_kind}” is no kind of consent; choose one of {kinds}.", field="consent_kind"
        )
    if not statement:
        raise DomainError(
            "consent_missing",
            f"Say who agreed that the voice of {name} may be cloned, and to what; nothing is recorded without it.",
            field="consent_statement",
        )
    try:
        with transaction.atomic():
            return Speaker.objects.create(
                owner=owner,
                name=name,
                notes=notes.strip(),
                glossary=_glossary(glossary),
                consent_kind=consent_kind,
                consent_statement=statement,
                consent_evidence=consent_evidence.strip(),
                consent_by=owner,
                visibility=visibility,
            )
    except IntegrityError:
        raise DomainError("duplicate", f"You already have a speaker named “{name}”.", field="name") from None


def speaker_update(
    *, speaker: Speaker, notes: str | None = None, glossary: str | None = None, visibility: str | None = None
) -> Speaker:
    """Change what may change; the consent stays as it was given. DomainError ``glossary_too_long``."""
    if glossary is not None:
        speaker.glossary = _glossary(glossary)
    if notes is not None:
        speaker.notes = notes.strip()
    if visibility is not None:
        speaker.visibility = visibility
    speaker.save(update_fields=["notes", "glossary", "visibility"])
    return speaker


def speaker_delete(*, speaker: Speaker) -> None:
    """Remove a speaker whom nothing refers to. DomainError ``in_use`` otherwise."""
    try:
        speaker.delete()
    except models.ProtectedError as error:
        count = len(error.protected_objects)
        what = "1 recording or dataset" if count == 1 else f"{count} recordings or datasets"
        raise DomainError(
            "in_use", f"“{speaker.name}” is the speaker of {what}; delete {'it' if count == 1 else 'them'} first."
        ) from None


def _glossary(text: str) -> str:
    """One entry per line."""
    kept = "\n".join(glossary_entries(text))
    if len(kept) > GLOSSARY_LENGTH:
        raise DomainError(
            "glossary_too_long",
            f"The glossary has {len(kept)} characters, and transcription takes {GLOSSARY_LENGTH} at most; keep the "
            "names that are misheard most.",
            field="glossary",
        )
    return kept
