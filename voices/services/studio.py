"""The voices that come with the models, spoken with by name: nobody has to make a voice of one first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from training.services.spec import bundle_open
from voices.models import Voice
from voices.services.preparation import voice_prepare
from voices.services.voices import voice_create, voice_delete
from xttsproject.bundles.manifest import list_bundles
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent
from xttsproject.xtts.config import read_config
from xttsproject.xtts.studio import studio_names

_LANGUAGE = "en"
"""What a voice of the model speaks unless it is asked for another language."""


@dataclass(frozen=True)
class StudioVoice:
    """A voice that came with the model ``bundle``, the language that it speaks unless asked for another."""

    name: str
    bundle: str
    language: str


def studio_offered(*, user: Any) -> list[StudioVoice]:
    """What the installed models bring, the portal's own model first, without those whose name a voice that the person
    may use has already: that one is meant by the name. A name that two models have is the first one's.
    """
    taken = {name.casefold() for name in Voice.objects.visible_to(user).values_list("name", flat=True)}
    offered: dict[str, StudioVoice] = {}
    for bundle in _bundles():
        # What cannot be read has none; its page and the health check say what is wrong with it.
        with contextlib.suppress(DomainError):
            path = bundle_open(name=bundle).path
            names = studio_names(path)
            if names:
                speaks = read_config(path).languages
                language = _LANGUAGE if _LANGUAGE in speaks else speaks[0]
                for name in names:
                    offered.setdefault(name.casefold(), StudioVoice(name, bundle, language))
    return [each for name, each in offered.items() if name not in taken]


def studio_take(*, user: Any, studio: StudioVoice) -> Voice:
    """The person's own voice of it, ready to speak; made at the first use, which takes no model and no time.

    DomainErrors of :func:`voices.services.voice_create` and :func:`voices.services.voice_prepare`.
    """
    try:
        voice = voice_create(
            owner=user,
            name=studio.name,
            studio=studio.name,
            bundle=studio.bundle,
            language=studio.language,
            start=False,
        )
    except DomainError as error:
        if error.code != "duplicate":
            raise
        # Two requests at once: the other was first, and prepares it, or has.
        voice = Voice.objects.get(owner=user, name=studio.name)
    if not voice.is_ready:
        try:
            voice_prepare(voice=voice, progress=Silent())
        except BaseException:
            voice_delete(voice=voice)
            raise
    return Voice.objects.select_related("checkpoint__run", "owner", "profile").get(pk=voice.pk)


def _bundles() -> Iterable[str]:
    names = [each.path.name for each in list_bundles(settings.MODELS_DIR) if each.kind == "xtts"]
    return sorted(names, key=lambda name: (name != settings.XTTS_BUNDLE, name))
