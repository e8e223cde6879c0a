"""What the GPT makes of a voice is computed once, and kept for the voice's next sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from xttsproject.xtts.adapters import Adapter
from xttsproject.xtts.cache import Opening, Openings
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.decode import GptDecoder
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.loop import Utterance
from xttsproject.xtts.sampling import Draw


@pytest.fixture
def gpt(engine: XttsEngine, monkeypatch: pytest.MonkeyPatch) -> GptDecoder:
    """The shared one with no voice kept."""
    monkeypatch.setattr(engine.gpt, "openings", Openings(2))
    return engine.gpt


@pytest.fixture
def passes(gpt: GptDecoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Positions of each run through the blocks."""
    seen: list[int] = []
    forward = gpt._blocks.forward

    def counted(x: Tensor, *rest: object) -> Tensor:
        seen.append(x.shape[1])
        return forward(x, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(gpt._blocks, "forward", counted)
    return seen


def utterance(
    engine: XttsEngine, latents: Tensor, text: str = "a sentence", adapter: Adapter | None = None
) -> Utterance:
    return Utterance(tuple(engine.tokenizer.encode(text, "en")), latents, 6, 1, Draw(), adapter)


def test_sentences_of_one_voice_share_its_beginning(
    engine: XttsEngine, voice: Conditioning, gpt: GptDecoder, passes: list[int]
) -> None:
    texts = ("a sentence", "another one", "and a third")
    # Read anew for each request: what counts is what is in it.
    gpt.decode([utterance(engine, voice.gpt_latents.clone(), text) for text in texts])
    beginnings = [positions for positions in passes if positions > 1]
    assert beginnings.count(32) == 1
    assert len(beginnings) == 1 + len(texts)
    assert all(positions < 32 for positions in beginnings[1:])


def test_a_sentence_is_the_same_whether_its_voice_was_there_or_not(
    engine: XttsEngine, voice: Conditioning, gpt: GptDecoder, passes: list[int]
) -> None:
    wanted = utterance(engine, voice.gpt_latents)
    [first], [again] = gpt.decode([wanted]), gpt.decode([wanted])
    gpt.openings = Openings(2)
    [anew] = gpt.decode([wanted])
    assert passes.count(32) == 2
    assert first.codes == again.codes == anew.codes
    assert torch.equal(first.latents, again.latents)
    assert torch.equal(first.latents, anew.latents)


def test_another_adapter_makes_something_else_of_a_voice(
    engine: XttsEngine, voice: Conditioning, gpt: GptDecoder, passes: list[int]
) -> None:
    width = engine.config.gpt.width
    factors = torch.full((2, 4 * width), 0.02), torch.full((width, 2), 0.02)
    tuned = utterance(engine, voice.gpt_latents, adapter=Adapter({"gpt.h.0.mlp.c_proj": factors}))
    plain = replace(tuned, adapter=None)
    [expected] = gpt.decode([tuned])
    gpt.decode([plain])
    [again] = gpt.decode([tuned])
    assert passes.count(32) == 2
    assert torch.equal(again.latents, expected.latents)
    [other] = gpt.decode([plain])
    assert not torch.equal(other.latents[0], expected.latents[0])


def test_the_voice_that_was_used_least_recently_leaves(
    engine: XttsEngine, voice: Conditioning, gpt: GptDecoder, passes: list[int]
) -> None:
    for loud in (1.0, 1.5, 1.0, 2.0, 1.0):
        gpt.decode([utterance(engine, voice.gpt_latents * loud)])
    assert passes.count(32) == 3
    assert len(gpt.openings) == 2
    gpt.decode([utterance(engine, voice.gpt_latents * 1.5)])
    assert passes.count(32) == 4


def test_an_opening_that_cannot_be_computed_is_not_kept() -> None:
    openings = Openings(2)

    def broken() -> Opening:
        raise MemoryError

    with pytest.raises(MemoryError):
        openings.get("a", broken)
    assert len(openings) == 0
