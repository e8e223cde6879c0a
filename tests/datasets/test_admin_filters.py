"""The review desk's filter by recording stays short, however many recordings there are."""

from __future__ import annotations

from typing import Any

import pytest

from datasets.admin.filters import LatestFilter
from tests.datasets.factories import SegmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

DESK = "/admin/datasets/segment/"


def test_only_the_latest_recordings_are_offered_and_the_chosen_one(
    people: Any, page_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LatestFilter, "most", 3)
    sources = [SourceFactory(owner=people.cora, title=f"Talk {number}") for number in range(6)]
    hidden = SourceFactory(owner=people.ben, title="Private talk")
    for source in (*sources, hidden):
        SegmentFactory(source=source)
    page = page_for(people.cora)

    def offered(**chosen: Any) -> list[str]:
        (found,) = [
            each for each in page.get(DESK, chosen).context["cl"].filter_specs if isinstance(each, LatestFilter)
        ]
        return [str(label) for _key, label in found.lookup_choices]

    assert offered() == ["Talk 5", "Talk 4", "Talk 3"]
    assert offered(source__id__exact=sources[0].pk) == ["Talk 5", "Talk 4", "Talk 3", "Talk 0"]
    assert offered(source__id__exact=sources[5].pk) == ["Talk 5", "Talk 4", "Talk 3"]
    assert "Private talk" not in offered(source__id__exact=hidden.pk)
    # As with any filter of the admin, a value that is none leads back to the list.
    assert page.get(DESK, {"source__id__exact": "none"}).status_code == 302
