"""Prompts are refused before hours of training, not after them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.engine.material import voice
from training.engine.sampling import check_prompts
from training.engine.spec import Prompt, TrainSpec
from xttsproject.lib.audio import write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.networks import load_tokenizer


def check(tmp_path: Path, bundle: Path, *prompts: Prompt) -> None:
    write_wav(tmp_path / "reference.wav", voice(2.0))
    spec = TrainSpec(
        tmp_path,
        bundle,
        tmp_path / "manifest.jsonl",
        "en",
        sample_prompts=prompts,
        reference_clips=(tmp_path / "reference.wav",),
    )
    check_prompts(spec, ("en",), load_tokenizer(bundle))


def test_a_sentence_that_can_be_read_passes(tmp_path, tiny_bundle):
    check(tmp_path, tiny_bundle, Prompt("Twelve, please: 12!", "en"))


@pytest.mark.parametrize("text", ["日本語", "♪ ♪", "…"])
def test_a_sentence_without_a_sign_that_the_model_reads_is_refused(tmp_path, tiny_bundle, text):
    with pytest.raises(DomainError, match=text) as caught:
        check(tmp_path, tiny_bundle, Prompt("Good morning.", "en"), Prompt(text, "en"))
    assert (caught.value.code, caught.value.field) == ("text_unspeakable", "sample_prompts")


def test_a_language_that_the_model_does_not_speak_is_refused(tmp_path, tiny_bundle):
    with pytest.raises(DomainError) as caught:
        check(tmp_path, tiny_bundle, Prompt("Guten Morgen.", "de"))
    assert caught.value.code == "language_unsupported"
