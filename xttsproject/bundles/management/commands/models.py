"""``manage.py models``: list, build, download, import and verify model bundles."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from xttsproject.bundles.catalog import CATALOG, CPML, Entry, find_entry
from xttsproject.bundles.manifest import list_bundles, open_bundle, verify
from xttsproject.bundles.tiny import TINY_WHISPER, TINY_XTTS
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Callback

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Command(BaseCommand):
    help = "Lists, builds, downloads, imports and verifies model bundles."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        actions.add_parser("list", help="what is here, and what can be downloaded")
        build = actions.add_parser("build", help="make the tiny models of this project, if they are not whole")
        build.add_argument("--force", action="store_true", help="make them anew in any case")
        download = actions.add_parser("download", help="get a real model from the hub")
        download.add_argument("name", choices=sorted(CATALOG), metavar="NAME")
        download.add_argument("--accept-licence", action="store_true", help="you have read the licence and accept it")
        importing = actions.add_parser("import", help="make a bundle of a folder with XTTS-v2's released files")
        importing.add_argument("path", type=Path, metavar="PATH")
        importing.add_argument("--name", required=True, help="the bundle's name: a to z, 0 to 9, dot, dash, underscore")
        importing.add_argument("--force", action="store_true", help="replace a bundle of that name")
        check = actions.add_parser("verify", help="compare every file with its SHA-256")
        check.add_argument("name", nargs="?", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        models_dir = Path(settings.MODELS_DIR)
        try:
            match options["action"]:
                case "list":
                    self._list(models_dir)
                case "build":
                    self._build(models_dir, force=options["force"])
                case "download":
                    self._download(find_entry(options["name"]), models_dir, accept=options["accept_licence"])
                case "import":
                    self._import(options["path"], options["name"], models_dir, force=options["force"])
                case _:
                    self._verify(models_dir, options["name"])
        except DomainError as error:
            raise CommandError(error.message) from error

    def _list(self, models_dir: Path) -> None:
        bundles = {bundle.path.name: bundle for bundle in list_bundles(models_dir)}
        self.stdout.write(f"In {models_dir}:")
        for folder, bundle in bundles.items():
            self.stdout.write(f"  {folder:18} {bundle.kind:8} {_size(bundle.bytes):>9}  {bundle.licence}")
        if not bundles:
            self.stdout.write("  nothing yet: “manage.py models build” makes the tiny models")
        self.stdout.write("To download:")
        for entry in CATALOG.values():
            if entry.name not in bundles:
                self.stdout.write(f"  {entry.name:18} {entry.kind:8} {_size(entry.bytes):>9}  {entry.licence.name}")

    def _build(self, models_dir: Path, *, force: bool) -> None:
        from xttsproject.bundles.tiny import whisper, xtts

        for folder, builder in ((TINY_XTTS, xtts.build), (TINY_WHISPER, whisper.build)):
            path = models_dir / folder
            if not force and self._is_whole(path):
                self.stdout.write(f"{folder} is there.")
                continue
            bundle = builder(path)
            self.stdout.write(f"{folder} built ({_size(bundle.bytes)}).")

    def _download(self, entry: Entry, models_dir: Path, *, accept: bool) -> None:
        from xttsproject.bundles.download import download

        licence = entry.licence
        self.stdout.write(f"{entry.name}, {_size(entry.bytes)}, {licence.name}: {licence.terms}\n{licence.url}")
        # Coqui's own tools take this variable for consent, and so does this one.
        accepted = accept or os.environ.get("COQUI_TOS_AGREED") == "1"
        bundle = download(entry, models_dir, settings.MODEL_HUB_URL, accepted, Callback(self._report()))
        self.stdout.write(f"\n{entry.name} is ready ({_size(bundle.bytes)}).")

    def _import(self, path: Path, name: str, models_dir: Path, *, force: bool) -> None:
        from xttsproject.bundles.convert import convert_xtts

        if not _NAME.fullmatch(name):
            raise CommandError(f"“{name}” is no bundle name: small letters, digits, dot, dash and underscore are.")
        if (models_dir / name).exists() and not force:
            raise CommandError(f"There is a model “{name}” already; choose another name, or replace it with --force.")
        bundle = convert_xtts(
            path,
            models_dir / name,
            name=name,
            # Whoever trained it started from Coqui's weights, so their licence came along.
            licence=CPML.name,
            licence_url=CPML.url,
            notice=f"Spoken by the imported model “{name}”, made from XTTS-v2: non-commercial use only.",
            origin=f"imported from a folder named {path.resolve().name}",
            progress=Callback(self._report()),
        )
        self.stdout.write(f"\n{name} is ready ({_size(bundle.bytes)}).")

    def _verify(self, models_dir: Path, name: str | None) -> None:
        folders = [models_dir / name] if name else [bundle.path for bundle in list_bundles(models_dir)]
        for folder in folders:
            verify(open_bundle(folder))
            self.stdout.write(f"{folder.name} is whole.")

    @staticmethod
    def _is_whole(path: Path) -> bool:
        try:
            verify(open_bundle(path))
        except DomainError:
            return False
        return True

    def _report(self) -> Any:
        last = -1

        def report(fraction: float, message: str) -> None:
            nonlocal last
            percent = int(100 * fraction)
            if percent != last:
                last = percent
                self.stdout.write(f"\r{percent:3d} % {message:32.32}", ending="")
                self.stdout.flush()

        return report


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
