"""The voices that come with a model, by name. Telling their names loads no ML library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    from xttsproject.xtts.conditioning import Conditioning

SPEAKERS_FILE = "speakers.safetensors"


def studio_names(bundle_path: Path) -> list[str]:
    """Of the bundle's own voices, sorted; none where it has none. DomainError ``model_damaged``."""
    path = bundle_path / SPEAKERS_FILE
    if not path.is_file():
        return []
    try:
        with safe_open(str(path), framework="numpy") as handle:
            return sorted({name.rsplit("/", 1)[0] for name in handle.keys()})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DomainError("model_damaged", f"{path.name} in {bundle_path.name} cannot be read ({error}).") from error


def studio_voice(bundle_path: Path, name: str) -> Conditioning:
    """One of the bundle's own voices. DomainErrors ``studio_unknown``, ``model_damaged``."""
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.weights import read_tensors

    require_studio(bundle_path, name)
    tensors = read_tensors(bundle_path / SPEAKERS_FILE, f"{name}/")
    try:
        return Conditioning(tensors[f"{name}/gpt_cond_latent"], tensors[f"{name}/speaker_embedding"])
    except (KeyError, ValueError) as error:
        raise DomainError("model_damaged", f"“{name}” in {bundle_path.name} is no voice ({error}).") from error


def require_studio(bundle_path: Path, name: str) -> None:
    """DomainError ``studio_unknown`` where the bundle has no voice of that name."""
    names = studio_names(bundle_path)
    if name not in names:
        there = f"it has {', '.join(names)}" if names else "it has none"
        raise DomainError(
            "studio_unknown", f"The model {bundle_path.name} has no voice “{name}” of its own; {there}.", field="studio"
        )
