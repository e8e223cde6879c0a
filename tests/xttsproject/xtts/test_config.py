"""What a bundle's config.json decides: who has the say in sampling, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import RELEASED_SAMPLING, read_config
from xttsproject.xtts.types import Sampling


def changed(bundle: Path, tmp_path: Path, **values: object) -> Path:
    """A copy of the bundle's two readable files, with other values in the one."""
    for name in ("config.json", "vocab.json"):
        shutil.copy(bundle / name, tmp_path / name)
    content = json.loads((tmp_path / "config.json").read_text())
    for name, value in values.items():
        if value is None:
            content.pop(name, None)
        else:
            content[name] = value
    (tmp_path / "config.json").write_text(json.dumps(content))
    return tmp_path


def test_the_request_comes_before_the_bundle_and_the_bundle_before_the_released_code(
    random_bundle: Path, tmp_path: Path
) -> None:
    path = changed(random_bundle, tmp_path, temperature=0.4, top_k=None, top_p=0.6, repetition_penalty=None)
    content = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**content, "repetition_penalty": None}))
    config = read_config(path)
    assert config.drawn(Sampling()) == {**RELEASED_SAMPLING, "temperature": 0.4, "top_p": 0.6}
    asked = config.drawn(Sampling(temperature=1.0, top_k=7, repetition_penalty=3.0))
    assert asked == {"temperature": 1.0, "top_k": 7, "top_p": 0.6, "repetition_penalty": 3.0}


@pytest.mark.parametrize(("name", "value"), [("temperature", 0), ("top_k", -2), ("top_k", 50.5), ("top_p", "much")])
def test_a_default_that_no_one_could_ask_for_makes_a_bundle_unusable(
    random_bundle: Path, tmp_path: Path, name: str, value: object
) -> None:
    with pytest.raises(DomainError, match=repr(value)) as caught:
        read_config(changed(random_bundle, tmp_path, **{name: value}))
    assert caught.value.code == "model_damaged"
