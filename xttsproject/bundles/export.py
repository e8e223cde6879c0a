"""From a bundle to the files that XTTS-v2 is released in: what Coqui's own code and trainers read, unchanged.

The other direction is :mod:`xttsproject.bundles.convert`. Only tensors and plain values are written, so the files can
be read with ``torch.load(weights_only=True)``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, write_json
from xttsproject.lib.progress import Progress, Silent
from xttsproject.xtts.config import (
    CONFIG_FILE,
    RELEASED_DVAE,
    RELEASED_SAMPLING,
    RELEASED_SPEAKER_AUDIO,
    STOCK_DECODER,
    STOCK_SPEAKER_ENCODER,
    VOCAB_FILE,
    XttsConfig,
    read_config,
)

if TYPE_CHECKING:
    from xttsproject.xtts.weights import State

# Coqui's loader builds these sizes whatever a config says; a bundle may spell them out, but not change them.
_RELEASED_DECODER: Mapping[str, Any] = {
    "resblock_type_decoder": "1",
    "resblock_dilation_sizes_decoder": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "resblock_kernel_sizes_decoder": [3, 7, 11],
    "upsample_rates_decoder": [8, 8, 2, 2],
    "upsample_initial_channel_decoder": 512,
    "upsample_kernel_sizes_decoder": [16, 16, 4, 4],
    "speaker_encoder_audio_config": RELEASED_SPEAKER_AUDIO,
}
_RELEASED_SPEAKER_ENCODER: Mapping[str, Any] = {
    "input_dim": 64,
    "proj_dim": 512,
    "layers": [3, 4, 6, 3],
    "num_filters": [32, 64, 128, 256],
    "encoder_type": "ASP",
    "log_input": True,
    "use_torch_spec": True,
    "audio_config": RELEASED_SPEAKER_AUDIO,
}
_OWN_KEYS = ("decoder", "dvae", "speaker_encoder")


def export_coqui(
    bundle_path: Path, target: Path, *, adapter: Path | None = None, progress: Progress | None = None
) -> Path:
    """Write a folder at ``target`` that coqui-tts loads as it loads the release, and return it.

    It holds ``model.pth`` (with a LoRA ``adapter``'s folder merged into it where one is given), ``config.json``,
    ``vocab.json``, ``mel_stats.pth``, ``dvae.pth`` and, where the bundle has voices, ``speakers_xtts.pth``. Weights
    keep the type that the bundle has them in. The folder takes the place of one that stands there once all is written.

    Needs the checkpoint's size in memory, with an adapter up to twice of it. Raises :class:`DomainError`
    ``export_unsuitable`` (the bundle has networks that Coqui's code cannot build), ``model_missing``,
    ``model_damaged``, ``model_unsuitable`` or ``adapter_…``, and :class:`~xttsproject.lib.errors.Cancelled` through
    ``progress``.
    """
    from xttsproject.xtts.weights import SPEAKERS_FILE, read_tensors

    watcher = progress or Silent()
    config = read_config(bundle_path)
    require_released(bundle_path.name, config)
    with atomic_directory(target) as folder:
        content = _configuration(bundle_path, config)
        write_json(folder / CONFIG_FILE, content)
        shutil.copyfile(bundle_path / VOCAB_FILE, folder / VOCAB_FILE)
        watcher.check()
        watcher.report(0.05, "reading the model")
        model = _model(bundle_path, config, adapter)
        watcher.check()
        watcher.report(0.4, "writing model.pth")
        # A trainer takes a file for a whole model, not the GPT alone, by the configuration beside the weights.
        _save({"model": model, "config": content}, folder / "model.pth")
        _save(model["mel_stats"], folder / "mel_stats.pth")
        del model
        watcher.check()
        watcher.report(0.8, "writing dvae.pth")
        _save(_dvae(bundle_path, config), folder / "dvae.pth")
        if (bundle_path / SPEAKERS_FILE).is_file():
            _save(_speakers(read_tensors(bundle_path / SPEAKERS_FILE)), folder / "speakers_xtts.pth")
        watcher.check()
    return target


def require_released(bundle: str, config: XttsConfig) -> None:
    """DomainError ``export_unsuitable``, naming everything that Coqui's code would build otherwise."""
    unfit = [*_foreign_decoder(config), *_foreign_speaker_encoder(config), *_foreign_dvae(config)]
    if unfit:
        raise DomainError(
            "export_unsuitable",
            f"The model {bundle} cannot be exported for Coqui's code, which builds the released XTTS-v2's networks "
            f"only: {' and '.join(unfit)}.",
        )


def _foreign_decoder(config: XttsConfig) -> Iterator[str]:
    if config.decoder_class != STOCK_DECODER:
        yield f"its decoder is of the class {config.decoder_class}"
    else:
        yield from _differences("decoder", config.decoder, _RELEASED_DECODER)


def _foreign_speaker_encoder(config: XttsConfig) -> Iterator[str]:
    if config.speaker_encoder_class != STOCK_SPEAKER_ENCODER:
        yield f"its speaker encoder is of the class {config.speaker_encoder_class}"
    else:
        yield from _differences("speaker encoder", config.speaker_encoder, _RELEASED_SPEAKER_ENCODER)
    width = _RELEASED_SPEAKER_ENCODER["proj_dim"]
    if config.speaker_width != width:
        # Coqui's decoder would be built for this width, but its speaker encoder never is.
        yield f"its speakers are {config.speaker_width} wide instead of {width}"


def _foreign_dvae(config: XttsConfig) -> Iterator[str]:
    # Speaking needs no DVAE; Coqui's trainer does, and knows this size only.
    yield from _differences("DVAE", config.dvae, {**RELEASED_DVAE, "num_tokens": config.gpt.audio_tokens - 2})


def _differences(part: str, arguments: Mapping[str, Any], released: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        if name not in released:
            yield f"its {part} sets {name}"
        elif value != released[name]:
            yield f"its {part} has {name} {value} instead of {released[name]}"


def _configuration(bundle_path: Path, config: XttsConfig) -> dict[str, Any]:
    """The content of ``config.json`` with every value spelled out that Coqui, finding none, would take to be another.

    Coqui's defaults are those of other models, and where this project reads a missing value off another one (the
    decoder's width off the GPT's), Coqui does not.
    """
    raw: dict[str, Any] = json.loads((bundle_path / CONFIG_FILE).read_text(encoding="utf-8"))
    shape = config.gpt
    arguments = {
        **raw["model_args"],
        "gpt_number_text_tokens": shape.text_tokens,
        "gpt_start_text_token": shape.start_text_token,
        "gpt_stop_text_token": shape.stop_text_token,
        "gpt_code_stride_len": shape.code_stride,
        "input_sample_rate": config.input_rate,
        "output_sample_rate": config.output_rate,
        "output_hop_length": config.decoder_hop,
        "decoder_input_dim": config.decoder_input_width,
        "d_vector_dim": config.speaker_width,
        "cond_d_vector_in_each_upsampling_layer": config.condition_each_layer,
    }
    audio = {
        **(raw.get("audio") or {}),
        "sample_rate": config.input_rate,
        "output_sample_rate": config.output_rate,
    }
    kept = {key: value for key, value in raw.items() if key not in _OWN_KEYS}
    told = {"model": "xtts", "model_args": arguments, "audio": audio, "languages": list(config.languages)}
    return {**kept, **told, **RELEASED_SAMPLING, **config.sampling}


def _model(bundle_path: Path, config: XttsConfig, adapter: Path | None) -> State:
    """The tensors of ``model.pth`` by their released names, found to be those that the configuration asks for."""
    from xttsproject.xtts.networks import build_decoder, load_into
    from xttsproject.xtts.weights import apply_adapter, read_state

    gpt = read_state(bundle_path, "gpt")
    _require_gpt(bundle_path.name, config, gpt)
    decoder = read_state(bundle_path, "decoder")
    # What counts is whether Coqui's own decoder takes them: the bundle may spell out the released sizes.
    stock = replace(config, decoder={}, speaker_encoder={})
    load_into(build_decoder(stock), decoder, bundle_path, "decoder")
    stats = read_state(bundle_path, "mel_stats")
    if {name: tuple(value.shape) for name, value in stats.items()} != {"mel_stats": (80,)}:
        raise DomainError("model_damaged", f"The mel_stats of the model {bundle_path.name} are not 80 numbers.")
    merged = apply_adapter(gpt, adapter) if adapter else gpt
    return _owned(
        {
            **{f"gpt.{name}": value for name, value in merged.items()},
            **{f"hifigan_decoder.{name}": value for name, value in decoder.items()},
            **stats,
        }
    )


def _require_gpt(bundle: str, config: XttsConfig, state: State) -> None:
    """Compare names and shapes with what the config says, without building two gigabytes of GPT."""
    from xttsproject.xtts.shapes import gpt_shapes

    expected = gpt_shapes(config.gpt)
    found = {name: tuple(value.shape) for name, value in state.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise DomainError(
                "model_damaged",
                f"The weights of {bundle} do not fit its {CONFIG_FILE}: gpt.{name} is {found.get(name)}, "
                f"expected {expected.get(name)}.",
            )


def _dvae(bundle_path: Path, config: XttsConfig) -> State:
    from xttsproject.xtts.networks import build_dvae, load_into
    from xttsproject.xtts.weights import read_state

    state = read_state(bundle_path, "dvae")
    load_into(build_dvae(config), state, bundle_path, "dvae")
    return _owned(state)


def _speakers(tensors: State) -> dict[str, State]:
    """``Name/gpt_cond_latent`` and ``Name/speaker_embedding`` as a table of voices, each a table of the two."""
    voices: dict[str, State] = {}
    for name, value in _owned(tensors).items():
        speaker, _, key = name.rpartition("/")
        voices.setdefault(speaker, {})[key] = value
    return voices


def _owned(state: State) -> State:
    """Each tensor with memory of its own: what was read shares the file's, and torch would save all of it with any."""
    return {name: value.clone().contiguous() for name, value in state.items()}


def _save(content: Any, path: Path) -> None:
    import torch

    torch.save(content, path)
