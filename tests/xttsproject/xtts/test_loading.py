"""Loading an engine reads its weights once and imports no more than speaking needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import gc, sys
from pathlib import Path

import torch

from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.types import Sampling

torch.set_num_threads(1)
engine = XttsEngine.load(Path(sys.argv[1]), precision=sys.argv[2])
engine.speak("Yes.", "en", next(iter(engine.builtin_speakers().values())), Sampling(seed=1))
loaded = [name for name in ("transformers", "TTS.tts.models.xtts", "TTS.tts.layers.xtts.gpt", "torch._dynamo", "peft")
          if name in sys.modules]
print("imported", *loaded)
gc.collect()
blocks = Path("/proc/self/smaps").read_text().split("VmFlags")
own = [block for block in blocks if "model.safetensors" in block]
print("mapped", sum(1024 * int(block.split("Rss:")[1].split()[0]) for block in own))
print("matrices", 4 * 12 * engine.config.gpt.layers * engine.config.gpt.width ** 2)
print("file", Path(sys.argv[1], "model.safetensors").stat().st_size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what of a file is mapped")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_speaking_imports_little_and_holds_the_weights_once(random_bundle: Path, precision: str) -> None:
    words = [sys.executable, "-c", PROBE, str(random_bundle), precision]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300).stdout
    facts = dict(line.partition(" ")[::2] for line in told.splitlines())
    assert facts["imported"] == ""
    mapped, matrices, size = (int(facts[name]) for name in ("mapped", "matrices", "file"))
    if precision == "fp32":
        # The matrices are the file's own pages.
        assert mapped > matrices
    else:
        # Packed, and let go of.
        assert mapped < size - 0.8 * matrices
