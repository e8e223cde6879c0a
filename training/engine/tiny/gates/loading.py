"""How long both bundles take to load, imports aside: ``python -m training.engine.tiny.gates.loading XTTS WHISPER``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def seconds_to_load(xtts: Path, whisper: Path) -> float:
    """In a fresh process. Raises RuntimeError where it fails."""
    command = [sys.executable, "-m", "training.engine.tiny.gates.loading", str(xtts.resolve()), str(whisper.resolve())]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"The models cannot be loaded: {ran.stderr.strip()[-400:]}")
    return float(json.loads(ran.stdout.splitlines()[-1])["seconds"])


def main(arguments: list[str]) -> int:
    # Everything that loading would import first.
    import faster_whisper  # noqa: F401
    import safetensors.torch  # noqa: F401
    import TTS.encoder.models.resnet
    import TTS.tts.layers.xtts.hifigan_decoder
    import TTS.tts.layers.xtts.perceiver_encoder  # noqa: F401

    import xttsproject.xtts.tokenizer  # noqa: F401
    from datasets.pipeline.transcribe import Transcriber
    from xttsproject.xtts.engine import XttsEngine

    begun = time.perf_counter()
    XttsEngine.load(Path(arguments[0]))
    Transcriber.load(Path(arguments[1]), device="cpu")
    sys.stdout.write(json.dumps({"seconds": round(time.perf_counter() - begun, 3)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
