"""``manage.py models``: list, build, download, import and verify model bundles."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from xttsproject.bundles.catalog import CATALOG, Entry, find_entry
from xttsproject.bundles.describe import about_import, licence_of, name_for, require_accepted
from xttsproject.bundles.manifest import list_bundles, open_bundle, verify
from xttsproject.bundles.sources import PARTS, find_files, open_base, require_name
from xttsproject.bundles.tiny import TINY_WHISPER, TINY_XTTS
from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Callback

_HELP = {
    "config": "config.json",
    "vocab": "vocab.json",
    "dvae": "dvae.pth, which fine-tuning needs",
    "mel_stats": "mel_stats.pth",
    "speakers": "speakers_xtts.pth: preset voices",
}


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
        importing = actions.add_parser(
            "import",
            help="make a bundle of a released model, a trainer's checkpoint or a safetensors file",
            description="PATH is a file of any name, or a folder with one. What lies beside it (config.json, "
            "vocab.json, dvae.pth, mel_stats.pth, speakers_xtts.pth) is taken too; what is missing then comes from the "
            "base model.",
        )
        importing.add_argument("path", type=Path, metavar="PATH")
        importing.add_argument("--name", help="the bundle's name: a to z, 0 to 9, dot, dash, underscore")
        importing.add_argument("--base", metavar="NAME", help="the model that it was fine-tuned from")
        for part in PARTS:
            importing.add_argument(f"--{part.replace('_', '-')}", type=Path, metavar="FILE", help=f"its {_HELP[part]}")
        importing.add_argument("--accept-licence", action="store_true", help="you have read the licence and accept it")
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
                    self._import(models_dir, options)
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

    def _import(self, models_dir: Path, options: dict[str, Any]) -> None:
        from xttsproject.bundles.convert import import_xtts

        base = open_base(models_dir / options["base"]) if options["base"] else None
        path: Path = options["path"]
        name = name_for(path) if options["name"] is None else options["name"]
        require_name(name)
        if (models_dir / name).exists() and not options["force"]:
            raise CommandError(f"There is a model “{name}” already; choose another name, or replace it with --force.")
        files = find_files(path, base=base, **{part: options[part] for part in PARTS})
        about = about_import(name, files)
        licence = licence_of(base)
        self.stdout.write(f"{name}, {licence.name}: {licence.terms}\n{licence.url}")
        # Coqui's own tools take this variable for consent, and so does this one.
        require_accepted(licence, options["accept_licence"] or os.environ.get("COQUI_TOS_AGREED") == "1")
        with room_for(models_dir, files.room_needed, f"The model “{name}”"):
            bundle, notes = import_xtts(files, models_dir / name, about, progress=Callback(self._report()))
        self.stdout.write("")
        for note in notes:
            self.stdout.write(note)
        self.stdout.write(f"{name} is ready ({_size(bundle.bytes)}).")

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
