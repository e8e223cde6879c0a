"""Sound that comes piece by piece is the whole sentence's sound, without clicks where pieces meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xttsproject.lib.audio import Samples
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.decode import Decoded
from xttsproject.xtts.engine import Saying, XttsEngine
from xttsproject.xtts.pieces import FIRST_CODES, next_codes
from xttsproject.xtts.streaming import GrowingSound
from xttsproject.xtts.types import Sampling

TEXT = "The quick brown fox jumps over the lazy dog, and then it does so again."

Spoken = tuple[XttsEngine, Conditioning, Decoded]


def _spoken(engine: XttsEngine) -> Spoken:
    voice = next(iter(engine.builtin_speakers().values()))
    planned = engine.planned(Saying(TEXT, "en", voice, Sampling(seed=3)))
    return engine, voice, engine.gpt.decode(planned.utterances)[0]


@pytest.fixture(scope="module")
def hifigan(engine: XttsEngine) -> Spoken:
    """Coqui's decoder, of random weights."""
    return _spoken(engine)


@pytest.fixture(scope="module")
def source_filter(tiny_bundle: Path) -> Spoken:
    """This project's decoder, trained: what people hear of the tiny model."""
    torch.set_num_threads(1)
    return _spoken(XttsEngine.load(tiny_bundle))


def streamed(spoken: Spoken, speed: float) -> list[Samples]:
    engine, voice, decoded = spoken
    sound, codes, place, pieces = GrowingSound(engine, voice, speed), FIRST_CODES, 0, []
    while place < len(decoded.codes):
        end = min(place + codes, len(decoded.codes))
        pieces.append(sound.extend(decoded.latents[place:end], complete=end == len(decoded.codes)))
        place, codes = end, next_codes(codes)
    return pieces


@pytest.mark.parametrize("speed", [1.0, 0.5, 1.7, 4.0])
@pytest.mark.parametrize(("which", "most"), [("hifigan", 1e-5), ("source_filter", 0.02)])
def test_all_pieces_together_are_the_whole(
    request: pytest.FixtureRequest, which: str, most: float, speed: float
) -> None:
    spoken: Spoken = request.getfixturevalue(which)
    engine, voice, decoded = spoken
    pieces = streamed(spoken, speed)
    whole = engine.render(decoded.latents, voice, speed)
    together = np.concatenate(pieces)
    assert len(together) == len(whole)
    assert np.abs(together - whole).max() < most
    assert len([piece for piece in pieces if len(piece)]) >= 2


def test_the_first_sound_comes_after_a_few_codes(hifigan: Spoken, source_filter: Spoken) -> None:
    for spoken in (hifigan, source_filter):
        first = streamed(spoken, 1.0)[0]
        assert 0.2 < len(first) / 24_000 < FIRST_CODES * 1024 / 22_050


@pytest.mark.parametrize("speed", [1.0, 1.7])
def test_nothing_clicks_where_pieces_meet(source_filter: Spoken, speed: float) -> None:
    engine, voice, decoded = source_filter
    pieces = streamed(source_filter, speed)
    sound, seams = np.concatenate(pieces), np.cumsum([len(piece) for piece in pieces])[:-1]
    whole = engine.render(decoded.latents, voice, speed)
    assert all(_difference(sound, whole, seam) < 1.0 for seam in seams)
    assert all(not _bursts(sound, seam) for seam in seams)
    # What would be heard without holding back the end of each piece, and of a jump, is found.
    early = engine.render(decoded.latents[:40], voice, speed)
    assert _difference(np.concatenate([early, whole[len(early) :]]), whole, len(early)) > 2.0
    broken = sound.copy()
    broken[seams[1] :] += 0.8
    assert _bursts(broken, seams[1])


def _difference(one: Samples, other: Samples, place: int) -> float:
    """How far two sounds' spectra around a place are apart, in dB, over all frequencies that are heard there."""
    window = np.hanning(1024)
    spectra = [np.abs(np.fft.rfft(sound[place - 512 : place + 512] * window)) for sound in (one, other)]
    floor = 1e-4 * max(1.0, spectra[1].max())
    levels = [20 * np.log10(spectrum + floor) for spectrum in spectra]
    return float(np.abs(levels[0] - levels[1]).mean())


def _bursts(sound: Samples, place: int) -> bool:
    """Whether more than usual within 60 ms happens at a place: above 3 kHz, or from a sample to the next."""
    spectrum = np.fft.rfft(sound.astype(np.float64))
    spectrum[: int(3000 / 24_000 * len(sound))] = 0
    for energy in (np.fft.irfft(spectrum, len(sound)) ** 2, np.diff(sound.astype(np.float64)) ** 2):
        start = max(0, place - 1440)
        windows = np.convolve(energy[start : place + 1440], np.ones(48), mode="valid")
        begins = np.arange(len(windows)) + start
        away = windows[(begins < place - 96) | (begins > place + 48)]
        if energy[place - 24 : place + 24].sum() > 1.5 * away.max():
            return True
    return False


def test_a_sentence_without_codes_has_no_sound(hifigan: Spoken) -> None:
    engine, voice, decoded = hifigan
    assert len(GrowingSound(engine, voice).extend(decoded.latents[:0], complete=False)) == 0
