"""What this project computes by its own code equals what Coqui's classes compute from the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xttsproject.lib.audio import Audio
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import read_config
from xttsproject.xtts.decode import Decoded, Utterance
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.networks import load_gpt
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.weights import read_state

SENTENCES = ("the first sentence", "a second one, which is longer than the first", "no", "does the third one end here?")


@pytest.fixture(scope="module")
def coqui(random_bundle: Path) -> Any:
    gpt = load_gpt(random_bundle, read_config(random_bundle))
    gpt.init_gpt_for_inference()
    return gpt.eval()


@pytest.fixture(scope="module")
def coqui_model(random_bundle: Path, coqui: Any, engine: XttsEngine) -> Any:
    """Coqui's whole model around the small networks, so that its own methods can be called."""
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    config = XttsConfig()
    config.model_args.gpt_use_perceiver_resampler = True
    model = Xtts(config)
    model.gpt = coqui
    model.mel_stats = engine.mel_stats
    model.hifigan_decoder = engine.vocoder
    return model


def greedy(engine: XttsEngine, sentence: str, voice: Conditioning, penalty: float, longest: int = 602) -> Utterance:
    tokens = tuple(engine.tokenizer.encode(sentence, "en"))
    return Utterance(tokens, voice.gpt_latents, longest, 0, Draw(repetition_penalty=penalty, greedy=True))


def coqui_codes(gpt: Any, utterance: Utterance, penalty: float) -> Tensor:
    with torch.inference_mode():
        codes: Tensor = gpt.generate(
            cond_latents=utterance.latents,
            text_inputs=torch.tensor([utterance.tokens]),
            do_sample=False,
            num_beams=1,
            repetition_penalty=penalty,
        )
    return codes


def coqui_latents(gpt: Any, utterance: Utterance, codes: Tensor) -> Tensor:
    tokens = torch.tensor([utterance.tokens])
    with torch.inference_mode():
        latents: Tensor = gpt(
            tokens,
            torch.tensor([tokens.shape[1]]),
            codes,
            torch.tensor([codes.shape[1] * gpt.code_stride_len]),
            cond_latents=utterance.latents,
            return_latent=True,
        )
    return latents[0]


@pytest.mark.parametrize("penalty", [1.0, 2.0, 10.0])
@pytest.mark.parametrize("sentence", SENTENCES[:2])
def test_greedy_codes_latents_and_sound_equal_coquis(
    engine: XttsEngine, coqui: Any, voice: Conditioning, sentence: str, penalty: float
) -> None:
    utterance = greedy(engine, sentence, voice, penalty)
    [ours] = engine.gpt.decode([utterance])
    theirs = coqui_codes(coqui, utterance, penalty)
    assert len(ours.codes) > 10
    assert list(ours.codes) == theirs[0].tolist()

    latents = coqui_latents(coqui, utterance, theirs)
    assert latents.shape == ours.latents.shape
    assert (latents - ours.latents).abs().max() < 1e-4

    with torch.inference_mode():
        sound = engine.vocoder(latents[None], g=voice.speaker_embedding).numpy().reshape(-1)
    assert decibels(engine.render(ours.latents, voice) - sound) - decibels(sound) < -60


def test_codes_that_coqui_holds_for_spoken_from_the_start_are_weakened_as_there(
    engine: XttsEngine, coqui: Any, voice: Conditioning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its prefix is a row of ones: where code 1 is the likeliest, the penalty on it decides which codes come."""
    weight, bias = engine.gpt._head
    likely = bias.clone()
    likely[1] += 40.0
    monkeypatch.setattr(engine.gpt, "_head", (weight, likely))
    monkeypatch.setitem(coqui.mel_head._parameters, "bias", torch.nn.Parameter(likely, requires_grad=False))
    [free] = engine.gpt.decode([greedy(engine, SENTENCES[0], voice, 1.0, longest=2)])
    assert free.codes[0] == 1
    utterance = greedy(engine, SENTENCES[0], voice, 10.0, longest=40)
    [ours] = engine.gpt.decode([utterance])
    theirs = coqui_codes(coqui, utterance, 10.0)[0].tolist()
    assert theirs[0] != 1
    assert list(ours.codes) == theirs[: len(ours.codes)]


def test_a_sentence_says_the_same_whoever_shares_its_batch(engine: XttsEngine, voice: Conditioning) -> None:
    utterances = [
        Utterance(tuple(engine.tokenizer.encode(text, "en")), voice.gpt_latents, cap, seed, Draw(temperature=0.9))
        for seed, (text, cap) in enumerate(zip(SENTENCES, (600, 600, 12, 600), strict=True))
    ]
    together = engine.gpt.decode(utterances)
    alone = [engine.gpt.decode([utterance])[0] for utterance in utterances]
    assert len({decoded.codes for decoded in together}) == len(SENTENCES)
    for shared, lone in zip(together, alone, strict=True):
        assert_same(shared, lone)
    assert [decoded.finished for decoded in together] == [True, True, False, True]


def assert_same(left: Decoded, right: Decoded) -> None:
    assert left.codes == right.codes
    assert left.finished == right.finished
    assert (left.latents - right.latents).abs().max() < 1e-4


def test_conditioning_equals_coquis(engine: XttsEngine, coqui_model: Any, clip: Audio, voice: Conditioning) -> None:
    wave = torch.from_numpy(clip.samples)[None]
    latents = coqui_model.get_gpt_cond_latents(wave, clip.sample_rate, length=30, chunk_length=6)
    speaker = coqui_model.get_speaker_embedding(wave, clip.sample_rate)
    assert voice.gpt_latents.shape == (1, 32, engine.config.gpt.width)
    assert voice.speaker_embedding.shape == (1, 512, 1)
    assert (voice.gpt_latents - latents).abs().max() < 1e-4
    assert (voice.speaker_embedding - speaker).abs().max() < 1e-5
    assert voice.speaker_embedding.norm() == pytest.approx(1.0, abs=1e-4)


def test_the_mels_equal_coquis(engine: XttsEngine, clip: Audio) -> None:
    from TTS.tts.layers.xtts.dvae import dvae_wav_to_mel
    from TTS.tts.models.xtts import wav_to_mel_cloning

    from xttsproject.xtts.mel import conditioning_mel, dvae_mel

    wave = torch.from_numpy(clip.samples)[None]
    cloning = wav_to_mel_cloning(
        wave, mel_norms=engine.mel_stats, n_fft=2048, hop_length=256, win_length=1024, power=2, f_max=8000
    )
    assert torch.equal(conditioning_mel(wave, engine.mel_stats), cloning)
    assert torch.equal(dvae_mel(wave, engine.mel_stats), dvae_wav_to_mel(wave, mel_norms=engine.mel_stats))


def test_folding_weight_norm_leaves_the_decoder_as_it_was(random_bundle: Path, engine: XttsEngine) -> None:
    from xttsproject.xtts.networks import build_decoder, load_into

    normed = load_into(build_decoder(engine.config), read_state(random_bundle, "decoder"), random_bundle, "decoder")
    latents, speaker = torch.randn(1, 12, engine.config.gpt.width), torch.randn(1, 512, 1)
    with torch.inference_mode():
        expected = normed(latents, g=speaker).numpy()
        folded = engine.vocoder(latents, g=speaker).numpy()
    assert not any("parametrizations" in name for name, _ in engine.vocoder.named_parameters())
    assert np.abs(expected - folded).max() < 1e-5


def decibels(samples: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))
