"""Adapters beside resident weights speak as merged ones do, several in one loop."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.adapters import Adapter
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import read_config
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.loop import SpeechLoop, Utterance
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.shapes import gpt_shapes
from xttsproject.xtts.types import Sampling

TARGETS = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")


def write_adapter(folder: Path, bundle: Path, seed: int, targets: tuple[str, ...], *, transposed: bool = False) -> Path:
    """An adapter in peft's form that has learnt something; ``transposed``: for weights of (outputs, inputs)."""
    shapes = gpt_shapes(read_config(bundle).gpt)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        target = name.removesuffix(".weight")
        if not target.startswith("gpt.h.") or not target.endswith(targets) or name == target:
            continue
        inputs, outputs = reversed(shape) if transposed else shape
        prefix = f"base_model.model.{target}"
        tensors[f"{prefix}.lora_A.weight"] = torch.randn(4, inputs, generator=generator) * 0.05
        tensors[f"{prefix}.lora_B.weight"] = torch.randn(outputs, 4, generator=generator) * 0.05
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "fan_in_fan_out": not transposed, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def adapters(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("adapters")
    return [
        write_adapter(root / "all", random_bundle, 1, TARGETS),
        write_adapter(root / "some", random_bundle, 2, TARGETS[:1]),
        write_adapter(root / "turned", random_bundle, 3, TARGETS[2:], transposed=True),
    ]


def utterance(engine: XttsEngine, voice: Conditioning, seed: int) -> Utterance:
    tokens = tuple(engine.tokenizer.encode("does it end here?", "en"))
    return Utterance(tokens, voice.gpt_latents, 30, seed, Draw(), engine.adapter)


def test_an_adapter_beside_the_weights_speaks_as_one_merged_into_them(
    engine: XttsEngine, voice: Conditioning, random_bundle: Path, adapters: list[Path]
) -> None:
    [plain] = engine.gpt.decode([utterance(engine, voice, 3)])
    for path in adapters:
        merged, beside = XttsEngine.load(random_bundle, adapter=path), engine.adapted(path)
        assert beside.gpt is engine.gpt
        assert beside.model_key == merged.model_key != engine.model_key
        [expected] = merged.gpt.decode([utterance(merged, voice, 3)])
        [found] = beside.gpt.decode([utterance(beside, voice, 3)])
        assert expected.codes != plain.codes
        assert found.codes == expected.codes
        assert (found.latents - expected.latents).abs().max() < 1e-4
        followed = beside.gpt.follow(utterance(beside, voice, 3), found.codes)
        assert (followed - found.latents).abs().max() < 1e-4
    said = [one.speak("The same text.", "en", voice, Sampling(seed=1)).audio.samples for one in (merged, beside)]
    assert said[0].shape == said[1].shape
    assert abs(said[0] - said[1]).max() < 1e-3


def test_sentences_with_different_adapters_and_none_share_a_loop(
    engine: XttsEngine, voice: Conditioning, adapters: list[Path]
) -> None:
    engines = [engine, *(engine.adapted(path) for path in adapters), engine]
    wanted = [utterance(each, voice, seed) for seed, each in enumerate(engines)]
    wanted[1] = replace(wanted[1], max_codes=7)
    loop, rows = SpeechLoop(engine.gpt, limit=4), []
    for one in wanted:
        rows.append(loop.add(one))
        loop.step()
    while loop.busy:
        loop.step()
    for row, one in zip(rows, wanted, strict=True):
        [alone] = engine.gpt.decode([one])
        assert tuple(row.codes) == alone.codes
        assert (row.latents() - alone.latents).abs().max() < 1e-4


def test_an_adapter_is_small_beside_the_weights_it_is_for(
    engine: XttsEngine, random_bundle: Path, adapters: list[Path]
) -> None:
    adapter = engine.adapted(adapters[0]).adapter
    assert adapter is not None
    assert adapter.bytes == pytest.approx((adapters[0] / "adapter_model.safetensors").stat().st_size, rel=0.1)
    # Of the real sizes a hundredth: the rank is 4 there too, and the width eight times this one's.
    assert adapter.bytes < 0.15 * (random_bundle / "model.safetensors").stat().st_size


def test_what_holds_more_than_low_rank_factors_is_merged_into_weights_of_its_own(
    engine: XttsEngine, voice: Conditioning, adapters: list[Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(adapters[1], tmp_path / "whole"))
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors["base_model.model.mel_head.bias"] = torch.linspace(-1, 1, engine.config.gpt.audio_tokens)
    save_file(tensors, folder / "adapter_model.safetensors")
    adapted = engine.adapted(folder)
    assert adapted.gpt is not engine.gpt
    assert adapted.adapter is None
    assert torch.equal(adapted.gpt._head[1], tensors["base_model.model.mel_head.bias"])


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"base_model.model.gpt.h.0.attn.c_attn.lora_A.weight": torch.ones(4, 7)}, "adapter_mismatch", "another model"),
        (
            {"base_model.model.gpt.h.0.attn.c_attn.lora_A.weight": torch.ones(3, 128)},
            "adapter_mismatch",
            "another model",
        ),
        ({"base_model.model.gpt.h.9.attn.c_attn.lora_A.weight": torch.ones(4, 128)}, "adapter_damaged", "only half"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(
    engine: XttsEngine, adapters: list[Path], tmp_path: Path, change: dict[str, torch.Tensor], code: str, said: str
) -> None:
    folder = Path(shutil.copytree(adapters[1], tmp_path / "other"))
    tensors = {**load_file(folder / "adapter_model.safetensors"), **change}
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(DomainError, match=said) as caught:
        engine.adapted(folder)
    assert caught.value.code == code


def test_an_adapter_that_is_not_there_or_empty_is_refused(engine: XttsEngine, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        engine.adapted(tmp_path / "none")
    assert caught.value.code == "adapter_missing"
    save_file({}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8}))
    with pytest.raises(DomainError, match="no weights"):
        engine.adapted(tmp_path)


def test_what_an_adapter_adds_to_a_row_hangs_on_no_other_row() -> None:
    generator = torch.Generator().manual_seed(4)
    first, second = torch.randn(8, 192, generator=generator), torch.randn(576, 8, generator=generator)
    adapter, rows = Adapter({"it": (first, second)}), torch.randn(7, 1, 192, generator=generator)
    together = adapter.added("it", rows)
    assert together is not None
    for row in range(len(rows)):
        alone = adapter.added("it", rows[row : row + 1])
        assert alone is not None
        assert torch.equal(together[row : row + 1], alone)
    torch.testing.assert_close(together, rows @ first.t() @ second.t(), rtol=1e-4, atol=1e-3)
