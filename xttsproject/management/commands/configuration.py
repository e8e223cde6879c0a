"""``manage.py configuration``: write docs/CONFIGURATION.md from the declarations in settings.py."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from xttsproject.lib.env import Variable

_INTRODUCTION = """\
# Configuration

Settings come from the environment or from a file `.env` beside `manage.py`; the environment wins. A value of the
wrong type stops the start with a sentence that names it. This page is written by `manage.py configuration` from the
declarations in `xttsproject/settings.py`, and a test compares the two.

Three more are not read by Django but by gunicorn: `BIND` (host:port, default `127.0.0.1:8000`), `WEB_THREADS`
(default 24), and `WEB_STALL_SECONDS` (default 60): a client that takes or sends no byte for so long is let go.

Beyond this machine, put a proxy that buffers requests (nginx, Caddy) in front of the portal: its threads wait for
bodies, and a slow sender would hold one.
"""


def document(variables: list[Variable], base: Path) -> str:
    """The page's text. Paths below the project's folder are shown relative to it."""
    lines = [_INTRODUCTION]
    for section, members in groupby(variables, key=lambda variable: variable.section):
        lines += [f"## {section}", "", "| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
        for variable in members:
            default = variable.default.replace(f"{base}/", "")
            shown = f"`{default}`" if default else "empty"
            kind = variable.kind.replace("|", "\\|")
            lines.append(f"| `{variable.name}` | {kind} | {shown} | {variable.help} |")
        lines.append("")
    return "\n".join(lines)


class Command(BaseCommand):
    help = "Write docs/CONFIGURATION.md from the settings' declarations."

    def handle(self, *args: Any, **options: Any) -> None:
        target = Path(settings.BASE_DIR, "docs", "CONFIGURATION.md")
        target.write_text(document(settings.ENVIRONMENT.variables, settings.BASE_DIR), encoding="utf-8")
        self.stdout.write(f"Wrote {target.name}.")
