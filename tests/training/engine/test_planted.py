"""The planted defects are what they say, the same on every run, and the bench counts what is found of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.engine.planted import defects
from training.engine.planted.material import Material, gather
from training.engine.planted.measure import RULES, Bench, table


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Two clips of every synthetic speaker."""
    return gather(tmp_path_factory.mktemp("planted"), each=2, recordings=None, log=lambda text: None)


def random() -> np.random.Generator:
    return np.random.default_rng(5)


def test_half_of_every_speakers_clips_is_kept_for_measuring(material: Material):
    assert len(material.clips) == 20
    tuning = {clip.speaker for clip in material.clips if clip.tuning}
    assert tuning == {clip.speaker for clip in material.clips if not clip.tuning}
    assert len({clip.text for clip in material.clips}) == 20


def test_words_lie_where_they_are_said(material: Material):
    clip = material.clips[0]
    assert clip.words[0][1] > 0.1
    assert clip.words[-1][2] < clip.audio.seconds
    assert " ".join(word for word, _start, _end in clip.words)


def test_a_cut_edge_is_the_clip_without_its_beginning_or_end(material: Material):
    clip = material.clips[0]
    cut = defects.cut_edge(clip, random())
    assert cut is not None
    assert cut.audio.seconds < clip.audio.seconds - 0.1
    assert defects.cut_edge(replace(clip, words=()), random()) is None


def test_noise_and_clipping_have_the_strength_that_was_drawn(material: Material):
    clip = material.clips[0]
    noisy = defects.noise(clip, random())
    assert np.abs(noisy.audio.samples).max() <= 0.99
    flat = defects.clipping(clip, random()).audio.samples
    peak = np.abs(flat).max()
    assert 0.001 < np.mean(np.abs(flat) > 0.999 * peak) < 0.04


def test_the_same_defect_is_planted_on_every_run(material: Material):
    clip = material.clips[3]
    for plant in (defects.noise, defects.telephone, defects.music):
        assert np.array_equal(plant(clip, random()).audio.samples, plant(clip, random()).audio.samples)
    assert defects.looping_text(clip, random()) == defects.looping_text(clip, random())


def test_the_bench_finds_plain_defects_and_leaves_clean_clips_alone(material: Material, tmp_path: Path):
    bench = Bench(material, tuning=False, work=tmp_path, log=lambda text: None)
    figures = bench.run(lambda audio: None, lambda audio: "")
    assert list(figures) == list(RULES)
    for name in ("noise", "clipping", "bandwidth", "duplicates", "loops"):
        assert (figures[name].planted, figures[name].clean) == (10, 10)
        assert figures[name].recall >= 0.9
        assert figures[name].false_alarms <= 0.1
    # Nobody listened: what only listening tells is not found, and not claimed.
    assert figures["second_voice"].planted == 0
    assert figures["wrong_text"].recall < 1
    assert table(figures).count("\n") == len(RULES) + 1
