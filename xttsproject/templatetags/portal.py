"""Template tags of every page: times, states, form controls, navigation and the notices of models."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.forms import BoundField
from django.forms import widgets as form_widgets
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from xttsproject.bundles.manifest import open_bundle
from xttsproject.lib.errors import DomainError

register = template.Library()

UNKNOWN = "–"


@register.filter
def duration(value: timedelta | float | int | None) -> str:
    """Seconds (or a timedelta) as people say them: "3.4 s", "2 min 05 s", "1 h 02 min"; a dash for None."""
    if value is None or value == "":
        return UNKNOWN
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    tenths = round(max(seconds, 0.0), 1)
    if tenths < 60:
        return f"{tenths:g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    # The half minute that rounds up may make the hour full.
    return f"{hours} h {minutes:02d} min"


@register.filter
def pause(value: float) -> str:
    """Seconds of silence to the millisecond, as they may be written in a text: "0.25 s", "1.5 s"."""
    return f"{round(value, 3):.7g} s"


@register.filter
def day(value: str) -> str:
    """A day as sites write it, "20260819", as people read it: "19 Aug 2026"; anything else as it is."""
    try:
        return date_format(date.fromisoformat(value), "j M Y")
    except ValueError:
        return value


@register.filter
def percentage(share: float | None) -> str:
    """A share of 0 to 1 as "73 %"; a dash for None."""
    return UNKNOWN if share is None else f"{100 * share:.0f} %"


@register.filter
def state_badge(thing: Any, field: str = "state") -> SafeString:
    """The badge of an object's state: ``{{ job|state_badge }}``, ``{{ segment|state_badge:"status" }}``.

    The colour comes from the ``data-state`` attribute, in static/css/portal.css.
    """
    display = getattr(thing, f"get_{field}_display")()
    return format_html('<span class="state" data-state="{}">{}</span>', getattr(thing, field), display)


@register.filter
def control(field: BoundField) -> SafeString:
    """A form field's widget with the CSS classes of its sort."""
    widget = field.field.widget
    if isinstance(widget, form_widgets.RadioSelect | form_widgets.CheckboxSelectMultiple | form_widgets.CheckboxInput):
        css = "form-check-input"
    elif isinstance(widget, form_widgets.Select):
        css = "form-select"
    elif getattr(widget, "input_type", "") == "range":
        css = "form-range"
    else:
        css = "form-control"
    if field.errors:
        css += " is-invalid"
    given = widget.attrs.get("class", "")
    widget.attrs["class"] = f"{css} {given}".strip() if css not in given else given
    return field.as_widget()


@register.filter
def sort_of(field: BoundField) -> str:
    """How a field is laid out: ``hidden``, ``check`` (a box before its label), ``choices`` (several) or ``plain``."""
    widget = field.field.widget
    if field.is_hidden:
        return "hidden"
    if isinstance(widget, form_widgets.CheckboxInput):
        return "check"
    if isinstance(widget, form_widgets.RadioSelect | form_widgets.CheckboxSelectMultiple):
        control(field)
        return "choices"
    return "plain"


@register.inclusion_tag("_nav_item.html", takes_context=True)
def nav_item(context: template.Context, name: str, label: str, count: object = None, also: str = "") -> dict[str, Any]:
    """One entry of the navigation bar.

    It is marked as current on the page it leads to, on the pages below that address, and on those whose view's
    name begins with ``also``.
    """
    url = reverse(name)
    request = context.get("request")
    path = request.path if request else ""
    match = request.resolver_match if request else None
    current = path == url or (url != "/" and path.startswith(url))
    if also and match is not None:
        current = current or match.view_name.startswith(also)
    return {"url": url, "label": label, "count": count, "current": current}


@register.simple_tag
def next_step(*, segments: int, pending: int, versions: int, runs: int, voices: int) -> str:
    """The step of the way that a person with so much behind them takes next; the names are those in home.html."""
    if voices:
        return "speech"
    if runs:
        return "voice"
    if versions:
        return "training"
    if segments and not pending:
        return "dataset"
    return "review" if segments else "recordings"


@register.inclusion_tag("_model_notice.html")
def listening_model_notice() -> dict[str, Any]:
    """What must be said where WHISPER_BUNDLE's transcripts are read."""
    return model_notice(settings.WHISPER_BUNDLE)


@register.inclusion_tag("_model_notice.html")
def model_notice(name: str = "") -> dict[str, Any]:
    """What must be said where the model ``name`` (a folder of MODELS_DIR; else XTTS_BUNDLE) speaks or listens."""
    try:
        return {"bundle": open_bundle(settings.MODELS_DIR / (name or settings.XTTS_BUNDLE))}
    except DomainError as error:
        return {"bundle": None, "problem": error.message}
