"""Recording CUDA graphs: on a GPU sentences say what they say without them. Elsewhere, that nothing is recorded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.xttsproject.xtts.test_adapters import TARGETS, write_adapter
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.decode import GptDecoder
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.graphs import Calling, CudaGraphs, Recorder, recorder_for
from xttsproject.xtts.loop import Row, SpeechLoop, Utterance
from xttsproject.xtts.projections import Precision
from xttsproject.xtts.sampling import Draw

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_a_reason_is_said_once_and_is_the_first(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Calling()
    with caplog.at_level(logging.WARNING):
        recorder.give_up("the driver is too old")
        recorder.give_up("and something else")
    assert recorder.off == "the driver is too old"
    assert [record.message for record in caplog.records] == [
        "Speech goes on without recorded steps until this process ends: the driver is too old"
    ]


def test_a_processor_has_no_recorder() -> None:
    assert recorder_for(torch.device("cpu")) is None


# --- on a GPU ------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorder() -> Iterator[CudaGraphs]:
    recorder = CudaGraphs(torch.device("cuda", 0))
    yield recorder
    assert recorder.off == ""


def on_gpu(bundle: Path, precision: Precision) -> GptDecoder:
    return XttsEngine.load(bundle, device="cuda", precision=precision).gpt


def wanted(engine: XttsEngine, voice: Conditioning) -> list[Utterance]:
    texts = ("the first sentence", "a second one, which is longer than the first", "no", "and does it end here?")
    draws = Draw(), Draw(greedy=True, repetition_penalty=2.0), Draw(top_k=0, top_p=1.0), Draw(temperature=0.6)
    return [
        Utterance(tuple(engine.tokenizer.encode(text, "en")), voice.gpt_latents * (1 + 0.2 * place), cap, place, draw)
        for place, (text, draw, cap) in enumerate(zip(texts, draws, (60, 200, 12, 90), strict=True))
    ]


def said(decoder: GptDecoder, utterances: list[Utterance], recorder: Recorder | None) -> list[Row]:
    """All in one loop, three steps apart."""
    loop, rows = SpeechLoop(decoder, recorder=recorder), []
    for utterance in utterances:
        rows.append(loop.add(utterance))
        for _ in range(3):
            loop.step()
    while loop.busy:
        loop.step()
    return rows


@pytest.mark.gpu
@needs_cuda
def test_graphs_say_what_the_ordinary_steps_say(
    random_bundle: Path, engine: XttsEngine, voice: Conditioning, recorder: CudaGraphs
) -> None:
    decoder, utterances = on_gpu(random_bundle, "fp32"), wanted(engine, voice)
    expected = said(decoder, utterances, None)
    for _ in range(2):
        for row, ordinary in zip(said(decoder, utterances, recorder), expected, strict=True):
            assert row.codes == ordinary.codes
            assert (row.latents() - ordinary.latents()).abs().max() < 1e-3


@pytest.mark.gpu
@needs_cuda
def test_graphs_speak_with_several_adapters(
    random_bundle: Path, engine: XttsEngine, voice: Conditioning, recorder: CudaGraphs, tmp_path: Path
) -> None:
    decoder = on_gpu(random_bundle, "fp32")
    one = decoder.read_adapter(write_adapter(tmp_path / "one", random_bundle, 1, TARGETS))
    other = decoder.read_adapter(write_adapter(tmp_path / "other", random_bundle, 2, TARGETS[:1]))
    adapters = one, other, None, one
    utterances = [replace(each, adapter=own) for each, own in zip(wanted(engine, voice), adapters, strict=True)]
    expected = said(decoder, utterances, None)
    for row, ordinary in zip(said(decoder, utterances, recorder), expected, strict=True):
        assert row.codes == ordinary.codes


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_graphs_of_16_bits_are_trusted(
    random_bundle: Path, engine: XttsEngine, voice: Conditioning, recorder: CudaGraphs, precision: Precision
) -> None:
    rows = said(on_gpu(random_bundle, precision), wanted(engine, voice), recorder)
    assert all(row.done and not row.lost and row.latents().isfinite().all() for row in rows)


@pytest.mark.gpu
@needs_cuda
def test_other_threads_may_use_the_gpu_while_a_step_is_recorded(
    random_bundle: Path, engine: XttsEngine, voice: Conditioning, recorder: CudaGraphs
) -> None:
    decoder, utterances, done = on_gpu(random_bundle, "fp32"), wanted(engine, voice), threading.Event()

    def work() -> None:
        while not done.is_set():
            torch.randn(512, 512, device="cuda").sum().item()

    other = threading.Thread(target=work)
    other.start()
    try:
        said(decoder, utterances, recorder)
    finally:
        done.set()
        other.join()


@pytest.mark.gpu
@needs_cuda
@torch.inference_mode()
def test_a_recording_that_breaks_off_leaves_the_thread_as_it_was() -> None:
    recorder, here = CudaGraphs(torch.device("cuda", 0)), torch.cuda.current_stream()
    number = torch.ones(1, device="cuda")
    with pytest.raises(RuntimeError):
        recorder.record(lambda: print(number.item()))
    assert torch.cuda.current_stream() == here
    assert (number + 1).item() == 2.0
    # What PyTorch had begun has been taken back: memory can be returned, and numbers drawn.
    torch.cuda.empty_cache()
    torch.randn(1, device="cuda")

    def negate() -> None:
        number.neg_()

    again = recorder.record(negate)
    number.fill_(3.0)
    again()
    assert number.item() == -3.0
