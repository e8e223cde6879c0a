"""Released files become a bundle without anything in them being executed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from xttsproject.bundles.checkpoints import read_checkpoint
from xttsproject.bundles.convert import convert_xtts
from xttsproject.bundles.manifest import Bundle
from xttsproject.lib.errors import DomainError


class Malice:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def convert(source: Path, target: Path) -> Bundle:
    return convert_xtts(
        source, target, name="mine", licence="some", licence_url="", notice="a notice", origin="a folder"
    )


@pytest.fixture
def folder(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "mine"))


def test_a_pickle_that_would_run_code_is_refused_unread(folder: Path, tmp_path: Path) -> None:
    torch.save({"model": {"x": torch.zeros(1)}, "more": Malice(tmp_path / "run")}, folder / "model.pth")
    with pytest.raises(DomainError) as caught:
        convert(folder, tmp_path / "bundle")
    assert caught.value.code == "model_unsafe"
    assert "mkdir" in caught.value.message
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "bundle").exists()
    # The danger is real: the usual way of reading runs it.
    torch.load(folder / "model.pth", weights_only=False)
    assert (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["dvae.pth", "mel_stats.pth", "speakers_xtts.pth"])
def test_the_smaller_files_are_read_as_carefully(folder: Path, tmp_path: Path, name: str) -> None:
    torch.save({"x": Malice(tmp_path / "run")}, folder / name)
    with pytest.raises(DomainError) as caught:
        convert(folder, tmp_path / "bundle")
    assert caught.value.code == "model_unsafe"
    assert not (tmp_path / "run").exists()


def test_an_old_pickle_file_is_refused_too(folder: Path, tmp_path: Path) -> None:
    import pickle

    (folder / "model.pth").write_bytes(pickle.dumps(Malice(tmp_path / "run")))
    with pytest.raises(DomainError) as caught:
        convert(folder, tmp_path / "bundle")
    assert caught.value.code in ("model_unsafe", "model_damaged")
    assert not (tmp_path / "run").exists()


def test_a_trainers_checkpoint_is_read_by_its_prefixes(folder: Path, tmp_path: Path, random_bundle: Path) -> None:
    from safetensors.torch import load_file

    model = load_file(random_bundle / "model.safetensors")
    trained = {f"xtts.{name}": value for name, value in model.items()}
    trained["dvae.codebook.embed"] = torch.zeros(2)
    trained["torch_mel_spectrogram_dvae.mel_norms"] = torch.zeros(80)
    trained["xtts.gpt.gpt.wte.weight"] = torch.zeros(3)
    torch.save({"model": trained, "step": 7}, folder / "model.pth")
    bundle = convert(folder, tmp_path / "bundle")
    assert load_file(bundle.path / "model.safetensors").keys() == model.keys()


def test_the_configuration_objects_of_the_release_are_let_through_as_shells(released: Path) -> None:
    checkpoint = read_checkpoint(released / "model.pth")
    assert type(checkpoint["config"]).__name__ == "Shell"
    assert not vars(checkpoint["config"])
    assert checkpoint["step"] == 3


def test_what_is_missing_or_does_not_fit_is_named(folder: Path, tmp_path: Path) -> None:
    checkpoint = torch.load(folder / "model.pth", weights_only=False)
    del checkpoint["model"]["gpt.gpt.h.2.attn.c_attn.bias"]
    torch.save({"model": checkpoint["model"]}, folder / "model.pth")
    with pytest.raises(DomainError) as unfit:
        convert(folder, tmp_path / "bundle")
    (folder / "model.pth").write_bytes(b"garbage")
    with pytest.raises(DomainError) as garbage:
        convert(folder, tmp_path / "bundle")
    (folder / "dvae.pth").unlink()
    with pytest.raises(DomainError) as missing:
        convert(folder, tmp_path / "bundle")
    assert (unfit.value.code, garbage.value.code, missing.value.code) == (
        "model_mismatch",
        "model_unreadable",
        "import_incomplete",
    )
    assert "h.2.attn.c_attn.bias" in unfit.value.message
    assert "dvae.pth" in missing.value.message
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("gpt_cond_latent", lambda tensor: tensor[..., :-1], "of the shape (1, 32, "),
        ("speaker_embedding", lambda tensor: tensor[0], "of the shape (512, 1), not (1, 512, 1)"),
        ("speaker_embedding", lambda tensor: tensor * float("nan"), "not finite"),
    ],
)
def test_a_table_of_speakers_of_another_model_is_refused_by_name(
    folder: Path, tmp_path: Path, key: str, value: Any, said: str
) -> None:
    table = torch.load(folder / "speakers_xtts.pth", weights_only=True)
    table["Amber"][key] = value(table["Amber"][key])
    torch.save(table, folder / "speakers_xtts.pth")
    with pytest.raises(DomainError) as caught:
        convert(folder, tmp_path / "bundle")
    assert caught.value.code == "model_mismatch"
    assert f"speakers_xtts.pth does not fit the model: the {key} of “Amber” is {said}" in caught.value.message
    assert not (tmp_path / "bundle").exists()
