"""Each measure of screening on sound and text whose right value is known; the policy on values at its thresholds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pipeline.screening.background import background
from datasets.pipeline.screening.bandwidth import bandwidth_hz
from datasets.pipeline.screening.catalogue import RULES, told
from datasets.pipeline.screening.distortion import flat_top_share
from datasets.pipeline.screening.duplicates import same_sound, same_text
from datasets.pipeline.screening.fingerprint import SILENT, fingerprint
from datasets.pipeline.screening.likeness import likeness
from datasets.pipeline.screening.loudness import loudness_lufs
from datasets.pipeline.screening.policy import Policy, Reason, Thresholds, judge
from datasets.pipeline.screening.prints import Print, read_print, write_print
from datasets.pipeline.screening.transcript import compression_ratio, paces, repeated_share
from tests.datasets.pipeline.makers import tone
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError

RATE = 24_000


def hiss(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE))


def bursts(sound: np.ndarray, floor: float = 1e-4) -> np.ndarray:
    """Half a second on, half a second off, faded so that switching makes no click, over a faint floor."""
    fade = np.hanning(RATE // 10)
    gate = np.convolve((np.arange(len(sound)) // (RATE // 2)) % 2, fade / fade.sum(), mode="same")
    return np.asarray(sound * gate + hiss(len(sound) / RATE, 9)[: len(sound)] * floor)


def test_a_sine_of_one_kilohertz_has_the_loudness_of_the_standard():
    """BS.1770: a 997 Hz sine at full scale in one channel measures -3.01 LUFS."""
    assert loudness_lufs(tone(4, 48_000, hertz=997, amplitude=1.0).astype(float), 48_000) == pytest.approx(
        -3.01, abs=0.1
    )


def test_silence_and_the_shortest_clips_have_a_loudness_too_or_none():
    assert loudness_lufs(np.zeros(RATE), RATE) == -70.0
    assert loudness_lufs(np.zeros(RATE // 4), RATE) is None


@pytest.mark.parametrize("edge", [3400, 5000, 8000])
def test_bandwidth_is_where_the_sound_ends(edge: int):
    spectrum = np.fft.rfft(hiss(6))
    spectrum[np.fft.rfftfreq(6 * RATE, 1 / RATE) > edge] = 0
    assert bandwidth_hz(bursts(np.fft.irfft(spectrum)), RATE) == pytest.approx(edge, abs=400)


def test_noise_that_never_pauses_adds_no_bandwidth():
    spectrum = np.fft.rfft(hiss(6))
    spectrum[np.fft.rfftfreq(6 * RATE, 1 / RATE) > 3400] = 0
    covered = bursts(np.fft.irfft(spectrum)) + 0.02 * hiss(6, 5)
    assert bandwidth_hz(covered, RATE) == pytest.approx(3400, abs=400)


def test_a_full_band_reaches_the_top_and_silence_nothing():
    assert bandwidth_hz(bursts(hiss(6)), RATE) > 11_500
    assert bandwidth_hz(np.zeros(RATE), RATE) == 0
    assert bandwidth_hz(np.zeros(10), RATE) == 0


def test_peaks_that_were_cut_off_are_flat_however_quiet():
    voice = hiss(3)
    assert flat_top_share(voice, RATE) < 0.0002
    cut = np.clip(voice, -0.2, 0.2)
    assert flat_top_share(cut, RATE) == pytest.approx(np.mean(voice > 0.2), rel=0.2)
    assert flat_top_share(cut * 0.3, RATE) == flat_top_share(cut, RATE)
    one_sided = np.minimum(voice, 0.2)
    assert flat_top_share(one_sided, RATE) > 0.01


def spoken_then_pause(behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A second of loud noise for speech and a second of pause, with what is behind them; and silero's answer."""
    speech = np.concatenate([hiss(1), np.zeros(RATE)])
    windows = round(2 / 0.032)
    return speech + behind[: 2 * RATE], np.where(np.arange(windows) < windows / 2, 1.0, 0.0)


def test_the_background_is_told_by_level_and_by_whether_it_has_tones():
    noise = background(*_with_rate(spoken_then_pause(0.1 * hiss(2, 3))))
    assert noise.level_db == pytest.approx(-20, abs=0.7)
    assert noise.tonality is not None
    assert noise.tonality < 0.1
    assert noise.tonal_level_db is None
    music = background(*_with_rate(spoken_then_pause(0.014 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE))))
    assert music.tonality is not None
    assert music.tonality > 0.8
    assert music.tonal_level_db == pytest.approx(-20, abs=1)


def _with_rate(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, int, np.ndarray]:
    return pair[0], RATE, pair[1]


def test_without_a_pause_the_background_cannot_be_told():
    found = background(hiss(2), RATE, np.ones(62))
    assert (found.level_db, found.tonality) == (None, None)


def test_a_copy_is_known_at_another_level_and_offset_and_others_are_not(spoken: np.ndarray):
    clips = [spoken[start * RATE : (start + 4) * RATE] for start in (0, 4, 8, 12)]
    copy = 0.3 * spoken[round(4.1 * RATE) : round(8.1 * RATE)] + hiss(4, 2)[: 4 * RATE].astype(np.float32) * 0.005
    prints = [fingerprint(Audio(clip.astype(np.float32), RATE)) for clip in [*clips, copy]]
    assert same_sound([*prints, SILENT]) == {4: 1}
    assert same_sound([]) == {}


def test_texts_are_the_same_by_their_letters():
    assert same_text(["Oh, João!", "oh joao", "", "", "OH JOAO?"]) == [0, 1, 0, 0, 2]


def test_another_speaker_stands_out_and_does_not_move_the_centre():
    random = np.random.default_rng(1)
    own, other = np.eye(8)[0], np.eye(8)[1]

    def clip(voice: np.ndarray) -> np.ndarray:
        rows = voice + random.normal(0, 0.05, (3, 8))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    clips = [clip(own) for _ in range(17)] + [clip(other) for _ in range(3)]
    spliced = clip(own)
    spliced[2] = clip(other)[0]
    found = likeness([*clips, spliced, None])
    assert all(each is not None and each.deviation < 5 for each in found[:17])
    assert all(each is not None and each.deviation > 10 for each in found[17:20])
    assert found[20] is not None
    assert (found[20].deviation < 5, (found[20].piece_deviation or 0) > 10) == (True, True)
    assert found[21] is None
    assert likeness(clips[:4]) == [None] * 4


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("He said it once.", 0.0),
        ("a b a b a b", 4 / 6),
        ("Thank you. Thank you. Thank you. Thank you.", 6 / 8),
        ("It was very, very good of you to come.", 1 / 9),
        ("ha" * 10, 18 / 20),
        ("", 0.0),
    ],
)
def test_repeated_words_are_those_that_repeat_the_phrase_before_them(text: str, share: float):
    assert repeated_share(text) == pytest.approx(share)


def test_loops_compress_better_than_whisper_lets_pass():
    loop, plain = compression_ratio("and so on, " * 20), compression_ratio("This is one sentence of some length.")
    assert loop is not None
    assert plain is not None
    assert loop > 2.4 > plain
    assert compression_ratio("  ") is None


def test_pace_is_relative_to_the_speakers_usual_one():
    assert paces([10, 10, 20, None, 10, 5]) == [1, 1, 2, None, 1, 0.5]
    assert paces([10, 10]) == [None, None]


def test_prints_come_back_and_damaged_ones_are_none(tmp_path: Path):
    path = tmp_path / "1.npz"
    voice = np.eye(3, dtype=np.float32)
    write_print(path, Print("key", np.arange(4, dtype=np.uint32), voice))
    back = read_print(path)
    assert back is not None
    assert (back.key, back.fingerprint.tolist()) == ("key", [0, 1, 2, 3])
    assert back.voice is not None
    assert np.array_equal(back.voice, voice)
    path.write_bytes(path.read_bytes()[:50])
    assert read_print(path) is None
    assert read_print(tmp_path / "none.npz") is None


def test_a_threshold_is_crossed_and_not_touched():
    policy = Policy({"noise": Thresholds(22.0, 15.0)})
    assert judge({"snr_db": 22.0}, policy).verdict == "approve"
    assert judge({"snr_db": 21.9}, policy).verdict == "review"
    assert judge({"snr_db": 15.0}, policy).verdict == "review"
    assert judge({"snr_db": 14.9}, policy).reasons[0].threshold == 15.0


def test_what_is_unknown_breaks_no_rule_and_what_is_certain_holds_whatever_the_policy():
    off = Policy({name: Thresholds(None, None) for name in RULES})
    assert judge({"snr_db": None}, Policy()).verdict == "approve"
    assert judge({"snr_db": -5.0}, off).verdict == "approve"
    fact = Reason("too_long", "reject", "not usable: too long")
    assert judge({}, off, (fact,)).reasons == (fact,)
    assert judge({}, Policy(approve=False)).verdict == "review"


def test_rejections_come_before_reviews():
    verdict = judge({"snr_db": 20.0, "bandwidth_hz": 3000.0}, Policy())
    assert [reason.rule for reason in verdict.reasons] == ["bandwidth", "noise"]


_LIMIT = st.none() | st.floats(-200, 30_000)


@given(st.dictionaries(st.sampled_from(sorted(RULES)), st.tuples(_LIMIT, _LIMIT)), st.booleans())
def test_a_policy_survives_json_or_says_which_rule_is_wrong(
    rules: dict[str, tuple[float | None, float | None]], approve: bool
):
    wrong = ""
    try:
        policy = Policy({name: Thresholds(*pair) for name, pair in rules.items()}, approve)
    except DomainError as error:
        wrong = f"{error.code} {error.field}"
    if wrong:
        assert wrong.split() == ["policy_invalid", wrong.split()[1]]
        assert wrong.split()[1] in rules
    else:
        assert Policy.from_dict(policy.as_dict()) == policy


@pytest.mark.parametrize(
    "given",
    [[], {"rule": {}}, {"approve": 1}, {"rules": []}, {"rules": {"noise": 3}}, {"rules": {"noise": {"max": 3}}}],
)
def test_what_is_no_policy_is_refused_in_words(given: object):
    with pytest.raises(DomainError) as caught:
        Policy.from_dict(given)
    assert caught.value.code == "policy_invalid"


def test_measures_are_told_in_the_units_that_people_read():
    words = {
        measure.name: text for measure, text in told({"clipped_share": 0.0123, "snr_db": 8.04, "pace": None, "x": 1})
    }
    assert words == {"clipped_share": "1.23 %", "snr_db": "8.0 dB"}
