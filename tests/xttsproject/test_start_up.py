"""What starting Django costs, and that its settings are what the documentation says."""

import subprocess
import sys
from pathlib import Path

from django.conf import settings

from xttsproject.management.commands.configuration import document

HEAVY = (
    "torch",
    "TTS",
    "transformers",
    "faster_whisper",
    "ctranslate2",
    "silero_vad",
    "peft",
    "librosa",
    "av",
    "scipy",
)


def test_start_up_loads_no_machine_learning_library():
    """Every task, service, view and admin module included, as the checks load them all."""
    program = (
        "import sys, django; django.setup();"
        "from django.core.management import call_command; call_command('check');"
        "import datasets.tasks, training.tasks, voices.tasks, xttsproject.jobs.tasks, xttsproject.urls;"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=settings.BASE_DIR,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip().splitlines()[-1] == "[]"


def test_the_configuration_page_lists_every_variable_as_the_code_declares_it():
    page = Path(settings.BASE_DIR, "docs", "CONFIGURATION.md").read_text(encoding="utf-8")
    assert page == document(settings.ENVIRONMENT.variables, settings.BASE_DIR), "run manage.py configuration"


def test_no_variable_is_declared_twice():
    names = [variable.name for variable in settings.ENVIRONMENT.variables]
    assert len(names) == len(set(names))
