"""Importing the pipeline loads neither Django nor anything heavy: its users start up in a moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEAVY = (
    "django",
    "torch",
    "av",
    "faster_whisper",
    "ctranslate2",
    "onnxruntime",
    "silero_vad",
    "yt_dlp",
    "num2words",
    "soxr",
    "pyloudnorm",
    "scipy",
)


def test_no_module_of_the_pipeline_loads_anything_heavy() -> None:
    paths = (path.relative_to(ROOT) for path in (ROOT / "datasets" / "pipeline").rglob("[a-z]*.py"))
    modules = [".".join(path.with_suffix("").parts) for path in paths]
    assert len(modules) > 10
    code = f"import sys, {', '.join(modules)}; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
