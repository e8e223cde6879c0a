"""One file of weights, whatever it is called, becomes a bundle; what it lacks is taken from elsewhere and said."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from xttsproject.bundles.checkpoints import read_weights, require_whole
from xttsproject.bundles.convert import import_xtts
from xttsproject.bundles.describe import about_import, licence_of, name_for
from xttsproject.bundles.manifest import Bundle, open_bundle
from xttsproject.bundles.sources import find_files, open_base, require_name
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback

State = dict[str, torch.Tensor]


@pytest.fixture
def model(random_bundle: Path) -> State:
    return load_file(random_bundle / "model.safetensors")


@pytest.fixture
def base(random_bundle: Path) -> Bundle:
    return open_base(random_bundle)


@pytest.fixture
def checkpoint(random_bundle: Path, model: State) -> dict[str, Any]:
    """What Coqui's trainer writes: all networks under its own names, and the state of the run."""
    trained = {f"xtts.{name}": value for name, value in model.items()}
    trained |= {f"dvae.{name}": value for name, value in load_file(random_bundle / "dvae.safetensors").items()}
    trained["torch_mel_spectrogram_style_encoder.mel_norms"] = torch.zeros(80)
    trained["torch_mel_spectrogram_dvae.mel_norms"] = torch.zeros(80)
    trained["xtts.gpt.gpt.wte.weight"] = torch.zeros(3)
    trained["xtts.gpt.gpt_inference.lm_head.0.weight"] = torch.zeros(3)
    config = json.loads((random_bundle / "config.json").read_text())
    return {
        "config": {**config, "output_path": Path("runs"), "lr": np.float64(5e-6)},
        "model": trained,
        "optimizer": [{"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(9)}}, "param_groups": []}],
        "scheduler": None,
        "scaler": None,
        "step": 1000,
        "epoch": 2,
        "date": "November 26, 2026",
        "model_loss": {"train_loss": np.float32(2.5), "eval_loss": None},
    }


def bring_in(path: Path, target: Path, base: Bundle | None = None, **given: Path) -> tuple[Bundle, list[str]]:
    files = find_files(path, base=base, **given)
    return import_xtts(files, target, about_import("mine", files))


def refusal(path: Path, target: Path, base: Bundle | None = None, **given: Path) -> DomainError:
    """The sentence, once it is certain that nothing is left where the bundle would have been."""
    before = sorted(target.parent.iterdir())
    with pytest.raises(DomainError) as caught:
        bring_in(path, target, base, **given)
    assert sorted(target.parent.iterdir()) == before
    return caught.value


def assert_same(left: Path, right: Path) -> None:
    for name in ("model.safetensors", "dvae.safetensors"):
        ours, theirs = load_file(left / name), load_file(right / name)
        assert ours.keys() == theirs.keys()
        assert not [each for each in ours if not torch.equal(ours[each], theirs[each])]


def test_a_trainers_checkpoint_needs_its_vocabulary_alone(
    checkpoint: dict[str, Any], random_bundle: Path, tmp_path: Path
) -> None:
    torch.save(checkpoint, tmp_path / "checkpoint_1000.pth.old")
    bundle, notes = bring_in(
        tmp_path / "checkpoint_1000.pth.old", tmp_path / "bundle", vocab=random_bundle / "vocab.json"
    )
    assert_same(bundle.path, random_bundle)
    assert bundle.licence.startswith("Coqui Public Model License")
    assert "non-commercial" in bundle.notice
    assert notes == ["The configuration is the one inside checkpoint_1000.pth.old."]
    assert json.loads((bundle.path / "config.json").read_text())["output_path"] is None


def test_what_lies_beside_the_file_is_taken_first(
    checkpoint: dict[str, Any], random_bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run-november"
    folder.mkdir()
    torch.save(checkpoint, folder / "best_model_1000.pth")
    for name in ("config.json", "vocab.json"):
        shutil.copyfile(random_bundle / name, folder / name)
    bundle, notes = bring_in(folder, tmp_path / "bundle")
    assert notes == []
    assert (bundle.path / "config.json").read_text() == (random_bundle / "config.json").read_text()
    assert name_for(folder / "best_model_1000.pth") == "best_model_1000"
    assert name_for(folder) == "run-november"


def test_what_a_file_lacks_comes_from_the_base_and_is_said(
    model: State, base: Bundle, random_bundle: Path, tmp_path: Path
) -> None:
    gpt = {name: value for name, value in model.items() if name.startswith("gpt.")}
    save_file(gpt, tmp_path / "weights.bin")
    bundle, notes = bring_in(tmp_path / "weights.bin", tmp_path / "bundle", base)
    assert notes == [
        "From the base model “tiny”: config.json, vocab.json, the decoder, mel_stats, the DVAE, the preset speakers."
    ]
    assert_same(bundle.path, random_bundle)
    assert load_file(bundle.path / "speakers.safetensors").keys()
    assert (bundle.licence, licence_of(base).name) == ("MIT", "MIT")
    assert bundle.source == "imported from weights.bin, with parts of tiny"


def test_half_precision_is_widened_and_said(model: State, base: Bundle, tmp_path: Path) -> None:
    halved = {name: value.half() for name, value in model.items() if name.startswith("gpt.")}
    torch.save({**model, **halved}, tmp_path / "half.pth")
    bundle, notes = bring_in(tmp_path / "half.pth", tmp_path / "bundle", base)
    assert notes[-1].startswith(f"{len(halved)} tensors were not in 32-bit precision")
    written = load_file(bundle.path / "model.safetensors")
    assert {value.dtype for value in written.values() if value.is_floating_point()} == {torch.float32}
    assert all(torch.equal(written[name], value.float()) for name, value in halved.items())


def test_tensors_that_share_their_memory_each_get_their_own(
    model: State, base: Bundle, random_bundle: Path, tmp_path: Path
) -> None:
    name, other = "gpt.final_norm.weight", "gpt.gpt.ln_f.weight"
    model[other] = model[name]
    torch.save(model, tmp_path / "tied.pt")
    bundle, _notes = bring_in(tmp_path / "tied.pt", tmp_path / "bundle", base)
    written = load_file(bundle.path / "model.safetensors")
    assert torch.equal(written[name], written[other])


def test_a_file_in_torchs_old_form_is_read_too(model: State, base: Bundle, random_bundle: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": model}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same(bring_in(tmp_path / "old.pth", tmp_path / "bundle", base)[0].path, random_bundle)


def test_nothing_is_copied_before_it_is_written(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    torch.save(checkpoint, tmp_path / "model.pth")
    tensors = read_weights(tmp_path / "model.pth").tensors
    # Storages inside one mapping of the file lie as far apart as they do in it.
    places = [value.untyped_storage().data_ptr() for value in tensors.values()]
    assert max(places) - min(places) < (tmp_path / "model.pth").stat().st_size


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("gpt.conditioning_encoder.init.weight", "gpt.mel_embedding.weight"), "is XTTS version 1"),
        (("xtts.gpt.conditioning_encoder.init.weight", "diffusion_decoder.x"), "is XTTS version 1"),
        (("text_encoder.emb.weight", "posterior_encoder.pre.weight"), "is a VITS model"),
        (("encoder.conv1.weight", "decoder.token_embedding.weight"), "is a Whisper model"),
        (("model.encoder.conv1.weight", "model.decoder.layers.0.fc1.weight"), "is a Whisper model"),
        (("codebook.embed", "encoder.0.0.weight"), "is a DVAE"),
        (("base_model.model.gpt.h.0.attn.c_attn.lora_A.weight",), "is a LoRA adapter"),
        (("a.b", "c", "d", "e"), "its tensors are a.b, c, d …"),
    ],
)
def test_another_model_is_told_by_its_kind(base: Bundle, tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    torch.save({"model": {name: torch.zeros(2) for name in names}}, tmp_path / "foreign.pth")
    error = refusal(tmp_path / "foreign.pth", tmp_path / "bundle", base)
    assert (error.code, said in error.message, "foreign.pth" in error.message) == ("model_foreign", True, True)
    assert error.message.count(". ") == 0


def cut(keep: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_bytes(keep(path.read_bytes()))

    return change


def packed(name: str) -> Callable[[Path], None]:
    """The file as the largest member of an archive, as the portal's own export packs it."""

    def change(path: Path) -> None:
        data = path.read_bytes()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mine/LICENCE.txt", b"x")
            if name.endswith(".pth"):
                archive.writestr("mine/dvae.pth", 2 * data)
            archive.writestr(name, data)

    return change


@pytest.mark.parametrize(
    ("source", "change", "code", "said"),
    [
        (
            "model.pth",
            cut(lambda data: data[: len(data) // 2]),
            "model_cut_short",
            "the directory that ends such a file",
        ),
        ("model.safetensors", cut(lambda data: data[:-1]), "model_cut_short", "its tensors need"),
        ("model.safetensors", cut(lambda data: data[:100]), "model_cut_short", "its list of tensors alone has"),
        ("model.pth", cut(lambda data: b""), "model_cut_short", "it is empty"),
        (
            "model.pth",
            cut(lambda data: b"version https://git-lfs.github.com/spec/v1\n"),
            "model_unreadable",
            "LFS pointer",
        ),
        ("model.pth", cut(lambda data: b"\n<!DOCTYPE html><html>"), "model_unreadable", "is a web page"),
        ("model.pth", cut(lambda data: b"RIFF" + bytes(200)), "model_unreadable", "is neither"),
        ("model.pth", packed("mine/model.pth"), "model_unreadable", "unpack it and choose model.pth, with what lies"),
        ("model.pth", packed("../notes.txt"), "model_unreadable", "is an archive and no checkpoint; unpack it first."),
        ("model.pth", cut(lambda data: pickle.dumps({"model": 1})), "model_unsafe", "is a pickle that torch did not"),
    ],
)
def test_a_file_that_is_not_whole_is_told_how(
    model: State, base: Bundle, tmp_path: Path, source: str, change: Callable[[Path], None], code: str, said: str
) -> None:
    torch.save(model, tmp_path / "model.pth")
    save_file(model, tmp_path / "model.safetensors")
    change(tmp_path / source)
    error = refusal(tmp_path / source, tmp_path / "bundle", base)
    assert error.code.startswith(code)
    assert said in error.message
    # It is known without reading it, before an import is begun.
    with pytest.raises(DomainError) as before:
        require_whole(tmp_path / source)
    assert before.value.message == error.message


def test_sizes_that_disagree_are_named_by_what_they_mean(
    model: State, base: Bundle, random_bundle: Path, tmp_path: Path
) -> None:
    def of(change: Callable[[State], Any]) -> str:
        changed = dict(model)
        change(changed)
        torch.save(changed, tmp_path / "model.pth")
        error = refusal(tmp_path / "model.pth", tmp_path / "bundle", base)
        assert error.code == "model_mismatch"
        return error.message

    layer = [name for name in model if name.startswith("gpt.gpt.h.3.")]
    assert of(lambda state: [state.pop(name) for name in layer]) == (
        "model.pth has 3 layers, but the config.json of “tiny” says 4: give the config.json it was trained with."
    )
    grown = torch.zeros(model["gpt.text_embedding.weight"].shape[0] + 7, 128)
    assert of(lambda state: state.update({"gpt.text_embedding.weight": grown})) == (
        f"model.pth knows {len(grown)} text tokens, but the vocab.json of “tiny” has {len(grown) - 7}: "
        "give the vocab.json it was trained with."
    )
    assert "audio tokens" in of(lambda state: state.update({"gpt.mel_embedding.weight": torch.zeros(8194, 128)}))
    assert of(lambda state: state.pop("gpt.final_norm.bias")) == "model.pth lacks 1 tensor: gpt.final_norm.bias."
    assert "has the shape (3,)" in of(lambda state: state.update({"gpt.final_norm.bias": torch.zeros(3)}))
    assert "The decoder from model.pth does not fit" in of(
        lambda state: state.pop("hifigan_decoder.waveform_decoder.conv_post.weight")
    )
    assert "mel_stats" in of(lambda state: state.update({"mel_stats": torch.zeros(3)}))


def test_what_is_missing_is_asked_for_by_its_file(model: State, random_bundle: Path, tmp_path: Path) -> None:
    torch.save(model, tmp_path / "lonely.pth")
    found = {}
    for given in ((), ("config",), ("config", "vocab")):
        files = {part: random_bundle / f"{part}.json" for part in given}
        error = refusal(tmp_path / "lonely.pth", tmp_path / "bundle", None, **files)
        assert error.code == "import_incomplete"
        found[given] = error.message.split(":")[0]
    assert list(found.values()) == [
        "lonely.pth comes without config.json",
        "lonely.pth comes without vocab.json",
        "lonely.pth comes without the DVAE",
    ]
    (tmp_path / "vocab.json").write_text("{}")
    wrong = refusal(tmp_path / "lonely.pth", tmp_path / "bundle", config=random_bundle / "config.json")
    assert (wrong.code, wrong.field) == ("vocab_unusable", "vocab")
    (tmp_path / "config.json").write_text("{not json")
    assert refusal(tmp_path / "lonely.pth", tmp_path / "bundle").code == "config_unusable"
    with pytest.raises(DomainError, match="There is no file nowhere.json"):
        find_files(tmp_path / "lonely.pth", vocab=tmp_path / "nowhere.json")


def test_languages_that_nothing_here_can_read_out_are_left_out(
    model: State, base: Bundle, random_bundle: Path, tmp_path: Path
) -> None:
    raw = json.loads((random_bundle / "config.json").read_text())
    torch.save(model, tmp_path / "model.pth")
    (tmp_path / "config.json").write_text(json.dumps({**raw, "languages": ["en", "xx"]}))
    bundle, notes = bring_in(tmp_path / "model.pth", tmp_path / "bundle", base)
    assert notes[-1].endswith("the language xx.")
    assert json.loads((bundle.path / "config.json").read_text())["languages"] == ["en"]
    (tmp_path / "config.json").write_text(json.dumps({**raw, "languages": ["xx"]}))
    error = refusal(tmp_path / "model.pth", tmp_path / "other", base)
    assert (error.code, "xx" in error.message) == ("language_unsupported", True)
    raw["model_args"]["gpt_use_perceiver_resampler"] = False
    (tmp_path / "config.json").write_text(json.dumps(raw))
    assert "only XTTS-v2" in refusal(tmp_path / "model.pth", tmp_path / "other", base).message


def test_a_cancelled_import_leaves_nothing(model: State, base: Bundle, tmp_path: Path) -> None:
    torch.save(model, tmp_path / "model.pth")
    files = find_files(tmp_path / "model.pth", base=base)
    for last in range(1, 6):
        answers = iter([False] * (last - 1) + [True])
        with pytest.raises(Cancelled):
            import_xtts(
                files,
                tmp_path / "bundle",
                about_import("mine", files),
                progress=Callback(should_stop=lambda: next(answers)),  # noqa: B023
            )
        assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]


def test_folders_and_names_that_will_not_do(tiny_whisper_bundle: Path, tmp_path: Path) -> None:
    def said(path: Path) -> str:
        with pytest.raises(DomainError) as caught:
            find_files(path)
        return caught.value.code

    assert said(tmp_path / "nothing") == "model_missing"
    assert said(tmp_path) == "model_missing"
    for name in ("one.pth", "two.pth"):
        (tmp_path / name).write_bytes(b"x")
    assert said(tmp_path) == "weights_ambiguous"
    with pytest.raises(DomainError, match="transcribes"):
        open_base(tiny_whisper_bundle)
    for name in ("import", "../up", "Big", ""):
        with pytest.raises(DomainError) as caught:
            require_name(name)
        assert caught.value.field == "name"
    assert open_bundle(tiny_whisper_bundle).kind == "whisper"
