"""Coqui's training, as its own classes do it: ``python -m training.engine.benchmark.theirs JOB.json RESULT.json``.

The trainer is built from files as its recipe does, its dataset gives the items and puts them together, and a step is
``format_batch_on_device``, ``train_step``, the backward pass and the optimizer of ``get_optimizer``. In its favour:
clips are decoded and batches put together before the clock starts, as if its loader never kept it waiting; every clip
is taken once, where its dataset would draw with replacement; and it has as many threads as ours, where importing its
dataset sets them to one.
"""

from __future__ import annotations

import json
import random
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from TTS.tts.layers.xtts.trainer import dataset as coqui
from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer, GPTTrainerConfig

from training.engine.benchmark.job import Job, Meter, device_of, measured, speed
from xttsproject.lib.audio import read_wav
from xttsproject.xtts.limits import MODEL_RATE

_TO_DEVICE = ("padded_text", "text_lengths", "wav", "wav_lengths", "conditioning", "cond_idxs")


def main(job: Job) -> dict[str, Any]:
    torch.set_num_threads(job.threads)
    torch.manual_seed(1)
    device = device_of(job.device)
    meter = Meter(device)
    trainer = _trainer(job).to(device)
    optimizer = trainer.get_optimizer()
    batches = _batches(job, trainer)
    losses = _losses(job, trainer, batches[0], device)
    trainer.on_train_epoch_start(_Holder(trainer))

    def step(batch: dict[str, Any]) -> None:
        formatted = trainer.format_batch_on_device(_moved(batch, device))
        optimizer.zero_grad(set_to_none=True)
        _, loss = trainer.train_step(formatted, None)
        loss["loss"].backward()
        optimizer.step()

    step(batches[0])
    began = meter.clocks()
    for batch in batches[1:]:
        step(batch)
    measured_speed = speed(job.batch * job.steps, began, meter.clocks())
    parameters = sum(parameter.numel() for parameter in trainer.xtts.gpt.parameters())
    return {**measured_speed, "peak_mb": meter.peak_mb(), "losses": losses, "parameters": parameters}


class _Holder:
    """What the trainer's own hook reads of its loop."""

    def __init__(self, model: Any):
        self.model = model


def _trainer(job: Job) -> Any:
    config = GPTTrainerConfig()
    told = json.loads((job.release / "config.json").read_text(encoding="utf-8"))
    config.from_dict({**config.to_dict(), **told})
    arguments = config.model_args
    arguments.tokenizer_file = str(job.release / "vocab.json")
    arguments.xtts_checkpoint = str(job.release / "model.pth")
    arguments.mel_norm_file = str(job.release / "mel_stats.pth")
    arguments.dvae_checkpoint = str(job.release / "dvae.pth")
    # As in the recipe that comes with it.
    config.optimizer, config.optimizer_wd_only_on_weights = "AdamW", True
    config.optimizer_params = {"betas": [0.9, 0.96], "eps": 1e-8, "weight_decay": 1e-2}
    config.lr = 5e-06
    return GPTTrainer(config)


def _batches(job: Job, trainer: Any) -> list[dict[str, Any]]:
    """The clips of the first batch as they stand, then all others in random order, each once."""
    lines = job.lines()
    first, others = lines[: job.batch], lines[job.batch :]
    random.Random(1).shuffle(others)  # noqa: S311 - an order, no secret
    sounds = {}
    for line in lines:
        path = str(job.manifest.parent / line["audio"])
        sounds[path] = torch.from_numpy(read_wav(job.manifest.parent / line["audio"]).at_rate(MODEL_RATE).samples)[None]
    # torchcodec, with which it would decode, needs libraries of the system that need not be there.
    coqui.load_audio = lambda path, rate: sounds[path]
    data = coqui.XTTSDataset(trainer.config, [], trainer.xtts.tokenizer, MODEL_RATE)
    items = []
    for line in [*first, *others]:
        sample = {"text": line["text"], "language": "en", "audio_file": str(job.manifest.parent / line["audio"])}
        # It draws from these: from one, that one.
        data.samples = {"en": [sample]}
        items.append(data[0])
    return [data.collate_fn(items[start : start + job.batch]) for start in range(0, len(items), job.batch)]


def _moved(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {name: value.to(device) if name in _TO_DEVICE else value for name, value in batch.items()}


def _losses(job: Job, trainer: Any, batch: dict[str, Any], device: torch.device) -> list[float]:
    """The text and mel losses of a batch before any training, without dropout and mask; the batch is left for ours."""
    trainer.eval()
    copied = {name: value.clone() if isinstance(value, Tensor) else value for name, value in batch.items()}
    formatted = trainer.format_batch_on_device(_moved(copied, device))
    kept = ("text_inputs", "text_lengths", "audio_codes", "wav_lengths", "cond_mels")
    save_file({name: formatted[name].cpu().contiguous() for name in kept}, job.tensors)
    formatted["cond_idxs"] = None
    with torch.no_grad():
        _, loss = trainer.train_step(formatted, None)
    weights = trainer.args
    return [
        float(loss["loss_text_ce"]) / weights.gpt_loss_text_ce_weight,
        float(loss["loss_mel_ce"]) / weights.gpt_loss_mel_ce_weight,
    ]


if __name__ == "__main__":
    measured(main)
