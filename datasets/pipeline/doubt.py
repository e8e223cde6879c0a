"""When a transcript is doubtful, and which of two is the better one."""

from __future__ import annotations

from typing import Literal

from datasets.pipeline.transcript import Transcript

# The thresholds at which Whisper's own decoding tries again (Radford et al. 2022, section 4.5).
UNSURE_LOG_PROBABILITY = -1.0
REPETITIVE_RATIO = 2.4
SILENT_PROBABILITY = 0.6

Doubt = Literal["nothing_heard", "unsure", "repetitive", "silent"]


def doubts(transcript: Transcript) -> tuple[Doubt, ...]:
    """Why a transcript should be listened to again; empty where it need not be.

    - ``nothing_heard``: it has no text, although speech was detected when the recording was cut;
    - ``unsure``: mean log-probability per token below -1.0;
    - ``repetitive``: its text compresses (zlib) by more than 2.4, as a loop of words does;
    - ``silent``: a probability of "no speech" above 0.6, unless the words are surer than the first threshold asks.
    """
    if not transcript.text:
        return ("nothing_heard",)
    found: list[Doubt] = []
    unsure = transcript.avg_logprob < UNSURE_LOG_PROBABILITY
    if unsure:
        found.append("unsure")
    if transcript.compression_ratio > REPETITIVE_RATIO:
        found.append("repetitive")
    if unsure and transcript.no_speech_prob > SILENT_PROBABILITY:
        found.append("silent")
    return tuple(found)


def better(first: Transcript, second: Transcript) -> Transcript:
    """The one to keep: that with fewer doubts, then that with the higher mean log-probability, then the second.

    A text stands before none, and one that loops after one that does not, however sure the model is of its loop.
    """
    return max((second, first), key=_rank)


def _rank(transcript: Transcript) -> tuple[bool, bool, int, float]:
    found = doubts(transcript)
    return bool(transcript.text), "repetitive" not in found, -len(found), transcript.avg_logprob
