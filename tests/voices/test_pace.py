"""How fast voices speak is looked up before they do: once for each, and again when files are back."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.voices.factories import VoiceFactory, make_checkpoint
from voices.services import script_plan, voice_create
from voices.services.guarding import guardian_for, voice_pace


def test_a_voice_with_many_parts_is_looked_up_once(people):
    voice = VoiceFactory(owner=people.anna, state="ready")

    def queries(parts: int) -> int:
        text = "\n\n".join(f"Paragraph {number} says something." for number in range(parts))
        plan = script_plan(user=people.anna, voice=voice, text=text)
        assert len(plan.parts) == parts
        with CaptureQueriesContext(connection) as asked:
            assert guardian_for(plan=plan, voice=voice, given={}) is not None
        return len(asked)

    assert queries(12) == queries(1) > 0


def test_clips_that_cannot_be_read_for_a_while_count_again_when_they_are_back(people, speaking):
    voice = voice_create(owner=people.anna, name="Tuned", checkpoint=make_checkpoint(people.anna, speaking))
    assert voice.checkpoint is not None
    manifest = voice.checkpoint.run.version.manifest_path
    away = manifest.rename(manifest.with_name("away"))

    assert voice_pace(voice=voice, language="en").sentences == 0
    away.rename(manifest)
    assert voice_pace(voice=voice, language="en").sentences == 8
