"""This project's training, by its own loop: ``python -m training.engine.benchmark.ours JOB.json RESULT.json``.

A step is all that ``Fit`` does at one, reading the kept mels from the disk included.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from training.engine.benchmark.job import Job, Meter, device_of, measured, speed
from training.engine.dataset import Clip, read_dataset
from training.engine.features import ClipFeatures, prepare
from training.engine.fit import EpochProgress, Fit, StepFacts, build_accelerator
from training.engine.losses import IGNORED, Batch, forward_losses
from training.engine.model import BundleAnalyser, open_base
from training.engine.spec import TrainSpec
from training.engine.splits import Split
from training.engine.trained import Trained
from xttsproject.lib.progress import Silent
from xttsproject.xtts.limits import SAMPLES_PER_CODE


def main(job: Job) -> dict[str, Any]:
    import peft  # noqa: F401 - what training imports when it begins is no part of its memory

    torch.set_num_threads(job.threads)
    device = device_of(job.device)
    meter = Meter(device)
    spec = TrainSpec(
        job.work,
        job.bundle,
        job.manifest,
        "en",
        epochs=1,
        batch_size=job.batch,
        device=job.device,
        precision=job.precision,
        method=job.method,
        features_dir=job.work / "features",
    )
    base = open_base(job.bundle)
    data = read_dataset(job.manifest, "en", base.tokenizer.encode_sentence, base.limits, Silent())
    began = time.perf_counter()
    features = prepare(data.train, spec.features_folder, BundleAnalyser(base, device), Silent(), lambda done, of: None)
    preparing = time.perf_counter() - began
    stop = base.config.gpt.stop_audio_token
    gpt = base.load_gpt()
    losses = _losses(gpt.to(device), load_file(job.tensors), stop, device)
    torch.manual_seed(spec.seed)
    Trained(gpt, spec)
    accelerator = build_accelerator(spec)

    def train(
        clips: tuple[Clip, ...], found: list[ClipFeatures], moments: dict[str, Tensor]
    ) -> tuple[dict[str, float], Fit]:
        fit = Fit(spec, gpt, Split(clips, found), Split((), ()), stop, accelerator)
        fit.load_optimizer_state(moments)
        began = meter.clocks()
        fit.epoch(EpochProgress(1, 0), Silent(), _unheard)
        return speed(len(clips), began, meter.clocks()), fit

    # The first batch alone: what happens once is no part of the speed. The optimizer goes on with what it then made
    # room for, as it would within one run, and nothing else of the first batch is kept.
    _, fit = train(data.train[: job.batch], features[: job.batch], {})
    moments = fit.optimizer_state(copy=False)
    del fit
    accelerator.free_memory()
    measured_speed, fit = train(data.train[job.batch :], features[job.batch :], moments)
    return {
        **measured_speed,
        "peak_mb": meter.peak_mb(),
        "losses": losses,
        "precision": fit.precision,
        "trained": sum(parameter.numel() for parameter in fit.parameters.values()),
        "preparing_seconds": preparing,
    }


def _losses(gpt: Any, batch: dict[str, Tensor], stop: int, device: torch.device) -> list[float]:
    """The losses of the batch that the other side left, before any training."""
    counts = [-(-length // SAMPLES_PER_CODE) for length in batch["wav_lengths"].tolist()]
    targets = torch.full((len(counts), max(counts) + 5), IGNORED)
    for row, count in enumerate(counts):
        targets[row, :count] = batch["audio_codes"][row, :count]
        targets[row, count : count + 4] = stop
    made = Batch(
        ids=("",) * len(counts),
        text=batch["text_inputs"].long(),
        text_lengths=batch["text_lengths"],
        codes=batch["audio_codes"],
        wav_lengths=batch["wav_lengths"],
        cond_mels=batch["cond_mels"],
        mel_targets=targets,
    )
    with torch.no_grad():
        return [float(value) for value in forward_losses(gpt, made.to(device))]


def _unheard(at: EpochProgress, facts: StepFacts) -> None:
    """Nobody follows this run."""


if __name__ == "__main__":
    measured(main)
