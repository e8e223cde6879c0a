"""Trained weights say in CTranslate2's layout what they say in transformers' own network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xttsproject.bundles.tiny.whisper_spec import Sizes, state_to_spec
from xttsproject.bundles.tiny.whisper_tokens import Tokens, tokens

SMALL = Sizes(width=32, heads=2, encoder_layers=2, decoder_layers=2, alignment_heads=((1, 0),))


@pytest.fixture(scope="module")
def vocabulary() -> Tokens:
    return tokens()


@pytest.fixture(scope="module")
def network(vocabulary: Tokens) -> Any:
    from training.engine.tiny.listener import whisper_network

    torch.manual_seed(5)
    network = whisper_network(vocabulary, SMALL).eval()
    with torch.no_grad():
        for weight in network.parameters():
            # No weight stays at 0 or 1, where a swap of two would go unseen.
            weight.add_(0.05 * torch.randn_like(weight))
    return network


@pytest.fixture(scope="module")
def converted(network: Any, vocabulary: Tokens, tmp_path_factory: pytest.TempPathFactory) -> Any:
    import ctranslate2

    folder: Path = tmp_path_factory.mktemp("converted")
    state = {name: weight.detach().numpy() for name, weight in network.state_dict().items()}
    spec = state_to_spec(state, vocabulary, SMALL)
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="float32", inter_threads=1)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.5, (1, 80, 3000)).astype(np.float32)


def test_the_encoder_hears_the_same(network: Any, converted: Any, sound: np.ndarray) -> None:
    import ctranslate2

    with torch.no_grad():
        wanted = network.model.encoder(torch.from_numpy(sound)).last_hidden_state.numpy()
    found = np.array(converted.encode(ctranslate2.StorageView.from_array(sound)))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_the_decoder_gives_the_same_logits(network: Any, converted: Any, sound: np.ndarray, vocabulary: Tokens) -> None:
    import ctranslate2

    prompt = [vocabulary.special_id(name) for name in ("startoftranscript", "en", "transcribe", "notimestamps")]
    result = converted.generate(
        ctranslate2.StorageView.from_array(sound),
        [prompt],
        beam_size=1,
        max_length=12,
        suppress_blank=False,
        suppress_tokens=[],
        return_logits_vocab=True,
    )[0]
    written = result.sequences_ids[0]
    assert len(written) > 3
    with torch.no_grad():
        text = torch.tensor([[*prompt, *written]])
        wanted = network(torch.from_numpy(sound), decoder_input_ids=text).logits[0].numpy()
    found = np.array([np.array(logits) for logits in result.logits[0]])
    np.testing.assert_allclose(found[: len(written)], wanted[3 : 3 + len(written)], atol=5e-3)
    assert [int(row.argmax()) for row in wanted[3 : 3 + len(written)]] == written


def test_a_missing_weight_is_named(network: Any, vocabulary: Tokens) -> None:
    state = {name: weight.numpy() for name, weight in network.state_dict().items()}
    del state["model.decoder.layers.1.fc2.bias"]
    with pytest.raises(KeyError, match="decoder.layers.1.fc2.bias"):
        state_to_spec(state, vocabulary, SMALL)
