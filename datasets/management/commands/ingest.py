"""``manage.py ingest PATH…``: folders of recordings on this machine become recordings of the portal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from datasets.models import Speaker
from datasets.services.ingesting import Ingested, paths_ingest
from datasets.services.languages import recording_language
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError


class Command(BaseCommand):
    help = (
        "Take files, and all files below folders, as recordings. The files stay where they are. What is already here "
        "is known by its bytes, so the command can be run again at any time and goes on where it was stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
        parser.add_argument("--owner", required=True, help="the user name of whom the recordings will belong to")
        parser.add_argument("--speaker", required=True, help="who is recorded: the name, or the number in the API")
        parser.add_argument("--language", required=True, help="the language that is spoken: en, pt, …; or detect")
        parser.add_argument("--visibility", choices=Visibility.values, default=Visibility.PRIVATE)

    def handle(self, *args: Any, **options: Any) -> None:
        owner = get_user_model().objects.filter(username=options["owner"]).first()
        if owner is None:
            raise CommandError(f"There is no user named {options['owner']}; make one in the admin first.")
        for path in options["paths"]:
            if not path.exists():
                raise CommandError(f"There is no file or folder {path}; check its name.")
        try:
            language = recording_language(options["language"])
        except DomainError as error:
            raise CommandError(error.message) from None
        counts: Counter[str] = Counter()
        found = paths_ingest(
            owner=owner,
            speaker=self._speaker(owner, options["speaker"]),
            language=language,
            paths=options["paths"],
            visibility=options["visibility"],
        )
        try:
            for file in found:
                counts[file.outcome] += 1
                self._say(file)
        except KeyboardInterrupt:
            raise CommandError(f"Stopped: {_summary(counts)}. Run it again to go on.") from None
        self.stdout.write(f"{_summary(counts)}.")
        if counts["refused"]:
            raise CommandError("Not every file was taken; the lines above say why.")

    def _speaker(self, owner: Any, given: str) -> Speaker:
        visible = Speaker.objects.visible_to(owner)
        speaker = visible.filter(name=given, owner=owner).first() or visible.filter(name=given).first()
        if speaker is None and given.isdecimal():
            speaker = visible.filter(pk=int(given)).first()
        if speaker is None:
            names = ", ".join(visible.values_list("name", flat=True)[:10])
            there = f"{owner} sees {names}" if names else f"{owner} sees none"
            raise CommandError(
                f"There is no speaker “{given}” ({there}); add the speaker on the portal, with the consent, first."
            )
        return speaker

    def _say(self, file: Ingested) -> None:
        line = f"{file.outcome:8} {file.path}"
        if file.source is not None:
            line += f" → {file.source.pk}"
        if file.message:
            line += f": {file.message}"
        style = {"added": self.style.SUCCESS, "refused": self.style.ERROR}.get(file.outcome, str)
        self.stdout.write(style(line))


def _summary(counts: Counter[str]) -> str:
    words = {"added": "added", "here": "already here", "skipped": "no recordings", "refused": "refused"}
    return ", ".join(f"{counts[outcome]} {word}" for outcome, word in words.items())
