"""The errors a person gets to read."""

from __future__ import annotations

from collections.abc import Mapping


class DomainError(Exception):
    """Something a user can understand and act upon.

    ``message`` is one sentence that names the thing, the value and what to do.
    ``code`` is for programs: lower-case words joined by underscores, stable across releases.
    ``permanent`` is false where trying again, unchanged, may succeed (a network that was down).
    ``field`` names the input at fault, where there is one.
    ``about`` points to what stands in the way, for programs: {"recording": its key}.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        permanent: bool = True,
        field: str | None = None,
        about: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.code = code
        self.message = message
        self.permanent = permanent
        self.field = field
        self.about = dict(about or {})

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders by their positional arguments alone, which would lose the code.
        return _rebuild, (type(self), self.code, self.message, self.permanent, self.field, self.about)


class Cancelled(Exception):
    """The user asked for this work to stop; raised by :meth:`Progress.check`."""


def _rebuild(
    cls: type[DomainError], code: str, message: str, permanent: bool, field: str | None, about: dict[str, str]
) -> DomainError:
    return cls(code, message, permanent=permanent, field=field, about=about)
