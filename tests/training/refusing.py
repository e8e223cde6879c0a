"""What the tests of refusals share."""

from __future__ import annotations

from typing import Any

import pytest

from xttsproject.lib.errors import DomainError


def refused(call: Any, **arguments: Any) -> DomainError:
    """The sentence with which ``call`` refuses; it must."""
    with pytest.raises(DomainError) as caught:
        call(**arguments)
    return caught.value
