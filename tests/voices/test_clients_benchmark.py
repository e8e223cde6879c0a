"""Many clients of a real portal at once are all answered, each with their own sound."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
from django.core.management import call_command

from voices.engine.crowd import difference


def test_eight_clients_at_once_get_no_error_and_no_others_sound(tiny_bundle: Path) -> None:
    out = StringIO()
    call_command("benchmark", "clients", "--seconds", "3", "--clients", "8", "--bundle", str(tiny_bundle), stdout=out)
    figures = json.loads(out.getvalue().splitlines()[-1])
    assert figures["requests"] >= 8
    assert (figures["errors"], figures["first_errors"], figures["mixed"], figures["turned_away"]) == (0, [], 0, 0)
    assert 0 < figures["first_sound_p50_seconds"] <= figures["p95_seconds"]
    assert figures["audio_seconds_per_second"] > 0


def test_anothers_sound_or_less_of_it_is_noticed() -> None:
    sound = np.sin(np.arange(96_000) / 10).astype(np.float32)
    assert difference(sound, sound + np.float32(1e-4)) < 0.001
    assert difference(sound, sound[:-1]) == np.inf
    mixed = sound.copy()
    mixed[5000:5480] = -sound[7000:7480]
    assert difference(mixed, sound) > 0.05
