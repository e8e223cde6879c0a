"""``manage.py demo_people``: the demo's two users, their passwords and fresh API tokens, as JSON on standard output."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand

from xttsproject.accounts.groups import CURATOR, TRAINER
from xttsproject.accounts.models import ApiToken, User
from xttsproject.accounts.services import token_create

_PEOPLE = {"maker": (TRAINER, CURATOR), "reviewer": (CURATOR,)}
_TOKEN = "demo"  # noqa: S105 (a token's name)


class Command(BaseCommand):
    help = "Create the demo's users (maker: trainer and curator; reviewer: curator) and print how to sign in as them."

    def handle(self, *args: Any, **options: Any) -> None:
        kept = Path(settings.DATA_ROOT, "demo-people.json")
        passwords: dict[str, str] = json.loads(kept.read_text()) if kept.is_file() else {}
        printed = {}
        for name, groups in _PEOPLE.items():
            user, created = User.objects.get_or_create(username=name)
            if created or not user.check_password(passwords.get(name, "")):
                passwords[name] = secrets.token_urlsafe(9)
                user.set_password(passwords[name])
                user.save()
            user.groups.add(*Group.objects.filter(name__in=groups))
            ApiToken.objects.filter(user=user, name=_TOKEN).delete()
            _row, token = token_create(user=user, name=_TOKEN)
            printed[name] = {"password": passwords[name], "token": token}
        kept.touch(mode=0o600)
        kept.write_text(json.dumps(passwords))
        self.stdout.write(json.dumps(printed))
