"""A small corpus of hums with the real one's form, for stages that need one to work on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch

from training.engine.tiny.corpus import GRID, RATE, SETS
from training.engine.tiny.recipe import Workshop

PITCHES = {"low": 90.0, "middle": 140.0, "high": 220.0}


def hum(pitch: float, samples: int, seed: int) -> np.ndarray:
    """A buzz at ``pitch`` Hz whose loudness comes and goes, with the noise of a quiet room, PCM16."""
    time = np.arange(samples) / RATE
    sound = sum(np.sin(2 * math.pi * pitch * number * time) / number for number in range(1, 12))
    sound = 0.2 * np.asarray(sound) * np.abs(np.sin(2 * math.pi * (1.5 + seed % 3) * time))
    sound += np.random.default_rng(seed).standard_normal(samples) * 3e-4
    return np.round(sound * 32_767).astype(np.int16)


def humming_workshop(work: Path, clips: int = 3, scale: float = 0.01) -> Workshop:
    """A workshop whose sets have ``clips`` clips of each of three voices, 10 to 29 codes long."""
    for name in SETS:
        folder = work / "speech" / name
        folder.mkdir(parents=True)
        position = 0
        with open(folder / "sound.pcm", "wb") as sound, open(folder / "index.jsonl", "w") as index:
            for number in range(clips * len(PITCHES)):
                voice = list(PITCHES)[number // clips]
                samples = GRID * (10 + number * 7 % 20)
                sound.write(hum(PITCHES[voice], samples, number).tobytes())
                row = {"text": "Hum.", "voice": voice, "start": position, "samples": samples, "words": []}
                index.write(json.dumps(row) + "\n")
                position += samples
    return Workshop(work, threads=1, device=torch.device("cpu"), scale=scale)
