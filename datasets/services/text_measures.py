"""What is measured of a segment's text, and whether the model can take the clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets.models import Segment
from datasets.pipeline.screening.transcript import compression_ratio, repeated_share
from datasets.pipeline.text import check_text
from xttsproject.lib.error_rates import character_error_rate
from xttsproject.xtts.limits import MAX_SAMPLES, MODEL_RATE, Limits, Problem, length_problem, text_tokens
from xttsproject.xtts.normaliser import normalise


class TextMeasurer:
    """With a model's folder it asks its tokenizer too; without one, only what is known of XTTS in general."""

    def __init__(self, bundle_path: Path | None):
        self._limits: Limits | None = None
        if bundle_path is not None:
            from xttsproject.xtts.config import read_config
            from xttsproject.xtts.limits import limits_of
            from xttsproject.xtts.networks import load_tokenizer

            self._tokenizer = load_tokenizer(bundle_path)
            self._limits = limits_of(read_config(bundle_path), self._tokenizer.unknown)

    def measure(self, segment: Segment, language: str) -> dict[str, Any]:
        """``tokens`` and ``problem`` ({code, reason}, completing “it is not usable: …”) are of the spoken text."""
        text, heard = segment.text.strip(), segment.machine_text.strip()
        found = self.problem(segment, language)
        tokens = len(found) if isinstance(found, tuple) else None
        characters = len("".join(text.split()))
        ratio = compression_ratio(text)
        return {
            "characters_per_second": round(characters / segment.seconds, 2) if characters else None,
            "compression_ratio": None if ratio is None else round(ratio, 3),
            "repeated_share": round(repeated_share(text), 3) if text else None,
            "disagreement": round(character_error_rate([(text, heard)]), 3) if text and heard else None,
            "tokens": tokens,
            "problem": {"code": found.code, "reason": found.reason} if isinstance(found, Problem) else None,
        }

    def problem(self, segment: Segment, language: str) -> Problem | tuple[int, ...] | None:
        """Why XTTS cannot learn from the clip; its text's tokens where it can and they are known."""
        most = MAX_SAMPLES if self._limits is None else self._limits.max_samples
        length = length_problem(round(segment.seconds * MODEL_RATE), most)
        if length is not None:
            return length
        text = segment.text.strip()
        if not text:
            return Problem("text_empty", "it has no text")
        general = check_text(text, language)
        if general:
            return Problem("text_unusable", general[0])
        if self._limits is None:
            return None
        return text_tokens(normalise(text, language), language, self._tokenizer.encode_sentence, self._limits)
