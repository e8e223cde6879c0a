"""Times, states, form controls, navigation and notices, as pages write them."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory
from django.urls import resolve

from xttsproject.jobs.models import Job
from xttsproject.templatetags.portal import duration, next_step, pause, sort_of, state_badge


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        (0, "0 s"),
        (3.44, "3.4 s"),
        (12.0, "12 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (7199, "2 h 00 min"),
        (90_000, "25 h 00 min"),
        (-0.2, "0 s"),
        (timedelta(seconds=61), "1 min 01 s"),
    ],
)
def test_durations_read_as_people_say_them(value, text):
    assert duration(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.25, "0.25 s"), (0.7, "0.7 s"), (2.0, "2 s"), (100.125, "100.125 s")])
def test_pauses_read_as_they_may_be_written(value, text):
    assert pause(value) == text


def test_a_state_badge_names_the_state_to_people_and_to_the_style_sheet():
    assert state_badge(Job(state="running")) == '<span class="state" data-state="running">Running</span>'


def test_a_state_badge_of_another_field_escapes_what_it_shows():
    thing = SimpleNamespace(status="odd", get_status_display=lambda: "<b>")
    assert state_badge(thing, "status") == '<span class="state" data-state="odd">&lt;b&gt;</span>'


class Everything(forms.Form):
    name = forms.CharField(help_text="As it is shown.")
    text = forms.CharField(widget=forms.Textarea, required=False)
    agreed = forms.BooleanField()
    kind = forms.ChoiceField(choices=[("a", "First"), ("b", "Second")])
    one = forms.ChoiceField(choices=[("a", "First"), ("b", "Second")], widget=forms.RadioSelect)
    many = forms.MultipleChoiceField(choices=[("a", "First")], widget=forms.CheckboxSelectMultiple, required=False)
    file = forms.FileField()
    token = forms.CharField(widget=forms.HiddenInput)


def rendered(form: forms.Form, **more: str) -> str:
    request = RequestFactory().get("/")
    return Template('{% include "_form.html" %}').render(Context({"form": form, "request": request, **more}))


def test_each_sort_of_field_has_its_layout():
    form = Everything()
    assert {name: sort_of(form[name]) for name in form.fields} == {
        "name": "plain",
        "text": "plain",
        "agreed": "check",
        "kind": "plain",
        "one": "choices",
        "many": "choices",
        "file": "plain",
        "token": "hidden",
    }


def test_a_form_has_a_label_for_every_control_and_can_carry_files():
    html = rendered(Everything(), submit="Send", cancel="/back/")
    for control in ("id_name", "id_text", "id_agreed", "id_kind", "id_one_0", "id_one_1", "id_many_0", "id_file"):
        assert f'id="{control}"' in html
        assert f'for="{control}"' in html
    assert 'enctype="multipart/form-data"' in html
    assert ">Send</button>" in html
    assert 'href="/back/"' in html


def test_a_field_with_an_error_says_so_to_eyes_and_screen_readers():
    html = rendered(Everything({"kind": "c"}))
    assert (
        'class="form-control is-invalid" required aria-invalid="true" aria-describedby="id_name_helptext id_name_error"'
        in html
    )
    assert '<div class="invalid-feedback d-block" id="id_name_error"><div>This field is required.</div></div>' in html
    assert "c is not one of the available choices" in html


def test_a_widgets_own_classes_are_kept():
    class Sized(forms.Form):
        seed = forms.IntegerField(widget=forms.NumberInput(attrs={"class": "w-25"}))

    assert 'class="form-control w-25"' in rendered(Sized())


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/recordings/", "Recordings"),
        ("/recordings/add/", "Recordings"),
        ("/speakers/", "Recordings"),
        ("/dataset-versions/0f0f0f0f-0000-4000-8000-000000000000/", "Datasets"),
        ("/runs/", "Training"),
        ("/sweeps/new/", "Training"),
        ("/speak/", "Speak"),
        ("/", "Home"),
    ],
)
def test_the_navigation_marks_where_one_is(path, current, people):
    request = RequestFactory().get(path)
    request.user, request.resolver_match = people.anna, resolve(path)
    html = Template('{% include "_navbar.html" %}').render(Context({"request": request, "user": people.anna}))
    assert html.count('aria-current="page"') == 1
    assert html.split('aria-current="page">')[1].split("</a>")[0].strip() == current


@pytest.mark.parametrize(
    ("behind", "step"),
    [
        ({}, "recordings"),
        ({"segments": 9, "pending": 9}, "review"),
        ({"segments": 9, "pending": 1}, "review"),
        ({"segments": 9}, "dataset"),
        ({"segments": 9, "versions": 1}, "training"),
        ({"segments": 9, "versions": 1, "runs": 1}, "voice"),
        ({"voices": 1}, "speech"),
    ],
)
def test_the_next_step_follows_from_what_is_done(behind, step):
    assert next_step(**{"segments": 0, "pending": 0, "versions": 0, "runs": 0, "voices": 0, **behind}) == step


def notice(name: str) -> str:
    return Template("{% load portal %}{% model_notice name %}").render(Context({"name": name}))


def test_a_models_notice_and_licence_are_shown_and_escaped(small_bundle):
    html = notice("small")
    assert "Speaks &lt;noise&gt; only." in html
    assert '<a href="https://licences.example.org/" rel="noopener">Some licence</a>' in html


def test_without_a_name_the_notice_is_that_of_the_speaking_model(small_bundle, settings):
    settings.XTTS_BUNDLE = "small"
    assert "small-one" in notice("")


def test_a_model_that_is_gone_is_said_to_be_missing(small_bundle):
    assert "There is no model “other”" in notice("other")


def test_a_damaged_model_is_said_to_be_damaged(small_bundle):
    (small_bundle / "weights.bin").write_bytes(b"12")
    assert "weights.bin has 2 bytes instead of 4" in notice("small")
