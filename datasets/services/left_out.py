"""What a frozen version left out, told to each person as far as they see the recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets.models import DatasetVersion, SourceVideo

NOT_SHARED = ("not_shared", "no longer shared with the dataset's owner")
HIDDEN = "a recording not shared with you"
GONE = "a deleted recording"
# By code and without names or letters of the text, for those who do not see the recording.
_PLAIN = {
    "rejected": "rejected",
    "pending": "not reviewed yet",
    "text_empty": "without text",
    "language": "in another language",
    "speaker": "spoken by somebody else",
    "text_unusable": "not usable",
    NOT_SHARED[0]: NOT_SHARED[1],
}


def plain_reason(row: Mapping[str, Any]) -> str:
    """Why a segment was left out, without quoting it."""
    return _PLAIN.get(row["code"], "not usable")


def version_left_out(*, version: DatasetVersion, viewer: Any) -> list[dict[str, Any]]:
    """[{segment, source, recording, index, code, reason}] with titles as they are now; ids and the reason's details
    only of recordings that ``viewer`` sees. Two queries, however many there are."""
    wanted = {row["source"] for row in version.left_out}
    if not wanted:
        return []
    rows = SourceVideo.objects.filter(pk__in=wanted)
    titles = {str(pk): title for pk, title in rows.visible_to(viewer).values_list("pk", "title")}
    there = {str(pk) for pk in rows.values_list("pk", flat=True)}
    told = []
    for row in version.left_out:
        source = row["source"]
        if source in titles:
            told.append({**row, "recording": titles[source]})
        else:
            hidden = {"segment": None, "source": None, "recording": HIDDEN if source in there else GONE}
            told.append({**row, **hidden, "reason": plain_reason(row)})
    return told
