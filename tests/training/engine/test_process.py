"""Real processes, really killed: what was trained stays, and the run goes on as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.engine.conftest import EPOCHS, Finished, SpecMaker, execute
from training.engine import __main__ as program
from training.engine import launch
from training.engine.events import Event, read_events
from training.engine.spec import TrainSpec
from xttsproject.lib.files import sha256_of, write_json

PATIENCE = 120.0


def follow(process: subprocess.Popen[bytes], run_dir: Path, wanted: Callable[[Event], bool], after: int = 0) -> Event:
    """Wait for an event of a running process."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        ended = process.poll() is not None
        for event in read_events(run_dir / launch.EVENTS, after):
            if wanted(event):
                return event
        assert not ended, (run_dir / launch.LOG).read_text()
        time.sleep(0.02)
    raise AssertionError("The event did not come.")


def steps(run_dir: Path, after: int = 0) -> dict[int, dict[str, Any]]:
    events = read_events(run_dir / launch.EVENTS, after)
    return {event.data["step"]: event.data for event in events if event.kind == "step"}


def a_step_of(epoch: int) -> Callable[[Event], bool]:
    return lambda event: event.kind == "step" and event.data["epoch"] == epoch


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes to be ended with the test, whatever becomes of it."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_run_killed_and_then_cancelled_ends_as_the_uninterrupted_one(
    finished: Finished, make_spec: SpecMaker, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    spec = make_spec(tmp_path / "run")
    whole = {step["step"]: step for step in finished.of("step")}

    first = launch.start(spec)
    started.append(first)
    killed_at = follow(first, spec.run_dir, a_step_of(2))
    first.kill()
    assert first.wait() == -signal.SIGKILL

    second = launch.start(spec)
    started.append(second)
    resumed = follow(second, spec.run_dir, lambda event: event.kind == "started", killed_at.seq)
    assert resumed.data["resumed_from_epoch"] >= 1
    follow(second, spec.run_dir, a_step_of(3), resumed.seq)
    asked = time.monotonic()
    launch.request_cancel(spec.run_dir)
    assert second.wait(timeout=PATIENCE) == launch.EXIT_CANCELLED
    assert time.monotonic() - asked < 5.0
    *_, last = read_events(spec.run_dir / launch.EVENTS)
    assert last.kind == "cancelled"

    rest = execute(spec)
    # A cancelled run goes on with the very next step, not with the epoch's first.
    assert (
        min(step["step"] for step in rest.of("step"))
        == max(steps(spec.run_dir, resumed.seq).keys() - {step["step"] for step in rest.of("step")}) + 1
    )
    curve = steps(spec.run_dir)
    assert curve.keys() == whole.keys()
    for number, step in whole.items():
        for name in ("loss", "loss_text", "loss_mel", "learning_rate"):
            assert curve[number][name] == pytest.approx(step[name], abs=1e-5), (number, name)
    for ours, theirs in zip(rest.of("epoch"), finished.of("epoch")[-len(rest.of("epoch")) :], strict=True):
        assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], abs=1e-5)
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], abs=1e-5)
    weights = f"checkpoints/epoch-{EPOCHS:04d}/adapter_model.safetensors"
    assert sha256_of(spec.run_dir / weights) == sha256_of(finished.spec.run_dir / weights)


def test_sigterm_ends_the_process_within_five_seconds_even_while_it_imports(
    make_spec: SpecMaker, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    spec = make_spec(tmp_path / "run")
    process = launch.start(spec)
    started.append(process)
    wait_for(lambda: (spec.run_dir / launch.EVENTS).exists() and "starts on" in log_of(spec))
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE) == launch.EXIT_CANCELLED
    assert time.monotonic() - asked < 5.0
    assert [event.kind for event in read_events(spec.run_dir / launch.EVENTS)] == ["cancelled"]


def test_the_process_ends_when_whoever_started_it_dies(make_spec: SpecMaker, tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "run")
    spec.save(tmp_path / "spec.json")
    code = (
        "import sys, time; from pathlib import Path; from training.engine import launch; "
        "from training.engine.spec import TrainSpec; "
        "print(launch.start(TrainSpec.load(Path(sys.argv[1]))).pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "spec.json")], cwd=launch.PROJECT_ROOT, stdout=subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_for(lambda: "starts on" in log_of(spec))
        assert is_running(child)
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not is_running(child), seconds=5.0)
    assert "is gone" in log_of(spec)
    # Nobody cancelled: a portal that comes back goes on with the run.
    assert [event.kind for event in read_events(spec.run_dir / launch.EVENTS) if event.kind == "cancelled"] == []


def test_a_spec_that_cannot_work_is_an_event_and_an_exit_code(tmp_path: Path) -> None:
    values = {**TrainSpec(tmp_path, Path("b"), Path("m"), "en").to_dict(), "epochs": 0}
    write_json(tmp_path / "spec.json", values)
    done = subprocess.run(
        launch.command(tmp_path / "spec.json"), cwd=launch.PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == launch.EXIT_REFUSED
    (event,) = read_events(tmp_path / launch.EVENTS)
    assert (event.kind, event.data["code"]) == ("failed", "spec_invalid")
    assert "epochs" in event.data["message"]
    assert event.data["message"] in done.stderr


@pytest.fixture
def own_signals() -> Iterator[None]:
    """The program takes SIGTERM over; a test session wants it back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("own_signals")
def test_a_domain_error_is_told_by_its_code(make_spec: SpecMaker, tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "run", bundle=tmp_path / "nowhere", threads=None)
    spec.save(tmp_path / "spec.json")
    assert program.main([str(tmp_path / "spec.json")]) == launch.EXIT_REFUSED
    *_, last = read_events(spec.run_dir / launch.EVENTS)
    assert (last.kind, last.data["code"]) == ("failed", "model_missing")
    assert "nowhere" in last.data["message"]


@pytest.mark.usefixtures("own_signals")
def test_an_unexpected_error_is_told_apart_and_logged_with_its_traceback(
    make_spec: SpecMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = make_spec(tmp_path / "run", sample_prompts=(), threads=None)
    spec.run_dir.mkdir()
    (spec.run_dir / launch.TENSORBOARD).write_text("a file where a folder should be")
    spec.save(tmp_path / "spec.json")
    assert program.main([str(tmp_path / "spec.json")]) == launch.EXIT_UNEXPECTED
    *_, last = read_events(spec.run_dir / launch.EVENTS)
    assert (last.kind, last.data["code"]) == ("failed", "unexpected")
    assert "Traceback" in caplog.text


def test_two_processes_do_not_work_on_one_run(make_spec: SpecMaker, tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "run")
    spec.run_dir.mkdir()
    spec.save(tmp_path / "spec.json")
    lock = program._lock(spec.run_dir)
    assert lock is not None
    with lock:
        assert program.main([str(tmp_path / "spec.json")]) == launch.EXIT_REFUSED
    assert not (spec.run_dir / launch.EVENTS).exists()


def test_starting_forgets_an_earlier_cancel(make_spec: SpecMaker, tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "run")
    spec.run_dir.mkdir()
    launch.request_cancel(spec.run_dir)
    process = launch.start(spec)
    try:
        assert not (spec.run_dir / launch.CANCEL).exists()
        assert TrainSpec.load(spec.run_dir / launch.SPEC) == spec
    finally:
        process.kill()
        process.wait()


def log_of(spec: TrainSpec) -> str:
    path = spec.run_dir / launch.LOG
    return path.read_text() if path.exists() else ""


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "It did not happen in time."
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    # A process that nobody waits for stays as a zombie where init does not reap.
    return state != "Z"
