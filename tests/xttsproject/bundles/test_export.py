"""What is exported is loaded by unmodified coqui-tts, speaks there as it does here, and comes back unchanged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.random_bundle import stock_sizes
from xttsproject.bundles.convert import convert_xtts, import_xtts
from xttsproject.bundles.describe import about_import
from xttsproject.bundles.export import export_coqui
from xttsproject.bundles.sources import find_files, open_base
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback
from xttsproject.xtts.config import read_config
from xttsproject.xtts.decode import GptDecoder, Utterance
from xttsproject.xtts.networks import load_decoder, load_gpt, load_tokenizer
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.types import Sampling
from xttsproject.xtts.weights import apply_adapter, read_state, read_tensors

# Coqui's whole code is imported and some gigabytes are written.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILES = {"model.pth", "config.json", "vocab.json", "mel_stats.pth", "dvae.pth", "speakers_xtts.pth"}
PENALTY = 2.0


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the large files, emptied at the end: pytest keeps its own for three runs."""
    folder = tmp_path_factory.mktemp("export")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield folder
    torch.set_num_threads(threads)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stock(random_bundle: Path, work: Path) -> Path:
    """A bundle with a small GPT and all else in the released sizes. Its config leaves out what our reader infers."""
    return stock_sizes(random_bundle, work / "stock")


@pytest.fixture(scope="module")
def adapter(stock: Path, work: Path) -> Path:
    """A LoRA adapter of random factors, as peft writes one."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(5)
    targets = ["c_attn", "c_proj", "c_fc"]
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=targets, fan_in_fan_out=True)
    model = get_peft_model(load_gpt(stock, read_config(stock)), lora)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter) * 0.05
    model.save_pretrained(str(work / "adapter"))
    return work / "adapter"


@pytest.fixture(scope="module")
def exported(stock: Path, adapter: Path, work: Path) -> Path:
    return export_coqui(stock, work / "exported", adapter=adapter)


@pytest.fixture(scope="module")
def coqui(exported: Path) -> Any:
    """Coqui's whole model, loaded the way its users load one."""
    from TTS.config import load_config
    from TTS.tts.models.xtts import Xtts

    config = load_config(exported / "config.json")
    model = Xtts.init_from_config(config)
    model.load_checkpoint(config, checkpoint_dir=exported, strict=True)
    return model


def state_of(bundle: Path, adapter: Path | None = None) -> dict[str, Tensor]:
    """Every tensor of a bundle by its name in model.pth, dvae.pth or speakers_xtts.pth, the adapter merged."""
    gpt = read_state(bundle, "gpt")
    gpt = apply_adapter(gpt, adapter) if adapter else gpt
    return {
        **{f"gpt.{name}": value for name, value in gpt.items()},
        **read_tensors(bundle / "model.safetensors", "hifigan_decoder."),
        **read_tensors(bundle / "model.safetensors", "mel_stats"),
        **{f"dvae.{name}": value for name, value in read_state(bundle, "dvae").items()},
        **{f"speaker.{name}": value for name, value in read_tensors(bundle / "speakers.safetensors").items()},
    }


def state_of_parts(bundle: Path) -> dict[str, Tensor]:
    """Every tensor of the model and its DVAE, of a bundle without voices."""
    return {
        **read_tensors(bundle / "model.safetensors"),
        **{f"dvae.{name}": value for name, value in read_state(bundle, "dvae").items()},
    }


def assert_same(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    assert not [name for name in left if not torch.equal(left[name], right[name])]


def test_coqui_loads_every_weight_and_the_voices(coqui: Any, exported: Path, stock: Path, adapter: Path) -> None:
    assert {file.name for file in exported.iterdir()} == FILES
    ours = state_of(stock, adapter)
    theirs = coqui.state_dict()
    checked = [name for name in ours if name.startswith(("gpt.", "hifigan_decoder.", "mel_stats"))]
    assert not [name for name in checked if not torch.equal(ours[name], theirs[name])]
    assert coqui.speaker_manager.speaker_names == ["Amber", "Basalt"]
    voice = coqui.speaker_manager.speakers["Basalt"]
    assert torch.equal(voice["gpt_cond_latent"], ours["speaker.Basalt/gpt_cond_latent"])
    assert torch.equal(voice["speaker_embedding"], ours["speaker.Basalt/speaker_embedding"])


def test_coqui_is_told_what_our_reader_infers(coqui: Any, stock: Path) -> None:
    config, told = read_config(stock), coqui.config
    sampling = config.drawn(Sampling())
    assert told.model_args.decoder_input_dim == config.decoder_input_width == config.gpt.width
    assert told.languages == ["en", "de"]
    assert {name: told[name] for name in sampling} == sampling
    assert told.repetition_penalty == 10.0


def test_coqui_speaks_the_same_codes_and_sound(coqui: Any, stock: Path, adapter: Path) -> None:
    config = read_config(stock)
    speakers = read_tensors(stock / "speakers.safetensors")
    voice, embedding = speakers["Amber/gpt_cond_latent"], speakers["Amber/speaker_embedding"]
    tokens = tuple(load_tokenizer(stock).encode("what is said here must be said there", "en"))
    assert tokens == tuple(coqui.tokenizer.encode("what is said here must be said there", lang="en"))
    utterance = Utterance(tokens, voice, 602, 0, Draw(repetition_penalty=PENALTY, greedy=True))

    def decode(state: dict[str, Tensor]) -> Any:
        return GptDecoder(state, config.gpt, torch.device("cpu")).decode([utterance])[0]

    base = read_state(stock, "gpt")
    ours = decode(apply_adapter(base, adapter))
    with torch.inference_mode():
        theirs = coqui.gpt.generate(
            cond_latents=voice,
            text_inputs=torch.tensor([tokens]),
            do_sample=False,
            num_beams=1,
            repetition_penalty=PENALTY,
        )
        latents = ours.latents[None, :40]
        here = load_decoder(stock, config)(latents, g=embedding)
        there = coqui.hifigan_decoder(latents, g=embedding)
    assert len(ours.codes) > 10
    assert list(ours.codes) == theirs[0].tolist()
    assert ours.codes != decode(base).codes
    assert here.shape == there.shape
    assert (here - there).norm() < 1e-3 * here.std() * here.numel() ** 0.5


@pytest.fixture(scope="module")
def trainer(exported: Path) -> Any:
    """Coqui's own trainer over what was exported."""
    from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer, GPTTrainerConfig

    config = GPTTrainerConfig()
    config.from_dict({**config.to_dict(), **json.loads((exported / "config.json").read_text())})
    arguments = config.model_args
    arguments.tokenizer_file, arguments.xtts_checkpoint = str(exported / "vocab.json"), str(exported / "model.pth")
    arguments.mel_norm_file, arguments.dvae_checkpoint = str(exported / "mel_stats.pth"), str(exported / "dvae.pth")
    return GPTTrainer(config)


def greedy(bundle: Path, speakers: Path) -> list[int]:
    """What the model says to one text, each code the likeliest."""
    config = read_config(bundle)
    voice = read_tensors(speakers / "speakers.safetensors")["Amber/gpt_cond_latent"]
    tokens = tuple(load_tokenizer(bundle).encode("what went out must come in again", "en"))
    utterance = Utterance(tokens, voice, 602, 0, Draw(repetition_penalty=PENALTY, greedy=True))
    decoder = GptDecoder(read_state(bundle, "gpt"), config.gpt, torch.device("cpu"))
    return list(decoder.decode([utterance])[0].codes)


def test_coquis_trainer_takes_the_files(trainer: Any, exported: Path) -> None:
    weights = torch.load(exported / "dvae.pth", weights_only=True)
    loaded = trainer.dvae.state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    model = torch.load(exported / "model.pth", weights_only=True)["model"]
    assert torch.equal(trainer.xtts.gpt.mel_head.weight, model["gpt.mel_head.weight"])
    assert torch.equal(trainer.torch_mel_spectrogram_dvae.mel_norms, model["mel_stats"])


def test_what_coquis_trainer_saves_comes_in_with_its_vocabulary_alone(
    trainer: Any, exported: Path, stock: Path, adapter: Path, work: Path
) -> None:
    from trainer.io import save_best_model

    before = trainer.xtts.gpt.mel_head.weight.detach().clone()
    optimizer = torch.optim.AdamW(trainer.xtts.gpt.parameters(), lr=1e-3)
    for parameter in trainer.xtts.gpt.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    run = work / "run"
    run.mkdir()
    save_best_model(
        {"train_loss": 1.0, "eval_loss": 2.0},
        {"train_loss": 9.0, "eval_loss": 9.0},
        trainer.config,
        trainer,
        run,
        current_step=12,
        epoch=1,
        optimizer=[optimizer],
    )
    given = find_files(run / "best_model.pth", vocab=exported / "vocab.json")
    bundle, notes = import_xtts(given, work / "trained", about_import("trained", given))
    brought = state_of_parts(bundle.path)
    ours = {**trainer.xtts.state_dict(), **{f"dvae.{name}": each for name, each in trainer.dvae.state_dict().items()}}
    assert not [name for name, value in brought.items() if not torch.equal(value, ours[name])]
    assert not torch.equal(brought["gpt.mel_head.weight"], before)
    assert notes == ["The configuration is the one inside best_model.pth."]
    assert read_config(bundle.path).gpt == read_config(stock).gpt
    assert greedy(bundle.path, stock)
    trainer.xtts.gpt.mel_head.weight.data.copy_(before)
    shutil.rmtree(run)
    shutil.rmtree(bundle.path)


def test_one_exported_file_comes_back_alone_and_says_the_same(
    exported: Path, stock: Path, adapter: Path, work: Path
) -> None:
    alone = work / "renamed.ckpt"
    alone.hardlink_to(exported / "model.pth")
    given = find_files(alone, base=open_base(stock))
    bundle, notes = import_xtts(given, work / "alone", about_import("alone", given))
    assert notes == [
        "From the base model “stock”: vocab.json, the DVAE, the preset speakers.",
        "The configuration is the one inside renamed.ckpt.",
    ]
    config = read_config(stock)
    merged = apply_adapter(read_state(stock, "gpt"), adapter)
    voice = read_tensors(stock / "speakers.safetensors")["Amber/gpt_cond_latent"]
    tokens = tuple(load_tokenizer(stock).encode("what went out must come in again", "en"))
    utterance = Utterance(tokens, voice, 602, 0, Draw(repetition_penalty=PENALTY, greedy=True))
    expected = list(GptDecoder(merged, config.gpt, torch.device("cpu")).decode([utterance])[0].codes)
    assert len(expected) > 10
    assert greedy(bundle.path, stock) == expected
    assert_same(state_of(bundle.path), state_of(stock, adapter))
    shutil.rmtree(bundle.path)
    alone.unlink()


def test_the_exported_folder_converts_back_to_the_same_bundle(
    exported: Path, stock: Path, adapter: Path, work: Path
) -> None:
    back = convert_xtts(
        exported, work / "back", name="back", licence="some", licence_url="", notice="a notice", origin="a folder"
    )
    assert_same(state_of(back.path), state_of(stock, adapter))
    assert read_config(back.path).gpt == read_config(stock).gpt
    shutil.rmtree(back.path)


def test_without_an_adapter_the_weights_are_the_bundles_own_and_no_larger(stock: Path, work: Path) -> None:
    progress: list[tuple[float, str]] = []
    folder = export_coqui(stock, work / "plain", progress=Callback(lambda *report: progress.append(report)))
    written = torch.load(folder / "model.pth", weights_only=True, mmap=True)["model"]
    assert_same(dict(written), read_tensors(stock / "model.safetensors"))
    assert (folder / "model.pth").stat().st_size < 1.05 * (stock / "model.safetensors").stat().st_size
    assert (folder / "mel_stats.pth").stat().st_size < 10_000
    assert (folder / "speakers_xtts.pth").stat().st_size < 1_000_000
    fractions = [fraction for fraction, _ in progress]
    assert fractions == sorted(fractions)
    assert "writing model.pth" in [message for _, message in progress]
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("decoder", {"class": "source_filter"}, "decoder is of the class source_filter"),
        ("decoder", {"upsample_initial_channel_decoder": 64}, "upsample_initial_channel_decoder 64 instead of 512"),
        ("speaker_encoder", {"class": "tdnn"}, "speaker encoder is of the class tdnn"),
        ("speaker_encoder", {"layers": [1, 1, 1, 1]}, "speaker encoder has layers [1, 1, 1, 1]"),
        ("model_args", {"d_vector_dim": 256}, "speakers are 256 wide instead of 512"),
        ("dvae", {"hidden_dim": 64}, "DVAE has hidden_dim 64 instead of 512"),
    ],
)
def test_a_bundle_with_other_networks_is_refused(
    stock: Path, tmp_path: Path, key: str, value: dict[str, Any], said: str
) -> None:
    bundle = tmp_path / "my-bundle"
    bundle.mkdir()
    shutil.copyfile(stock / "vocab.json", bundle / "vocab.json")
    raw = json.loads((stock / "config.json").read_text())
    (bundle / "config.json").write_text(json.dumps({**raw, key: {**raw.get(key, {}), **value}}))
    with pytest.raises(DomainError) as caught:
        export_coqui(bundle, tmp_path / "out")
    assert caught.value.code == "export_unsuitable"
    assert "my-bundle" in caught.value.message
    assert said in caught.value.message
    assert not (tmp_path / "out").exists()


def test_what_is_missing_or_does_not_fit_is_named_and_nothing_is_left(stock: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    caught = []
    for name in ("config.json", "vocab.json", "model.safetensors", "dvae.safetensors"):
        with pytest.raises(DomainError) as missing:
            export_coqui(bundle, tmp_path / "out")
        assert name in missing.value.message
        caught.append(missing.value.code)
        (bundle / name).symlink_to(stock / name)
    assert caught == ["model_missing"] * 4
    with pytest.raises(DomainError) as without:
        export_coqui(bundle, tmp_path / "out", adapter=tmp_path)
    assert without.value.code == "adapter_missing"
    raw = json.loads((stock / "config.json").read_text())
    raw["model_args"]["gpt_layers"] += 1
    (bundle / "config.json").unlink()
    (bundle / "config.json").write_text(json.dumps(raw))
    with pytest.raises(DomainError) as unfit:
        export_coqui(bundle, tmp_path / "out")
    assert unfit.value.code == "model_damaged"
    assert "gpt.gpt.h.4." in unfit.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_cancelled_export_leaves_what_was_there(stock: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "older").write_text("kept")
    for last_check in range(1, 5):
        answers = iter([False] * (last_check - 1) + [True])
        with pytest.raises(Cancelled):
            export_coqui(stock, tmp_path / "out", progress=Callback(should_stop=lambda: next(answers)))  # noqa: B023
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["older"]
