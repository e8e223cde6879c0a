"""Datasets as people bring them, made in code."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.datasets.pipeline.makers import Signal, write_media
from xttsproject.lib.audio import Audio, write_wav

RATE = 22_050
TEXTS = ("Dr. Gray paid $5.", "It was a fine day.", "Nobody knew why.")
SPOKEN = ("Doctor Gray paid five dollars.", "It was a fine day.", "Nobody knew why.")


def voice(seconds: float = 1.5, *, seed: int = 0, rate: int = RATE) -> Signal:
    """Something with pauses, harmonics and noise, different for each ``seed``."""
    time = np.arange(round(seconds * rate)) / rate
    draw = np.random.default_rng(seed)
    pitch = 100 + 40 * draw.random()
    sound = sum(np.sin(2 * np.pi * pitch * k * time + draw.random()) / k for k in range(1, 12))
    envelope = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)
    return (0.1 * sound * envelope + draw.normal(0, 1e-4, len(time))).astype(np.float32)


def clip(path: Path, *, seconds: float = 1.5, seed: int = 0, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, Audio(voice(seconds, seed=seed, rate=rate), rate))
    return path


def ljspeech(top: Path, texts: Sequence[str] = TEXTS, spoken: Sequence[str] = SPOKEN) -> Path:
    """A folder in LJSpeech's form; clip number n has the seed n."""
    lines = []
    for number, (text, said) in enumerate(zip(texts, spoken, strict=True), start=1):
        clip(top / "wavs" / f"LJ001-{number:04d}.wav", seed=number)
        lines.append(f"LJ001-{number:04d}|{text}|{said}\n")
    (top / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    return top


def coqui(
    top: Path, rows: Sequence[Mapping[str, str]], *, table: str = "metadata.csv", columns: Sequence[str] = ()
) -> Path:
    """A folder with Coqui's table, written with the quotes that Python's csv gives it; files are as the rows say."""
    for number, row in enumerate(rows, start=1):
        clip(top / row["audio_file"], seed=number)
    with open(top / table, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, columns or list(rows[0]), delimiter="|", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return top


def zipped(top: Path, target: Path, *, under: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(top.rglob("*")):
            archive.write(path, f"{under}{path.relative_to(top).as_posix()}")
    return target


def compressed(path: Path, *, codec: str, container: str, rate: int, seed: int = 0, layout: str = "mono") -> Path:
    """The same sound as people's encoders write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = voice(seed=seed, rate=rate)
    planes = sound if layout == "mono" else np.stack([sound, sound])
    return write_media(path, planes, rate, codec=codec, container=container, layout=layout)
