"""Finding a voice by what people and programs call it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.utils.text import slugify

from voices.models import Voice
from voices.services.studio import StudioVoice, studio_offered, studio_take
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.text import shorten

# How alike a name must be to be suggested: "Veera" is to "Vera", "Mum" is not to "Tom".
_ALIKE = 0.6
_LONGEST_NAME = 120

_Named = TypeVar("_Named", Voice, StudioVoice)


def voice_find(*, user: Any, given: str, field: str = "voice") -> Voice:
    """The voice of that id or name among those the person sees; their own goes before others' of the same name.

    Where no voice has the very name, small and capital letters and then slugs (``ze-do-norte`` for “Zé do Norte”)
    count as the same. Where none is meant, a voice that came with a model may be, and becomes the person's own by it.
    DomainError ``voice_unknown``, or ``voice_ambiguous`` when several voices could be meant.
    """
    visible = Voice.objects.visible_to(user).select_related("checkpoint__run", "owner", "profile")
    try:
        voice = visible.filter(pk=UUID(given)).first()
    except ValueError:
        voice = None
    if voice is not None:
        return voice
    named = list(visible.filter(name=given)) or _alike(list(visible), given)
    own = [voice for voice in named if voice.owner_id == user.pk]
    found = own or named
    if not found:
        studios = studio_offered(user=user)
        came = [studio for studio in studios if studio.name == given] or _alike(studios, given)
        if came:
            return studio_take(user=user, studio=came[0])
        # What is longer than any name is like none, and comparing it would take its time.
        given = shorten(given, _LONGEST_NAME)
        names = {each.name.casefold(): each.name for each in (*studios, *visible)}
        near = difflib.get_close_matches(given.casefold(), names, n=1, cutoff=_ALIKE)
        hint = f"did you mean “{names[near[0]]}”?" if near else "see the list of voices."
        raise DomainError(
            "voice_unknown",
            f"There is no voice “{given}”, or it is not shared with you; {hint}",
            field=field,
        )
    if len(found) > 1:
        # Two of one's own can only be told apart by how exactly they are written, others' by whose they are.
        listed = ", ".join(f"{voice.pk} (“{voice.name}” of {voice.owner})" for voice in found)
        raise DomainError(
            "voice_ambiguous",
            f"{len(found)} voices could be meant by “{given}”; give the id of one: {listed}.",
            field=field,
        )
    return found[0]


def _alike(voices: Sequence[_Named], given: str) -> list[_Named]:
    forms: tuple[Callable[[str], str], ...] = (
        str.casefold,
        lambda name: slugify(name, allow_unicode=True),
        slugify,
    )
    for form in forms:
        wanted = form(given)
        if wanted and (found := [voice for voice in voices if form(voice.name) == wanted]):
            return found
    return []
