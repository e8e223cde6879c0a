"""A run in two processes takes the steps of a run in one, stops as one, and leaves nobody behind.

They share a processor here, by gloo; on GPUs the launcher and the loop are the same and NCCL carries the sums.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from tests.training.engine.conftest import SpecMaker, execute
from tests.training.engine.test_fit import a_fit, a_spec, train
from tests.training.engine.test_process import (
    PATIENCE,
    a_step_of,
    follow,
    is_running,
    log_of,
    started,
    steps,
    wait_for,
)
from training.engine import events as ev
from training.engine import fit as fitting
from training.engine import launch, several
from training.engine import ranks as ranking
from training.engine.fit import EpochProgress, Fit, StepFacts, build_accelerator
from training.engine.losses import Batch, forward_losses
from training.engine.several import PeerFailed
from training.engine.spec import LoraSpec, TrainSpec
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Progress, Silent

__all__ = ["started"]

# Chance (dropout) falls elsewhere where a batch is divided, and bf16 rounds at other places; all else is the same.
CALM: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 4,
    "precision": "fp32",
    "lora": LoraSpec(rank=4, alpha=8),
    "sample_prompts": (),
}


def ranks_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found = psutil.Process(process.pid).children()
    return sorted(found, key=lambda child: int(child.environ()["RANK"]))


def both_ranks(process: subprocess.Popen[bytes], spec: TrainSpec) -> list[psutil.Process]:
    """The two, once they are there and the first is at work."""

    def there() -> bool:
        found = psutil.Process(process.pid).children()
        return len(found) == 2 and any(f"Process {each.pid} starts on" in log_of(spec) for each in found)

    wait_for(there)
    return ranks_of(process)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(is_running(each.pid) for each in processes)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_are_cancelled_together_and_go_on_as_one(
    make_spec: SpecMaker, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    alone = execute(make_spec(tmp_path / "alone", **CALM))
    wanted = {step["step"]: step for step in alone.of("step")}

    spec = make_spec(tmp_path / "two", devices=2, **CALM)
    process = launch.start(spec)
    started.append(process)
    follow(process, spec.run_dir, a_step_of(2))
    ranks = ranks_of(process)
    assert len(ranks) == 2
    asked = time.monotonic()
    launch.request_cancel(spec.run_dir)
    assert process.wait(timeout=PATIENCE) == launch.EXIT_CANCELLED
    assert time.monotonic() - asked < 5.0
    assert gone(ranks)
    first, *_, last = ev.read_events(spec.run_dir / launch.EVENTS)
    assert (first.kind, first.data["device"], last.kind) == ("started", "2 × cpu", "cancelled")

    # What two began, one can end.
    rest = execute(replace(spec, devices=1))
    assert 0 < len(rest.of("step")) < len(wanted)
    curve = steps(spec.run_dir)
    assert curve.keys() == wanted.keys()
    for number, step in wanted.items():
        for name in ("loss", "loss_text", "loss_mel", "learning_rate"):
            assert curve[number][name] == pytest.approx(step[name], abs=1e-5), (number, name)
    mine, theirs = (
        {
            event.data["epoch"]: event.data["validation_loss"]
            for event in ev.read_events(folder / launch.EVENTS)
            if event.kind == ev.EPOCH
        }
        for folder in (spec.run_dir, alone.spec.run_dir)
    )
    assert mine == pytest.approx(theirs, abs=1e-5)
    # One of the two wrote: every event once, each step once, and one file of curves for each start.
    events = list(ev.read_events(spec.run_dir / launch.EVENTS))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.data["step"] for event in events if event.kind == ev.STEP] == sorted(wanted)
    assert [event.data["epoch"] for event in events if event.kind == ev.CHECKPOINT] == sorted(theirs)
    assert len(list((spec.run_dir / launch.TENSORBOARD).iterdir())) == 2
    assert not (spec.run_dir / launch.RANKS).exists()


@pytest.mark.slow
def test_a_run_of_which_a_process_is_killed_fails_in_words_and_leaves_nobody(
    make_spec: SpecMaker, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    spec = make_spec(tmp_path / "run", devices=2, **CALM)
    process = launch.start(spec)
    started.append(process)
    ranks = both_ranks(process, spec)
    ranks[1].kill()
    assert process.wait(timeout=PATIENCE) == launch.EXIT_REFUSED
    assert gone(ranks)
    *_, last = ev.read_events(spec.run_dir / launch.EVENTS)
    assert (last.kind, last.data["code"]) == ("failed", "training_killed")
    assert "device 1 was killed by the system (signal 9)" in last.data["message"]

    again = launch.start(spec)
    started.append(again)
    ranks = both_ranks(again, spec)
    again.kill()
    again.wait()
    wait_for(lambda: gone(ranks), seconds=5.0)


class Wire:
    """What torch.distributed does, between two threads of this process."""

    def __init__(self) -> None:
        self.barrier, self.lock = threading.Barrier(2, timeout=60), threading.Lock()
        self.total: torch.Tensor | None = None

    def all_reduce(self, tensor: torch.Tensor) -> None:
        with self.lock:
            self.total = tensor.clone() if self.total is None else self.total + tensor
        self.barrier.wait()
        tensor.copy_(self.total)
        if self.barrier.wait() == 0:
            self.total = None
        self.barrier.wait()


Result = list[StepFacts] | Exception


def two_fits(
    folder: Path, monkeypatch: pytest.MonkeyPatch, spec: TrainSpec, checks: tuple[Progress, Progress] | None = None
) -> tuple[list[Fit], list[Result]]:
    """Train an epoch in two ranks; what each has to tell of it."""
    monkeypatch.setattr(ranking, "distributed", Wire())
    fits: list[Fit] = []
    results: list[Result] = [[], []]
    for index in range(2):
        fit, _ = a_fit(folder, spec)
        fit.ranks.count, fit.ranks.index = 2, index
        fits.append(fit)

    def work(index: int) -> None:
        facts: list[StepFacts] = []
        results[index] = facts
        try:
            progress = checks[index] if checks else Silent()
            fits[index].epoch(EpochProgress(1, 0), progress, lambda at, fact: facts.append(fact))
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return fits, results


def calm_spec() -> TrainSpec:
    return a_spec(batch_size=4, precision="fp32", lora=LoraSpec(rank=4))


def losses(result: Result) -> list[float]:
    assert isinstance(result, list), result
    return [fact.loss for fact in result]


def weights(fit: Fit) -> torch.Tensor:
    return torch.cat([value.detach().reshape(-1) for value in fit.parameters.values()])


def test_an_epoch_of_two_is_one_pass_in_the_steps_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = a_fit(tmp_path, calm_spec())
    expected = train(plain, 1)
    seen: list[str] = []

    def heard(gpt: Any, batch: Batch) -> Any:
        seen.extend(batch.ids)
        return forward_losses(gpt, batch)

    monkeypatch.setattr(fitting, "forward_losses", heard)
    fits, results = two_fits(tmp_path, monkeypatch, calm_spec())
    # Five clips in batches of four: the second batch leaves one of the two without a clip.
    assert sorted(seen) == [f"clip-{number}" for number in range(5)]
    for fit, result in zip(fits, results, strict=True):
        assert losses(result) == pytest.approx([fact.loss for fact in expected], abs=1e-5)
        assert torch.equal(weights(fit), weights(fits[0]))
        assert float((weights(fit) - weights(plain)).abs().max()) < 1e-4


def test_memory_that_runs_out_on_one_halves_the_batches_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(a_fit(tmp_path, calm_spec())[0], 1)
    first: list[Any] = []

    def short(gpt: Any, batch: Batch) -> Any:
        first.append(gpt)
        if gpt is first[0] and len(batch.ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward_losses(gpt, batch)

    monkeypatch.setattr(fitting, "forward_losses", short)
    fits, results = two_fits(tmp_path, monkeypatch, calm_spec())
    for fit, result in zip(fits, results, strict=True):
        assert (fit.pieces, fit.batch_size) == (2, 1)
        assert losses(result) == pytest.approx([fact.loss for fact in expected], abs=1e-5)


def test_what_ends_one_ends_both_and_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(gpt: Any, batch: Batch) -> Any:
        text, mel = forward_losses(gpt, batch)
        return text, mel * float("nan") if "clip-4" in batch.ids else mel

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "forward_losses", poisoned)
        _, results = two_fits(tmp_path, patch, calm_spec())
    named = [result for result in results if isinstance(result, DomainError)]
    assert [(each.code, "clip-4" in each.message) for each in named] == [("loss_not_finite", True)]
    assert sum(isinstance(result, PeerFailed) for result in results) == 1

    checks = 0

    def stop_in_the_second_step() -> bool:
        nonlocal checks
        checks += 1
        return checks > 3

    _, results = two_fits(tmp_path, monkeypatch, calm_spec(), (Callback(should_stop=stop_in_the_second_step), Silent()))
    assert [type(result) for result in results] == [Cancelled, Cancelled]


def test_validation_of_two_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = a_fit(tmp_path, calm_spec())
    whole = plain.validate(Silent())
    assert whole is not None
    plain.pieces = 2
    divided = plain.validate(Silent())
    assert divided is not None
    assert (divided.text, divided.mel) == pytest.approx((whole.text, whole.mel), abs=1e-5)


KILLED, TOLD = -signal.SIGKILL, -signal.SIGTERM
SAID = {"kind": ev.FAILED, "code": "loss_not_finite", "message": "At step 3 the loss became nan."}
BROKE = {"kind": ev.FAILED, "code": "unexpected", "message": "RuntimeError"}


@pytest.mark.parametrize(
    ("outcomes", "exits", "kind", "code"),
    [
        ([SAID, {"kind": several.STOPPED}], {0: 2, 1: 3}, ev.FAILED, "loss_not_finite"),
        # Connections break where one is killed; that is not why the run ended.
        ([BROKE], {0: 1, 1: KILLED}, ev.FAILED, "training_killed"),
        ([BROKE], {0: 1, 1: TOLD}, ev.FAILED, "unexpected"),
        ([{"kind": ev.CANCELLED}, BROKE], {0: 3, 1: 1}, ev.CANCELLED, None),
        ([{"kind": several.STOPPED}, {"kind": several.STOPPED}], {0: 3, 1: 3}, ev.CANCELLED, None),
        ([], {0: 1, 1: TOLD}, ev.FAILED, "unexpected"),
    ],
)
def test_a_run_ends_for_the_reason_of_the_rank_that_ended_it(
    outcomes: list[dict[str, Any]], exits: dict[int, int], kind: str, code: str | None
) -> None:
    found, data, _ = several._judge(outcomes, exits)
    assert (found, data.get("code")) == (kind, code)


def test_what_was_not_there_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    def a_spec(**changes: Any) -> TrainSpec:
        return TrainSpec(tmp_path, Path("b"), Path("m"), "en", **changes)

    with pytest.raises(DomainError) as caught:
        a_spec(devices=0)
    assert caught.value.field == "devices"
    with pytest.raises(DomainError) as caught:
        a_spec(devices=2, device="cuda:1")
    assert "cuda:1 is one device, and 2 were asked for" in caught.value.message
    there = torch.cuda.device_count()
    with pytest.raises(DomainError) as caught:
        build_accelerator(a_spec(devices=there + 2, device="auto"))
    assert (caught.value.code, caught.value.field) == ("device_missing", "devices")
    assert f"{there + 2} GPUs, and {there} were found" in caught.value.message
