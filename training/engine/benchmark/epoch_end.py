"""What the end of an epoch costs: ``python -m training.engine.benchmark.epoch_end JOB.json RESULT.json``.

A whole run of one epoch with a single step, by the code that trains for users, its events and files written; only the
clocks are read with every event. So nothing between the epoch's last step and the end of its last sample is left out,
and nothing of the training itself is in it: what an epoch trains takes as long as its clips are many, what its end
takes depends on the model and the sentences alone. The base model has spoken before the step, as in every run, and so
it is no other for later epochs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.engine import events as ev
from training.engine.benchmark.job import Job, Meter, device_of, measured
from training.engine.launch import EVENTS
from training.engine.run import Run
from training.engine.spec import AUTO, Prompt, TrainSpec
from training.prompts import FIXED_PROMPTS
from xttsproject.lib.progress import Silent

Clocks = tuple[float, float]


class Timed(ev.EventWriter):
    """Writes events as every run does, and remembers what the clocks said at each."""

    def __init__(self, path: Path, meter: Meter):
        super().__init__(path)
        self._meter = meter
        self.told: list[tuple[str, int | None, dict[str, Any], Clocks]] = []

    def write(self, kind: str, **data: Any) -> ev.Event | None:
        self.told.append((kind, data.get("epoch"), data, self._meter.clocks()))
        return super().write(kind, **data)

    def at(self, kind: str) -> Clocks:
        """When the last event of this kind was told of."""
        return [clocks for told, _, _, clocks in self.told if told == kind][-1]


def main(job: Job) -> dict[str, Any]:
    torch.set_num_threads(job.threads)
    clips = [job.manifest.parent / line["audio"] for line in job.lines()[:2]]
    spec = TrainSpec(
        job.work / "run",
        job.bundle,
        job.manifest,
        "en",
        epochs=1,
        batch_size=job.batch,
        method=job.method,
        precision=job.precision,
        device=job.device,
        threads=job.threads,
        sample_prompts=tuple(Prompt(text, "en") for text in FIXED_PROMPTS["en"]),
        reference_clips=tuple(clips),
        features_dir=job.work / "features",
        # As the portal has it unless told otherwise.
        speech_precision=AUTO,
    )
    meter = Meter(device_of(job.device))
    events = Timed(spec.run_dir / EVENTS, meter)
    Run(spec, events, Silent()).execute()
    spoken = [data["seconds"] for kind, epoch, data, _ in events.told if kind == ev.SAMPLE and epoch == 1]
    return {
        "cost": cost_of(events),
        "spoken_seconds": round(sum(spoken), 1),
        "peak_mb": meter.peak_mb(),
    }


def cost_of(events: Timed) -> list[float]:
    """Seconds of checkpoint and state by the clock and of the processor, then those of the samples."""
    # An epoch is told of when its checkpoint and its state are whole.
    trained, kept, spoken = (events.at(kind) for kind in (ev.STEP, ev.EPOCH, ev.SAMPLE))
    return [kept[0] - trained[0], kept[1] - trained[1], spoken[0] - kept[0], spoken[1] - kept[1]]


if __name__ == "__main__":
    measured(main)
