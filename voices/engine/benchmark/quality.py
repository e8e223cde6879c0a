"""What each precision costs: measured with a model that was trained, against the same model in float32."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.pipeline.transcribe import Transcriber
from xttsproject.lib.audio import Audio, Samples
from xttsproject.lib.error_rates import character_error_rate
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import Saying, XttsEngine
from xttsproject.xtts.loop import Utterance
from xttsproject.xtts.mel import MEL_RATE, dvae_mel
from xttsproject.xtts.projections import Precision
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.types import Sampling

_LANGUAGE = "en"
_CAP = 300

SENTENCES = (
    "the old man walks to the river every morning",
    "she opened the window and looked at the garden",
    "there is a small house behind the green hill",
    "we will meet again in the first week of may",
    "the children played in the snow until it was dark",
    "he put the letter on the table and went away",
    "a cold wind came down from the mountains at night",
    "they sold the boat and bought a little farm",
    "my brother works in a bank near the station",
    "nobody knew where the music was coming from",
    "the train to the north leaves at half past seven",
    "please bring me a glass of water and some bread",
)

LEAST_AGREEMENT, MOST_ERRORS = 0.95, 0.02
"""A precision is good enough to be recommended if it would choose float32's likeliest code so often, and if its speech
has at most so much higher a share of wrong characters."""


@dataclass(frozen=True)
class Quality:
    """``agreement``: how often the likeliest code is float32's, both having heard float32's codes; ``divergence``, the
    mean Kullback-Leibler divergence of the codes' probabilities from float32's, in nats; ``latents_db``, how far
    the difference of the same codes' latents lies below them, in decibels; ``mel_db``, how much their sound differs
    from float32's on average over all mel bands and moments, in decibels; ``character_errors``, the share of what a
    recogniser hears wrongly in speech with the precision's own codes.
    """

    agreement: float
    divergence: float
    latents_db: float
    mel_db: float
    character_errors: float

    def good_enough(self, exact: Quality) -> bool:
        return self.agreement >= LEAST_AGREEMENT and self.character_errors <= exact.character_errors + MOST_ERRORS

    def figures(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measure_quality(
    bundle: Path,
    whisper: Path,
    precisions: Sequence[Precision],
    device: str,
    log: Callable[[str], None],
    sentences: Sequence[str] = SENTENCES,
) -> dict[Precision, Quality]:
    """Of the bundle's first built-in speaker; float32 is always among the results, as what the others are held to."""
    exact = XttsEngine.load(bundle, device=device)
    voice = next(iter(exact.builtin_speakers().values()))
    listener = Transcriber.load(whisper, device="cpu")
    wanted = [_utterance(exact, text, voice, seed) for seed, text in enumerate(sentences)]
    spoken = exact.gpt.decode(wanted)
    scores = [exact.gpt.logits(decoded.latents) for decoded in spoken]
    sounds = [exact.render(decoded.latents, voice) for decoded in spoken]
    found: dict[Precision, Quality] = {}
    for precision in dict.fromkeys(("fp32", *precisions)):
        engine = exact if precision == "fp32" else XttsEngine.load(bundle, device=device, precision=precision)
        agreed, divergences, latents, waves = [], [], [], []
        for utterance, decoded, score, sound in zip(wanted, spoken, scores, sounds, strict=True):
            followed = engine.gpt.follow(utterance, decoded.codes)
            own = engine.gpt.logits(followed)
            agreed.append((own.argmax(-1) == score.argmax(-1)).float())
            divergences.append(_divergence(score, own))
            latents.append((decoded.latents.cpu().numpy(), followed.cpu().numpy()))
            waves.append(_mel_difference(sound, engine.render(followed, voice), engine.sample_rate))
        found[precision] = Quality(
            agreement=float(torch.cat(agreed).mean()),
            divergence=float(torch.cat(divergences).mean()),
            latents_db=decibels(latents),
            mel_db=statistics.mean(waves),
            character_errors=_character_errors(engine, voice, sentences, listener),
        )
        log(f"{precision}: {found[precision].figures()}")
    return found


def _utterance(engine: XttsEngine, text: str, voice: Conditioning, seed: int) -> Utterance:
    tokens = tuple(engine.tokenizer.encode(text, _LANGUAGE))
    return Utterance(tokens, voice.gpt_latents, _CAP, seed, Draw(**engine.config.drawn(Sampling())))


def _divergence(exact: Tensor, own: Tensor) -> Tensor:
    expected, told = exact.log_softmax(-1), own.log_softmax(-1)
    return (expected.exp() * (expected - told)).sum(-1).cpu()


def decibels(pairs: Sequence[tuple[Samples, Samples]]) -> float:
    """How far the differences lie below the first of each pair; at most 200."""
    signal = sum(float(np.square(first, dtype=np.float64).sum()) for first, _ in pairs)
    noise = sum(float(np.square(first - second, dtype=np.float64).sum()) for first, second in pairs)
    return 10 * float(np.log10(signal / max(noise, signal * 1e-20)))


def _mel_difference(first: Samples, second: Samples, rate: int) -> float:
    """Waveforms would not do: where the pitch differs by a hair they are soon out of step, and sound alike."""
    neutral = torch.ones(80)
    loudness = [
        dvae_mel(torch.from_numpy(Audio(samples, rate).at_rate(MEL_RATE).samples)[None], neutral)
        for samples in (first, second)
    ]
    return 10 / math.log(10) * float((loudness[0] - loudness[1]).abs().mean())


def _character_errors(
    engine: XttsEngine, voice: Conditioning, sentences: Sequence[str], listener: Transcriber
) -> float:
    sayings = [Saying(text, _LANGUAGE, voice, Sampling(seed=seed)) for seed, text in enumerate(sentences)]
    heard = [listener.transcribe(speech.audio, _LANGUAGE).text for speech in engine.speak_all(sayings)]
    return character_error_rate(zip(sentences, heard, strict=True))
