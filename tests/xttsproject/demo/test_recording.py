"""The demo's recording is what it says it is, every time."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.pipeline.media import decode_audio, probe
from tests.datasets.pipeline.recordings import ROOT, rendered_in


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xttsproject.demo.recording", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rendered = rendered_in(tmp_path_factory.getbasetemp())
    assert json.loads(rendered.printed)["path"] == str(rendered.path)
    return rendered.path


def test_it_is_a_film_with_two_to_three_minutes_of_sound(recording: Path) -> None:
    facts = probe(recording)

    assert facts.container.startswith("mov,mp4")
    assert facts.audio_codec == "aac"
    assert facts.has_video
    assert 120 <= facts.seconds <= 180
    assert recording.stat().st_size < 5_000_000


def test_the_listed_sentences_are_heard_where_they_are_listed(recording: Path) -> None:
    sentences = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))
    audio = decode_audio(recording, 22_050)

    assert len(sentences) >= 30
    assert len({sentence["text"] for sentence in sentences}) == len(sentences)
    end = 0.0
    for sentence in sentences:
        assert 4 <= len(sentence["text"].split()) <= 16
        pause = sentence["start"] - end
        assert 0.39 <= pause <= 1.21
        # Half a tenth of a second on either side is left to the encoder's smearing.
        silence = audio.cut(end + 0.05, sentence["start"] - 0.05).samples
        speech = audio.cut(sentence["start"], sentence["end"]).samples
        assert np.sqrt(np.mean(speech**2)) > 30 * np.sqrt(np.mean(silence**2))
        end = sentence["end"]
    assert end < audio.seconds


def test_rendering_again_gives_the_same_file(recording: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.mp4"
    run(str(again))

    assert again.read_bytes() == recording.read_bytes()
    assert again.with_suffix(".json").read_bytes() == recording.with_suffix(".json").read_bytes()


@pytest.mark.parametrize("arguments", [(), ("out.wav",), ("a.mp4", "b.mp4")])
def test_wrong_arguments_are_answered_with_the_usage(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)

    assert ran.returncode == 2
    assert "OUT.mp4" in ran.stderr


def test_nothing_of_the_portal_imports_the_voice() -> None:
    """espeak-ng is under the GPL: it must stay a program of its own."""
    engine, program = "training.engine.tiny.espeak", "xttsproject.demo.recording"
    own = {ROOT / f"{name.replace('.', '/')}.py" for name in (engine, program)}
    for app in ("xttsproject", "datasets", "training", "voices"):
        for path in (ROOT / app).rglob("*.py"):
            if path in own:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in getattr(node, "names", ())] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                assert not any("espeakng" in name or name.startswith((engine, program)) for name in names), path
