"""TensorBoard's address: what may be one, and what follows from it."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


def address_problem(address: str) -> str:
    """Why people's browsers cannot be sent to this address; empty where they can, or where there is none.

    It is an http or https address, or a path on the portal's own host (``/tensorboard/``) that a proxy serves.
    """
    if not address:
        return ""
    parts = _split(address)
    if parts is None:
        return "it cannot be read as an address"
    is_path = not parts.scheme and not parts.netloc
    if not is_path and parts.scheme not in ("http", "https"):
        return "it begins with neither http:// nor https://, nor with a slash"
    if not is_path and not parts.hostname:
        return "it names no host"
    if is_path and not parts.path.startswith("/"):
        return "it is neither an address nor a path that begins with a slash"
    if parts.username is not None:
        return "it has a user name in it, which everybody would see"
    if parts.query or parts.fragment:
        return "it has a query or a fragment"
    if not _PATH.fullmatch(parts.path):
        return "its path is no plain one"
    return ""


def path_prefix(address: str) -> str:
    """Under which path TensorBoard has to answer, ``/tensorboard``; empty for the root."""
    parts = _split(address)
    return parts.path.rstrip("/") if parts is not None else ""


def run_address(address: str, run: str) -> str:
    """Where TensorBoard shows the curves of one run, by its folder's name; empty where there is no TensorBoard."""
    if not address:
        return ""
    # With the slash, because TensorBoard answers its bare prefix with a redirect that loses the query.
    return f"{address.rstrip('/')}/?runFilter={run}#timeseries"


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        # Read here, where a wrong one is noticed.
        _ = parts.port
    except ValueError:
        return None
    return parts
