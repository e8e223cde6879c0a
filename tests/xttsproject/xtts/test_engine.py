"""The engine speaks: audible, repeatable, in order, at the right rate; and says clearly what it cannot do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import Saying, XttsEngine, choose_device
from xttsproject.xtts.types import PAUSE_SECONDS, ConditioningSettings, Sampling

TEXT = "This is the first sentence, and it is long enough. Here comes the second one, which says something else."


def test_speech_is_audible_in_order_and_at_24_000_hertz(engine: XttsEngine, voice: Conditioning) -> None:
    speech = engine.speak(TEXT, "en", voice, Sampling(seed=3))
    assert speech.audio.sample_rate == engine.sample_rate == 24_000
    first, second = speech.sentences
    assert (first.text + " " + second.text, first.start) == (TEXT, 0.0)
    assert second.start == pytest.approx(first.end + PAUSE_SECONDS, abs=1e-4)
    assert second.end == pytest.approx(speech.audio.seconds, abs=1e-4)
    for sentence in speech.sentences:
        assert sentence.finished
        # 46.4 ms for each code, and the stop code sounds too; the decoder rounds to whole frames.
        assert sentence.end - sentence.start == pytest.approx((sentence.codes + 1) * 1024 / 22_050, rel=0.02)
        loudness = float(np.sqrt(np.mean(speech.audio.cut(sentence.start, sentence.end).samples ** 2)))
        assert 0.02 < loudness < 0.4
    assert np.abs(speech.audio.samples).max() < 1.0
    assert not speech.audio.cut(first.end, second.start).samples.any()


def test_a_seed_repeats_speech_exactly_and_a_drawn_one_is_told(engine: XttsEngine, voice: Conditioning) -> None:
    drawn = engine.speak("Something to say.", "en", voice)
    again = engine.speak("Something to say.", "en", voice, Sampling(seed=drawn.seed))
    other = engine.speak("Something to say.", "en", voice, Sampling(seed=drawn.seed ^ 1))
    assert np.array_equal(drawn.audio.samples, again.audio.samples)
    assert not np.array_equal(drawn.audio.samples, other.audio.samples)


def test_text_and_voice_change_the_speech(engine: XttsEngine) -> None:
    amber, basalt = engine.builtin_speakers().values()
    sampling = Sampling(seed=1)
    one = engine.speak("The first text.", "en", amber, sampling)
    assert not np.array_equal(one.audio.samples, engine.speak("Another text.", "en", amber, sampling).audio.samples)
    assert not np.array_equal(one.audio.samples, engine.speak("The first text.", "en", basalt, sampling).audio.samples)


def test_speed_stretches_time(engine: XttsEngine, voice: Conditioning) -> None:
    normal = engine.speak("A text to be spoken.", "en", voice, Sampling(seed=1))
    fast = engine.speak("A text to be spoken.", "en", voice, Sampling(seed=1, speed=2.0))
    assert fast.sentences[0].codes == normal.sentences[0].codes
    assert fast.audio.seconds == pytest.approx(normal.audio.seconds / 2, rel=0.05)


def test_codes_are_capped_by_characters_and_the_missing_end_is_told(engine: XttsEngine, voice: Conditioning) -> None:
    sampling = Sampling(seed=1, temperature=0.01, top_k=1, repetition_penalty=50.0)
    spoken = [engine.speak("A!", "en", voice, Sampling(seed=seed)).sentences[0] for seed in range(12)]
    assert engine.speak("A!", "en", voice, sampling).sentences[0].codes <= 48
    assert max(sentence.codes for sentence in spoken) <= 48
    assert {sentence.finished for sentence in spoken if sentence.codes == 48} <= {False}
    assert any(sentence.codes == 48 for sentence in spoken)


def test_more_sentences_than_a_batch_are_all_spoken(engine: XttsEngine, voice: Conditioning) -> None:
    text = " ".join(f"Sentence number {word} is long enough to stand alone here." for word in "abcdefghij")
    reports: list[float] = []
    speech = engine.speak(text, "en", voice, Sampling(seed=1), Callback(lambda share, _: reports.append(share)))
    assert len(speech.sentences) == 10
    assert reports == sorted(reports)
    assert 0.8 < reports[-1] < 1.0


def test_texts_spoken_together_sound_as_each_does_alone(engine: XttsEngine, voice: Conditioning) -> None:
    amber, basalt = engine.builtin_speakers().values()
    sayings = [
        Saying("Something to say.", "en", amber, Sampling(seed=5)),
        Saying(TEXT, "en", voice, Sampling(seed=3, speed=1.5)),
        Saying("Olá, João.", "pt", basalt, Sampling(seed=9, temperature=0.5)),
    ]
    for said, together in zip(sayings, engine.speak_all(sayings), strict=True):
        alone = engine.speak(said.text, said.language, said.conditioning, said.sampling)
        assert (together.sentences, together.seed) == (alone.sentences, alone.seed)
        assert np.abs(together.audio.samples - alone.audio.samples).max() < 1e-3


def test_speaking_stops_when_asked(engine: XttsEngine, voice: Conditioning) -> None:
    steps = 0

    def enough() -> bool:
        nonlocal steps
        steps += 1
        return steps > 5

    with pytest.raises(Cancelled):
        engine.speak(TEXT, "en", voice, progress=Callback(should_stop=enough))
    assert steps == 6


@pytest.mark.parametrize(
    ("text", "language", "code"),
    [
        ("", "en", "text_empty"),
        ("?!", "en", "text_unspeakable"),
        ("中文中文", "en", "text_unspeakable"),
        ("hello", "xx", "language_unsupported"),
        ("x" * 400, "en", "text_unspeakable"),
    ],
)
def test_what_cannot_be_spoken_is_refused(
    engine: XttsEngine, voice: Conditioning, text: str, language: str, code: str
) -> None:
    with pytest.raises(DomainError) as caught:
        engine.speak(text, language, voice)
    assert caught.value.code == code


def test_a_language_whose_package_is_missing_is_not_offered(
    engine: XttsEngine, voice: Conditioning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xttsproject.xtts.languages.find_spec", lambda name: None)
    assert "ja" not in engine.languages
    assert "en" in engine.languages
    with pytest.raises(DomainError, match="cutlet"):
        engine.speak("日本語", "ja", voice)


def test_a_voice_of_another_model_is_refused(engine: XttsEngine, voice: Conditioning) -> None:
    import torch

    with pytest.raises(DomainError) as caught:
        engine.speak("hello", "en", Conditioning(torch.zeros(1, 32, 7), voice.speaker_embedding))
    assert caught.value.code == "voice_mismatch"


def test_a_voice_is_the_mean_of_its_clips_and_survives_saving(
    engine: XttsEngine, clip: Audio, voice: Conditioning, tmp_path: Path
) -> None:
    import torch

    quiet = Audio(clip.samples[::-1].copy() * 0.5, clip.sample_rate)
    both = engine.conditioning([clip, quiet])
    mean = (voice.speaker_embedding + engine.conditioning([quiet]).speaker_embedding) / 2
    assert torch.allclose(both.speaker_embedding, mean, atol=1e-5)
    both.save(tmp_path / "voice.safetensors")
    loaded = Conditioning.load(tmp_path / "voice.safetensors")
    assert torch.equal(loaded.gpt_latents, both.gpt_latents)
    assert torch.equal(loaded.speaker_embedding, both.speaker_embedding)


def test_reference_limits_hold(engine: XttsEngine, clip: Audio) -> None:
    import torch

    short = ConditioningSettings(max_reference_seconds=3.0, gpt_seconds=3.0)
    cut = engine.conditioning([clip.cut(0, 3)])
    assert torch.equal(engine.conditioning([clip], short).gpt_latents, cut.gpt_latents)
    for clips, code in (([], "reference_missing"), ([clip.cut(0, 0.1)], "reference_too_short")):
        with pytest.raises(DomainError) as caught:
            engine.conditioning(clips)
        assert caught.value.code == code


def test_a_broken_voice_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as missing:
        Conditioning.load(tmp_path / "voice.safetensors")
    (tmp_path / "voice.safetensors").write_bytes(b"not a voice")
    with pytest.raises(DomainError) as damaged:
        Conditioning.load(tmp_path / "voice.safetensors")
    assert (missing.value.code, damaged.value.code) == ("conditioning_missing", "conditioning_damaged")


def test_bf16_speaks_nearly_as_loud_and_long(random_bundle: Path, engine: XttsEngine, voice: Conditioning) -> None:
    half = XttsEngine.load(random_bundle, precision="bf16")
    speech = half.speak("Something to say.", "en", voice, Sampling(seed=3))
    full = engine.speak("Something to say.", "en", voice, Sampling(seed=3))
    assert speech.audio.samples.std() == pytest.approx(full.audio.samples.std(), rel=0.3)
    assert half.model_key == engine.model_key


def test_wrong_devices_precisions_and_folders_are_named(random_bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(random_bundle, damaged)
    config = json.loads((damaged / "config.json").read_text())
    config["model_args"]["gpt_n_model_channels"] = 64
    (damaged / "config.json").write_text(json.dumps(config))
    for arguments, code in (
        ({"bundle_path": tmp_path / "nothing"}, "model_missing"),
        ({"bundle_path": damaged}, "model_damaged"),
        ({"bundle_path": random_bundle, "device": "toaster"}, "device_unavailable"),
        ({"bundle_path": random_bundle, "precision": "fp8"}, "precision_unknown"),
    ):
        with pytest.raises(DomainError) as caught:
            XttsEngine.load(**arguments)
        assert caught.value.code == code


@pytest.mark.parametrize("name", ["mps", "meta", "cuda:2", "cuda:7"])
def test_a_device_that_is_not_there_is_named_before_anything_is_loaded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch knows the names of devices that it cannot use, and numbers that nothing has."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(DomainError) as caught:
        choose_device(name)
    assert caught.value.code == "device_unavailable"
    assert repr(name) in caught.value.message
    assert ("2 CUDA devices were found" in caught.value.message) == name.startswith("cuda")
    assert [str(choose_device(there)) for there in ("auto", "cuda", "cuda:1", "cpu")] == [
        "cuda",
        "cuda",
        "cuda:1",
        "cpu",
    ]


def test_the_shortest_sentence_sounds_at_the_highest_speed(engine: XttsEngine, voice: Conditioning) -> None:
    import torch

    assert len(engine.render(torch.randn(1, engine.config.gpt.width), voice, speed=4.0)) > 0
