"""TensorBoard: which addresses are one, and that the program answers where the link leads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from xttsproject.checks import tensorboard_address
from xttsproject.demo.processes import free_port
from xttsproject.lib.tensorboard import path_prefix, run_address
from xttsproject.management.commands.tensorboard import arguments

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/tensorboard/",
        "/boards",
        "http://127.0.0.1:6006",
        "https://voices.example.org/boards/",
        "http://[::1]:6006",
    ],
)
def test_addresses_and_paths_are_taken(settings: Any, address: str) -> None:
    settings.TENSORBOARD_URL = address
    assert tensorboard_address() == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("javascript:alert(1)", "http"),
        ("boards.example.org", "neither"),
        ("//boards.example.org/", "http"),
        ("ftp://boards.example.org", "http"),
        ("https:///boards", "no host"),
        ("https://boards.example.org:port/", "cannot be read"),
        ("https://me:secret@boards.example.org/", "user name"),
        ("/boards/?x=1", "query"),
        ("/boards/#runs", "fragment"),
        ("/two words/", "plain one"),
        ('/"onclick=', "plain one"),
    ],
)
def test_anything_else_is_refused_at_the_start_with_its_reason(settings: Any, address: str, reason: str) -> None:
    settings.TENSORBOARD_URL = address
    (error,) = tensorboard_address()
    assert error.id == "portal.E004"
    assert address in error.msg
    assert reason in error.msg


def test_the_path_of_the_address_is_where_it_answers() -> None:
    for address in ("/tensorboard/", "/tensorboard", "https://voices.example.org/tensorboard/"):
        assert path_prefix(address) == "/tensorboard"
        assert arguments(Path("runs"), "127.0.0.1", 6006, address)[-2:] == ["--path_prefix", "/tensorboard"]
    for address in ("", "/", "http://127.0.0.1:6006", "http://127.0.0.1:6006/"):
        assert path_prefix(address) == ""
        assert "--path_prefix" not in arguments(Path("runs"), "127.0.0.1", 6006, address)


def test_a_run_s_link_keeps_the_path() -> None:
    assert run_address("", "7") == ""
    assert run_address("/tensorboard/", "7") == "/tensorboard/?runFilter=7#timeseries"
    assert run_address("https://b.example.org", "7") == "https://b.example.org/?runFilter=7#timeseries"


@pytest.mark.django_db
def test_what_a_proxy_asks_before_it_lets_anybody_through(client: Any, people: Any) -> None:
    assert client.get("/api/v1/me/").status_code in (401, 403)
    client.force_login(people.anna)
    assert client.get("/api/v1/me/").status_code == 200


@pytest.mark.slow
def test_it_serves_the_curves_of_all_runs_below_the_path(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "runs" / "one" / "tensorboard")) as board:
        board.add_scalar("train/loss", 4.0, 1)
    port = free_port(6100)
    settings = {"DATA_ROOT": str(tmp_path), "TENSORBOARD_URL": "/boards/", "TENSORBOARD_PORT": str(port)}
    environment = {**os.environ, **settings, "DJANGO_SETTINGS_MODULE": "xttsproject.settings"}
    session = requests.Session()
    session.trust_env = False

    with open(tmp_path / "said", "wb") as said:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "tensorboard"], cwd=ROOT, env=environment, stdout=said, stderr=said
        )
    try:
        limit = time.monotonic() + 90
        tags: dict[str, Any] = {}
        while "train/loss" not in tags.get("one/tensorboard", {}):
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < limit, (tmp_path / "said").read_text()
            time.sleep(0.3)
            try:
                answer = session.get(f"http://127.0.0.1:{port}/boards/data/plugin/scalars/tags", timeout=5)
            except requests.RequestException:
                continue
            if answer.ok:
                tags = answer.json()
        page = session.get(f"http://127.0.0.1:{port}/boards/?runFilter=one", timeout=30)
        assert page.ok
        assert "<tb-webapp" in page.text or "TensorBoard" in page.text
        assert session.get(f"http://127.0.0.1:{port}/data/plugin/scalars/tags", timeout=5).status_code == 404
    finally:
        process.terminate()
        process.wait(timeout=30)
