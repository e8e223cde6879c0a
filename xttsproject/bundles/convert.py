"""From the files that XTTS-v2 is released in, and those that trainers write, to a bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xttsproject.bundles.checkpoints import is_safetensors, read_checkpoint, read_tensor, read_weights, require_tensor
from xttsproject.bundles.manifest import Bundle, open_bundle, write_manifest
from xttsproject.bundles.recognise import require_fit, require_xtts2
from xttsproject.bundles.sources import ModelFiles, find_files
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, write_json
from xttsproject.lib.progress import Progress, Silent
from xttsproject.xtts.config import CONFIG_FILE, VOCAB_FILE, XttsConfig, parse_config, parse_vocabulary
from xttsproject.xtts.languages import LANGUAGES, language_names

if TYPE_CHECKING:
    from xttsproject.xtts.weights import State

_WRAPPED, _TRAINER_PREFIX, _DVAE_PREFIX = "module.", "xtts.", "dvae."
_LEFT_OUT = ("gpt.gpt_inference.",)
_LEFT_OUT_ENDS = ("gpt.gpt.wte.weight", ".attn.bias", ".attn.masked_bias")
_GPT, _DECODER, _MEL_STATS = "gpt.", "hifigan_decoder.", "mel_stats"
_RELEASE = ("config.json", "vocab.json", "model.pth", "dvae.pth")


@dataclass(frozen=True)
class About:
    """What a bundle's manifest says of it."""

    name: str
    licence: str
    licence_url: str
    notice: str
    origin: str


@dataclass
class _Parts:
    """What the bundle is put together from. ``from_base`` and ``notes`` tell people where it came from."""

    raw: dict[str, Any]
    vocab: Path
    config: XttsConfig
    model: State
    dvae: State
    speakers: State
    from_base: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    """Make a bundle at ``target`` of a whole release: a folder with ``model.pth``, ``config.json``, ``vocab.json``,
    ``dvae.pth`` and, where there are, ``mel_stats.pth`` and ``speakers_xtts.pth``.

    Raises as :func:`import_xtts` does.
    """
    for needed in _RELEASE:
        if not (source / needed).is_file():
            raise DomainError("import_incomplete", f"{source.name} has no {needed}; XTTS-v2's release folder has one.")
    about = About(name, licence, licence_url, notice, origin)
    return import_xtts(find_files(source / "model.pth"), target, about, progress=progress)[0]


def import_xtts(
    files: ModelFiles, target: Path, about: About, *, progress: Progress | None = None
) -> tuple[Bundle, list[str]]:
    """Make a bundle at ``target`` of a released model, a trainer's checkpoint (with its optimizer, its DVAE and its
    prefixes) or a safetensors file, and say in sentences where each part came from.

    What the weights' file lacks comes from the other files, then from the base. Tensors go from file to file without
    being held in memory as a whole. Nothing is left behind on failure. Raises :class:`DomainError`
    ``import_incomplete``, ``config_unusable``, ``vocab_unusable``, ``language_unsupported``, ``model_foreign``,
    ``model_mismatch``, ``model_cut_short``, ``model_unsafe`` (it would run code), ``model_damaged`` or
    ``model_missing``, and :class:`~xttsproject.lib.errors.Cancelled` through ``progress``.
    """
    from safetensors.torch import save_file

    from xttsproject.xtts.networks import load_tokenizer
    from xttsproject.xtts.weights import DVAE_FILE, MODEL_FILE, SPEAKERS_FILE

    watcher = progress or Silent()
    watcher.report(0.02, f"reading {files.weights.name}")
    parts = _gather(files)
    watcher.check()
    watcher.report(0.2, "checking sizes")
    _require_loadable(files, parts)
    with atomic_directory(target) as folder:
        write_json(folder / CONFIG_FILE, parts.raw)
        shutil.copyfile(parts.vocab, folder / VOCAB_FILE)
        load_tokenizer(folder)
        watcher.check()
        watcher.report(0.3, "writing safetensors")
        save_file(_plain(parts.model), folder / MODEL_FILE)
        watcher.check()
        watcher.report(0.7, "writing safetensors")
        save_file(_plain(parts.dvae), folder / DVAE_FILE)
        if parts.speakers:
            save_file(_plain(parts.speakers), folder / SPEAKERS_FILE)
        watcher.check()
        watcher.report(0.8, "hashing")
        write_manifest(
            folder,
            name=about.name,
            kind="xtts",
            licence=about.licence,
            licence_url=about.licence_url,
            notice=about.notice,
            source=about.origin,
            languages=files.base.languages if files.base else (),
        )
        watcher.check()
    if parts.from_base and files.base:
        parts.notes.insert(0, f"From the base model “{files.base.path.name}”: {', '.join(parts.from_base)}.")
    return open_bundle(target), parts.notes


def _gather(files: ModelFiles) -> _Parts:
    """Every part from where it is to be had, nothing written yet."""
    weights = read_weights(files.weights)
    model, dvae = _split(weights.tensors)
    require_xtts2(list(model) or list(weights.tensors), files.weights.name)
    from_base: list[str] = []
    raw, notes = _configuration(files, weights.config, from_base)
    vocab = files.vocab or _of_base(files, "vocab", from_base)
    config = _parse(files, raw, _json(vocab, "vocab"))
    if not any(name.startswith(_DECODER) for name in model):
        model |= {f"{_DECODER}{name}": value for name, value in _base_state(files, "decoder", from_base).items()}
    if _MEL_STATS not in model or files.mel_stats:
        model[_MEL_STATS] = (
            read_tensor(files.mel_stats, _MEL_STATS)
            if files.mel_stats
            else _base_state(files, _MEL_STATS, from_base)[_MEL_STATS]
        )
    if files.dvae:
        dvae = read_weights(files.dvae).tensors
    elif not dvae:
        dvae = _base_state(files, "dvae", from_base)
    parts = _Parts(raw, vocab, config, model, dvae, _speakers(files, from_base), from_base, notes)
    _widen(parts)
    return parts


def _widen(parts: _Parts) -> None:
    """Numbers of 16 (or 64) bits become float32, which is what speaks and what is trained on every device."""
    import torch

    narrow = 0
    for state in (parts.model, parts.dvae, parts.speakers):
        for name, value in state.items():
            if value.is_floating_point() and value.dtype != torch.float32:
                state[name] = value.float()
                narrow += 1
    if narrow:
        parts.notes.append(f"{narrow} tensors were not in 32-bit precision and are now; that adds no exactness.")


def _split(tensors: Mapping[str, Any]) -> tuple[State, State]:
    """A release's or a trainer's tensors under the release's names, and the DVAE that a trainer's file carries."""
    model: State = {}
    dvae: State = {}
    for name, value in tensors.items():
        bare = name.removeprefix(_WRAPPED).removeprefix(_TRAINER_PREFIX)
        if bare.startswith(_DVAE_PREFIX):
            dvae[bare.removeprefix(_DVAE_PREFIX)] = value
        elif bare.startswith(_LEFT_OUT) or bare.endswith(_LEFT_OUT_ENDS):
            continue
        elif bare.startswith((_GPT, _DECODER)) or bare == _MEL_STATS:
            model[bare] = value
    return model, dvae


def _configuration(
    files: ModelFiles, own: Mapping[str, Any] | None, from_base: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """The content of ``config.json``, and what was left out of it."""
    notes: list[str] = []
    if files.config is None and own is not None:
        # Objects that were let through as shells are not values.
        raw = json.loads(json.dumps(own, default=lambda _value: None, skipkeys=True))
        notes.append(f"The configuration is the one inside {files.weights.name}.")
    else:
        raw = _json(files.config or _of_base(files, "config", from_base), "config")
    if not isinstance(raw, dict):
        raise DomainError("config_unusable", f"{_config_name(files)} is no table of settings.", field="config")
    unknown = [code for code in raw.get("languages") or () if code not in LANGUAGES]
    if unknown:
        raw["languages"] = [code for code in raw["languages"] if code in LANGUAGES]
        if not raw["languages"]:
            raise DomainError(
                "language_unsupported",
                f"{_config_name(files)} names only languages that nothing here can read out ({', '.join(unknown)}); "
                f"known are {language_names(LANGUAGES)}.",
                field="config",
            )
        notes.append(f"Left out, because nothing here can read its texts out: the language {', '.join(unknown)}.")
    return raw, notes


def _parse(files: ModelFiles, raw: Mapping[str, Any], vocab: Any) -> XttsConfig:
    try:
        vocabulary = parse_vocabulary(vocab)
        vocabulary["[START]"], vocabulary["[STOP]"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DomainError(
            "vocab_unusable", f"{_vocab_name(files)} is no tokenizer file ({error!r}).", field="vocab"
        ) from error
    try:
        return parse_config(raw, vocabulary)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DomainError(
            "config_unusable",
            f"{_config_name(files)} does not describe an XTTS-v2 ({reason}); give the config.json that lies beside the "
            "checkpoint, or name a base model.",
            field="config",
        ) from error


def _speakers(files: ModelFiles, from_base: list[str]) -> State:
    """Preset voices as ``Name/gpt_cond_latent`` and ``Name/speaker_embedding``; a model may have none."""
    from xttsproject.xtts.weights import SPEAKERS_FILE, read_tensors

    if files.speakers is None:
        if files.base is None or not (files.base.path / SPEAKERS_FILE).is_file():
            return {}
        from_base.append("the preset speakers")
        return read_tensors(files.base.path / SPEAKERS_FILE)
    if is_safetensors(files.speakers):
        return read_weights(files.speakers).tensors
    name = files.speakers.name
    state: State = {}
    try:
        for speaker, voice in dict(read_checkpoint(files.speakers)).items():
            for key in ("gpt_cond_latent", "speaker_embedding"):
                state[f"{speaker}/{key}"] = require_tensor(voice[key], f"{name}: {speaker}")
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise DomainError("model_damaged", f"{name} is no table of preset speakers ({error!r}).") from error
    return state


def _base_state(files: ModelFiles, part: Any, from_base: list[str]) -> State:
    from xttsproject.xtts.weights import read_state

    words = {"decoder": "the decoder", "mel_stats": "mel_stats", "dvae": "the DVAE"}[part]
    option = {"decoder": "model", "mel_stats": "mel_stats.pth", "dvae": "dvae.pth"}[part]
    if files.base is None:
        raise _incomplete(files, words, option)
    from_base.append(words)
    return read_state(files.base.path, part)


def _of_base(files: ModelFiles, part: str, from_base: list[str]) -> Path:
    """The base's ``config.json`` or ``vocab.json``."""
    file = {"config": CONFIG_FILE, "vocab": VOCAB_FILE}[part]
    if files.base is None:
        raise _incomplete(files, file, file)
    from_base.append(file)
    return files.base.path / file


def _incomplete(files: ModelFiles, what: str, file: str) -> DomainError:
    return DomainError(
        "import_incomplete",
        f"{files.weights.name} comes without {what}: give the {file} it was trained with, or name the base model that "
        "it was fine-tuned from.",
    )


def _json(path: Path, part: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DomainError(f"{part}_unusable", f"{path.name} cannot be read as JSON ({error}).", field=part) from error


def _config_name(files: ModelFiles) -> str:
    return files.config.name if files.config else "the configuration"


def _vocab_name(files: ModelFiles) -> str:
    if files.vocab or files.base is None:
        return VOCAB_FILE
    return f"the {VOCAB_FILE} of “{files.base.path.name}”"


def _require_loadable(files: ModelFiles, parts: _Parts) -> None:
    """Compare the GPT's shapes with what the config says, and load the smaller networks, before anything is written."""
    from xttsproject.xtts.networks import build_decoder, build_dvae, load_into

    of = {_GPT: files.weights.name, _DECODER: files.weights.name}
    split = {
        prefix: {name[len(prefix) :]: value for name, value in parts.model.items() if name.startswith(prefix)}
        for prefix in of
    }
    told = files.config.name if files.config else "its configuration"
    if files.config is None and CONFIG_FILE in parts.from_base and files.base:
        told = f"the {CONFIG_FILE} of “{files.base.path.name}”"
    require_fit(parts.config, split[_GPT], file=files.weights.name, config_from=told, vocab_from=_vocab_name(files))
    shape = tuple(parts.model[_MEL_STATS].shape)
    if shape != (80,):
        raise DomainError("model_mismatch", f"The mel_stats of {files.weights.name} have the shape {shape}, not (80,).")
    _require_speakers(files, parts)
    for build, state, what, file in (
        (build_decoder, split[_DECODER], "decoder", files.weights.name),
        (build_dvae, parts.dvae, "DVAE", files.dvae.name if files.dvae else files.weights.name),
    ):
        try:
            load_into(build(parts.config), dict(state), files.weights, what)
        except DomainError as error:
            raise DomainError(
                "model_mismatch",
                f"The {what} from {file} does not fit {told}{_first_complaint(error)}",
            ) from error


def _require_speakers(files: ModelFiles, parts: _Parts) -> None:
    """Every preset voice has both its tensors, in the model's sizes: one of another model would fail when it speaks.

    Those that the base would only have lent are left out instead.
    """
    name = files.speakers.name if files.speakers else "the base's preset speakers"
    wanted = {
        "gpt_cond_latent": (1, 32, parts.config.gpt.width),
        "speaker_embedding": (1, parts.config.speaker_width, 1),
    }
    complaint = ""
    for speaker in sorted({each.rpartition("/")[0] for each in parts.speakers}):
        for key, shape in wanted.items():
            value = parts.speakers.get(f"{speaker}/{key}")
            found = "missing" if value is None else f"of the shape {tuple(value.shape)}"
            if value is not None and tuple(value.shape) == shape:
                found = "" if bool(value.isfinite().all()) else "not finite"
            if found and not complaint:
                complaint = f"{name} does not fit the model: the {key} of “{speaker}” is {found}, not {shape}"
    if complaint and files.speakers:
        raise DomainError("model_mismatch", f"{complaint}; give the one that belongs to the model, or none.")
    if complaint:
        parts.speakers.clear()
        parts.from_base.remove("the preset speakers")
        parts.notes.append("The base model's preset speakers have other sizes than this model, so they were left out.")


def _first_complaint(error: DomainError) -> str:
    """The first of the many lines that torch says; the rest say the same of other tensors."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return f": {lines[1].strip().rstrip('.')[:200]}." if len(lines) > 1 else f": {lines[0][:200]}."


def _plain(state: State) -> State:
    """Sorted, whole, none sharing another's memory: safetensors keeps no shared storage. Copies only where it must."""
    seen: set[int] = set()
    plain: State = {}
    for name in sorted(state):
        value = state[name]
        pointer = value.untyped_storage().data_ptr()
        plain[name] = value.clone().contiguous() if pointer in seen else value.contiguous()
        seen.add(pointer)
    return plain
