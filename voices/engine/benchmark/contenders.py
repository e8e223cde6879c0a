"""The two sides: Coqui's own ``Xtts``, as its own code leaves it after loading, and this project's engine."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xttsproject.lib.audio import Samples
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import XttsConfig
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.loop import Row, SpeechLoop, Utterance
from xttsproject.xtts.networks import build_decoder, build_gpt, load_into
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.weights import Part, State, read_state

LANGUAGE = "en"
CHUNK = 20
"""Codes of a streamed chunk: what Coqui has by default."""


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of the processor: on a machine with other work to do the second say more."""

    wall: float
    cpu: float

    @staticmethod
    def on(work: Callable[[], object], device: torch.device) -> Spent:
        _settle(device)
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        _settle(device)
        return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        # Of this device: the current one may be another.
        torch.cuda.synchronize(device)


class Coqui:
    """``Xtts`` with the bundle's weights, in memory of its own."""

    def __init__(self, bundle: Path, config: XttsConfig, device: torch.device):
        # First of all: it keeps transformers from remarking on Coqui's configuration.
        gpt = build_gpt(config)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from TTS.tts.configs.xtts_config import XttsConfig as CoquiConfig
            from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
            from TTS.tts.models.xtts import Xtts

        def own(part: Part) -> State:
            return {name: value.clone() for name, value in read_state(bundle, part).items()}

        settings = CoquiConfig()
        settings.model_args.gpt_use_perceiver_resampler = True
        self._model: Any = Xtts(settings)
        self._model.tokenizer = VoiceBpeTokenizer(vocab_file=bundle / "vocab.json")
        self._model.gpt = load_into(gpt, own("gpt"), bundle, "gpt")
        self._model.hifigan_decoder = load_into(build_decoder(config), own("decoder"), bundle, "decoder")
        # What its load_checkpoint does at the end.
        self._model.gpt.init_gpt_for_inference(kv_cache=True)
        self._model.eval()
        self._model.to(device)

    def speak(self, texts: Sequence[str], voices: Sequence[Conditioning], codes: int) -> list[Samples]:
        """One after the other: ``inference`` takes one sentence at a time."""
        self._model.gpt.max_gen_mel_tokens = codes
        return [
            self._model.inference(text, LANGUAGE, voice.gpt_latents, voice.speaker_embedding)["wav"]
            for text, voice in zip(texts, voices, strict=True)
        ]

    def first_chunk(self, text: str, voice: Conditioning, codes: int) -> Samples:
        self._model.gpt.max_gen_mel_tokens = codes
        stream = self._model.inference_stream(
            text, LANGUAGE, voice.gpt_latents, voice.speaker_embedding, stream_chunk_size=CHUNK
        )
        first: Samples = next(stream).cpu().numpy()
        stream.close()
        return first

    def greedy(self, tokens: tuple[int, ...], voice: Conditioning, codes: int) -> list[int]:
        """The likeliest codes, none weakened."""
        self._model.gpt.max_gen_mel_tokens = codes
        with torch.inference_mode():
            chosen: Tensor = self._model.gpt.generate(
                cond_latents=voice.gpt_latents.to(self._model.device),
                text_inputs=torch.tensor([tokens], device=self._model.device),
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
            )
        return [int(code) for code in chosen[0]]


class Ours:
    """The engine, driven as the portal drives it; :attr:`decoding` is what the last call spent in the loop."""

    def __init__(self, engine: XttsEngine, *, record: bool = True):
        """``record``: whether steps are recorded, where the engine can."""
        self.engine, self.records = engine, record and engine.gpt.recorder is not None
        self.decoding = 0.0
        self._kept: SpeechLoop | None = None

    @property
    def still_records(self) -> bool:
        """Whether that has gone well up to now."""
        recorder = self.engine.gpt.recorder
        return self.records and recorder is not None and not recorder.off

    def _loop(self) -> SpeechLoop:
        """The portal keeps its loop, with what was recorded in it, from one request to the next. Where nothing is
        recorded a new one is as fast, and holds no memory while others are measured."""
        if not self.records:
            return SpeechLoop(self.engine.gpt, record=False)
        if self._kept is None:
            self._kept = SpeechLoop(self.engine.gpt)
        return self._kept

    def speak(self, texts: Sequence[str], voices: Sequence[Conditioning], codes: int) -> list[Samples]:
        """All in one loop, each with its own voice and luck; the sound follows as they end."""
        loop = self._loop()
        rows = self._add(loop, texts, voices, codes)
        return self._run(loop, rows, voices)

    def users(self, texts: Sequence[str], voices: Sequence[Conditioning], codes: int) -> list[Samples]:
        """The same, but each comes one step after the one before."""
        loop, rows, decoding = self._loop(), [], 0.0
        for text, voice in zip(texts, voices, strict=True):
            rows += self._add(loop, [text], [voice], codes)
            begun = time.perf_counter()
            loop.step()
            decoding += time.perf_counter() - begun
        waves = self._run(loop, rows, voices)
        self.decoding += decoding
        return waves

    def first_chunk(self, text: str, voice: Conditioning) -> Samples:
        loop = self._loop()
        [row] = self._add(loop, [text], [voice], 10 * CHUNK)
        while len(row) < CHUNK:
            loop.step()
        loop.drop(row)
        return self.engine.render(row.latents(), voice)

    def greedy(self, tokens: tuple[int, ...], voice: Conditioning, codes: int) -> list[int]:
        draw = Draw(greedy=True, repetition_penalty=1.0)
        [decoded] = self.engine.gpt.decode([Utterance(tokens, voice.gpt_latents, codes, 0, draw)])
        return list(decoded.codes)

    def tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self.engine.tokenizer.encode(text, LANGUAGE))

    def _add(self, loop: SpeechLoop, texts: Sequence[str], voices: Sequence[Conditioning], codes: int) -> list[Row]:
        return [
            loop.add(Utterance(self.tokens(text), voice.gpt_latents, codes, place, Draw()))
            for place, (text, voice) in enumerate(zip(texts, voices, strict=True))
        ]

    def _run(self, loop: SpeechLoop, rows: Sequence[Row], voices: Sequence[Conditioning]) -> list[Samples]:
        begun = time.perf_counter()
        while loop.busy:
            loop.step()
        _settle(self.engine.device)
        self.decoding = time.perf_counter() - begun
        return [self.engine.render(row.latents(), voice) for row, voice in zip(rows, voices, strict=True)]
