"""``manage.py models`` builds, lists, verifies, downloads and imports."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.xttsproject.bundles.hub_server import Hub, running
from xttsproject.bundles.catalog import CATALOG, XTTS_V2


@pytest.fixture(autouse=True)
def models_dir(settings: Any, tmp_path: Path) -> Path:
    settings.MODELS_DIR = tmp_path / "models"
    return tmp_path / "models"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("models", *arguments, stdout=out)
    return out.getvalue()


def test_build_makes_both_once_and_a_damaged_one_anew(models_dir: Path) -> None:
    assert "tiny built" in run("build")
    assert {path.name for path in models_dir.iterdir()} == {"tiny", "tiny-whisper"}
    model = models_dir / "tiny-whisper" / "model.bin"
    content = model.read_bytes()
    model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CommandError, match=r"model\.bin"):
        run("verify")
    said = run("build")
    assert "tiny is there" in said
    assert "tiny-whisper built" in said
    assert model.read_bytes() == content
    assert "tiny-whisper is whole" in run("verify")
    listed = run("list")
    assert listed.index("tiny-whisper") < listed.index("To download") < listed.index("xtts-v2")


def test_download_asks_for_the_licence_and_shows_it(settings: Any, models_dir: Path, tmp_path: Path) -> None:
    with running(Hub(XTTS_V2.repository, {})) as hub:
        settings.MODEL_HUB_URL = hub.endpoint
        with pytest.raises(CommandError, match="non-commercial"):
            run("download", "xtts-v2")
        assert hub.requests == 0
        with pytest.raises(CommandError, match=r"no config\.json"):
            run("download", "xtts-v2", "--accept-licence")
    entry = CATALOG["whisper-base"]
    for name in entry.files:
        (tmp_path / name).write_bytes(b"content of " + name.encode())
    with running(Hub(entry.repository, {name: tmp_path / name for name in entry.files})) as hub:
        settings.MODEL_HUB_URL = hub.endpoint
        said = run("download", "whisper-base")
    assert "whisper-base is ready" in said
    assert entry.licence.url in said
    assert "whisper-base is whole" in run("verify", "whisper-base")


def test_import_makes_a_bundle_and_replaces_one_only_when_told(
    models_dir: Path, released: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(released, tmp_path / "trained"))
    with pytest.raises(CommandError, match="non-commercial"):
        run("import", str(folder), "--name", "my-voice")
    said = run("import", str(folder), "--name", "my-voice", "--accept-licence")
    assert "my-voice is ready" in said
    assert "Coqui Public Model License" in said
    assert (models_dir / "my-voice" / "model.safetensors").is_file()
    with pytest.raises(CommandError, match="--force"):
        run("import", str(folder), "--name", "my-voice")
    for wrong in ("../up", "Big", ""):
        with pytest.raises(CommandError, match="bundle name"):
            run("import", str(folder), f"--name={wrong}")


def test_import_takes_a_file_of_any_name_and_the_rest_from_a_base(
    models_dir: Path, released: Path, random_bundle: Path, tmp_path: Path
) -> None:
    shutil.copytree(random_bundle, models_dir / "base")
    weights = tmp_path / "My Model (final).pth.bak"
    shutil.copyfile(released / "model.pth", weights)
    with pytest.raises(CommandError, match=r"comes without config\.json"):
        run("import", str(weights), "--accept-licence")
    said = run("import", str(weights), "--base", "base", "--accept-licence", "--vocab", str(released / "vocab.json"))
    assert "From the base model “base”: config.json, the DVAE, the preset speakers." in said
    assert "my-model-final-.pth is ready" in said
    with pytest.raises(CommandError, match="no model “nothing”"):
        run("import", str(weights), "--base", "nothing", "--accept-licence")


def test_verify_names_a_model_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="There is no model “nothing”"):
        run("verify", "nothing")
