"""What a table of weights belongs to, told by its names, and whether it fits a configuration, told by its shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    from xttsproject.xtts.config import XttsConfig
    from xttsproject.xtts.weights import State

Shape = tuple[int, ...]

# Beginnings of names that only this model has.
_OTHERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a VITS model", ("posterior_encoder.", "model_g.posterior_encoder.", "enc_q.", "text_encoder.emb.")),
    (
        "a Whisper model, which transcribes and does not speak",
        (
            "decoder.token_embedding.",
            "model.decoder.embed_positions.",
            "model.encoder.conv1.",
            "decoder.positional_embedding",
        ),
    ),
    ("a DVAE, which belongs beside the model", ("codebook.embed",)),
    ("a Tacotron model", ("decoder.attention_rnn.", "embedding.weight")),
    ("a Bark model", ("semantic_model.", "coarse_model.")),
)
_NAMED = 3


def require_xtts2(names: Sequence[str], file: str) -> None:
    """DomainError ``model_foreign``, saying what it is, unless these are names of an XTTS-v2's tensors."""
    if any(".lora_A." in name for name in names):
        raise DomainError(
            "model_foreign",
            f"{file} is a LoRA adapter and no whole model; merge it into its base first, or export the checkpoint it "
            "belongs to.",
        )
    if any(name.startswith("gpt.conditioning_perceiver.") for name in names):
        return
    if any(name.startswith(("diffusion_decoder.", "gpt.conditioning_encoder.")) for name in names):
        raise DomainError(
            "model_foreign",
            f"{file} is XTTS version 1 (its GPT has no perceiver); only XTTS-v2 and what was fine-tuned from it can be "
            "used here.",
        )
    for what, beginnings in _OTHERS:
        if any(name.startswith(beginnings) for name in names):
            raise DomainError(
                "model_foreign", f"{file} is {what}; only XTTS-v2 and what was fine-tuned from it can be used here."
            )
    shown = ", ".join(names[:_NAMED]) or "none at all"
    raise DomainError(
        "model_foreign",
        f"{file} holds no XTTS-v2: its tensors are {shown}{' …' if len(names) > _NAMED else ''}, but those of an "
        "XTTS-v2 begin with “gpt.” or “xtts.gpt.”.",
    )


def require_fit(config: XttsConfig, gpt: State, *, file: str, config_from: str, vocab_from: str) -> None:
    """DomainError ``model_mismatch`` unless the GPT's tensors have the names and shapes that the config asks for.

    Each disagreement is a sentence: sizes by what they mean, and what is left by the tensors' names.
    """
    from xttsproject.xtts.shapes import gpt_shapes

    expected: dict[str, Shape] = dict(gpt_shapes(config.gpt))
    found: dict[str, Shape] = {name: tuple(value.shape) for name, value in gpt.items()}
    if expected == found:
        return
    said = list(_sizes(config, found, file, config_from, vocab_from)) or list(_tensors(expected, found, file))
    raise DomainError("model_mismatch", " ".join(said))


def _sizes(
    config: XttsConfig, found: Mapping[str, Shape], file: str, config_from: str, vocab_from: str
) -> Iterator[str]:
    shape = config.gpt
    text, audio = found.get("text_embedding.weight", ()), found.get("mel_embedding.weight", ())
    layers = len({name.split(".")[2] for name in found if name.startswith("gpt.h.") and name.endswith("ln_1.weight")})
    for what, has, wanted in (
        ("layers", layers, shape.layers),
        ("channels", text[1] if len(text) == 2 else None, shape.width),
        ("audio tokens", audio[0] if len(audio) == 2 else None, shape.audio_tokens),
    ):
        if has is not None and has != wanted:
            yield f"{file} has {has} {what}, but {config_from} says {wanted}: give the config.json it was trained with."
    if text and text[0] != shape.text_tokens:
        yield (
            f"{file} knows {text[0]} text tokens, but {vocab_from} has {shape.text_tokens}: give the vocab.json it was "
            "trained with."
        )


def _tensors(expected: Mapping[str, Shape], found: Mapping[str, Shape], file: str) -> Iterator[str]:
    for what, names in (
        ("lacks", sorted(expected.keys() - found.keys())),
        ("has unknown", sorted(found.keys() - expected.keys())),
    ):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            shown = ", ".join(f"gpt.{name}" for name in names[:_NAMED])
            yield f"{file} {what} {len(names)} tensor{'s' if len(names) > 1 else ''}: {shown}{more}."
    unlike = [name for name in sorted(expected.keys() & found.keys()) if expected[name] != found[name]]
    for name in unlike[:_NAMED]:
        yield f"gpt.{name} of {file} has the shape {found[name]}, but its configuration asks for {expected[name]}."
