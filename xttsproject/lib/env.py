"""Typed settings from the environment, each with its explanation.

Every variable is declared once, where settings.py reads it; ``docs/CONFIGURATION.md`` is written from these
declarations. A value of the wrong type stops the start with a sentence that names it: a typo in a boolean must
not quietly mean "no".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import environ
from environ.compat import ImproperlyConfigured

T = TypeVar("T")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


class SettingError(Exception):
    """An environment variable whose value cannot be used."""


@dataclass(frozen=True)
class Variable:
    """One declared variable: ``default`` is as a person would write it in ``.env``."""

    name: str
    kind: str
    default: str
    help: str
    section: str


class Environment:
    """Reads ``.env`` (never overriding what the process already has) and the environment."""

    def __init__(self, dotenv: Path | None = None):
        self.variables: list[Variable] = []
        self._section = "General"
        if dotenv and dotenv.is_file():
            environ.Env.read_env(str(dotenv), overwrite=False)

    def section(self, title: str) -> None:
        """Variables declared from here on stand under this title in the documentation."""
        self._section = title

    def text(self, name: str, default: str, help: str, *, choices: tuple[str, ...] = ()) -> str:
        def parse(raw: str) -> str:
            if choices and raw not in choices:
                raise ValueError(f"one of {', '.join(choices)}")
            return raw

        kind = " | ".join(choices) if choices else "text"
        return self._read(name, default, help, kind, parse)

    def boolean(self, name: str, default: bool, help: str) -> bool:
        def parse(raw: str) -> bool:
            word = raw.strip().lower()
            if word in _TRUE:
                return True
            if word in _FALSE:
                return False
            raise ValueError("true or false")

        return self._read(name, "true" if default else "false", help, "boolean", parse)

    def integer(self, name: str, default: int, help: str, *, minimum: int = 0) -> int:
        def parse(raw: str) -> int:
            try:
                value = int(raw)
            except ValueError:
                raise ValueError("a whole number") from None
            if value < minimum:
                raise ValueError(f"a whole number from {minimum}")
            return value

        return self._read(name, str(default), help, "integer", parse)

    def names(self, name: str, default: str, help: str) -> list[str]:
        """Words separated by commas."""
        return self._read(
            name, default, help, "list", lambda raw: [part.strip() for part in raw.split(",") if part.strip()]
        )

    def path(self, name: str, default: str, help: str, *, base: Path) -> Path:
        """A path; a relative one counts from ``base``."""
        return self._read(name, default, help, "path", lambda raw: (base / Path(raw).expanduser()).resolve())

    def url(self, name: str, default: str, help: str) -> str:
        def parse(raw: str) -> str:
            if raw and "://" not in raw:
                raise ValueError("an address with its scheme, such as https://example.org")
            return raw.rstrip("/")

        return self._read(name, default, help, "address", parse)

    def database(self, name: str, default: str, help: str, *, fallback: str) -> dict[str, Any]:
        """A database address in django-environ's notation; ``fallback`` is what an empty one means."""

        def parse(raw: str) -> dict[str, Any]:
            config = dict(environ.Env.db_url_config(raw or fallback))
            if not config.get("ENGINE"):
                raise ValueError("an address such as postgres://user:password@host/name")
            return config

        return self._read(name, default, help, "database address", parse)

    def mail(self, name: str, default: str, help: str) -> dict[str, Any]:
        """A mail server's address; returns Django's EMAIL_… settings."""

        def parse(raw: str) -> dict[str, Any]:
            try:
                config = environ.Env.email_url_config(raw)
            except ImproperlyConfigured:
                raise ValueError("an address such as smtp+tls://user:password@host:587") from None
            return {key: value for key, value in config.items() if key.startswith("EMAIL_")}

        return self._read(name, default, help, "address", parse)

    def _read(self, name: str, default: str, help: str, kind: str, parse: Callable[[str], T]) -> T:
        self.variables.append(Variable(name, kind, default, help, self._section))
        raw = os.environ.get(name, default)
        try:
            return parse(raw)
        except ValueError as error:
            raise SettingError(f"{name} is {raw!r}, but {error} is expected. Correct it in .env.") from None
