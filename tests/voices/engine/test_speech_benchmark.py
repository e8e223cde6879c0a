"""``manage.py benchmark speech`` measures both sides, in small; and recommends only what costs little."""

from __future__ import annotations

import json
import time
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from voices.engine.benchmark import loading
from voices.engine.benchmark.contenders import Ours, Spent
from voices.engine.benchmark.limits import Limits, _quickest, least_seconds
from voices.engine.benchmark.quality import SENTENCES, Quality, measure_quality
from voices.engine.benchmark.speech import TEXTS, Measured, Wish, _Bout, recommended
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import read_config
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.graphs import Calling
from xttsproject.xtts.projections import Precision, multiplies_bf16

KEYS = {
    "single",
    "eight_sentences",
    "rtf_eight_sentences",
    "eight_users",
    "first_chunk_ratio",
    "precision",
    "share_of_limit",
}
FINE = Quality(agreement=0.99, divergence=0.001, latents_db=40.0, mel_db=0.5, character_errors=0.1)


def test_the_small_model_is_measured_beside_coquis_code(tmp_path: Path) -> None:
    out = StringIO()
    size = ["--sizes", "tiny", "--codes", "21", "--pairs", "1", "--loads", "1", "--threads", "1"]
    words = [*size, "--precisions", "int8", "fp32", "--no-quality"]
    call_command("benchmark", "speech", "--work", str(tmp_path / "work"), *words, stdout=out)
    lines = out.getvalue().splitlines()
    told = json.loads(lines[-1])
    assert set(told) >= KEYS
    # The same weights: float32 speaks Coqui's codes, whatever the speed.
    assert told["equal_greedy_codes"]["fp32"] == 12
    # Nobody measured what int8 costs, so that it is not recommended.
    assert told["precision"] == "fp32"
    assert set(told["precisions"]) == {"fp32", "int8"}
    assert set(told["seconds"]) == {"coqui", "fp32", "int8"}
    # The same codes and latents: only rounding is between them.
    assert 10 < told["precisions"]["int8"]["latents_db"] < 80
    # A processor that does not multiply in bfloat16 renders the sound in float32.
    assert told["precisions"]["int8"]["sound_db"] > 20
    assert (told["precisions"]["int8"]["sound_db"] < 80) is multiplies_bf16(torch.device("cpu"))
    assert "sound_db" not in told["precisions"]["fp32"]
    loaded = told["loading"]
    assert all(seconds > 0 for seconds in loaded.values())
    share = loaded["ready_s"] / (loaded["import_s"] + loaded["read_s"])
    assert loaded["share"] == pytest.approx(share, abs=0.05)
    assert all(seconds > 0 for spent in told["seconds"].values() for seconds in spent.values())
    assert told["eight_sentences"] == pytest.approx(
        told["seconds"]["coqui"]["eight_sentences"] / told["seconds"]["fp32"]["eight_sentences"], rel=0.1
    )
    assert any("one sentence, round 1: coqui" in line for line in lines)
    # The model of the measurement is gone, whole gigabytes where it is a full one.
    assert list((tmp_path / "work").iterdir()) == []


def test_recorded_steps_are_measured_as_the_portal_has_them_and_without(
    engine: XttsEngine, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.gpt, "recorder", recorder := Calling())
    ours, plain = Ours(engine), Ours(engine, record=False)
    assert (ours.records, ours.still_records, plain.records, plain.still_records) == (True, True, False, False)
    words = TEXTS[:2], [Conditioning.load(voice)] * 2, 21
    # One loop for all that is asked for, with what has been recorded in it.
    assert ours._loop() is ours._loop()
    assert plain._loop() is not plain._loop()
    assert (plain._loop()._steps, ours._loop()._steps is None) == (None, False)
    for one, other in zip(ours.speak(*words), plain.speak(*words), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    for one, other in zip(ours.users(*words), plain.users(*words), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    ours.first_chunk(TEXTS[0], words[1][0])
    assert not ours._loop().busy
    recorder.give_up("it broke")
    assert (ours.records, ours.still_records) == (True, False)


def test_sides_that_make_unequal_sound_of_as_many_codes_are_not_compared(random_bundle: Path, tmp_path: Path) -> None:
    streamed: list[str] = []

    def side(samples: int) -> Any:
        engine = SimpleNamespace(device=torch.device("cpu"))
        sound = [np.zeros(samples, dtype=np.float32)]
        return SimpleNamespace(
            speak=lambda texts, voices, codes: sound,
            first_chunk=lambda *asked: streamed.append(asked[0]),
            engine=engine,
            records=False,
        )

    def warm_up(ours: int) -> None:
        sides: dict[Precision, Any] = {"fp32": side(1000), "int8": side(ours)}
        _Bout(Wish(tmp_path), read_config(random_bundle), side(1000), sides, Limits(1.0, {}), print)._warm_up()

    warm_up(1000)
    # Both sides have streamed before the clock runs, too.
    assert streamed == [TEXTS[0]] * 3
    with pytest.raises(DomainError, match="made 1000 samples and ours in int8 900"):
        warm_up(900)


def test_a_device_or_a_precision_of_it_that_is_not_there_is_refused_before_a_model_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = ["--work", str(tmp_path / "work"), "--no-quality", "--device"]
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(CommandError, match="'cuda' was asked for, but this machine has no CUDA"):
        call_command("benchmark", "speech", *work, "cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(CommandError, match="'cuda:2' is not there: 2 CUDA devices were found"):
        call_command("benchmark", "speech", *work, "cuda:2")
    with pytest.raises(CommandError, match="int8 weights are for a processor"):
        call_command("benchmark", "speech", *work, "cuda:1", "--precisions", "fp16", "int8")
    assert not (tmp_path / "work").exists()


def test_the_clock_waits_for_the_device_that_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr("torch.cuda.synchronize", waited.append)
    Spent.on(lambda: None, torch.device("cuda", 1))
    assert waited == [torch.device("cuda", 1)] * 2
    Spent.on(lambda: None, torch.device("cpu"))
    assert len(waited) == 2


def test_fewer_codes_than_a_chunk_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--codes is 20, but must be from 21 to 600"):
        call_command("benchmark", "speech", "--work", str(tmp_path), "--codes", "20", "--no-quality")


@pytest.mark.parametrize("option", ["--rounds", "--long-rounds", "--loads"])
def test_what_is_measured_is_measured_once_at_least(tmp_path: Path, option: str) -> None:
    with pytest.raises(CommandError, match=f"{option} is 0, but must be at least 1"):
        call_command("benchmark", "speech", "--work", str(tmp_path / "work"), option, "0", "--no-quality")


def test_a_load_is_held_against_imports_and_reading_of_its_own_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow spell of the machine that begins in the middle changes no share."""
    seconds = iter([9.0, 3.0, 3.6, 3.0, 3.6, 6.0, 7.2, 6.0, 7.2, 6.0, 9.9])
    reading = iter([1.0, 1.0, 2.0, 2.0, 2.0])
    monkeypatch.setattr(loading, "_child", lambda *words: next(seconds))
    monkeypatch.setattr(loading, "_read", lambda path: next(reading))
    found = loading.measure_loading(tmp_path, "int8", tmp_path, 1, 5, lambda line: None)
    assert found == loading.Loading(read_s=2.0, import_s=6.0, first_ready_s=9.0, ready_s=7.2, share=0.9)


def measured(**speeds: float) -> Measured:
    ratios: dict[Precision, dict[str, float]] = {
        precision: {"eight_sentences": speeds[precision]}
        for precision in ("fp32", "fp16", "int8")
        if precision in speeds
    }
    return Measured(ratios, ratios, {}, {}, {})


def test_the_fastest_precision_whose_cost_is_known_and_small_is_recommended() -> None:
    rough = Quality(agreement=0.99, divergence=0.1, latents_db=20.0, mel_db=3.0, character_errors=0.13)
    fast = measured(fp32=2.0, fp16=4.0, int8=6.0)
    assert recommended(fast, {"fp32": FINE, "fp16": FINE, "int8": FINE}) == "int8"
    assert recommended(fast, {"fp32": FINE, "fp16": FINE, "int8": rough}) == "fp16"
    assert recommended(fast, {"fp32": FINE, "fp16": FINE}) == "fp16"
    assert recommended(fast, {}) == "fp32"
    assert recommended(measured(int8=6.0), {}) == "int8"


def test_a_step_takes_as_long_as_its_bytes_or_its_products(random_bundle: Path) -> None:
    shape = read_config(random_bundle).gpt
    weights = 12 * shape.layers * shape.width**2

    def least(bandwidth: float, flops: float, rows: int, codes: int) -> float:
        limits = Limits(bandwidth, {"int8": flops})
        return least_seconds(limits, shape, "int8", rows=rows, tokens=20, codes=codes, cpu=True)

    step_alone = least(1e6, 1e30, 1, 3) - least(1e6, 1e30, 1, 2)
    assert step_alone > weights / 1e6
    # Memory that costs nothing: only products count, and eight rows have eight times as many.
    assert least(1e30, 1e6, 8, 3) == pytest.approx(8 * least(1e30, 1e6, 1, 3))
    # The voice has spoken before: what it begins with is looked at, and not computed.
    assert least(1e30, 1e6, 1, 2) == pytest.approx(2 * weights * (20 + 3 + 1) / 1e6)
    assert least(1e6, 1e30, 1, 3) - least(1e6, 1e30, 1, 2) > (weights + 8 * shape.layers * shape.width * 55) / 1e6


def test_the_limits_of_a_gpu_are_no_launch_times() -> None:
    """Its work is done in microseconds; the answer to the host comes once, whatever was done before."""
    done: list[int] = []

    class Slow:
        def flatten(self) -> Any:
            time.sleep(0.02)
            return [torch.zeros(())]

    def work() -> Any:
        done.append(1)
        return Slow()

    assert _quickest(work, 1) >= 0.02
    done.clear()
    assert _quickest(work, 50) < 0.01
    assert len(done) == 350


def test_what_a_precision_costs_is_measured_with_the_model_that_speaks(
    tiny_bundle: Path, tiny_whisper_bundle: Path
) -> None:
    lines: list[str] = []
    found = measure_quality(tiny_bundle, tiny_whisper_bundle, ["int8"], "cpu", lines.append, SENTENCES[:3])
    assert list(found) == ["fp32", "int8"]
    exact, small = found["fp32"], found["int8"]
    assert exact.agreement > 0.999
    assert exact.latents_db > 80
    assert exact.divergence < 1e-6
    assert small.agreement > 0.8
    assert exact.divergence < small.divergence < 0.1
    assert 15 < small.latents_db < exact.latents_db
    assert exact.mel_db < 0.01 < small.mel_db < 6.0
    assert 0 <= small.character_errors < 0.5
    assert len(lines) == 2
