"""compose.yaml and Dockerfile name what is there: the Procfile's processes, declared settings, files that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
NOT_DJANGO = {"BIND", "WEB_THREADS", "WEB_STALL_SECONDS", "PYTHONUNBUFFERED", "PATH"}


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return read


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines if line)}


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def test_each_process_of_the_procfile_is_a_container_with_its_command() -> None:
    services = compose()["services"]
    commands = {name: service["command"] for name, service in services.items()}
    assert commands == {
        **procfile(),
        "prepare": "python manage.py prepare",
        "tensorboard": "python manage.py tensorboard",
    }
    for command in commands.values():
        for named in re.findall(r"manage\.py (\w+)", command):
            assert named in get_commands()


def test_all_share_one_volume_and_start_when_the_database_stands() -> None:
    parts = compose()
    assert set(parts["volumes"]) == {"data"}
    for name, service in parts["services"].items():
        assert service["volumes"] == ["data:/data"], name
        assert service["image"] == "xtts-portal"
        if name != "prepare":
            assert service["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}, name
            assert service["restart"] == "unless-stopped"
    assert parts["services"]["prepare"]["restart"] == "no"
    # Nothing is reached from other machines before somebody says so.
    ports = [port for service in parts["services"].values() for port in service.get("ports", [])]
    assert all("127.0.0.1:" in port for port in ports)


def test_only_declared_settings_are_set() -> None:
    declared = {variable.name for variable in settings.ENVIRONMENT.variables} | NOT_DJANGO
    named = {name for service in compose()["services"].values() for name in service.get("environment", {})}
    # The instructions follow each other after the joined lines; only ENV sets variables.
    set_in_image = {
        name for line in dockerfile().splitlines() if line.startswith("ENV") for name in re.findall(r"(\w+)=", line)
    }
    assert {"TENSORBOARD_URL", "DATA_ROOT"} <= named | set_in_image
    assert named | set_in_image <= declared


def test_where_there_is_a_gpu_training_and_speech_get_it() -> None:
    services = compose("compose.gpu.yaml")["services"]
    assert set(services) == {"web", "gpu", "speech"} <= set(compose()["services"])
    for service in services.values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_the_image_is_of_a_python_that_the_lock_is_for_and_runs_as_nobody_special() -> None:
    text = dockerfile()
    version = re.search(r"^FROM python:3\.(\d+)-slim$", text, re.MULTILINE)
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    low, high = (int(number) for number in re.findall(r"3\.(\d+)", wanted))
    assert version is not None
    assert low <= int(version.group(1)) < high
    assert re.findall(r"^USER (\w+)$", text, re.MULTILINE) == ["portal"]
    for line in re.findall(r"^COPY --chown=portal:portal (.+)$", text, re.MULTILINE):
        *sources, _target = line.split()
        assert all((ROOT / source).exists() for source in sources)
    assert f'CMD ["{procfile()["web"].replace(" ", chr(34) + ", " + chr(34))}"]' in text
    assert "/healthz" in text


def test_what_a_machine_has_made_or_keeps_secret_stays_out_of_the_image() -> None:
    left_out = set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    assert {".env", "var", ".venv", "node_modules", "static/vendor", ".git"} <= left_out
