"""From the files that XTTS-v2 is released in (and trainers write) to a bundle. Nothing in them is ever executed."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xttsproject.bundles.manifest import Bundle, open_bundle, write_manifest
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory
from xttsproject.lib.progress import Progress, Silent

if TYPE_CHECKING:
    from xttsproject.xtts.weights import State

# The released checkpoint carries its configuration as pickled objects of these classes. They are let through as empty
# shells: their content is in config.json, and Coqui's code need not run for it.
_SHELLS = (
    "TTS.tts.configs.xtts_config.XttsConfig",
    "TTS.tts.configs.xtts_config.XttsArgs",
    "TTS.tts.configs.xtts_config.XttsAudioConfig",
    "TTS.tts.models.xtts.XttsArgs",
    "TTS.tts.models.xtts.XttsAudioConfig",
    "TTS.config.shared_configs.BaseDatasetConfig",
    "TTS.tts.layers.xtts.trainer.gpt_trainer.GPTTrainerConfig",
    "TTS.tts.layers.xtts.trainer.gpt_trainer.GPTArgs",
)
_TRAINER_PREFIX = "xtts."
_LEFT_OUT = ("torch_mel_spectrogram_style_encoder.", "torch_mel_spectrogram_dvae.", "dvae.", "gpt.gpt_inference.")
_LEFT_OUT_ENDS = ("gpt.gpt.wte.weight", ".attn.bias", ".attn.masked_bias")


def convert_xtts(
    source: Path,
    target: Path,
    *,
    name: str,
    licence: str,
    licence_url: str,
    notice: str,
    origin: str,
    progress: Progress | None = None,
) -> Bundle:
    """Make a bundle at ``target`` of a folder with ``model.pth``, ``config.json``, ``vocab.json``, ``dvae.pth``
    and, where there are, ``mel_stats.pth`` and ``speakers_xtts.pth``.

    Needs the checkpoint's size in memory. Raises :class:`DomainError` ``import_incomplete``, ``model_unsafe`` (the file
    would run code) or ``model_damaged``.
    """
    from safetensors.torch import save_file

    from xttsproject.xtts.config import CONFIG_FILE, VOCAB_FILE
    from xttsproject.xtts.weights import DVAE_FILE, MODEL_FILE, SPEAKERS_FILE

    watcher = progress or Silent()
    for needed in (CONFIG_FILE, VOCAB_FILE, "model.pth", "dvae.pth"):
        if not (source / needed).is_file():
            raise DomainError("import_incomplete", f"{source.name} has no {needed}; XTTS-v2's release folder has one.")
    with atomic_directory(target) as folder:
        for file in (CONFIG_FILE, VOCAB_FILE):
            shutil.copyfile(source / file, folder / file)
        watcher.report(0.05, "reading model.pth")
        model = _model_state(read_checkpoint(source / "model.pth"))
        if (source / "mel_stats.pth").is_file():
            model["mel_stats"] = _tensor(read_checkpoint(source / "mel_stats.pth"), "mel_stats.pth")
        if "mel_stats" not in model:
            raise DomainError("import_incomplete", f"{source.name} has no mel_stats.pth, and model.pth has none in it.")
        watcher.check()
        watcher.report(0.4, "writing safetensors")
        save_file(_plain(model), folder / MODEL_FILE)
        del model
        save_file(_plain(_dvae_state(read_checkpoint(source / "dvae.pth"))), folder / DVAE_FILE)
        if (source / "speakers_xtts.pth").is_file():
            save_file(_plain(_speakers(read_checkpoint(source / "speakers_xtts.pth"))), folder / SPEAKERS_FILE)
        watcher.check()
        watcher.report(0.7, "checking")
        _require_loadable(folder)
        watcher.report(0.9, "hashing")
        write_manifest(
            folder, name=name, kind="xtts", licence=licence, licence_url=licence_url, notice=notice, source=origin
        )
    return open_bundle(target)


def read_checkpoint(path: Path) -> Any:
    """The content of a file that ``torch.save`` wrote: tensors and plain values. Anything else in it is refused unread.

    Raises :class:`DomainError` ``model_unsafe`` or ``model_damaged``.
    """
    import torch
    from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

    # One shell per name: torch tells classes apart by identity.
    shells = {name: type("Shell", (_Shell,), {}) for name in _SHELLS}
    try:
        foreign = sorted(set(get_unsafe_globals_in_checkpoint(str(path))) - set(shells))
        if foreign:
            raise DomainError(
                "model_unsafe",
                f"{path.name} wants to run {', '.join(foreign[:3])} while it is read; a model needs no such thing. "
                "It was not opened.",
            )
        with safe_globals([(shell, name) for name, shell in shells.items()]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise DomainError(
            "model_unsafe", f"{path.name} holds more than weights and was not opened ({error})."
        ) from error
    except (RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise DomainError("model_damaged", f"{path.name} is no checkpoint that torch can read ({error}).") from error


class _Shell:
    """Takes the place of a configuration object and keeps nothing of it."""

    def __new__(cls, *_: object) -> _Shell:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass


def _model_state(checkpoint: Any) -> State:
    """The tensors of a release or of a trainer's checkpoint under the release's names."""
    tensors = checkpoint.get("model", checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(tensors, Mapping):
        raise DomainError("model_damaged", "model.pth holds no table of weights.")
    state: State = {}
    for name, value in tensors.items():
        bare = str(name).removeprefix(_TRAINER_PREFIX)
        if not bare.startswith(_LEFT_OUT) and not bare.endswith(_LEFT_OUT_ENDS):
            state[bare] = _tensor(value, f"model.pth: {name}")
    return state


def _dvae_state(checkpoint: Any) -> State:
    tensors = checkpoint.get("model", checkpoint) if isinstance(checkpoint, Mapping) else {}
    return {str(name): _tensor(value, f"dvae.pth: {name}") for name, value in tensors.items()}


def _speakers(checkpoint: Any) -> State:
    state: State = {}
    for speaker, voice in dict(checkpoint).items():
        for key in ("gpt_cond_latent", "speaker_embedding"):
            state[f"{speaker}/{key}"] = _tensor(voice[key], f"speakers_xtts.pth: {speaker}")
    return state


def _tensor(value: Any, where: str) -> Any:
    import torch

    if not isinstance(value, torch.Tensor):
        raise DomainError("model_damaged", f"{where} is no tensor but {type(value).__name__}.")
    return value.detach()


def _plain(state: State) -> State:
    """Sorted, each tensor with memory of its own: safetensors keeps no shared storage."""
    return {name: state[name].clone().contiguous() for name in sorted(state)}


def _require_loadable(folder: Path) -> None:
    """Compare the GPT's shapes with what the config says, and load the smaller networks."""
    from xttsproject.xtts.config import read_config
    from xttsproject.xtts.networks import load_decoder, load_dvae, load_tokenizer
    from xttsproject.xtts.shapes import gpt_shapes
    from xttsproject.xtts.weights import read_state

    config = read_config(folder)
    expected = gpt_shapes(config.gpt)
    found = {name: tuple(value.shape) for name, value in read_state(folder, "gpt").items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise DomainError(
                "model_damaged",
                f"model.pth does not fit config.json: gpt.{name} is {found.get(name)}, expected {expected.get(name)}.",
            )
    load_decoder(folder, config)
    load_dvae(folder, config)
    load_tokenizer(folder)
