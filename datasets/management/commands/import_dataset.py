"""``manage.py import_dataset PATH``: take in a folder or zip of this machine as a dataset."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from datasets.choices import LANGUAGE_CHOICES, ImportState
from datasets.models import DatasetImport, Speaker
from datasets.services.importing import import_from_disk
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.tasks import run
from xttsproject.lib.errors import DomainError


class Command(BaseCommand):
    help = (
        "Imports a dataset from a folder or zip on this machine: LJSpeech's form (wavs/ and metadata.csv) or Coqui's "
        "table (audio_file|text|speaker_name). Everything is checked first; with a broken row nothing comes in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--owner", required=True, help="User name of whom the recordings will belong to.")
        parser.add_argument("--speaker", required=True, help="Name of a speaker on record, whose consent is there.")
        parser.add_argument("--language", default="en", choices=[code for code, _name in LANGUAGE_CHOICES])
        parser.add_argument("--title", default="", help="Of the dataset; else the folder's or zip's name.")
        parser.add_argument("--speaker-name", default="", help="Of a table with several speakers: whose rows to take.")
        parser.add_argument("--approve", action="store_true", help="The transcripts are right: approve all clips.")
        parser.add_argument("--team", action="store_true", help="Share what comes in with everybody who signs in.")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = get_user_model().objects.filter(username=options["owner"]).first()
        if owner is None:
            raise CommandError(f"There is no user named “{options['owner']}”.")
        speakers = Speaker.objects.visible_to(owner).filter(name=options["speaker"])
        # Their own first: a shared one of another person may have the same name.
        speaker = speakers.filter(owner=owner).first() or speakers.first()
        if speaker is None:
            raise CommandError(
                f"{owner} has no speaker named “{options['speaker']}”; add them in the portal, with their consent."
            )
        try:
            importing, job = import_from_disk(
                owner=owner,
                speaker=speaker,
                language=options["language"],
                path=options["path"],
                title=options["title"],
                speaker_name=options["speaker_name"],
                approve=options["approve"],
                visibility=Visibility.TEAM if options["team"] else Visibility.PRIVATE,
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        run(str(job.pk), self._watch)
        importing.refresh_from_db()
        self._tell(importing)

    def _watch(self, fraction: float, message: str) -> None:
        self.stdout.write(f"{100 * fraction:3.0f} %  {message}")

    def _tell(self, importing: DatasetImport) -> None:
        if importing.state == ImportState.READY:
            recordings = importing.sources.count()
            self.stdout.write(
                self.style.SUCCESS(
                    f"{importing.clips} clips came in as “{importing.dataset}” "
                    f"({recordings} recording{'' if recordings == 1 else 's'}, {importing.approved} clips approved)."
                )
            )
            return
        for problem in importing.problems:
            where = f"{problem['table']}, row {problem['row']}: " if problem["row"] else ""
            self.stderr.write(f"{where}{problem['reason']}")
        raise CommandError(importing.error or f"The import was {importing.get_state_display().lower()}.")
