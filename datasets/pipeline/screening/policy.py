"""The thresholds, and what they make of a clip: approve, review or reject, each with its reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from datasets.pipeline.screening.catalogue import RULES, Rule
from xttsproject.lib.errors import DomainError

Verdict = Literal["approve", "review", "reject"]


@dataclass(frozen=True)
class Thresholds:
    """None switches that consequence of a rule off."""

    review: float | None
    reject: float | None


@dataclass(frozen=True)
class Reason:
    """``rule`` was broken: ``value`` lies on the wrong side of ``threshold``. Facts that no threshold can change (that
    XTTS cannot take a clip) have neither. ``sentence`` completes “it is …”.
    """

    rule: str
    verdict: Verdict
    sentence: str
    measure: str = ""
    value: float | None = None
    threshold: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "measure": self.measure,
            "value": self.value,
            "threshold": self.threshold,
        }


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reasons: tuple[Reason, ...]


def _defaults() -> Mapping[str, Thresholds]:
    return {name: Thresholds(rule.review, rule.reject) for name, rule in RULES.items()}


@dataclass(frozen=True)
class Policy:
    """``thresholds`` by the rules' names, all of them. ``approve``: clips that break no rule are approved; otherwise
    they stay for people to review. Raises DomainError ``policy_invalid`` (``field`` names the input).
    """

    thresholds: Mapping[str, Thresholds] = field(default_factory=_defaults)
    approve: bool = True

    def __post_init__(self) -> None:
        unknown = sorted(set(self.thresholds) - set(RULES))
        if unknown:
            raise _invalid(f"There is no rule “{unknown[0]}”; the rules are {', '.join(RULES)}.", unknown[0])
        missing = {name: each for name, each in _defaults().items() if name not in self.thresholds}
        object.__setattr__(self, "thresholds", {**missing, **self.thresholds})
        for name, rule in RULES.items():
            _check(rule, self.thresholds[name])

    def as_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        rules = {
            name: {"review": self.thresholds[name].review, "reject": self.thresholds[name].reject} for name in RULES
        }
        return {"approve": self.approve, "rules": rules}

    @classmethod
    def from_dict(cls, value: Any) -> Policy:
        """What :meth:`as_dict` gave, or a part of it; what is not named keeps its default. DomainError as above."""
        if not isinstance(value, Mapping) or set(value) - {"approve", "rules"}:
            raise _invalid('A policy is an object of "approve" and "rules".', "policy")
        approve, rules = value.get("approve", True), value.get("rules", {})
        if not isinstance(approve, bool):
            raise _invalid(f"“approve” is true or false, got {approve!r}.", "approve")
        if not isinstance(rules, Mapping):
            raise _invalid(f"“rules” is an object of thresholds by the rules' names, got {rules!r}.", "rules")
        thresholds = {}
        for name, given in rules.items():
            if not isinstance(given, Mapping) or set(given) - {"review", "reject"}:
                raise _invalid(f'The rule “{name}” takes an object of "review" and "reject", got {given!r}.', str(name))
            usual = _defaults().get(str(name), Thresholds(None, None))
            thresholds[str(name)] = Thresholds(
                _number(name, given.get("review", usual.review)), _number(name, given.get("reject", usual.reject))
            )
        return cls(thresholds, approve)


def judge(values: Mapping[str, Any], policy: Policy, facts: tuple[Reason, ...] = ()) -> Judgement:
    """What ``policy`` makes of a clip with these measures, by the catalogue's names; one that is absent or None breaks
    no rule. ``facts`` are reasons that hold whatever the policy.
    """
    reasons = list(facts)
    for name, rule in RULES.items():
        value = values.get(rule.measure.name)
        if value is None:
            continue
        found = _broken(rule, float(value), policy.thresholds[name])
        if found is not None:
            reasons.append(found)
    if any(reason.verdict == "reject" for reason in reasons):
        verdict: Verdict = "reject"
    elif reasons or not policy.approve:
        verdict = "review"
    else:
        verdict = "approve"
    return Judgement(verdict, tuple(sorted(reasons, key=lambda reason: reason.verdict != "reject")))


def _broken(rule: Rule, value: float, limits: Thresholds) -> Reason | None:
    steps: tuple[tuple[Verdict, float | None], ...] = (("reject", limits.reject), ("review", limits.review))
    for verdict, threshold in steps:
        if threshold is not None and rule.broken(value, threshold):
            return Reason(rule.name, verdict, _sentence(rule, value, threshold), rule.measure.name, value, threshold)
    return None


def _sentence(rule: Rule, value: float, threshold: float) -> str:
    if rule.name == "duplicate":
        return rule.fault
    words = rule.measure.words
    label = rule.measure.label[0].lower() + rule.measure.label[1:]
    return f"{rule.fault} ({label}: {words(value)}, {rule.side} {words(threshold)})"


def _check(rule: Rule, given: Thresholds) -> None:
    for kind, value in (("review", given.review), ("reject", given.reject)):
        if value is not None and not rule.least <= value <= rule.most:
            raise _invalid(
                f"{rule.measure.label}: the threshold of {kind} lies within {rule.least:g} and {rule.most:g}, got "
                f"{value:g}.",
                rule.name,
            )
    if given.review is None or given.reject is None:
        return
    if rule.broken(given.reject, given.review) or given.reject == given.review:
        return
    order = "not above" if rule.side == "below" else "not below"
    raise _invalid(
        f"{rule.measure.label}: rejecting begins at {given.reject:g}, which must be {order} where review begins, "
        f"{given.review:g}.",
        rule.name,
    )


def _number(name: object, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _invalid(f"A threshold of “{name}” is a number or null, got {value!r}.", str(name))
    return float(value)


def _invalid(message: str, where: str) -> DomainError:
    return DomainError("policy_invalid", message, field=where)
