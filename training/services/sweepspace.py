"""Whether a space can be searched at all, and what that comes to in trials, hours and bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from datasets.models import DatasetVersion
from training.engine.median import GRACE_EPOCHS
from training.engine.search import GRID, METHODS, SOBOL, Space, Value, require_grid
from training.engine.spec import quoted
from training.services.runs import run_preflight
from training.services.spec import RunValues, bundle_open, spec_build
from xttsproject import storage
from xttsproject.bundles.manifest import Bundle
from xttsproject.lib.disk import free_bytes, require_free
from xttsproject.lib.errors import DomainError

MOST_TRIALS = 200
MOST_HOURS = 10_000.0


@dataclass(frozen=True)
class Search:
    """How to search: see the fields of :class:`training.models.Sweep`."""

    space: Space
    method: str = SOBOL
    budget_runs: int | None = None
    budget_hours: float | None = None
    parallel: int | None = None
    stop_unpromising: bool = True
    grace_epochs: int = GRACE_EPOCHS
    seed: int = 1


@dataclass(frozen=True)
class SweepPreflight:
    """What a sweep comes to. ``trials`` at most; ``left_out``: points of a grid that the budget leaves out;
    ``seconds`` of training altogether, None where no run of this model, method and precision has been timed;
    ``disk_bytes`` of ``disk_trials``, which are all trials, or as many as the hours can hold: each trial asks for
    its own room again when it begins."""

    version: DatasetVersion
    bundle: Bundle
    trials: int
    left_out: int
    epochs: int
    seconds: float | None
    disk_bytes: int
    disk_trials: int
    disk_free: int
    budget_hours: float | None

    @property
    def hours_cut_it(self) -> bool:
        """The hours will be used up before the trials are."""
        return self.budget_hours is not None and self.seconds is not None and self.seconds > self.budget_hours * 3600


def values_at(base: RunValues, point: Mapping[str, Value]) -> RunValues:
    """What all trials share, with a point's values. Adapters act as strongly at every rank: alpha goes with it."""
    changes: dict[str, Any] = dict(point)
    if "lora_rank" in changes:
        changes["lora_alpha"] = base.lora_alpha / base.lora_rank * changes["lora_rank"]
    return replace(base, **changes)


def sweep_preflight(
    *,
    owner: Any,
    version: DatasetVersion,
    values: RunValues,
    search: Search,
    bundle: str = "",
    counted: bool = True,
) -> SweepPreflight:
    """Check everything that :func:`training.services.sweeps.sweep_create` would, and say what it would come to.

    DomainErrors as there, besides those of its name.
    """
    space = search.space
    _require_sound(search)
    _require_validation(version, search, version.clips_validation)
    trials, left_out = _count(space, search.method, search.budget_runs, search.budget_hours)
    common: dict[str, Any] = {"owner": owner, "version": version, "bundle": bundle, "counted": counted}
    preflight = run_preflight(values=values, **common)
    _require_validation(version, search, preflight.clips_validation)
    _require_possible(version, preflight.bundle, values, space)
    # The run that needs most: if there is room for it, there is for all.
    largest = _largest(space, values)
    needs = [run_preflight(values=each, **common) for each in largest]
    epochs = _mean_epochs(space, values)
    # Each kind of training at its own pace, as the page of a run reckons it.
    paces = [
        need.outlook.seconds / each.epochs
        for need, each in zip(needs, largest, strict=True)
        if need.outlook.seconds is not None
    ]
    known = len(paces) == len(needs)
    held = _held(search, space, values, min(paces) if known else None)
    disk_trials = trials if held is None else min(trials, held)
    # What is computed of each clip is kept once for all trials.
    features = max(need.features_bytes for need in needs)
    disk = disk_trials * max(need.disk_bytes - need.features_bytes for need in needs) + features
    require_free(
        storage.run_dir(version.pk),
        disk,
        f"A sweep with {disk_trials} trial{'s' if disk_trials > 1 else ''} on the disk",
    )
    return SweepPreflight(
        version=version,
        bundle=preflight.bundle,
        trials=trials,
        left_out=left_out,
        epochs=round(trials * epochs),
        seconds=trials * epochs * sum(paces) / len(paces) if known else None,
        disk_bytes=disk,
        disk_trials=disk_trials,
        disk_free=free_bytes(storage.run_dir(version.pk)),
        budget_hours=search.budget_hours,
    )


def _held(search: Search, space: Space, values: RunValues, pace: float | None) -> int | None:
    """How many trials the budget's hours can hold, were each as short as can be; None without such a budget.

    ``pace``: seconds an epoch. Where it is not known, those that begin at once: nobody can say more before the first.
    """
    if search.budget_hours is None:
        return None
    at_once = search.parallel or 1
    if not pace:
        return at_once
    searched = next((dimension for dimension in space if dimension.name == "epochs"), None)
    shortest = float(min(searched.extremes)) if searched else values.epochs  # type: ignore[arg-type,type-var]
    if search.stop_unpromising:
        shortest = min(shortest, search.grace_epochs)
    # What has begun when they are used up is trained to its end.
    return math.floor(search.budget_hours * 3600 / (shortest * pace)) + at_once


def _require_sound(search: Search) -> None:
    if search.method not in METHODS:
        raise DomainError(
            "method_unknown", f"The search “{search.method}” is none of {', '.join(METHODS)}.", field="search_method"
        )
    for field, number, low, high in (
        ("parallel", search.parallel, 1, 1000),
        ("grace_epochs", search.grace_epochs, 1, 1000),
        ("search_seed", search.seed, 0, 2**31 - 1),
    ):
        if number is not None and not low <= number <= high:
            raise DomainError(
                "search_invalid",
                f"{field} must be a whole number from {low} to {high}, got {quoted(number)}.",
                field=field,
            )


def _require_validation(version: DatasetVersion, search: Search, clips: int) -> None:
    if search.stop_unpromising and not clips:
        has = "none that can be used" if version.clips_validation else "no validation clips"
        raise DomainError(
            "validation_missing",
            f"Trials are stopped by their validation loss, and {version} has {has}; leave stopping off, or freeze the "
            "dataset with a validation share.",
            field="stop_unpromising",
        )


def _count(space: Space, method: str, runs: int | None, hours: float | None) -> tuple[int, int]:
    """How many trials at most, and how many points of a grid are left out."""
    if runs is not None and not 1 <= runs <= MOST_TRIALS:
        raise DomainError(
            "budget_invalid",
            f"A sweep makes 1 to {MOST_TRIALS} trials, and {quoted(runs)} were asked for.",
            field="budget_runs",
        )
    if hours is not None and not 0 < hours <= MOST_HOURS:
        raise DomainError(
            "budget_invalid", f"A budget is of more than 0 and at most {MOST_HOURS:g} hours, got {hours:g}.",
            field="budget_hours",
        )  # fmt: skip
    if method == GRID:
        size = require_grid(space)
        if runs is None and size > MOST_TRIALS:
            raise DomainError(
                "budget_missing",
                f"The grid has {size} points, and a sweep makes at most {MOST_TRIALS} trials; list fewer values, or "
                "say how many of them, drawn over all of it, are to be tried.",
                field="budget_runs",
            )
        trials = min(size, runs or size)
        return trials, size - trials
    if runs is None and hours is None:
        raise DomainError(
            "budget_missing", "Say how many trials are to be made, or for how many hours.", field="budget_runs"
        )
    count = runs or MOST_TRIALS
    return (count if space.size is None else min(count, space.size)), 0


def _largest(space: Space, values: RunValues) -> list[RunValues]:
    """The highest of every number; with each kind of training where that is searched."""
    highest = {
        dimension.name: max(dimension.extremes)  # type: ignore[type-var]
        for dimension in space
        if dimension.parameter.words is None
    }
    methods = next((dimension.values for dimension in space if dimension.name == "method"), (values.method,))
    return [values_at(values, {**highest, "method": method}) for method in methods]


def _require_possible(version: DatasetVersion, bundle: Bundle, values: RunValues, space: Space) -> None:
    """Every value, or both ends of a range, asked of the training spec itself."""
    spec = spec_build(version=version, bundle=bundle_open(name=bundle.path.name), values=values)
    whole = {item.name for item in fields(spec)}
    for dimension in space:
        for value in dimension.extremes:
            try:
                if dimension.name in whole:
                    replace(spec, **{dimension.name: value})  # type: ignore[arg-type]
                else:
                    replace(spec.lora, **{dimension.name.removeprefix("lora_"): value})  # type: ignore[arg-type]
            except DomainError as error:
                # It begins with the engine's name of the value.
                message = error.message.replace(error.field or dimension.name, dimension.name, 1)
                raise DomainError("space_invalid", message, field=f"space.{dimension.name}") from error


def _mean_epochs(space: Space, values: RunValues) -> float:
    for dimension in space:
        if dimension.name == "epochs":
            ends = [float(value) for value in dimension.extremes]  # type: ignore[arg-type]
            return sum(ends) / len(ends)
    return float(values.epochs)
