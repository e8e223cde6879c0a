"""What a search tries: ranges of a run's values, or of a voice's, and points that are drawn from them. Pure, seeded."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from xttsproject.lib.errors import DomainError

Value = float | int | str | bool
Point = dict[str, Value]
Kind = Literal["rate", "share", "whole", "doubling", "choice"]

GRID, RANDOM, SOBOL = "grid", "random", "sobol"
METHODS = (GRID, RANDOM, SOBOL)

MOST_VALUES = 50
"""Values of one parameter; more are a range."""

_DIGITS = 3
"""A rate of 0.000213 says as much as one of 0.00021317462."""


@dataclass(frozen=True)
class Parameter:
    """A value that may be searched over.

    ``kind`` says how a range is drawn from: ``rate`` and ``doubling`` (whole numbers) evenly in their logarithm, since
    what matters of them is how many times larger one is; ``share`` and ``whole`` evenly; a ``choice`` has no range,
    its ``words`` are what people may write for it.
    """

    name: str
    label: str
    kind: Kind
    example: str
    words: Mapping[str, Value] | None = None

    def read(self, word: str) -> Value:
        """A value as a person writes it. DomainError ``space_invalid``."""
        if self.words is not None:
            if word.lower() not in self.words:
                raise self.refuse(f"“{word}” is none of {', '.join(self.words)}.")
            return self.words[word.lower()]
        try:
            return int(word) if self.kind in ("whole", "doubling") else float(word)
        except ValueError:
            sort = "whole number" if self.kind in ("whole", "doubling") else "number"
            raise self.refuse(f"“{word}” is no {sort}; write for example {self.example}.") from None

    def write(self, value: Value) -> str:
        """A value as people read it, and as :meth:`read` takes it."""
        for word, meant in (self.words or {}).items():
            if meant == value:
                return word
        short = f"{value:g}" if isinstance(value, int | float) else str(value)
        return short if not isinstance(value, float) or float(short) == value else repr(value)

    def refuse(self, sentence: str) -> DomainError:
        return DomainError("space_invalid", f"{self.label}: {sentence}", field=f"space.{self.name}")


PARAMETERS = (
    Parameter("learning_rate", "Learning rate", "rate", "5e-5 to 1e-3, or 1e-4, 3e-4"),
    Parameter("lora_rank", "LoRA rank", "doubling", "4, 8, 16"),
    Parameter("batch_size", "Batch size", "doubling", "2, 4, 8"),
    Parameter("epochs", "Epochs", "whole", "10, 20"),
    Parameter("warmup_fraction", "Warm-up", "share", "0, 0.1"),
    Parameter("augment_conditioning", "Alter the references", "choice", "off, on", {"off": False, "on": True}),
    Parameter("method", "What is trained", "choice", "lora, full", {"lora": "lora", "full": "full"}),
)
"""Of a run."""

DECODING = (
    Parameter("temperature", "Temperature", "share", "0.5 to 0.95"),
    Parameter("repetition_penalty", "Repetition penalty", "rate", "2 to 10"),
    Parameter("top_p", "Top p", "share", "0.6 to 0.95"),
    Parameter("top_k", "Top k", "doubling", "20, 50"),
    Parameter("speed", "Speed", "share", "0.95 to 1.05"),
)
"""Of how a voice speaks."""

BY_NAME = {parameter.name: parameter for parameter in (*PARAMETERS, *DECODING)}


def parameter_of(name: str) -> Parameter:
    """DomainError ``space_invalid`` where nothing of that name can be searched."""
    if name not in BY_NAME:
        raise DomainError(
            "space_invalid", f"There is no search over “{name}”; there is over {', '.join(BY_NAME)}.", field="space"
        )
    return BY_NAME[name]


@dataclass(frozen=True)
class Dimension:
    """One parameter and what it may be: one of ``values``, or anything from ``low`` to ``high``.

    DomainError ``space_invalid`` with ``field`` ``space.<name>`` for an empty or impossible one.
    """

    name: str
    values: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        parameter = self.parameter
        if self.low is None and self.high is None:
            self._check_values(parameter)
        elif self.values or self.low is None or self.high is None:
            raise parameter.refuse("give either values, or a lowest and a highest one.")
        else:
            self._check_range(parameter, self.low, self.high)

    @property
    def parameter(self) -> Parameter:
        return parameter_of(self.name)

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"{self.parameter.write(self.low)} to {self.parameter.write(self.high)}"
        return ", ".join(self.parameter.write(value) for value in self.values)

    @property
    def is_range(self) -> bool:
        return self.low is not None

    @property
    def extremes(self) -> tuple[Value, ...]:
        """What has to be possible for all of it to be."""
        if self.low is None or self.high is None:
            return self.values
        if self.parameter.kind in ("whole", "doubling"):
            return (int(self.low), int(self.high))
        return (self.low, self.high)

    @property
    def size(self) -> int | None:
        """How many different values it has; None for a range of real numbers."""
        if self.low is None or self.high is None:
            return len(self.values)
        return int(self.high) - int(self.low) + 1 if self.parameter.kind in ("whole", "doubling") else None

    def at(self, share: float) -> Value:
        """The value at a share of 0 (inclusive) to 1 (exclusive) of it."""
        if self.low is None or self.high is None:
            return self.values[int(share * len(self.values))]
        low, high = self.low, self.high
        kind = self.parameter.kind
        if kind == "whole":
            return int(low) + int(share * (int(high) - int(low) + 1))
        if kind == "doubling":
            return min(int(low * ((high + 1) / low) ** share), int(high))
        drawn = low * (high / low) ** share if kind == "rate" else low + share * (high - low)
        return min(max(_rounded(drawn), low), high)

    def to_dict(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high} if self.is_range else {"values": list(self.values)}

    def _check_values(self, parameter: Parameter) -> None:
        if not self.values:
            raise parameter.refuse("it has no values; name some, or a range such as " + parameter.example + ".")
        if len(self.values) > MOST_VALUES:
            raise parameter.refuse(f"{len(self.values)} values are too many; give at most {MOST_VALUES}, or a range.")
        for value in self.values:
            self._check_kind(parameter, value)
        for value in self.values:
            if self.values.count(value) > 1:
                raise parameter.refuse(f"{parameter.write(value)} is there twice; name every value once.")

    def _check_range(self, parameter: Parameter, low: Value, high: Value) -> None:
        if parameter.words is not None:
            raise parameter.refuse(f"it has no range; name some of {', '.join(parameter.words)}.")
        for value in (low, high):
            self._check_kind(parameter, value)
        if low >= high:  # type: ignore[operator]
            raise parameter.refuse(f"the range from {low:g} to {high:g} is empty; its end has to be the larger.")
        if parameter.kind in ("rate", "doubling") and low <= 0:  # type: ignore[operator]
            raise parameter.refuse(f"a range has to begin above 0, and this one begins at {low:g}.")

    @staticmethod
    def _check_kind(parameter: Parameter, value: object) -> None:
        if parameter.words is not None:
            if value not in parameter.words.values():
                raise parameter.refuse(f"“{value}” is none of {', '.join(parameter.words)}.")
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise parameter.refuse(f"“{value}” is no number; write for example {parameter.example}.")
        if parameter.kind in ("whole", "doubling") and value != int(value):
            raise parameter.refuse(f"{value:g} is no whole number; write for example {parameter.example}.")


@dataclass(frozen=True)
class Space:
    """What is searched, one dimension or more. DomainError ``space_invalid``."""

    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise DomainError(
                "space_invalid", "Nothing is searched: give at least one value a range or a list.", field="space"
            )
        names = [dimension.name for dimension in self.dimensions]
        if len(set(names)) < len(names):
            raise DomainError("space_invalid", "A value is searched twice; name every one once.", field="space")

    @property
    def size(self) -> int | None:
        """How many different points there are; None where there is no end of them."""
        sizes = [dimension.size for dimension in self.dimensions]
        return None if any(size is None for size in sizes) else math.prod(size for size in sizes if size)

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self.dimensions)

    def to_dict(self) -> dict[str, Any]:
        return {dimension.name: dimension.to_dict() for dimension in self.dimensions}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], among: Sequence[Parameter] = PARAMETERS) -> Space:
        """From ``{"learning_rate": {"low": 5e-5, "high": 1e-3}, "lora_rank": {"values": [4, 8]}}``."""
        dimensions = []
        names = [parameter.name for parameter in among]
        for name, values in given.items():
            if name not in names:
                raise DomainError(
                    "space_invalid",
                    f"There is no search over “{name}”; there is over {', '.join(names)}.",
                    field="space",
                )
            if not isinstance(values, Mapping) or not set(values) <= {"values", "low", "high"}:
                raise DomainError(
                    "space_invalid", f"“{name}” needs “values”, or “low” and “high”.", field=f"space.{name}"
                )
            listed = values.get("values") or ()
            if not isinstance(listed, list | tuple):
                raise DomainError("space_invalid", f"The values of “{name}” must be a list.", field=f"space.{name}")
            dimensions.append(Dimension(str(name), tuple(listed), values.get("low"), values.get("high")))
        return cls(tuple(dimensions))


def read_dimension(name: str, text: str) -> Dimension | None:
    """What a person wrote: ``1e-4, 3e-4`` are values, ``5e-5 to 1e-3`` is a range, nothing is no dimension."""
    parameter = parameter_of(name)
    ends = re.split(r"\s+to\s+|\s*(?:\.\.\.|\.\.|…|–)\s*", text.strip())
    if len(ends) == 2:
        low, high = (parameter.read(end) for end in ends)
        if isinstance(low, str | bool) or isinstance(high, str | bool):
            raise parameter.refuse("it has no range; name its values with commas between.")
        return Dimension(name, (), low, high)
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    return Dimension(name, tuple(parameter.read(word) for word in words)) if words else None


def require_grid(space: Space) -> int:
    """The number of its points. DomainError ``space_invalid`` where a dimension is a range."""
    for dimension in space:
        if dimension.is_range:
            raise dimension.parameter.refuse(
                "a grid tries values, and this is a range; list values with commas between, or search at random."
            )
    return space.size or 0


def propose(space: Space, method: str, count: int, seed: int) -> list[Point]:
    """``count`` different points, fewer where the space has no more; the same ones for the same seed.

    ``grid``: every point once, in order, or ``count`` of them drawn without replacement. ``random``: independent draws
    (Bergstra and Bengio 2012, "Random search for hyper-parameter optimization"). ``sobol``: a scrambled Sobol sequence
    (Owen 1998), whose points lie more evenly, so that no two trials ask nearly the same.
    """
    if method == GRID:
        return _grid(space, count, seed)
    count = count if space.size is None else min(count, space.size)
    if method == RANDOM:
        drawn = random.Random(seed)  # noqa: S311 - reproducible on purpose
        return _distinct(space, count, lambda: [drawn.random() for _ in space])
    if method == SOBOL:
        shares = _sobol(len(space.dimensions), count, seed)
        return _distinct(space, count, lambda: next(shares))
    raise DomainError(
        "method_unknown", f"The search “{method}” is none of {', '.join(METHODS)}.", field="search_method"
    )


def _grid(space: Space, count: int, seed: int) -> list[Point]:
    size = require_grid(space)
    numbers: Sequence[int] = range(size)
    if count < size:
        numbers = sorted(random.Random(seed).sample(range(size), count))  # noqa: S311 - reproducible on purpose
    points = []
    for number in numbers:
        point: Point = {}
        # The last dimension changes fastest, as in itertools.product; no list of all points is made.
        for dimension in reversed(space.dimensions):
            number, place = divmod(number, len(dimension.values))
            point[dimension.name] = dimension.values[place]
        points.append({dimension.name: point[dimension.name] for dimension in space})
    return points


def _distinct(space: Space, count: int, draw: Callable[[], Sequence[float]]) -> list[Point]:
    found: dict[tuple[Value, ...], Point] = {}
    # In a small space the last points take long to be drawn by chance.
    for _ in range(200 * count + 1000):
        if len(found) == count:
            break
        point = {dimension.name: dimension.at(share) for dimension, share in zip(space, draw(), strict=True)}
        found.setdefault(tuple(point.values()), point)
    return list(found.values())


def _sobol(dimensions: int, count: int, seed: int) -> Iterator[list[float]]:
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=seed)
    # Powers of two keep the sequence's balance; further ones go on where it stopped.
    first = sequence.random_base2(max(1, math.ceil(math.log2(max(count, 2)))))
    for row in itertools.chain(first, _further(sequence)):
        yield [min(float(share), math.nextafter(1.0, 0.0)) for share in row]


def _further(sequence: Any) -> Iterator[Any]:
    while True:
        yield from sequence.random(64)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
