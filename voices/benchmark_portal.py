"""A portal of its own for a benchmark, on a data folder that is thrown away afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from xttsproject.lib.errors import DomainError


def portal_environment(root: Path, bundle: Path | None) -> dict[str, str]:
    """What its processes are started with; without a bundle the tiny one is built for it."""
    if bundle is None:
        from xttsproject.bundles.tiny import TINY_XTTS, xtts

        bundle = xtts.build(root / "models" / TINY_XTTS).path
    environment = {
        **os.environ,
        "DATA_ROOT": str(root),
        "MODELS_DIR": str(bundle.resolve().parent),
        "XTTS_BUNDLE": bundle.name,
        "DATABASE_URL": "",
        "DEVICE": str(settings.DEVICE),
    }
    # Of whoever started this one: tests have settings of their own.
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    return environment


def manage(environment: dict[str, str], *words: str) -> str:
    """What ``manage.py`` prints; DomainError ``benchmark_failed`` where it fails."""
    done = subprocess.run(
        manage_command(*words),
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DomainError("benchmark_failed", f"manage.py {words[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def manage_command(*words: str) -> list[str]:
    return [sys.executable, "manage.py", *words]
