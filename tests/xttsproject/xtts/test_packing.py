"""Shrunk weights are kept for the next load, used only when they are what was written, and never needed."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.xtts import packing
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.decode import Decoded
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.loop import Utterance
from xttsproject.xtts.projections import Precision, shrunk
from xttsproject.xtts.sampling import Draw


def spoken(engine: XttsEngine, voice: Conditioning) -> Decoded:
    [decoded] = engine.gpt.decode([Utterance((5, 6, 7), voice.gpt_latents, 6, 1, Draw())])
    return decoded


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Matrices that were shrunk."""
    seen: list[object] = []

    def counted(weight: torch.Tensor, precision: Precision) -> dict[str, torch.Tensor]:
        seen.append(weight)
        return shrunk(weight, precision)

    monkeypatch.setattr(packing, "shrunk", counted)
    return seen


@pytest.mark.parametrize("precision", ["bf16", "fp16", "int8"])
def test_the_second_load_reads_what_the_first_one_made_and_says_the_same(
    random_bundle: Path, voice: Conditioning, tmp_path: Path, made: list[object], precision: Precision
) -> None:
    plain = spoken(XttsEngine.load(random_bundle, precision=precision), voice)
    first = spoken(XttsEngine.load(random_bundle, precision=precision, packed_dir=tmp_path), voice)
    count = len(made)
    assert count > 0
    [file] = files(tmp_path)
    assert file.name.startswith(f"{precision}-")
    second = spoken(XttsEngine.load(random_bundle, precision=precision, packed_dir=tmp_path), voice)
    assert len(made) == count
    for other in (first, second):
        assert other.codes == plain.codes
        assert torch.equal(other.latents, plain.latents)


def test_each_precision_and_each_weights_have_a_file_of_their_own(
    random_bundle: Path, tmp_path: Path, made: list[object]
) -> None:
    bundle, folder = tmp_path / "bundle", tmp_path / "packed"
    shutil.copytree(random_bundle, bundle)
    for precision in ("int8", "bf16", "fp32"):
        XttsEngine.load(bundle, precision=precision, packed_dir=folder)  # type: ignore[arg-type]
    assert len(files(folder)) == 2
    # Replaced, and the manifest still tells the old hash.
    os.utime(bundle / "model.safetensors", (1, 1))
    count = len(made)
    XttsEngine.load(bundle, precision="int8", packed_dir=folder)
    assert len(made) > count
    assert len(files(folder)) == 3


@pytest.mark.parametrize("damage", ["bit", "half", "empty", "other"])
def test_a_damaged_file_is_made_anew(
    random_bundle: Path,
    voice: Conditioning,
    tmp_path: Path,
    made: list[object],
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = spoken(XttsEngine.load(random_bundle, precision="int8", packed_dir=tmp_path), voice)
    [file] = files(tmp_path)
    whole, content, count = sha256_of(file), bytearray(file.read_bytes()), len(made)
    if damage == "bit":
        content[-5] ^= 4
    elif damage == "half":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray((random_bundle / "model.safetensors").read_bytes())
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = spoken(XttsEngine.load(random_bundle, precision="int8", packed_dir=tmp_path), voice)
    assert "are damaged and are made anew" in caplog.text
    assert len(made) == 2 * count
    assert again.codes == expected.codes
    assert torch.equal(again.latents, expected.latents)
    assert sha256_of(file) == whole


def test_a_folder_that_cannot_be_written_to_only_costs_time(
    random_bundle: Path, voice: Conditioning, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    occupied = tmp_path / "packed"
    occupied.write_text("a file")
    with caplog.at_level(logging.WARNING):
        engine = XttsEngine.load(random_bundle, precision="int8", packed_dir=occupied)
    assert "cannot be kept" in caplog.text
    assert spoken(engine, voice).codes


def test_files_that_were_not_read_for_longest_leave(random_bundle: Path, tmp_path: Path) -> None:
    bundle, folder = tmp_path / "bundle", tmp_path / "packed"
    shutil.copytree(random_bundle, bundle)
    for moment in range(1, 7):
        os.utime(bundle / "model.safetensors", (moment, moment))
        XttsEngine.load(bundle, precision="int8", packed_dir=folder)
        for file in folder.iterdir():
            if file.stat().st_mtime > 1_000:
                os.utime(file, (moment, moment))
    assert len(files(folder)) == 6
    # The first one is read again, so that the second one is the oldest.
    os.utime(bundle / "model.safetensors", (1, 1))
    XttsEngine.load(bundle, precision="int8", packed_dir=folder)
    before = {file.name: file.stat().st_mtime for file in files(folder)}
    oldest = min(before, key=lambda name: before[name])
    os.utime(bundle / "model.safetensors", (99, 99))
    XttsEngine.load(bundle, precision="int8", packed_dir=folder)
    after = {file.name for file in files(folder)}
    assert len(after) == 6
    assert set(before) - after == {oldest}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_weights_that_lack_a_matrix_are_refused_by_its_name(
    random_bundle: Path, tmp_path: Path, precision: Precision
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(random_bundle, bundle)
    tensors = load_file(bundle / "model.safetensors")
    del tensors["gpt.gpt.h.1.mlp.c_fc.weight"]
    save_file(tensors, bundle / "model.safetensors")
    with pytest.raises(DomainError, match=r"The GPT weights of bundle lack 'gpt\.h\.1\.mlp\.c_fc\.weight'"):
        XttsEngine.load(bundle, precision=precision, packed_dir=tmp_path / "packed")
    assert not list(tmp_path.glob("packed/*"))
