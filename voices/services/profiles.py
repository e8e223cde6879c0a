"""Quality profiles: found by name, copied, changed, given to a voice."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from voices.engine.profiles import BUILTIN, GUARDING, VALUES
from voices.models import QualityProfile, Voice
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.retries import GuardSettings
from xttsproject.xtts.text import shorten
from xttsproject.xtts.types import Sampling

MOST_PROFILES = 200
"""Of one person."""

_LONGEST_NAME = 60
_LONGEST_PURPOSE = 200
_ALIKE = 0.6


def ensure_profiles() -> None:
    """Write the portal's own profiles as the code has them, and take away those that it no longer has."""
    own = QualityProfile.objects.filter(owner__isnull=True)
    own.exclude(name__in=[each.name for each in BUILTIN]).delete()
    for each in BUILTIN:
        facts = {"purpose": each.purpose, "visibility": Visibility.TEAM, **each.values}
        if not own.filter(name=each.name, **facts).exists():
            QualityProfile.objects.update_or_create(owner=None, name=each.name, defaults=facts)


def profile_find(*, user: Any, given: str, field: str = "profile") -> QualityProfile:
    """The profile of that id or name that the person sees: the portal's, then their own, then the team's.

    DomainError ``profile_unknown``, with the name most like it, or ``profile_ambiguous``.
    """
    visible = QualityProfile.objects.visible_to(user)
    given = given.strip()
    try:
        found = visible.filter(pk=UUID(given)).first()
    except ValueError:
        found = None
    if found is not None:
        return found
    visible = visible.for_choice(user)
    named = list(visible.filter(name__iexact=given))
    nearest = [each for each in named if each.is_builtin] or [each for each in named if each.owner_id == user.pk]
    named = nearest or named
    if not named:
        given = shorten(given, _LONGEST_NAME)
        names = {each.name.casefold(): each.name for each in visible}
        near = difflib.get_close_matches(given.casefold(), names, n=1, cutoff=_ALIKE)
        hint = f"did you mean “{names[near[0]]}”?" if near else f"there are {', '.join(sorted(names.values()))}."
        raise DomainError(
            "profile_unknown", f"There is no profile “{given}”, or it is not shared with you; {hint}", field=field
        )
    if len(named) > 1:
        listed = ", ".join(f"{each.pk} (of {each.owner})" for each in named)
        raise DomainError(
            "profile_ambiguous",
            f"{len(named)} shared profiles are called “{given}”; give the id of one: {listed}.",
            field=field,
        )
    return named[0]


def profile_copy(*, owner: Any, profile: QualityProfile, name: str, **changes: Any) -> QualityProfile:
    """One's own profile with the values of another one, except for ``changes`` (those of :func:`profile_update`)."""
    if QualityProfile.objects.filter(owner=owner).count() >= MOST_PROFILES:
        raise DomainError("profiles_full", f"You have {MOST_PROFILES} profiles, which is the limit; delete some.")
    values = {each: getattr(profile, each) for each in (*VALUES, *GUARDING)}
    copy = QualityProfile(owner=owner, purpose=profile.purpose, **values)
    return profile_update(profile=copy, name=name, **changes)


def profile_update(*, profile: QualityProfile, **changes: Any) -> QualityProfile:
    """Change name, purpose, visibility or values; what speaks with it from now on does so with the new ones.

    A value of None is the voice's or the model's own. DomainErrors ``profile_builtin``, ``name_empty``,
    ``name_too_long``, ``duplicate``, ``sampling_invalid``, ``guard_invalid``, ``visibility_unknown``.
    """
    for field, value in profile_checked(profile=profile, **changes).items():
        setattr(profile, field, value)
    try:
        with transaction.atomic():
            profile.save()
    except IntegrityError:
        # Somebody was as fast with the same name.
        raise _duplicate(profile.name) from None
    return profile


def profile_checked(*, profile: QualityProfile, **changes: Any) -> dict[str, Any]:
    """What :func:`profile_update` would set, with its errors; nothing is changed."""
    _require_own(profile)
    changes = {**changes, "name": " ".join(str(changes.get("name", profile.name)).split())}
    _require_name(changes["name"])
    purpose = str(changes.get("purpose", ""))
    if len(purpose) > _LONGEST_PURPOSE:
        raise DomainError(
            "purpose_too_long",
            f"The purpose has {len(purpose)} characters, but {_LONGEST_PURPOSE} are the limit.",
            field="purpose",
        )
    if changes.get("visibility", profile.visibility) not in Visibility.values:
        raise DomainError(
            "visibility_unknown",
            f"The visibility “{changes['visibility']}” is not one of {', '.join(Visibility.values)}.",
            field="visibility",
        )
    values = {each: changes.get(each, getattr(profile, each)) for each in VALUES}
    Sampling(**{each: value for each, value in values.items() if value is not None})
    if "guard" in changes:
        changes["guard"] = changes["guard"] or ""
    values = {each: changes.get(each, getattr(profile, each)) for each in GUARDING}
    mode = values.pop("guard")
    GuardSettings(
        **({"mode": mode} if mode else {}), **{each: value for each, value in values.items() if value is not None}
    )
    others = QualityProfile.objects.filter(owner=profile.owner, name=changes["name"]).exclude(pk=profile.pk)
    if others.exists():
        raise _duplicate(changes["name"])
    return {name: changes[name] for name in ("name", "purpose", "visibility", *VALUES, *GUARDING) if name in changes}


def profile_delete(*, profile: QualityProfile) -> None:
    """Voices that spoke with it speak with their models' own values from then on."""
    _require_own(profile)
    profile.delete()


def profile_sampling(*, user: Any, profile: str | QualityProfile | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a request asks for: the values ``given`` (None: not given), below them those of the profile it names."""
    profile = profile_asked(user=user, profile=profile)
    asked = {name: value for name, value in given.items() if value is not None}
    return {**(profile.values if profile else {}), **asked}


def profile_asked(*, user: Any, profile: str | QualityProfile | None) -> QualityProfile | None:
    """The profile that a request names by id or name, if it names one. DomainErrors of :func:`profile_find`."""
    if isinstance(profile, str):
        return profile_find(user=user, given=profile) if profile.strip() else None
    return profile


def profile_spoken_with(
    *, user: Any, name: str, values: Mapping[str, Any]
) -> tuple[QualityProfile | None, dict[str, Any]]:
    """The profile of that name that something was spoken with, and what of its ``values`` that does not set.

    No profile, and all values, where the person no longer sees one of the name, or it sets by now what was left to the
    voice: then it alone brings the same speech back.
    """
    try:
        profile = profile_find(user=user, given=name) if name else None
    except DomainError:
        profile = None
    if profile is None or any(values.get(each) is None for each in profile.values):
        return None, dict(values)
    sets = {**profile.values, **profile.guarding}
    return profile, {each: value for each, value in values.items() if each not in sets or sets[each] != value}


def voice_use_profile(*, voice: Voice, profile: QualityProfile | None) -> None:
    """Have the voice speak with a profile, or as its model does; values that it had of its own give way."""
    voice.profile, voice.defaults = profile, {}
    voice.save(update_fields=["profile", "defaults"])


def _duplicate(name: str) -> DomainError:
    return DomainError("duplicate", f"You have a profile “{name}” already; choose another name.", field="name")


def _require_own(profile: QualityProfile) -> None:
    if profile.is_builtin:
        raise DomainError(
            "profile_builtin",
            f"“{profile.name}” is one of the portal's own, which stay as they are; copy it.",
            field="name",
        )


def _require_name(name: str) -> None:
    if not name:
        raise DomainError("name_empty", "Give the profile a name.", field="name")
    if len(name) > _LONGEST_NAME:
        raise DomainError(
            "name_too_long",
            f"The name has {len(name)} characters, but {_LONGEST_NAME} are the limit; shorten it.",
            field="name",
        )
    if name.casefold() in (each.name for each in BUILTIN):
        raise DomainError("duplicate", f"“{name}” is one of the portal's own; choose another name.", field="name")
