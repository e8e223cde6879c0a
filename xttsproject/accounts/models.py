"""Users, their API tokens, and the base of everything that has an owner."""

from __future__ import annotations

from functools import cached_property

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.http import HttpRequest
from knox.models import AbstractAuthToken

from xttsproject.accounts.groups import CURATOR, TRAINER


class User(AbstractUser):
    """A person who signs in."""

    @cached_property
    def group_names(self) -> frozenset[str]:
        return frozenset(self.groups.values_list("name", flat=True))

    def in_group(self, name: str) -> bool:
        return self.is_superuser or name in self.group_names

    @property
    def is_curator(self) -> bool:
        return self.in_group(CURATOR)

    @property
    def is_trainer(self) -> bool:
        return self.in_group(TRAINER)


class SignedInRequest(HttpRequest):
    """A request past ``login_required``: for annotations only."""

    user: User


class ApiToken(AbstractAuthToken):
    """A token for programs: kept as a hash, shown once, with a name to tell it from others."""

    name = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ("-created",)

    def __str__(self) -> str:
        return self.name or f"{self.token_key}…"


class Visibility(models.TextChoices):
    PRIVATE = "private", "Only me"
    TEAM = "team", "Everybody who signs in"


class OwnedModel(models.Model):
    """Something that belongs to a person and may be shared with the team."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="%(class)ss")
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PRIVATE)

    class Meta:
        abstract = True
