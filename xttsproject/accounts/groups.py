"""The two groups, and what each may do in the admin."""

from __future__ import annotations

from typing import Any

CURATOR = "curator"
TRAINER = "trainer"

# Models whose rows the group may see and change in the admin; which rows, the querysets decide.
_PERMISSIONS = {
    CURATOR: ("datasets.view_segment", "datasets.change_segment", "datasets.view_sourcevideo", "datasets.view_speaker"),
    TRAINER: (
        "datasets.view_dataset",
        "datasets.view_datasetversion",
        "training.view_trainingrun",
        "training.view_checkpoint",
        "training.view_checkpointexport",
        "training.view_epochsample",
        "training.view_preference",
        "training.view_scorecard",
        "voices.view_lexiconentry",
        "voices.view_qualityprofile",
        "voices.view_voice",
        "voices.view_synthesis",
    ),
}


def ensure_groups(using: str = "default", **_: Any) -> None:
    """After every migration: the groups exist and hold the permissions above; others that were added stay."""
    from django.contrib.auth.models import Group, Permission
    from django.db.models import Q

    for name, wanted in _PERMISSIONS.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        match = Q(pk__in=[])
        for permission in wanted:
            app, _dot, codename = permission.partition(".")
            match |= Q(content_type__app_label=app, codename=codename)
        group.permissions.add(*Permission.objects.using(using).filter(match))
