"""What one measurement is told, and how it counts time and memory; the same for both sides."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Job:
    """``steps`` are timed, after a first one of ``batch`` clips that is not. ``bundle`` is the model as a bundle,
    ``release`` the same one in the files that Coqui's trainer reads. ``tensors`` is where one side leaves a batch and
    the other finds it.
    """

    bundle: Path
    release: Path
    manifest: Path
    work: Path
    tensors: Path
    method: str
    precision: str
    device: str
    batch: int
    steps: int
    threads: int

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({name: _plain(value) for name, value in asdict(self).items()}), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Job:
        values = json.loads(path.read_text(encoding="utf-8"))
        for name in ("bundle", "release", "manifest", "work", "tensors"):
            values[name] = Path(values[name])
        return cls(**values)

    def lines(self) -> list[dict[str, Any]]:
        """The clips, in the manifest's order."""
        return [json.loads(line) for line in self.manifest.read_text(encoding="utf-8").splitlines()]


class Meter:
    """Time and memory of a process. ``start`` it when everything is imported and nothing is loaded."""

    def __init__(self, device: torch.device):
        self._device = device
        self._before = _resident("VmRSS")

    def clocks(self) -> tuple[float, float]:
        """Seconds of an unchanging clock and of this process on the processor, once the device has done its work."""
        if self._device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._device)
        return time.perf_counter(), time.process_time()

    def peak_mb(self) -> float:
        """The most memory held at once since the start: of the device where it is a GPU, else of the process."""
        if self._device.type == "cuda":
            import torch

            return torch.cuda.max_memory_allocated(self._device) / 1e6
        return (_resident("VmHWM") - self._before) / 1e6


def device_of(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    return torch.device(name)


def measured(main: Callable[[Job], dict[str, Any]]) -> None:
    """The main of a measurement: ``JOB.json RESULT.json`` on the command line."""
    job = Job.load(Path(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(main(job)), encoding="utf-8")


def speed(clips: int, began: tuple[float, float], ended: tuple[float, float]) -> dict[str, float]:
    """Clips a second between two readings of :meth:`Meter.clocks`; and by the processor's own seconds, which say more
    where other programs run at the same time.
    """
    passed, worked = ended[0] - began[0], ended[1] - began[1]
    return {"seconds": passed, "clips_per_second": clips / passed, "clips_per_cpu_second": clips / worked}


def _resident(field: str) -> int:
    """Bytes of resident memory, now (VmRSS) or at most so far (VmHWM); without /proc the most so far for both."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
