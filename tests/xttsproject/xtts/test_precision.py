"""Every precision speaks nearly as float32 does, and as it does alone whoever shares the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import Saying, XttsEngine
from xttsproject.xtts.loop import SpeechLoop, Utterance
from xttsproject.xtts.projections import PRECISIONS, Precision, projection, resolve_precision, supported_precisions
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.types import Sampling

CPU = torch.device("cpu")
SMALLER: tuple[Precision, ...] = ("bf16", "fp16", "int8")
# How far a product of normally distributed numbers may be off, as a share of its own size.
ERRORS = {"bf16": 0.005, "fp16": 0.0005, "int8": 0.015}


@pytest.fixture(scope="module", params=SMALLER)
def smaller(request: pytest.FixtureRequest, random_bundle: Path) -> XttsEngine:
    return XttsEngine.load(random_bundle, precision=request.param)


@pytest.mark.parametrize("precision", SMALLER)
def test_a_packed_matrix_multiplies_as_the_whole_one_nearly(precision: Precision) -> None:
    generator = torch.Generator().manual_seed(5)
    weight, bias = torch.randn(96, 160, generator=generator), torch.randn(160, generator=generator)
    x = torch.randn(3, 4, 96, generator=generator) * torch.tensor([0.01, 1.0, 100.0])[:, None, None]
    expected = x @ weight + bias
    found = projection(weight, bias, precision, CPU)(x)
    assert found.shape == expected.shape
    assert found.dtype == torch.float32
    for row in range(3):
        # The quiet row as exactly as the loud one: each position has its own scale.
        off = (found[row] - expected[row]).norm() / (expected[row] - bias).norm()
        assert off < ERRORS[precision]


@pytest.mark.parametrize("precision", SMALLER)
def test_a_position_of_zeros_gives_the_bias(precision: Precision) -> None:
    bias = torch.arange(8.0)
    assert torch.equal(projection(torch.ones(16, 8), bias, precision, CPU)(torch.zeros(2, 16)), bias.expand(2, -1))


def utterances(engine: XttsEngine, voice: Conditioning) -> list[Utterance]:
    texts = ("the first sentence", "a second one, which is longer than the first", "no", "does it end here?", "yes")
    return [
        Utterance(tuple(engine.tokenizer.encode(text, "en")), voice.gpt_latents * (1 + place / 4), cap, place, draw)
        for place, (text, cap, draw) in enumerate(
            zip(texts, (30, 50, 8, 40, 25), (Draw(), Draw(greedy=True), Draw(top_k=0), Draw(), Draw()), strict=True)
        )
    ]


def test_latents_stay_near_those_of_float32(engine: XttsEngine, smaller: XttsEngine, voice: Conditioning) -> None:
    for utterance in utterances(engine, voice)[:2]:
        [exact] = engine.gpt.decode([utterance])
        # What another pass computes for the same codes is what the loop had.
        again = engine.gpt.follow(utterance, exact.codes)
        assert (again - exact.latents).abs().max() < 1e-4
        latents = smaller.gpt.follow(utterance, exact.codes)
        off = ((latents - exact.latents).norm() / exact.latents.norm()).item()
        assert 0 < off < 4 * ERRORS[smaller.precision]


def test_a_sentence_is_the_same_bit_for_bit_whoever_joins_and_leaves(smaller: XttsEngine, voice: Conditioning) -> None:
    wanted = utterances(smaller, voice)
    loop, rows = SpeechLoop(smaller.gpt, limit=3), []
    for utterance in wanted:
        rows.append(loop.add(utterance))
        for _ in range(4):
            loop.step()
    while loop.busy:
        loop.step()
    for row, utterance in zip(rows, wanted, strict=True):
        [alone] = smaller.gpt.decode([utterance])
        assert tuple(row.codes) == alone.codes
        assert torch.equal(row.latents(), alone.latents)


@pytest.mark.parametrize("precision", SMALLER)
def test_it_is_so_on_several_threads_too(tiny_bundle: Path, precision: Precision) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        engine = XttsEngine.load(tiny_bundle, precision=precision)
        voice = next(iter(engine.builtin_speakers().values()))
        texts = [
            "It is said alone.",
            "And it is said beside many others, some of which go on for longer.",
            "Is it the same?",
        ]
        wanted = [engine.planned(Saying(text, "en", voice, Sampling(seed=3))).utterances[0] for text in texts]
        for together, utterance in zip(engine.gpt.decode(wanted), wanted, strict=True):
            [alone] = engine.gpt.decode([utterance])
            assert together.codes == alone.codes
            assert torch.equal(together.latents, alone.latents)
            assert np.array_equal(engine.render(together.latents, voice), engine.render(alone.latents, voice))
    finally:
        torch.set_num_threads(threads)


def test_a_precision_that_is_unknown_or_not_for_the_device_is_refused(random_bundle: Path) -> None:
    with pytest.raises(DomainError, match="'fp8', but auto, fp32, bf16, fp16 or int8 is expected"):
        XttsEngine.load(random_bundle, precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="int8 weights are for a processor; on cuda take fp16 or bf16"):
        resolve_precision("int8", torch.device("cuda"))


def test_a_processor_without_the_packing_library_is_told_what_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xttsproject.xtts.projections._engines", lambda: ["qnnpack"])
    for precision in ("fp16", "int8"):
        with pytest.raises(DomainError, match=f"no FBGEMM, which {precision} weights need; take bf16 or fp32"):
            resolve_precision(precision, CPU)
    assert supported_precisions(CPU) == ("fp32", "bf16")
    assert supported_precisions(torch.device("cuda")) == ("fp32", "bf16", "fp16")
    assert resolve_precision("bf16", CPU) == "bf16"


@pytest.mark.parametrize(
    ("device", "libraries", "abilities", "chosen"),
    [
        ("cpu", ["fbgemm"], {"avx2": True}, "fp16"),
        ("cpu", ["qnnpack"], {"avx512_bf16": True}, "bf16"),
        ("cpu", ["qnnpack"], {}, "fp32"),
        ("cuda", [], {}, "fp16"),
    ],
)
def test_the_automatic_precision_is_the_device_s_own(
    monkeypatch: pytest.MonkeyPatch, device: str, libraries: list[str], abilities: dict[str, bool], chosen: str
) -> None:
    monkeypatch.setattr("xttsproject.xtts.projections._engines", lambda: libraries)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    assert resolve_precision("auto", torch.device(device)) == chosen
    for precision in PRECISIONS:
        if precision in ("fp32", "bf16"):
            assert resolve_precision(precision, torch.device(device)) == precision


def test_an_engine_says_which_precision_it_took(random_bundle: Path) -> None:
    engine = XttsEngine.load(random_bundle, precision="auto")
    assert engine.precision == engine.gpt.precision == resolve_precision("auto", CPU)


def test_sound_is_computed_in_bfloat16_only_where_the_processor_multiplies_in_it(
    monkeypatch: pytest.MonkeyPatch, random_bundle: Path, engine: XttsEngine, voice: Conditioning
) -> None:
    latents = torch.randn(4, engine.config.gpt.width, generator=torch.Generator().manual_seed(3))
    exact = engine.render(latents, voice)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    without = XttsEngine.load(random_bundle, precision="int8")
    assert np.array_equal(without.render(latents, voice), exact)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    having = XttsEngine.load(random_bundle, precision="int8")
    assert not np.array_equal(having.render(latents, voice), exact)


def test_bf16_speaks_where_pytorch_was_built_without_onednn(
    random_bundle: Path, engine: XttsEngine, voice: Conditioning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for Apple's processors: the operators that would pack the weights do not exist there."""
    monkeypatch.setattr("torch.backends.mkldnn.is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    plain = XttsEngine.load(random_bundle, precision="bf16")
    utterance = utterances(engine, voice)[0]
    [exact] = engine.gpt.decode([utterance])
    off = plain.gpt.follow(utterance, exact.codes) - exact.latents
    assert 0 < off.norm() / exact.latents.norm() < 4 * ERRORS["bf16"]
    assert len(plain.render(exact.latents, voice)) == len(engine.render(exact.latents, voice))
