"""The steps of the benchmark of long texts measure what a job does. The killing is in ``tests/voices/killed``."""

from __future__ import annotations

import pytest

from voices.benchmark_longform import LONGFORM
from voices.models import Synthesis
from voices.services.longform_trial import trial_compare, trial_join, trial_plan, trial_resume
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_text_is_cut_gone_on_with_compared_and_joined(people, make_voice):
    plan = trial_plan(voice=str(make_voice(people.anna).pk), characters=1000)
    synthesis = Synthesis.objects.get(pk=plan["synthesis"])
    assert 700 <= plan["characters"] == len(synthesis.text) <= 1000
    assert plan["sentences"] == synthesis.parts.count() >= 8
    rest = trial_resume(job=plan["job"])
    assert (rest["state"], rest["sentences"]) == ("succeeded", plan["sentences"])
    assert rest["first_seconds"] > 0
    before = {row.number: row.take for row in synthesis.parts.all()}
    both = trial_compare(synthesis=plan["synthesis"], count=4)
    assert (both["state"], both["sentences"], both["different"]) == ("succeeded", 4, 0)
    assert min(both["alone"], both["together"]) > 0
    after = {row.number: row.take for row in synthesis.parts.all()}
    assert sum(after[number] == take + 1 for number, take in before.items()) == 4
    synthesis.refresh_from_db()
    joined = synthesis.joined_at
    assert joined is not None
    assert trial_join(synthesis=plan["synthesis"])["audio_seconds"] == pytest.approx(synthesis.seconds)
    synthesis.refresh_from_db()
    assert synthesis.joined_at is not None
    assert synthesis.joined_at > joined


def test_options_that_measure_nothing_are_refused():
    for options in ({"characters": 10, "compared": 4}, {"characters": 5000, "compared": 0}):
        with pytest.raises(DomainError) as caught:
            LONGFORM.run({**options, "bundle": None}, print)
        assert caught.value.code == "options_invalid"
