"""What a frozen version left out, told to each person as far as they see the recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets.models import DatasetVersion, SourceVideo
from datasets.pipeline.screening.catalogue import RULES

NOT_SHARED = ("not_shared", "no longer shared with the dataset's owner")
HIDDEN = "a recording not shared with you"
SCREENED = "screened"
"""Codes of what a policy rejected begin so; the rule follows."""
GONE = "a deleted recording"
# By code and without names or letters of the text, for those who do not see the recording.
_PLAIN = {
    "rejected": "rejected",
    "pending": "not reviewed yet",
    "text_empty": "without text",
    "language": "in another language",
    "speaker": "spoken by somebody else",
    "text_unusable": "not usable",
    "review": "to be reviewed",
    "clip_too_long": "longer than XTTS takes",
    "clip_too_short": "shorter than XTTS takes",
    "text_too_long": "of a text longer than XTTS takes",
    "text_unknown": "of a text with signs that XTTS does not know",
    NOT_SHARED[0]: NOT_SHARED[1],
}


def plain_reason(row: Mapping[str, Any]) -> str:
    """Why a segment was left out, without quoting it."""
    code = str(row["code"])
    if code.startswith(SCREENED):
        rule = RULES.get(code.removeprefix(f"{SCREENED}_"))
        return f"rejected by screening: {rule.fault}" if rule is not None else "rejected by screening"
    return _PLAIN.get(code, "not usable")


def version_left_out(*, version: DatasetVersion, viewer: Any) -> list[dict[str, Any]]:
    """[{segment, source, recording, index, code, reason}] with titles as they are now; ids and the reason's details
    only of recordings that ``viewer`` sees. Two queries, however many there are."""
    return rows_told(rows=version.left_out, viewer=viewer)


def rows_told(*, rows: Sequence[dict[str, Any]], viewer: Any) -> list[dict[str, Any]]:
    """As :func:`version_left_out`, of any such rows."""
    wanted = {row["source"] for row in rows}
    if not wanted:
        return []
    sources = SourceVideo.objects.filter(pk__in=wanted)
    titles = {str(pk): title for pk, title in sources.visible_to(viewer).values_list("pk", "title")}
    there = {str(pk) for pk in sources.values_list("pk", flat=True)}
    told = []
    for row in rows:
        source = row["source"]
        if source in titles:
            told.append({**row, "recording": titles[source]})
        else:
            hidden = {"segment": None, "source": None, "recording": HIDDEN if source in there else GONE}
            told.append({**row, **hidden, "reason": plain_reason(row)})
    return told
