"""What of the GPT a run moves: adapters (and modules beside them), or all of it. Taken out, put back, and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.engine import lora
from training.engine.sizes import whole_modules
from training.engine.spec import FULL, TrainSpec
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.xtts.checkpoints import FULL_FILE


class Trained:
    """Coqui's ``GPT`` made ready to be trained as the spec says: what moves requires gradients, nothing else does.

    Adapters draw their first weights from torch's own chance. DomainError ``adapter_mismatch``.
    """

    def __init__(self, gpt: nn.Module, spec: TrainSpec):
        self._gpt = gpt
        self._config: Any = None
        if spec.method == FULL:
            gpt.requires_grad_(True)
        else:
            self._config = lora.inject(gpt, spec.lora, whole_modules(spec))

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """By name, in the model's own order."""
        return lora.trainable(self._gpt)

    def state(self, *, copy: bool = True) -> dict[str, Tensor]:
        """On the CPU in float32, named as in the file. Without ``copy`` tensors may be the model's own memory."""
        if self._config is not None:
            return lora.adapter_state(self._gpt, copy=copy)
        return {
            name: parameter.detach().to("cpu", torch.float32, copy=copy).contiguous()
            for name, parameter in self.parameters.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` gave, or a checkpoint's tensors. DomainError ``adapter_mismatch``."""
        if self._config is not None:
            lora.load_adapter_state(self._gpt, state)
            return
        own = self.parameters
        if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
            raise DomainError("adapter_mismatch", "The saved weights do not fit this model.")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name])

    def save(self, folder: Path) -> None:
        """Write a checkpoint's weights: an adapter as peft reads it, or the whole GPT.

        The whole GPT is written in float32. Half precision would halve it, but then the file would not be what the
        validation loss was measured of, and where steps are small (1e-5 of a weight and less) rounding to 8 or 11 bits
        loses part of what was learnt.
        """
        from safetensors.torch import save_file

        if self._config is not None:
            lora.save_adapter(folder, self._gpt, self._config)
            return
        with atomic_path(folder / FULL_FILE) as temporary:
            save_file(self.state(copy=False), temporary, metadata={"format": "pt"})
