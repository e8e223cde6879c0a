"""Settings of speech refuse what cannot be, quoting it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES, validate_language
from xttsproject.xtts.types import ConditioningSettings, Sampling


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_k": 50.5},
        {"top_p": 1.5},
        {"repetition_penalty": 0.5},
        {"speed": 9},
        {"seed": -3},
        {"speed": "fast"},
    ],
)
def test_a_value_out_of_range_is_quoted_with_its_field(wrong: dict[str, Any]) -> None:
    [(field, value)] = wrong.items()
    with pytest.raises(DomainError) as caught:
        Sampling(**wrong)
    assert (caught.value.code, caught.value.field) == ("sampling_invalid", field)
    assert repr(value) in caught.value.message


def test_conditioning_seconds_are_checked() -> None:
    with pytest.raises(DomainError):
        ConditioningSettings(chunk_seconds=0.1)


@pytest.mark.parametrize(
    ("given", "code"), [("EN", "en"), ("en-GB", "en"), ("zh", "zh-cn"), ("zh_CN", "zh-cn"), ("pt-br", "pt")]
)
def test_language_codes_are_brought_to_one_form(given: str, code: str) -> None:
    assert validate_language(given) == code


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(DomainError, match="xx"):
        validate_language("xx")
    assert len(LANGUAGES) == 17


def test_types_languages_and_text_load_no_ml_library() -> None:
    code = (
        "import sys, xttsproject.xtts.types, xttsproject.xtts.languages, xttsproject.xtts.text\n"
        "import xttsproject.xtts.normaliser\n"
        "import xttsproject.xtts.config, xttsproject.bundles.manifest, xttsproject.bundles.catalog\n"
        "import xttsproject.bundles.download, xttsproject.bundles.tiny.xtts, xttsproject.bundles.tiny.whisper\n"
        "heavy = ('torch', 'TTS', 'transformers', 'safetensors', 'huggingface_hub', 'ctranslate2', 'tokenizers')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_speaking_needs_no_transformers() -> None:
    code = "import sys, xttsproject.xtts.engine, xttsproject.xtts.networks\nprint('transformers' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
