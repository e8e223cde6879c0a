"""How the files of a fine-tuned GPT are named, and which of them a folder has. Loads no ML library.

Either an adapter, as peft writes it, or every weight of the GPT. Whoever speaks, exports, averages or measures asks
here and need not know how a checkpoint was trained.
"""

from __future__ import annotations

from pathlib import Path

ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
FULL_FILE = "gpt.safetensors"
"""Of full fine-tuning: the whole GPT, tensors named as in the GPT itself."""


def is_full(folder: Path) -> bool:
    """Whether a folder holds a whole GPT rather than an adapter."""
    return (folder / FULL_FILE).is_file()


def weights_file(folder: Path) -> Path:
    """The file that holds the weights of a checkpoint; the adapter's where there is none."""
    return folder / (FULL_FILE if is_full(folder) else ADAPTER_FILE)


def files_of(folder: Path) -> tuple[Path, ...]:
    """Every file that decides what a checkpoint says."""
    return (folder / FULL_FILE,) if is_full(folder) else (folder / ADAPTER_FILE, folder / ADAPTER_CONFIG_FILE)
