from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from training.engine.tiny.recipe import Steps, Workshop
from xttsproject.lib.errors import DomainError


class Stopped(Exception):
    pass


def train(
    work: Path, *, stop_at: int | None = None, every_seconds: float = 0.0, scale: float = 1.0
) -> tuple[list[int], torch.Tensor]:
    torch.manual_seed(4)
    network = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05)
    steps = Steps(Workshop(work, scale=scale), "trial", 12, {"network": network, "optimizer": optimizer}, every_seconds)
    done = []
    for step in steps:
        if step == stop_at:
            raise Stopped
        loss = (network(torch.randn(8, 3)) - steps.random(step).random()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps.report(loss=loss.item())
        done.append(step)
    assert not done or steps.figures["loss"] > 0
    return done, network.weight.detach()


def test_a_stage_that_was_stopped_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path):
    done, whole = train(tmp_path / "whole")
    assert done == list(range(12))
    with pytest.raises(Stopped):
        train(tmp_path / "stopped", stop_at=7)
    rest, resumed = train(tmp_path / "stopped")
    assert rest == list(range(7, 12))
    assert torch.equal(whole, resumed)


def test_a_stage_with_a_report_is_done_and_without_it_goes_on_when_there_is_more_to_do(tmp_path: Path):
    workshop = Workshop(tmp_path)
    assert not workshop.finished("trial")
    train(tmp_path)
    workshop.finish("trial", {"steps": 12})
    assert workshop.finished("trial")
    assert train(tmp_path)[0] == []
    assert train(tmp_path, scale=1.5)[0] == list(range(12, 18))


@pytest.mark.parametrize("drawers", [0, 2])
def test_what_a_step_draws_hangs_on_the_step_alone_whoever_draws_it(
    drawers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Workshop, "drawers", property(lambda _self: drawers))
    steps = Steps(Workshop(tmp_path), "trial", 6, {})
    drawn = [
        (step, batch, random.random())
        for step, random, batch in steps.drawn(lambda step, random: (step, random.random()))
    ]
    alone = []
    for step in range(6):
        random = steps.random(step)
        alone.append((step, (step, random.random()), random.random()))
    assert drawn == alone


def test_a_gpu_is_given_more_rows_and_drawn_for_ahead(tmp_path: Path):
    usual, fast = Workshop(tmp_path), Workshop(tmp_path, threads=8, device=torch.device("cuda"))
    assert (usual.rows(8), usual.drawers) == (8, 0)
    assert fast.rows(8) > 8
    assert fast.drawers == 7


def test_scale_multiplies_the_steps_of_every_stage(tmp_path: Path):
    assert Workshop(tmp_path, scale=0.5).steps(100) == 50
    assert Workshop(tmp_path, scale=0.001).steps(100) == 1


def test_the_rate_rises_to_its_peak_and_falls_to_its_floor(tmp_path: Path):
    steps = Steps(Workshop(tmp_path), "trial", 1000, {})
    rates = [steps.cosine(step, 1.0, warmup=100) for step in range(1000)]
    assert rates[0] < 0.02
    assert max(rates) == pytest.approx(0.976, abs=0.01)
    assert rates[-1] == pytest.approx(0.02, abs=0.001)


def test_a_stage_is_done_anew_once_what_it_is_made_of_was(tmp_path: Path):
    workshop = Workshop(tmp_path)
    for stage in ("dvae", "style"):
        workshop.finish(stage, {"steps": 1})
    workshop.finish("gpt", {"steps": 2})
    workshop.finish("decoder", {"steps": 3})
    assert workshop.finished("gpt")
    assert workshop.finished("decoder")
    workshop.finish("style", {"steps": 9})
    assert workshop.finished("dvae")
    assert not workshop.finished("gpt")
    workshop.finish("gpt", {"steps": 2})
    assert workshop.finished("gpt")
    assert not workshop.finished("decoder")


def test_what_was_begun_upon_other_results_is_not_resumed(tmp_path: Path):
    workshop = Workshop(tmp_path)
    network = torch.nn.Linear(2, 2)
    workshop.finish("dvae", {"steps": 1})
    list(Steps(workshop, "gpt", 3, {"network": network}))
    assert list(Steps(workshop, "gpt", 5, {"network": network})) == [3, 4]
    workshop.finish("dvae", {"steps": 2})
    with pytest.raises(DomainError, match=r"state\.pt of the stage “gpt”") as caught:
        list(Steps(workshop, "gpt", 7, {"network": network}))
    assert caught.value.code == "stage_stale"
