"""The pages' parts: copied whole, once per lock, without the maps that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from xttsproject.management.commands import vendor


@pytest.fixture
def checkout(tmp_path: Path, settings) -> Path:
    """A checkout with a lock and what npm would have installed for it."""
    for package, files in vendor.PARTS.values():
        for source in files.values():
            file = tmp_path / "node_modules" / package / source
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(f"{package}/{source}".encode())
    (tmp_path / "package-lock.json").write_text('{"lockfileVersion": 3}')
    settings.BASE_DIR = tmp_path
    return tmp_path


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that npm was called for, in place of calling it: these tests use no network."""
    calls: list[Path] = []
    monkeypatch.setattr(vendor, "npm_install", calls.append)
    return calls


def test_every_part_is_copied_to_its_place(checkout: Path, installs: list[Path]):
    call_command("vendor", verbosity=0)

    assert installs == [checkout]
    for name, (package, files) in vendor.PARTS.items():
        for file, source in files.items():
            assert (checkout / "static" / "vendor" / name / file).read_text().strip() == f"{package}/{source}"


def test_a_second_call_does_nothing(checkout: Path, installs: list[Path]):
    call_command("vendor", verbosity=0)
    before = (checkout / "static" / "vendor").stat().st_ino
    call_command("vendor", verbosity=0)

    assert len(installs) == 1
    assert (checkout / "static" / "vendor").stat().st_ino == before


def test_a_changed_lock_brings_new_copies(checkout: Path, installs: list[Path]):
    call_command("vendor", verbosity=0)
    (checkout / "package-lock.json").write_text('{"lockfileVersion": 3, "name": "newer"}')
    (checkout / "node_modules" / "uplot" / "dist" / "uPlot.esm.js").write_text("newer")
    call_command("vendor", verbosity=0)

    assert len(installs) == 2
    assert (checkout / "static" / "vendor" / "uplot" / "uPlot.esm.js").read_text() == "newer"


def test_a_file_that_went_missing_is_brought_back(checkout: Path, installs: list[Path]):
    call_command("vendor", verbosity=0)
    lost = checkout / "static" / "vendor" / "bootstrap" / "bootstrap.min.css"
    lost.unlink()
    call_command("vendor", verbosity=0)

    assert lost.is_file()
    assert len(installs) == 2


def test_a_package_without_the_file_is_named_and_the_old_copies_stay(checkout: Path, installs: list[Path]):
    call_command("vendor", verbosity=0)
    (checkout / "package-lock.json").write_text("{}")
    (checkout / "node_modules" / "uplot" / "dist" / "uPlot.min.css").unlink()

    with pytest.raises(CommandError, match=r"uplot has no file dist/uPlot\.min\.css"):
        call_command("vendor", verbosity=0)
    assert (checkout / "static" / "vendor" / "uplot" / "uPlot.min.css").is_file()
    assert sorted(path.name for path in (checkout / "static").iterdir()) == ["vendor"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("dist/css/bootstrap.min.css", "a{b:c}\n/*# sourceMappingURL=bootstrap.min.css.map */\n"),
        ("dist/js/bootstrap.bundle.min.js", "a=1;\n//# sourceMappingURL=bootstrap.bundle.min.js.map\n"),
    ],
)
def test_pointers_to_source_maps_are_cut_off(checkout: Path, installs: list[Path], file: str, text: str):
    (checkout / "node_modules" / "bootstrap" / file).write_text(text)
    call_command("vendor", verbosity=0)

    copied = (checkout / "static" / "vendor" / "bootstrap" / Path(file).name).read_text()
    assert copied == text.splitlines()[0] + "\n"


def test_npm_comes_from_the_locked_requirements_and_needs_no_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    node, script = vendor.npm_command()

    assert Path(node).is_file()
    assert script.endswith("npm-cli.js")


def test_without_any_node_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(vendor, "find_spec", lambda name: None)

    with pytest.raises(CommandError, match="install the requirements"):
        vendor.npm_command()


def test_npms_own_words_are_passed_on_when_it_fails(tmp_path: Path):
    # Without a lock npm ci stops before it asks any network.
    with pytest.raises(CommandError, match=r"(?s)npm ci failed with status 1:\n.*package-lock\.json"):
        vendor.npm_install(tmp_path)
