"""A spec refuses what cannot work, says which value it means, and survives being written down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from training.engine.launch import PROJECT_ROOT, command, process_environment
from training.engine.spec import LoraSpec, Prompt, TrainSpec
from xttsproject.lib.errors import DomainError


def a_spec(**changes: Any) -> TrainSpec:
    values: dict[str, Any] = {
        "run_dir": Path("runs/1"),
        "bundle": Path("models/tiny"),
        "manifest": Path("versions/1/manifest.jsonl"),
        "language": "en",
    }
    return TrainSpec(**{**values, **changes})


def test_a_spec_written_as_json_reads_back_equal(tmp_path: Path) -> None:
    spec = a_spec(
        lora=LoraSpec(rank=4, alpha=4.5, dropout=0.1, targets=("c_attn",)),
        sample_prompts=(Prompt("Guten Tag.", "de", 7),),
        reference_clips=(Path("clips/a.wav"),),
        features_dir=Path("features"),
        threads=2,
    )
    spec.save(tmp_path / "spec.json")
    assert TrainSpec.load(tmp_path / "spec.json") == spec
    assert json.loads((tmp_path / "spec.json").read_text())["lora"]["targets"] == ["c_attn"]


@pytest.mark.parametrize(
    ("changes", "field", "quoted"),
    [
        ({"epochs": 0}, "epochs", "0"),
        ({"epochs": True}, "epochs", "True"),
        ({"epochs": 2.5}, "epochs", "2.5"),
        ({"batch_size": -3}, "batch_size", "-3"),
        ({"learning_rate": 0}, "learning_rate", "0"),
        ({"learning_rate": float("nan")}, "learning_rate", "nan"),
        ({"learning_rate": "fast"}, "learning_rate", "'fast'"),
        ({"schedule": "zigzag"}, "schedule", "'zigzag'"),
        ({"precision": "int4"}, "precision", "'int4'"),
        ({"device": "tpu"}, "device", "'tpu'"),
        ({"warmup_fraction": 0.95}, "warmup_fraction", "0.95"),
        ({"code_noise": 1.0}, "code_noise", "1.0"),
        ({"max_grad_norm": 0}, "max_grad_norm", "0"),
        ({"language": "  "}, "language", "'  '"),
        ({"manifest": "manifest.jsonl"}, "manifest", "'manifest.jsonl'"),
        ({"threads": 0}, "threads", "0"),
        ({"sample_prompts": (Prompt("Hello.", "en"),)}, "reference_clips", "1 sample prompts"),
        ({"method": "half"}, "method", "'half'"),
        ({"train_heads": 1}, "train_heads", "1"),
        ({"augment_conditioning": "gain"}, "augment_conditioning", "'gain'"),
    ],
)
def test_a_value_that_cannot_work_is_named_and_quoted(changes: dict[str, Any], field: str, quoted: str) -> None:
    with pytest.raises(DomainError) as caught:
        a_spec(**changes)
    assert (caught.value.code, caught.value.field) == ("spec_invalid", field)
    assert quoted in caught.value.message


@pytest.mark.parametrize(
    ("changes", "field", "quoted"),
    [
        ({"rank": 0}, "lora.rank", "0"),
        ({"alpha": -1.0}, "lora.alpha", "-1.0"),
        ({"dropout": 1.0}, "lora.dropout", "1.0"),
        ({"targets": ("q_proj",)}, "lora.targets", "'q_proj'"),
        ({"targets": ()}, "lora.targets", "()"),
    ],
)
def test_an_adapter_that_cannot_exist_is_refused(changes: dict[str, Any], field: str, quoted: str) -> None:
    with pytest.raises(DomainError) as caught:
        LoraSpec(**changes)
    assert caught.value.field == field
    assert quoted in caught.value.message


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"learning_rat": 1e-4}, "learning_rat"),
        ({"run_dir": 5}, "run_dir"),
        ({"lora": {"rnk": 8}}, "rnk"),
        ({"lora": 8}, "lora"),
        ({"sample_prompts": [{"text": "Hello."}]}, "sample_prompts.language"),
        ({"reference_clips": "a.wav"}, "reference_clips"),
        ({"epochs": "3"}, "epochs"),
    ],
)
def test_json_with_a_wrong_field_names_it(values: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as caught:
        TrainSpec.from_dict({**a_spec().to_dict(), **values})
    assert (caught.value.code, caught.value.field) == ("spec_invalid", field)


def test_a_missing_field_is_named() -> None:
    values = a_spec().to_dict()
    del values["bundle"]
    with pytest.raises(DomainError, match="lacks bundle"):
        TrainSpec.from_dict(values)


def test_a_file_that_is_no_spec_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{not json")
    with pytest.raises(DomainError) as caught:
        TrainSpec.load(tmp_path / "spec.json")
    assert caught.value.code == "spec_invalid"
    with pytest.raises(DomainError, match=r"missing\.json"):
        TrainSpec.load(tmp_path / "missing.json")


def test_what_the_portal_imports_loads_no_ml_library() -> None:
    code = (
        "import sys, training.engine.spec, training.engine.events, training.engine.launch\n"
        "heavy = {'torch', 'TTS', 'numpy', 'peft', 'transformers', 'accelerate', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_command_runs_this_package_with_the_allocator_kept_from_giving_memory_back(tmp_path: Path) -> None:
    assert command(tmp_path / "spec.json") == [sys.executable, "-m", "training.engine", str(tmp_path / "spec.json")]
    assert process_environment()["MALLOC_MMAP_MAX_"] == "0"
