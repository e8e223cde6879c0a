"""``manage.py benchmark`` runs what the apps have added; its last line is one JSON object."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils.module_loading import autodiscover_modules

from xttsproject.lib import benchmarks
from xttsproject.lib.benchmarks import Benchmark, add_benchmark
from xttsproject.lib.errors import DomainError


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test adds is forgotten after it; what the apps add is there before."""
    autodiscover_modules("benchmarks")
    monkeypatch.setattr(benchmarks, "_known", dict(benchmarks._known))


def run(*words: str) -> str:
    out = StringIO()
    call_command("benchmark", *words, stdout=out)
    return out.getvalue()


def test_the_last_line_is_what_was_measured_with_the_options_that_were_given():
    def measure(options: Any, log: Any) -> dict[str, Any]:
        log("Begun.")
        return {"doubled": 2 * options["number"], "text": "é"}

    def ask(parser: ArgumentParser) -> None:
        parser.add_argument("--number", type=int)

    add_benchmark(Benchmark("doubling", "doubles", measure, ask))
    lines = run("doubling", "--number", "21").splitlines()
    assert lines[0] == "Begun."
    assert json.loads(lines[-1]) == {"benchmark": "doubling", "doubled": 42, "text": "é"}


def test_what_a_person_can_mend_is_said_in_a_sentence():
    def refuse(options: Any, log: Any) -> dict[str, Any]:
        raise DomainError("model_missing", "There is no model.")

    add_benchmark(Benchmark("refusing", "refuses", refuse))
    with pytest.raises(CommandError, match="There is no model"):
        run("refusing")


def test_a_name_that_nobody_added_is_refused():
    with pytest.raises(CommandError, match="unheard"):
        run("unheard")


def test_two_benchmarks_cannot_share_a_name():
    first = Benchmark("one", "", lambda options, log: {})
    add_benchmark(first)
    add_benchmark(first)
    with pytest.raises(ValueError, match="'one'"):
        add_benchmark(Benchmark("one", "another", lambda options, log: {}))


def test_the_gates_of_the_tiny_models_are_among_them(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run("tiny", "--help")
    said = capsys.readouterr().out
    assert "--quick" in said
    assert "--work" in said
