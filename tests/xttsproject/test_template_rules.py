"""What the Content-Security-Policy would block is in no template, and what templates ask for is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.template.backends.django import Template
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# The admin's pages are outside the policy (EXCLUDE_URL_PREFIXES): unfold's own templates need more than it allows.
UNDER_POLICY = [path for path in TEMPLATES if path.relative_to(ROOT / "templates").parts[0] != "admin"]

_SCRIPT = re.compile(r"<script\b([^>]*)>", re.IGNORECASE)
_HANDLER = re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"<(?:script|link|img|audio|video|iframe)\b[^>]*(?:src|href)=[\"'](?:https?:)?//", re.IGNORECASE
)
_STATIC = re.compile(r"{%\s*static\s+'([^'{}]+)'\s*%}|{%\s*static\s+\"([^\"{}]+)\"\s*%}")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "templates").as_posix()


def without_tags(text: str) -> str:
    """The template's HTML: comparisons inside template tags hold ``>`` too."""
    return re.sub(r"{%.*?%}|{#.*?#}", "", text, flags=re.DOTALL)


def test_there_are_templates_to_look_at():
    assert {"base.html", "home.html", "jobs/list.html"} <= {name_of(path) for path in UNDER_POLICY}


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_every_template_can_be_parsed(path):
    assert isinstance(get_template(name_of(path)), Template)


@pytest.mark.parametrize("path", UNDER_POLICY, ids=name_of)
def test_no_template_has_what_the_policy_blocks(path):
    text = without_tags(path.read_text(encoding="utf-8"))
    inline = [
        tag for tag in _SCRIPT.findall(text) if "src=" not in tag and not re.search(r"type=\"application/json\"", tag)
    ]
    assert inline == []
    assert _HANDLER.findall(text) == []
    assert "javascript:" not in text
    assert not re.search(r"hx-(?:on|vars)\b|hx-vals=['\"]js:", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_no_template_loads_anything_from_another_site(path):
    assert _ELSEWHERE.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_every_static_file_that_a_template_names_is_there(path):
    if not (ROOT / "static" / "vendor").is_dir():
        pytest.skip("the pages' parts are not there; `manage.py vendor` fetches them")
    names = {single or double for single, double in _STATIC.findall(path.read_text(encoding="utf-8"))}
    assert {name for name in names if finders.find(name) is None} == set()


def test_the_policy_allows_no_inline_script_and_no_evaluation(client, db):
    policy = client.get("/accounts/login/")["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";") if part.strip())
    assert directives["default-src"] == "'self'"
    assert "script-src" not in directives
    assert "unsafe-eval" not in policy


def test_htmx_is_told_to_evaluate_nothing(client, db):
    page = client.get("/accounts/login/").content.decode()
    assert '"allowEval": false' in page
    assert '"includeIndicatorStyles": false' in page


def test_collected_static_files_point_at_nothing_that_is_missing(settings, tmp_path):
    if not (ROOT / "static" / "vendor").is_dir():
        pytest.skip("the pages' parts are not there; `manage.py vendor` fetches them")
    settings.STATIC_ROOT = tmp_path / "static"
    # The portal's own files alone, and without whitenoise's compression: both would take a minute for nothing.
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    storage = {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}
    call_command("collectstatic", interactive=False, verbosity=0)

    hashed = json.loads((tmp_path / "static" / "staticfiles.json").read_text(encoding="utf-8"))["paths"]
    assert {"css/portal.css", "vendor/bootstrap-icons/fonts/bootstrap-icons.woff2"} <= hashed.keys()
    icons = (tmp_path / "static" / hashed["vendor/bootstrap-icons/bootstrap-icons.min.css"]).read_text(encoding="utf-8")
    assert Path(hashed["vendor/bootstrap-icons/fonts/bootstrap-icons.woff2"]).name in icons
