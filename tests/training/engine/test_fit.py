"""The loop learns, depends on its seed alone, goes on where it stood, and stops at what is no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from tests.training.engine.material import made_up_clips, small_gpt
from training.engine import lora
from training.engine.fit import EpochProgress, Fit, StepFacts, build_accelerator, steps_per_epoch
from training.engine.spec import LoraSpec, TrainSpec
from training.engine.splits import Split
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent

STOP = 33


def a_spec(**changes: Any) -> TrainSpec:
    values: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 2,
        "learning_rate": 5e-3,
        "device": "cpu",
        "lora": LoraSpec(rank=4, alpha=8, dropout=0.1),
    }
    return TrainSpec(Path("run"), Path("bundle"), Path("manifest"), "en", **{**values, **changes})


def a_fit(folder: Path, spec: TrainSpec, seconds: tuple[float, ...] = (1.0, 1.2, 1.4, 1.1, 1.3)) -> tuple[Fit, Any]:
    gpt = small_gpt()
    torch.manual_seed(spec.seed)
    lora.inject(gpt, spec.lora)
    train, validation = Split(*made_up_clips(folder, seconds)), Split(*made_up_clips(folder, (1.2, 0.9), seed=1))
    return Fit(spec, gpt, train, validation, STOP, build_accelerator(spec)), gpt


def train(fit: Fit, epochs: int) -> list[StepFacts]:
    facts: list[StepFacts] = []
    step = 0
    for epoch in range(1, epochs + 1):
        at = EpochProgress(epoch, step)
        fit.epoch(at, Silent(), lambda at, fact: facts.append(fact))
        step = at.step
    return facts


def test_training_lowers_the_loss_and_reports_every_step(tmp_path: Path) -> None:
    fit, _ = a_fit(tmp_path, a_spec(epochs=8))
    facts = train(fit, 8)
    assert [fact.step for fact in facts] == list(range(1, 25))
    assert [fact.epoch for fact in facts] == [1 + step // 3 for step in range(24)]
    assert all(fact.loss == pytest.approx(0.01 * fact.loss_text + fact.loss_mel) for fact in facts)
    assert [fact.learning_rate for fact in facts] == [fit.schedule.rate(step) for step in range(1, 25)]
    first, last = facts[:6], facts[-6:]
    assert sum(fact.loss_mel for fact in last) < sum(fact.loss_mel for fact in first) - 0.3


def test_equal_seeds_give_equal_losses_and_other_seeds_others(tmp_path: Path) -> None:
    curves = [[fact.loss for fact in train(a_fit(tmp_path, a_spec(seed=seed))[0], 1)] for seed in (1, 1, 2)]
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]


def test_a_fit_goes_on_in_the_middle_of_an_epoch_as_if_never_stopped(tmp_path: Path) -> None:
    whole = train(a_fit(tmp_path, a_spec())[0], 2)

    first, gpt = a_fit(tmp_path, a_spec())
    begun: list[StepFacts] = []
    at = EpochProgress(1, 0)
    with pytest.raises(Cancelled):
        first.epoch(at, Callback(should_stop=lambda: len(begun) == 2), lambda at, fact: begun.append(fact))
    assert (at.step, at.steps) == (2, 2)
    adapter, optimizer = lora.adapter_state(gpt), first.optimizer_state()

    second, gpt = a_fit(tmp_path, a_spec())
    lora.load_adapter_state(gpt, adapter)
    second.load_optimizer_state(optimizer)
    torch.rand(17)  # whatever chance was used meanwhile does not matter
    facts = list(begun)
    second.epoch(at, Silent(), lambda at, fact: facts.append(fact))
    second.epoch(EpochProgress(2, at.step), Silent(), lambda at, fact: facts.append(fact))
    assert [fact.loss for fact in facts] == [fact.loss for fact in whole]


def test_accumulated_batches_count_as_one_step_of_their_mean(tmp_path: Path) -> None:
    lengths = (1.0, 1.0, 1.0, 1.0)
    spec = a_spec(batch_size=1, accumulation=4, lora=LoraSpec(rank=4))
    fit, gpt = a_fit(tmp_path, spec, lengths)
    (facts,) = train(fit, 1)
    assert (facts.step, fit.steps_per_epoch) == (1, 1)
    moved = [value for name, value in lora.adapter_state(gpt).items() if "lora_B" in name]
    assert all(float(value.abs().max()) > 0 for value in moved)


@pytest.mark.parametrize(("clips", "batch", "accumulation", "steps"), [(25, 4, 1, 7), (25, 4, 2, 4), (1, 8, 3, 1)])
def test_steps_of_an_epoch_are_counted_as_they_are_made(clips: int, batch: int, accumulation: int, steps: int) -> None:
    assert steps_per_epoch(clips, a_spec(batch_size=batch, accumulation=accumulation)) == steps


def test_validation_is_the_same_whenever_it_is_asked_and_does_not_train(tmp_path: Path) -> None:
    fit, gpt = a_fit(tmp_path, a_spec())
    before = lora.adapter_state(gpt)
    first = fit.validate(Silent())
    torch.rand(5)
    assert fit.validate(Silent()) == first
    assert first is not None
    assert first.total == pytest.approx(0.01 * first.text + first.mel)
    assert all(torch.equal(value, before[key]) for key, value in lora.adapter_state(gpt).items())


def test_without_validation_clips_there_is_no_validation_loss(tmp_path: Path) -> None:
    spec = a_spec()
    gpt = small_gpt()
    lora.inject(gpt, spec.lora)
    fit = Fit(spec, gpt, Split(*made_up_clips(tmp_path, (1.0,))), Split([], []), STOP, build_accelerator(spec))
    assert fit.validate(Silent()) is None


def test_a_loss_that_is_no_number_stops_and_names_step_and_clips(tmp_path: Path) -> None:
    fit, gpt = a_fit(tmp_path, a_spec(batch_size=8))
    with torch.no_grad():
        next(iter(lora.trainable(gpt).values())).fill_(float("nan"))
    with pytest.raises(DomainError) as caught:
        train(fit, 1)
    assert caught.value.code == "loss_not_finite"
    # Told by the loss itself, of the very batch; its gradient would be known of a whole step alone.
    assert "step 1 in epoch 1 the loss became nan" in caught.value.message
    assert all(f"clip-{number}" in caught.value.message for number in range(5))
    assert "0.005" in caught.value.message


def test_bf16_trains_on_a_processor_near_fp32(tmp_path: Path) -> None:
    plain = train(a_fit(tmp_path, a_spec(precision="fp32"))[0], 1)
    AcceleratorState._reset_state(reset_partial_state=True)
    half = train(a_fit(tmp_path, a_spec(precision="bf16"))[0], 1)
    assert [fact.loss for fact in half] != [fact.loss for fact in plain]
    assert [fact.loss for fact in half] == pytest.approx([fact.loss for fact in plain], abs=0.05)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what the test misses")
@pytest.mark.parametrize(
    ("changes", "code"),
    [({"precision": "fp16", "device": "auto"}, "precision_unsupported"), ({"device": "cuda:3"}, "device_missing")],
)
def test_what_the_machine_cannot_do_is_said_before_training(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(DomainError) as caught:
        build_accelerator(a_spec(**changes))
    assert caught.value.code == code
