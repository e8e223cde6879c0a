"""The fixed vocabularies of the voices side."""

from django.db import models


class VoiceState(models.TextChoices):
    PREPARING = "preparing", "Listening to the reference"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class Channel(models.TextChoices):
    """How a synthesis was asked for."""

    PAGE = "page", "Page"
    API = "api", "API"
    OPENAI = "openai", "OpenAI-compatible API"
