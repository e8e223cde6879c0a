"""The one way in which this project speaks: page, API and epoch samples all go through :class:`XttsEngine`."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from xttsproject.lib.audio import Audio, Samples
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress, Silent
from xttsproject.xtts import conditioning as voices
from xttsproject.xtts import text as planning
from xttsproject.xtts.adapters import Adapter
from xttsproject.xtts.blocks import matrices
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import SOURCE_FILTER, XttsConfig, read_config
from xttsproject.xtts.decode import Decoded, GptDecoder, Utterance
from xttsproject.xtts.graphs import recorder_for
from xttsproject.xtts.hurry import loading_pool
from xttsproject.xtts.joining import joined
from xttsproject.xtts.languages import LANGUAGES, language_names, validate_language
from xttsproject.xtts.networks import Undrawn, load_decoder, load_into, load_tokenizer
from xttsproject.xtts.packed_hifigan import PackedGenerator, can_pack
from xttsproject.xtts.packing import shrunk_weights
from xttsproject.xtts.projections import Precision, Wanted, is_packed, multiplies_bf16, resolve_precision
from xttsproject.xtts.reference import StyleEncoder
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.studio import studio_names, studio_voice
from xttsproject.xtts.types import (
    LONGEST_SEED,
    PAUSE_SECONDS,
    ConditioningSettings,
    Sampling,
    Speech,
    SpokenSentence,
)
from xttsproject.xtts.weights import State, apply_adapter, model_key, read_state, weights_stamp

if TYPE_CHECKING:
    # What it imports takes as long as packing the weights does: :meth:`XttsEngine.load` lets the two run side by side.
    from xttsproject.xtts.tokenizer import Tokenizer

BATCH = 8
"""Sentences decoded together: on two cores eight take little more than twice the time of one."""

_SPARE_CODES = 40
"""Codes granted to any sentence on top of its characters' share: breath, and the shortest texts."""
_DECODING_SHARE = 0.8


@dataclass(frozen=True)
class Saying:
    """A text to be spoken, in which language, with which voice and luck; ``pause`` is the silence between sentences.

    ``whole``: the text is one sentence of :meth:`XttsEngine.plan` already, and is not cut again.
    """

    text: str
    language: str
    conditioning: Conditioning
    sampling: Sampling | None = None
    pause: float = PAUSE_SECONDS
    whole: bool = False


@dataclass(frozen=True)
class Planned:
    """What a saying comes to: its sentences, in order, ready to be decoded."""

    saying: Saying
    sentences: list[str]
    utterances: list[Utterance]
    seed: int
    speed: float


class XttsEngine:
    """A loaded model that speaks. One owner at a time: calls must not overlap, in threads or otherwise.

    What it says depends only on the model, the text, the voice and the sampling, never on what was said before.
    """

    def __init__(
        self,
        *,
        bundle_path: Path,
        config: XttsConfig,
        tokenizer: Tokenizer,
        gpt: GptDecoder,
        style_encoder: StyleEncoder,
        vocoder: nn.Module,
        mel_stats: Tensor,
        device: torch.device,
        precision: Precision,
        key: str,
        adapter: Adapter | None = None,
        packed_dir: Path | None = None,
    ):
        self.bundle_path, self.config, self.tokenizer, self.gpt = bundle_path, config, tokenizer, gpt
        self.style_encoder, self.vocoder, self.mel_stats = style_encoder, vocoder, mel_stats
        self.device, self.precision, self.model_key = device, precision, key
        self.adapter, self._packed_dir = adapter, packed_dir

    @classmethod
    def load(
        cls,
        bundle_path: Path,
        *,
        adapter: Path | None = None,
        device: str = "cpu",
        precision: Wanted = "fp32",
        packed_dir: Path | None = None,
        graphs: bool = False,
    ) -> XttsEngine:
        """Load a bundle, with a LoRA adapter's folder merged into it where one is given.

        ``device`` is a torch device or ``auto``; what ``precision`` means on it says
        :mod:`xttsproject.xtts.projections`. All but ``fp32`` let Coqui's decoder compute in bfloat16 where the device
        multiplies in it. In the folder ``packed_dir`` shrunk weights are kept for the next load
        (:mod:`xttsproject.xtts.packing`). With ``graphs`` the steps of its loops are recorded
        (:mod:`xttsproject.xtts.steps`) where the device has CUDA graphs. Raises
        :class:`DomainError` ``model_missing``, ``model_damaged``, ``adapter_…``,
        ``device_unavailable``, ``precision_unknown`` or ``precision_unsupported``.
        """
        place = choose_device(device)
        chosen = resolve_precision(precision, place)
        config = read_config(bundle_path)
        state = read_state(bundle_path, "gpt")
        if adapter is not None:
            state = apply_adapter(state, adapter)
        key = model_key(bundle_path, adapter)

        with loading_pool() as pool:
            # Packing needs no Python, all else is Python mostly, and much of it imports: one thread of the pool does
            # that while the others pack, and helps them when it is done.
            beside = pool.submit(_beside_gpt, bundle_path, config, state, place, chosen)
            recorder = recorder_for(place) if graphs else None
            ready = None
            try:
                if packed_dir is not None and is_packed(chosen, place):
                    content = f"{key} {weights_stamp(bundle_path)}"
                    ready = shrunk_weights(packed_dir, content, state, matrices(config.gpt), chosen, pool)
                gpt = GptDecoder(state, config.gpt, place, chosen, bundle_path.name, ready, recorder, pool)
            except KeyError as error:
                raise DomainError("model_damaged", f"The GPT weights of {bundle_path.name} lack {error}.") from error
            style, vocoder, tokenizer = beside.result()
        return cls(
            bundle_path=bundle_path,
            config=config,
            tokenizer=tokenizer,
            gpt=gpt,
            style_encoder=style,
            vocoder=vocoder,
            mel_stats=read_state(bundle_path, "mel_stats")["mel_stats"].to(place),
            device=place,
            precision=chosen,
            key=key,
            packed_dir=packed_dir,
        )

    def adapted(self, adapter_path: Path) -> XttsEngine:
        """This model as it was fine-tuned, on the same resident weights: both have one ``gpt``, and may share a loop.

        Only of an engine that was loaded without an adapter. What is no plain LoRA adapter of the blocks is loaded
        whole. Raises :class:`DomainError` ``adapter_…``.
        """
        adapter = self.gpt.read_adapter(adapter_path)
        if adapter is None:
            return self.load(
                self.bundle_path,
                adapter=adapter_path,
                device=str(self.device),
                precision=self.precision,
                packed_dir=self._packed_dir,
                graphs=self.gpt.recorder is not None,
            )
        return XttsEngine(
            bundle_path=self.bundle_path,
            config=self.config,
            tokenizer=self.tokenizer,
            gpt=self.gpt,
            style_encoder=self.style_encoder,
            vocoder=self.vocoder,
            mel_stats=self.mel_stats,
            device=self.device,
            precision=self.precision,
            key=model_key(self.bundle_path, adapter_path),
            adapter=adapter,
            packed_dir=self._packed_dir,
        )

    @property
    def sample_rate(self) -> int:
        """Rate of the spoken sound in hertz."""
        return self.config.output_rate

    @property
    def languages(self) -> tuple[str, ...]:
        """The bundle's languages whose script this installation can read."""
        return tuple(code for code in self.config.languages if LANGUAGES[code].available)

    @property
    def speaker_encoder(self) -> nn.Module:
        encoder: nn.Module = self.vocoder.speaker_encoder  # type: ignore[assignment]
        return encoder

    def conditioning(self, clips: Sequence[Audio], settings: ConditioningSettings | None = None) -> Conditioning:
        """Take a voice from reference clips: see :func:`xttsproject.xtts.conditioning.compute`."""
        return voices.compute(self, clips, settings)

    def builtin_speakers(self) -> dict[str, Conditioning]:
        """The voices that came with the model, by name; empty where none did."""
        return {name: studio_voice(self.bundle_path, name) for name in studio_names(self.bundle_path)}

    def plan(self, text: str, language: str) -> list[str]:
        """The pieces in which :meth:`speak` would speak a text."""
        return planning.plan(
            text,
            language,
            lambda piece: self.tokenizer.size(piece, language),
            max_tokens=self.config.gpt.longest_text,
        )

    def speak(
        self,
        text: str,
        language: str,
        conditioning: Conditioning,
        sampling: Sampling | None = None,
        progress: Progress | None = None,
    ) -> Speech:
        """Speak a text with a voice.

        The codes of a sentence are capped at 40 plus its characters times the language's share (4 for most);
        where the cap ends it, ``finished`` is false. Raises :class:`DomainError` ``language_unsupported``,
        ``text_empty``, ``text_unspeakable``, ``voice_mismatch``, and Cancelled through ``progress``.
        """
        return self.speak_all([Saying(text, language, conditioning, sampling)], progress)[0]

    def speak_all(self, sayings: Sequence[Saying], progress: Progress | None = None) -> list[Speech]:
        """Speak several texts, each with its own voice and sampling, as :meth:`speak` speaks one.

        Their sentences share batches, so that many short texts take a fraction of the time of one after the other.
        """
        watcher = progress or Silent()
        plans = [self.planned(saying) for saying in sayings]
        utterances = [utterance for plan in plans for utterance in plan.utterances]
        spoken = self.gpt.decode(utterances, Part(watcher, 0.0, _DECODING_SHARE), limit=BATCH)
        speeches, first = [], 0
        for plan in plans:
            waves = []
            own = spoken[first : first + len(plan.utterances)]
            for place, decoded in enumerate(own, start=first):
                watcher.check()
                watcher.report(_DECODING_SHARE + (1 - _DECODING_SHARE) * place / len(spoken), "sounding")
                waves.append(self.render(decoded.latents, plan.saying.conditioning, plan.speed))
            speeches.append(self.join(plan, own, waves))
            first += len(own)
        return speeches

    @torch.inference_mode()
    def render(self, latents: Tensor, conditioning: Conditioning, speed: float = 1.0) -> Samples:
        """The decoder's sound of one sentence: latents ``(codes, width)`` to samples at :attr:`sample_rate`."""
        stretched = self.stretched(latents, speed)
        with self.sounding():
            wave = self.vocoder(stretched, g=conditioning.speaker_embedding.to(self.device))
        samples: Samples = wave.float().cpu().numpy().reshape(-1)
        return samples

    def stretched(self, latents: Tensor, speed: float) -> Tensor:
        """Latents ``(codes, width)`` to ``(1, places, width)`` in float32: as many as the sound lasts at ``speed``."""
        stretched = latents.to(self.device, torch.float32).unsqueeze(0)
        if speed == 1.0:
            return stretched
        # At least one frame must be left of the shortest sentence.
        scale = max(1.0 / speed, 1.0 / stretched.shape[1])
        return fn.interpolate(stretched.transpose(1, 2), scale_factor=scale, mode="linear").transpose(1, 2)

    def sounding(self) -> contextlib.AbstractContextManager[object]:
        """In which precision the decoder computes."""
        if not _sounds_in_bf16(self.config, self.precision, self.device):
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def planned(self, saying: Saying) -> Planned:
        """The sentences of a saying as :class:`~xttsproject.xtts.loop.SpeechLoop` takes them; errors as :meth:`speak`.

        Whoever drives a loop of their own gets the codes, and with :meth:`render` the sound, that :meth:`speak` gives.
        """
        chosen = saying.sampling or Sampling()
        code = self._language(saying.language)
        self._require_fitting(saying.conditioning)
        sentences = [saying.text] if saying.whole else self.plan(saying.text, code)
        seed = chosen.seed if chosen.seed is not None else secrets.randbelow(LONGEST_SEED)
        utterances = [
            self._utterance(sentence, code, saying.conditioning, chosen, seed, place)
            for place, sentence in enumerate(sentences)
        ]
        return Planned(saying, sentences, utterances, seed, chosen.speed)

    def _utterance(
        self, sentence: str, code: str, conditioning: Conditioning, sampling: Sampling, seed: int, place: int
    ) -> Utterance:
        spoken = planning.spoken_form(sentence)
        tokens = self.tokenizer.encode(spoken, code)
        characters, _ = self.tokenizer.size(spoken, code)
        if all(token == self.tokenizer.unknown for token in tokens[1:]):
            raise DomainError(
                "text_unspeakable", f"“{sentence[:60]}” has no sign that this model can read.", field="text"
            )
        return Utterance(
            tokens=tuple(tokens),
            latents=conditioning.gpt_latents,
            max_codes=math.ceil(_SPARE_CODES + characters * LANGUAGES[code].codes_per_char),
            # Every sentence of a text has its own luck; the first one's is the seed itself.
            seed=(seed + place) % (LONGEST_SEED + 1),
            draw=Draw(**self.config.drawn(sampling)),
            adapter=self.adapter,
        )

    def join(self, plan: Planned, spoken: Sequence[Decoded], waves: Sequence[Samples]) -> Speech:
        """A saying's sentences, decoded and rendered, as one speech."""
        rate = self.sample_rate
        sound, starts = joined(waves, [plan.saying.pause] * len(waves), rate)
        told = tuple(
            SpokenSentence(text, start / rate, (start + len(wave)) / rate, decoded.spoken_codes, decoded.finished)
            for text, start, wave, decoded in zip(plan.sentences, starts, waves, spoken, strict=True)
        )
        return Speech(Audio(sound, rate), told, plan.seed)

    def _language(self, language: str) -> str:
        code = validate_language(language)
        if code not in self.config.languages:
            raise DomainError(
                "language_unsupported",
                f"This model does not speak {LANGUAGES[code].name}; it speaks {language_names(self.languages)}.",
                field="language",
            )
        return code

    def _require_fitting(self, conditioning: Conditioning) -> None:
        width, speaker = conditioning.gpt_latents.shape[-1], conditioning.speaker_embedding.shape[1]
        if (width, speaker) != (self.config.gpt.width, self.config.speaker_width):
            raise DomainError(
                "voice_mismatch", "This voice was made with another model; make it again from its reference clips."
            )


def _sounds_in_bf16(config: XttsConfig, precision: Precision, device: torch.device) -> bool:
    # The source-filter decoder adds up a pitch to a phase: what is rounded in one frame is heard in all later ones.
    return precision != "fp32" and config.decoder_class != SOURCE_FILTER and multiplies_bf16(device)


def _beside_gpt(
    bundle_path: Path, config: XttsConfig, state: State, device: torch.device, precision: Precision
) -> tuple[StyleEncoder, nn.Module, Tokenizer]:
    own = StyleEncoder.pick(state)
    if precision != "fp32":
        # A view would keep the whole file mapped, whose weights are not looked at again once they are packed.
        own = {name: value.clone() for name, value in own.items()}
    with Undrawn():
        encoder = StyleEncoder(config.gpt)
    style = load_into(encoder, own, bundle_path, "conditioning").to(device)
    return style, _vocoder(bundle_path, config, device, precision), load_tokenizer(bundle_path)


def _vocoder(bundle_path: Path, config: XttsConfig, device: torch.device, precision: Precision) -> nn.Module:
    decoder = load_decoder(bundle_path, config).to(device)
    if device.type == "cpu" and _sounds_in_bf16(config, precision, device) and can_pack(decoder):
        decoder.waveform_decoder = PackedGenerator(decoder.waveform_decoder)
    return decoder


def choose_device(name: str) -> torch.device:
    """A torch device by its name, or what ``auto`` stands for here. DomainError ``device_unavailable``."""
    wanted = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise _unknown_device(name) from error
    if device.type not in ("cpu", "cuda"):
        # PyTorch knows more, and would say so only when the weights come to it, or never.
        raise _unknown_device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DomainError("device_unavailable", f"The device {name!r} was asked for, but this machine has no CUDA.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DomainError(
            "device_unavailable",
            f"The device {name!r} is not there: {torch.cuda.device_count()} CUDA devices were found, and they are "
            "counted from 0.",
        )
    return device


def _unknown_device(name: str) -> DomainError:
    return DomainError("device_unavailable", f"The device {name!r} is not known; use auto, cpu, cuda or cuda:N.")
