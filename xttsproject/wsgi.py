"""The portal as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xttsproject.settings")

application = get_wsgi_application()

# After the set-up above, and here alone: only the process that serves pages owns the speech model.
from voices.services.runtime import speech_preload  # noqa: E402

speech_preload()
