"""Quality profiles: the portal's own are as documented and stay; people copy, share and speak with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from tests import random_whisper
from tests.voices.factories import VoiceFactory
from voices.admin import ProfileAdminForm
from voices.choices import Channel
from voices.engine.profiles import BUILTIN, GUARDING, VALUES
from voices.models import QualityProfile, Synthesis, Voice
from voices.services import profile_copy, profile_delete, profile_find, profile_update, speech_make, voice_use_profile
from voices.services.guarding import guard_settings
from voices.services.profiles import ensure_profiles
from voices.services.wishes import Wish
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import RELEASED_SAMPLING
from xttsproject.xtts.types import Sampling

pytestmark = pytest.mark.django_db
API = "/api/v1/profiles/"
DOCS = Path(__file__).parents[2] / "docs" / "SPEECH.md"


def builtin(name: str) -> QualityProfile:
    return QualityProfile.objects.get(owner=None, name=name)


@pytest.fixture
def hidden(people: Any) -> QualityProfile:
    return profile_copy(owner=people.ben, profile=builtin("stable"), name="Ben's")


def test_the_portals_own_are_there_after_migrating_as_they_are_documented():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    columns = len(VALUES) + len(GUARDING) + 1
    documented = {name: cells.split(" | ") for name, cells in rows if len(cells.split(" | ")) == columns}
    kept = QualityProfile.objects.filter(owner=None)
    assert {each.name for each in BUILTIN} == set(documented) == {each.name for each in kept}
    for profile in kept:
        *values, guard, retries, candidates, purpose = documented[profile.name]
        assert dict(zip(VALUES, map(float, values), strict=True)) == profile.values
        told = {"guard": guard, "max_retries": int(retries)}
        assert profile.guarding == (told if candidates == "–" else {**told, "candidates": int(candidates)})
        assert purpose == profile.purpose
        Sampling(**profile.values)
        guard_settings(voice=Voice(), given=profile.guarding)
    assert builtin("balanced").values == {**RELEASED_SAMPLING, "speed": 1.0}
    assert len({tuple(each.values.items()) for each in kept}) == len(BUILTIN)


def test_what_was_changed_in_the_database_is_as_the_code_has_it_after_the_next_migration(people):
    own = profile_copy(owner=people.anna, profile=builtin("fast"), name="Mine")
    QualityProfile.objects.filter(owner=None, name="fast").update(temperature=1.9)
    QualityProfile.objects.create(owner=None, name="of an older release")
    ensure_profiles()
    assert {each.name for each in QualityProfile.objects.filter(owner=None)} == {each.name for each in BUILTIN}
    assert builtin("fast").temperature == 0.65
    assert QualityProfile.objects.filter(pk=own.pk).exists()


def test_nobody_changes_or_deletes_the_portals_own(people, api_for):
    profile = builtin("stable")
    assert not QualityProfile.objects.editable_by(people.root).filter(pk=profile.pk).exists()
    for change in (lambda: profile_update(profile=profile, temperature=1.0), lambda: profile_delete(profile=profile)):
        with pytest.raises(DomainError) as caught:
            change()
        assert caught.value.code == "profile_builtin"
    for user in (people.anna, people.root):
        client = api_for(user)
        assert client.patch(f"{API}{profile.pk}/", {"temperature": 1.0}).status_code == 403
        assert client.delete(f"{API}{profile.pk}/").status_code == 403
    assert builtin("stable").temperature == 0.55


def test_a_copy_is_ones_own(people, api_for):
    client = api_for(people.anna)
    made = client.post(API, {"name": "Calm", "copy_of": "stable", "speed": 0.9})
    assert made.status_code == 201, made.json()
    body = made.json()
    assert (body["owner"], body["builtin"], body["visibility"]) == ("anna", False, "private")
    assert (body["temperature"], body["speed"]) == (0.55, 0.9)
    there = f"{API}{body['id']}/"
    assert client.patch(there, {"top_k": None, "visibility": "team"}).json()["top_k"] is None
    assert [row["name"] for row in client.get(API, {"builtin": "false"}).json()["results"]] == ["Calm"]
    assert client.delete(there).status_code == 204


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"copy_of": "stabel"}, "copy_of", "profile_unknown"),
        ({"copy_of": "Ben's"}, "copy_of", "profile_unknown"),
        ({"name": "Stable"}, "name", "duplicate"),
        ({"temperature": 9.0}, "temperature", "sampling_invalid"),
        ({"speed": 0.0}, "speed", "sampling_invalid"),
    ],
)
def test_a_bad_copy_is_refused_at_its_field(people, api_for, hidden, fields, param, code):
    answer = api_for(people.anna).post(API, {"name": "Mine", "copy_of": "stable", **fields})
    assert answer.status_code == {"duplicate": 409, "profile_unknown": 404}.get(code, 400)
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert not QualityProfile.objects.filter(owner=people.anna).exists()


def test_a_strangers_profile_is_unknown_and_a_shared_one_cannot_be_changed(people, api_for, page_for, hidden):
    client, page = api_for(people.anna), page_for(people.anna)
    edit, delete = (reverse(f"voices:profile-{name}", args=[hidden.pk]) for name in ("edit", "delete"))
    copy = reverse("voices:profile-copy", args=[hidden.pk])
    there = f"{API}{hidden.pk}/"
    assert "Ben&#x27;s" not in page.get("/profiles/").content.decode()
    for answer in (client.get(there), client.patch(there, {"speed": 2}), page.get(edit), page.post(delete)):
        assert answer.status_code == 404
    assert page.get(copy).status_code == 404
    profile_update(profile=hidden, visibility="team")
    assert profile_find(user=people.anna, given="ben's") == hidden
    for answer in (client.patch(there, {"speed": 2}), client.delete(there), page.get(edit), page.post(delete)):
        assert answer.status_code == 403
    assert "Ben&#x27;s" in page.get("/profiles/").content.decode()
    assert page.get(copy).status_code == 200


def test_a_profile_is_copied_changed_and_deleted_on_its_page(people, page_for):
    client = page_for(people.anna)
    copy = reverse("voices:profile-copy", args=[builtin("expressive").pk])
    assert 'value="0.92"' in client.get(copy).content.decode()
    fields = {"name": "Lively", "temperature": "0.95", "visibility": "private"}
    client.post(copy, fields)
    made = QualityProfile.objects.get(owner=people.anna)
    assert made.values == {"temperature": 0.95}
    edit = reverse("voices:profile-edit", args=[made.pk])
    refused = client.post(edit, {**fields, "name": "fast"})
    assert refused.status_code == 400
    assert "one of the portal&#x27;s own" in refused.content.decode()
    client.post(edit, {**fields, "top_k": "0"})
    made.refresh_from_db()
    assert made.values == {"temperature": 0.95, "top_k": 0}
    client.post(reverse("voices:profile-delete", args=[made.pk]))
    assert not QualityProfile.objects.filter(owner=people.anna).exists()


def test_a_voices_profile_is_chosen_by_whoever_may_change_it(people, api_for, page_for, hidden):
    voice = VoiceFactory(owner=people.anna, state="ready", defaults={"temperature": 0.3})
    assert voice.values == {"temperature": 0.3}
    page = page_for(people.anna)
    there = reverse("voices:voice-profile", args=[voice.pk])
    page.post(there, {"profile": hidden.pk})
    voice.refresh_from_db()
    assert voice.profile is None
    page.post(there, {"profile": builtin("stable").pk})
    voice.refresh_from_db()
    assert (str(voice.profile), voice.defaults, voice.values["temperature"]) == ("stable", {}, 0.55)
    assert "the profile stable" in page.get(reverse("voices:voice-detail", args=[voice.pk])).content.decode()
    address = f"/api/v1/voices/{voice.pk}/"
    client = api_for(people.anna)
    assert client.patch(address, {"profile": "expressive"}).json()["profile_name"] == "expressive"
    assert client.patch(address, {"profile": ""}).json()["profile"] is None
    assert client.patch(address, {}).status_code == 400
    assert api_for(people.ben).patch(address, {"profile": "fast"}).status_code == 404
    assert page_for(people.ben).post(there, {"profile": builtin("fast").pk}).status_code == 404


def test_a_request_goes_before_its_profile_and_that_before_the_voice(people, api_for, make_voice):
    voice = make_voice(people.anna)
    voice_use_profile(voice=voice, profile=builtin("stable"))

    def drawn(address: str, fields: dict[str, Any]) -> dict[str, Any]:
        answer = api_for(people.anna).post(address, {"voice": "Vera", "seed": 1, **fields})
        assert answer.status_code == 200, answer.content
        sampling: dict[str, Any] = Synthesis.objects.get(pk=answer["X-Synthesis-Id"]).sampling
        return sampling

    own = speech_make(wish=Wish(user=people.anna, voice=voice, text="Yes.", channel=Channel.API)).sampling
    assert {name: own[name] for name in VALUES} == builtin("stable").values
    asked = drawn("/api/v1/speech/", {"text": "Yes.", "profile": "expressive", "top_k": 5})
    assert {name: asked[name] for name in VALUES} == {**builtin("expressive").values, "top_k": 5}
    openai = drawn("/v1/audio/speech", {"input": "Yes.", "model": "tts-1", "stream": False, "profile": "fast"})
    assert {name: openai[name] for name in VALUES} == builtin("fast").values
    unknown = api_for(people.anna).post("/api/v1/speech/", {"voice": "Vera", "text": "Yes.", "profile": "fasst"})
    assert unknown.json()["error"]["message"].endswith("did you mean “fast”?")


def test_the_guard_is_the_requests_then_its_profiles_then_the_voices_then_its_profiles(people):
    careful, bold = builtin("high_quality"), builtin("expressive")
    voice = VoiceFactory(owner=people.anna, state="ready")
    assert guard_settings(voice=voice, given={}).mode == "fast"
    voice.profile = careful
    own = guard_settings(voice=voice, given={})
    assert (own.mode, own.candidates) == ("careful", 3)
    voice.guard = "off"
    assert guard_settings(voice=voice, given={"guard": ""}).mode == "off"
    asked = guard_settings(voice=voice, given={"max_retries": None, "candidates": 2}, profile=bold)
    assert (asked.mode, asked.max_retries, asked.candidates) == ("fast", 3, 2)
    assert guard_settings(voice=voice, given={"guard": "careful", "max_retries": 0}, profile=bold).max_retries == 0
    # A profile that says nothing of the guard leaves it to the voice.
    silent = profile_copy(owner=people.anna, profile=bold, name="Silent", guard="", max_retries=None)
    assert guard_settings(voice=voice, given={}, profile=silent).mode == "off"


def test_the_guard_of_a_copy_is_changed_on_page_and_api_and_in_the_admin(people, page_for, api_for):
    client = api_for(people.anna)
    made = client.post(API, {"name": "Best", "copy_of": "high_quality"}, format="json").json()
    assert (made["guard"], made["max_retries"], made["candidates"]) == ("careful", 2, 3)
    there = f"{API}{made['id']}/"
    assert client.patch(there, {"candidates": 5, "guard": None}, format="json").json()["guard"] == ""
    for field, value in (("candidates", 9), ("max_retries", 6)):
        refused = client.patch(there, {field: value}, format="json")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, field)

    profile = QualityProfile.objects.get(pk=made["id"])
    fields = {"name": "Best", "visibility": "private", "guard": "careful", "max_retries": "1", "candidates": "4"}
    page_for(people.anna).post(reverse("voices:profile-edit", args=[profile.pk]), fields)
    profile.refresh_from_db()
    assert profile.guarding == {"guard": "careful", "max_retries": 1, "candidates": 4}
    assert "; guard careful, max retries 1, candidates 4" in page_for(people.anna).get("/profiles/").content.decode()

    admin = reverse("admin:voices_qualityprofile_change", args=[profile.pk])
    root = page_for(people.root)
    refused = root.post(admin, {**fields, "candidates": "9"}).content.decode()
    assert "must be a whole number from 1 to 8" in refused
    assert root.post(admin, {**fields, "name": "stable"}).status_code == 200
    assert root.post(admin, {**fields, "guard": "", "temperature": "0.5"}).status_code == 302
    profile.refresh_from_db()
    assert (profile.guard, profile.temperature, profile.name) == ("", 0.5, "Best")
    # A form that is looked at changes nothing; what is saved is saved once it is.
    form = ProfileAdminForm({**fields, "name": "Better"}, instance=QualityProfile.objects.get(pk=profile.pk))
    assert form.is_valid(), form.errors
    profile.refresh_from_db()
    assert profile.name == "Best"
    profile_copy(owner=people.anna, profile=builtin("fast"), name="Taken")
    assert "You have a profile “Taken” already" in root.post(admin, {**fields, "name": "Taken"}).content.decode()
    own = reverse("admin:voices_qualityprofile_change", args=[builtin("fast").pk])
    assert root.post(own, {**fields, "name": "fast"}).status_code == 403
    assert builtin("fast").guard == "fast"


def test_what_needs_a_transcription_model_says_so_before_one_chooses_it(
    people, page_for, api_for, make_voice, settings, tmp_path
):
    voice, high = make_voice(people.anna), builtin("high_quality")
    settings.WHISPER_BUNDLE = "nobody"
    anna, reason = page_for(people.anna), "There is no model “nobody”"
    speak, listed = (anna.get(where).content.decode() for where in ("/speak/", "/profiles/"))
    disabled = f'<option value="{high.pk}" disabled>high_quality (needs a transcription model)</option>'
    assert disabled in speak
    assert '<option value="careful" disabled>' in speak
    assert reason in speak
    assert listed.count("Cannot be used yet") == 1
    assert disabled in anna.get(f"/voices/{voice.pk}/").content.decode()
    # What a voice has already stays chosen where another of its settings is changed.
    voice_use_profile(voice=voice, profile=high)
    assert f'<option value="{high.pk}" selected>' in anna.get(f"/voices/{voice.pk}/").content.decode()
    rows = {row["name"]: row["unavailable"] for row in api_for(people.anna).get(API).json()["results"]}
    assert reason in rows.pop("high_quality")
    assert set(rows.values()) == {""}
    said = {"/api/v1/speech/": {"text": "Yes."}, "/v1/audio/speech": {"input": "Yes.", "model": "tts-1"}}
    for address, text in said.items():
        body = {"voice": "Vera", **text, "profile": "high_quality"}
        refused = api_for(people.anna).post(address, body, format="json")
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (400, "guard_deaf")
        assert "manage.py models" in error["message"]
        assert "“fast”" in error["message"]


def test_with_a_transcription_model_everything_may_be_chosen(people, page_for, api_for, settings, tmp_path):
    bundle = random_whisper.build(tmp_path / "models" / "tiny-whisper")
    settings.MODELS_DIR, settings.WHISPER_BUNDLE = bundle.path.parent, bundle.path.name
    VoiceFactory(owner=people.anna, state="ready")
    assert "needs a transcription model" not in page_for(people.anna).get("/speak/").content.decode()
    assert "Cannot be used yet" not in page_for(people.anna).get("/profiles/").content.decode()
    assert {row["unavailable"] for row in api_for(people.anna).get(API).json()["results"]} == {""}


def test_the_profile_is_kept_with_what_was_spoken_and_shown(people, api_for, page_for, make_voice):
    voice = make_voice(people.anna)
    voice_use_profile(voice=voice, profile=builtin("stable"))
    client = api_for(people.anna)
    for fields, name in (({}, "stable"), ({"profile": "expressive"}, "expressive")):
        answer = client.post("/api/v1/speech/", {"voice": "Vera", "text": "Yes.", **fields})
        told = client.get(f"/api/v1/syntheses/{answer['X-Synthesis-Id']}/").json()
        assert told["profile_name"] == name
    page_for(people.anna).post("/speak/", {"voice": voice.pk, "text": "No.", "profile": builtin("fast").pk})
    assert Synthesis.objects.get(text="No.").profile_name == "fast"
    page = page_for(people.anna).get("/speak/").content.decode()
    assert all(f" · {name} · <time" in page for name in ("stable", "expressive", "fast"))


def test_the_speak_page_speaks_with_the_chosen_profile(people, page_for, make_voice):
    voice = make_voice(people.anna)
    mine = profile_copy(owner=people.anna, profile=builtin("stable"), name="Mine", temperature=0.4)
    fields = {"voice": voice.pk, "text": "Yes.", "profile": mine.pk, "top_p": "0.5"}
    assert page_for(people.anna).post("/speak/", fields).status_code == 200
    sampling = Synthesis.objects.get().sampling
    assert (sampling["temperature"], sampling["top_k"], sampling["top_p"]) == (0.4, 30, 0.5)
