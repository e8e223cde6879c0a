"""The fixed vocabularies of the voices side."""

from django.db import models

from xttsproject.xtts.guard.retries import Mode


class VoiceState(models.TextChoices):
    PREPARING = "preparing", "Listening to the reference"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class GuardMode(models.TextChoices):
    """How sentences are guarded: see ``xttsproject.xtts.guard.retries.Mode``, which these are the labels of."""

    FAST = Mode.FAST.value, "Fast: bad sentences are said again"
    CAREFUL = Mode.CAREFUL.value, "Careful: also listened to, the best of several is taken"
    OFF = Mode.OFF.value, "Off"


class Channel(models.TextChoices):
    """How a synthesis was asked for."""

    PAGE = "page", "Page"
    API = "api", "API"
    OPENAI = "openai", "OpenAI-compatible API"
