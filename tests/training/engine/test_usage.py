"""What a run tells of its memory, and what of the portal's secrets its process knows: nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from tests.training.engine.conftest import Finished, SpecMaker
from training.engine import launch, usage
from xttsproject.lib import memory


def test_on_a_processor_it_is_the_process_s_resident_set_of_the_machine() -> None:
    before = usage.measure(torch.device("cpu"))
    grown = torch.ones(32 * 1024 * 1024)  # 128 MiB, touched
    after = usage.measure(torch.device("cpu"))
    assert after.used - before.used > 100 * 1024**2
    assert after.used <= after.peak <= after.total <= psutil.virtual_memory().total
    assert grown.numel()


def test_a_container_s_limit_counts_where_it_is_below_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "GROUPS", ((limit, tmp_path / "used"), (tmp_path / "absent", tmp_path / "absent")))
    limit.write_text("max\n")
    assert usage.measure(torch.device("cpu")).total == psutil.virtual_memory().total
    limit.write_text("1073741824\n")
    assert usage.measure(torch.device("cpu")).total == memory.total_bytes() == 1024**3
    (tmp_path / "used").write_text("1073741800\n")
    assert memory.free_bytes() == 24


@pytest.mark.gpu
def test_on_a_cuda_device_it_is_what_tensors_take() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device = torch.device("cuda:0")
    before = usage.measure(device)
    held = torch.ones(1024**2, device=device)
    after = usage.measure(device)
    assert after.used - before.used == held.numel() * 4
    assert after.device == "cuda:0"
    assert after.used <= after.peak < after.total


def test_a_run_tells_of_it_and_writes_its_curves_for_tensorboard(finished: Finished) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first, *_ = finished.of("usage")
    assert first["step"] == 1
    assert first["device"] == "cpu"
    assert 0 < first["used"] <= first["peak"] < first["total"]
    board = EventAccumulator(str(finished.spec.run_dir / launch.TENSORBOARD))
    board.Reload()
    written = {point.step: point.value for point in board.Scalars("train/loss_mel")}
    assert written == {step["step"]: pytest.approx(step["loss_mel"], rel=1e-6) for step in finished.of("step")}
    assert {"train/loss_text", "validation/loss_mel", "validation/loss_text", "memory/used"} <= set(
        board.Tags()["scalars"]
    )


def test_the_process_does_not_know_the_portal_s_secrets(
    make_spec: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in launch.WITHHELD:
        monkeypatch.setenv(name, "hunter2")
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    monkeypatch.setattr(launch, "command", lambda path, devices=1: [sys.executable, "-c", program])
    spec = make_spec(tmp_path / "run")
    assert launch.start(spec).wait(timeout=60) == 0
    known = json.loads((spec.run_dir / launch.LOG).read_text())
    assert "hunter2" not in known.values()
    assert known["PATH"]


def test_the_log_of_a_talkative_run_stays_within_its_bound(tmp_path: Path) -> None:
    path = tmp_path / launch.LOG
    program = (
        "import logging, pathlib, sys; from training.engine import __main__ as program; "
        "program.LOG_BYTES = 20_000; program._log_to(pathlib.Path(sys.argv[1])); "
        "[logging.getLogger('training').info('line %d', n) for n in range(5000)]"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], cwd=launch.PROJECT_ROOT, check=True, timeout=60)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["train.log", "train.log.1"]
    assert all(file.stat().st_size <= 20_000 for file in files)
    assert path.read_text().rstrip().endswith("line 4999")
