"""How the review desk shows sound, doubt and lengths."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from datasets.models import Segment

# Whisper's word probabilities are optimistic: below this about every second word is wrong.
DOUBTFUL = 0.6


def player(segment: Segment) -> SafeString:
    return format_html(
        '<audio controls preload="none" src="{}" aria-label="Segment {}" style="width:12rem;max-width:none"></audio>',
        reverse("datasets:segment-audio", args=[segment.pk]),
        segment.index,
    )


def heard_words(segment: Segment) -> SafeString:
    """What the machine heard, the words that it was not sure of marked."""
    if not segment.words:
        return format_html('<span class="opacity-50">{}</span>', segment.machine_text or "nothing")
    return format_html_join(
        " ",
        "{}",
        ((_marked(str(word["text"]), float(word["probability"])),) for word in segment.words),
    )


def _marked(text: str, probability: float) -> SafeString:
    if probability >= DOUBTFUL:
        return format_html("{}", text)
    return format_html('<mark title="{} % sure">{}</mark>', round(100 * probability), text)


def measures_table(segment: Segment) -> SafeString:
    """Every measure that is known, with its value and what it is."""
    rows = ((measure.label, words, measure.explanation) for measure, words in segment.measures)
    lines = format_html_join(
        "", "<tr><td>{}</td><td style='padding:0 1rem;white-space:nowrap'>{}</td><td>{}</td></tr>", rows
    )
    return format_html("<table>{}</table>", lines) if lines else format_html("{}", "–")
