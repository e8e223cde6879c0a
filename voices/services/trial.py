"""A voice to try the portal with, in a database that is thrown away afterwards."""

from __future__ import annotations

import hashlib

from django.conf import settings

from datasets.choices import ConsentKind
from datasets.services.speakers import speaker_create
from voices.models import Voice
from xttsproject import storage
from xttsproject.accounts.models import User
from xttsproject.accounts.services import token_create
from xttsproject.lib.errors import DomainError


def trial_make() -> dict[str, str]:
    """A user with a token, and a voice of the configured model's first built-in speaker that is ready to speak.

    Returns ``token`` and the ``voice``'s id. DomainError ``speakers_missing`` for a model without built-in speakers.
    """
    from xttsproject.xtts.engine import XttsEngine

    engine = XttsEngine.load(storage.bundle_dir(settings.XTTS_BUNDLE))
    speakers = engine.builtin_speakers()
    if not speakers:
        raise DomainError("speakers_missing", f"The model {settings.XTTS_BUNDLE} has no built-in speakers to try.")
    name, conditioning = next(iter(speakers.items()))
    user = User.objects.create_user("trial")
    speaker = speaker_create(
        owner=user, name=name, consent_kind=ConsentKind.SYNTHETIC, consent_statement="Built into the model."
    )
    voice = Voice.objects.create(
        owner=user, name=name, speaker=speaker, bundle=settings.XTTS_BUNDLE, language=engine.languages[0]
    )
    voice.conditioning_key = hashlib.sha256(f"{engine.model_key} {name}".encode()).hexdigest()
    voice.conditioning_path.parent.mkdir(parents=True, exist_ok=True)
    conditioning.save(voice.conditioning_path)
    voice.mark_ready(conditioning_key=voice.conditioning_key, model_key=engine.model_key)
    _row, token = token_create(user=user, name="trial")
    return {"token": token, "voice": str(voice.pk)}
