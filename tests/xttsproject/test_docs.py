"""The documentation speaks of commands, files and addresses that exist."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def words(pattern: str) -> set[tuple[str, str]]:
    return {(page.name, found) for page in PAGES for found in re.findall(pattern, page.read_text(encoding="utf-8"))}


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = words(r"(?:`|^|\n)make ([a-z-]+)")
    assert named
    assert {target for _page, target in named} <= targets


def test_every_management_command_that_a_page_names_exists():
    named = words(r"manage\.py ([a-z_]+)")
    assert named
    assert {command for _page, command in named} <= set(get_commands())


def test_every_link_to_a_file_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("path", ["/api/docs/", "/api/schema/", "/healthz"])
@pytest.mark.django_db
def test_addresses_that_the_pages_name_answer_without_sign_in(client, path):
    assert client.get(path).status_code == 200


def test_the_variables_that_the_pages_name_are_declared():
    declared = {variable.name for variable in settings.ENVIRONMENT.variables} | {
        "BIND",
        "WEB_THREADS",
        "WEB_STALL_SECONDS",
        "AUDIO",
        "ONCE",
        # A library's own, which the portal leaves to whoever sets it.
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
    }
    named = {name for _page, name in words(r"\b([A-Z][A-Z]+_[A-Z_]+)\b")}
    pages = {page.stem for page in PAGES}
    assert named <= declared | pages
