"""Why fine-tuned speech is less clear: what the decoder makes of the GPT's latents for a clip's true codes.

No code of the GPT's own choice is in these, so every error stands in the way from codes to sound alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from training.engine.model import BundleAnalyser, open_base
from training.engine.tiny.corpus import RATE
from training.engine.tiny.gates.material import Asked
from training.engine.tiny.gates.speaking import LANGUAGE, Spoken
from training.engine.tiny.latents import teacher_latents
from xttsproject.lib.audio import Audio
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.limits import SAMPLES_PER_CODE
from xttsproject.xtts.text import spoken_form
from xttsproject.xtts.weights import apply_adapter, read_state

_CONFIG = "adapter_config.json"


@torch.inference_mode()
def read_true_codes(
    bundle: Path, engine: XttsEngine, adapter: Path | None, asked: Sequence[Asked], voice: Conditioning
) -> list[Spoken]:
    """Every sentence by its true codes, through the GPT (with ``adapter``, if one is given) and the decoder."""
    base = open_base(bundle)
    gpt = base.load_gpt()
    if adapter is not None:
        gpt.load_state_dict(apply_adapter(read_state(bundle, "gpt"), adapter), strict=False)
    gpt.eval()
    analyser = BundleAnalyser(base, torch.device("cpu"))
    stop = torch.tensor([base.config.gpt.stop_audio_token])
    spoken = []
    for one in asked:
        heard, _mel = analyser.analyse(Audio(one.true, RATE))
        codes = torch.cat([heard[: len(one.true) // SAMPLES_PER_CODE].long(), stop])[None]
        cleaned = base.tokenizer.clean(spoken_form(one.text), LANGUAGE)
        tokens = torch.tensor([base.tokenizer.encode_clean(cleaned, LANGUAGE)])
        latents = teacher_latents(gpt, voice.gpt_latents, tokens, codes)[0]
        wave = Audio(engine.render(latents, voice), engine.sample_rate)
        spoken.append(Spoken(one, wave.at_rate(RATE).samples, True))
    return spoken


def weakened(adapter: Path, strength: float, folder: Path) -> Path:
    """A copy of an adapter at ``folder`` that changes the model by that share of what it changed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(adapter, folder)
    config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    config["lora_alpha"] *= strength
    (folder / _CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return folder
