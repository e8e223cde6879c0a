"""The measures by name, in words; and the rules that a policy has a threshold for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["below", "above"]


@dataclass(frozen=True)
class Measure:
    """``digits`` after the point when shown; ``scale`` turns the stored value into what is shown (100 for per cent)."""

    name: str
    label: str
    unit: str
    explanation: str
    digits: int = 1
    scale: float = 1.0

    def words(self, value: float) -> str:
        """The value with its unit, as people read it."""
        number = f"{value * self.scale:.{self.digits}f}"
        return f"{number} {self.unit}" if self.unit else number


@dataclass(frozen=True)
class Rule:
    """A clip breaks it where its measure lies on ``side`` of the threshold. ``review`` and ``reject`` are the default
    thresholds, None where the rule does not lead there. ``fault`` names what is then wrong with the clip; values lie
    within ``least``..``most``.
    """

    name: str
    measure: Measure
    side: Side
    fault: str
    review: float | None
    reject: float | None
    least: float
    most: float

    def broken(self, value: float, threshold: float) -> bool:
        return value < threshold if self.side == "below" else value > threshold


_SNR = Measure(
    "snr_db", "Signal to noise", "dB", "How far the loud parts of the speech rise above the quietest tenth of the clip."
)
_CLIPPED = Measure(
    "clipped_share", "Samples at full scale", "%", "Samples that stay at the highest level: recorded too loud.",
    digits=2, scale=100,
)  # fmt: skip
_FLAT = Measure(
    "flat_top_share", "Flat peaks", "%", "Samples within 1.5 % of the clip's own peak: cut off, and turned down later.",
    digits=2, scale=100,
)  # fmt: skip
_LOUDNESS = Measure("loudness_lufs", "Loudness", "LUFS", "Integrated loudness by ITU-R BS.1770, as the ear hears it.")
_BANDWIDTH = Measure(
    "bandwidth_hz", "Bandwidth", "Hz", "Up to which frequency the speech rises above its own noise.", digits=0
)
_SPEECH = Measure("speech_ratio", "Share of speech", "%", "Of the clip's length, by silero's network.", 0, 100)
_BACKGROUND = Measure(
    "background_db", "Background", "dB", "Level of the pauses against that of the speech; unknown without a pause."
)
_TONAL = Measure(
    "tonal_background_db", "Music or voices behind", "dB",
    "Level of the pauses where they are tones rather than noise; unknown without a pause, absent where they are noise.",
)  # fmt: skip
_EDGE = Measure(
    "edge_excess_db", "Sound at the edges", "dB", "How far the louder end rises above silence; above 0 a word is cut."
)
_PACE = Measure(
    "pace",
    "Pace",
    "times the usual",
    "Characters a second over the dataset's median; far from 1, a text is wrong.",
    2,
)
_CHARACTERS = Measure("characters_per_second", "Characters a second", "", "Without spaces, over the clip's length.")
_LOGPROB = Measure(
    "average_log_probability", "Mean log-probability", "", "Of Whisper's tokens: how sure it was of what it wrote.", 2
)
_NO_SPEECH = Measure(
    "no_speech_probability", "No-speech probability", "%", "Whisper's own doubt that anybody speaks.", 0, 100
)
_COMPRESSION = Measure(
    "compression_ratio", "Compression ratio", "", "Of the text by zlib, as Whisper measures it: loops compress well.", 2
)
_REPEATED = Measure(
    "repeated_share", "Repeated words", "%", "Words that repeat the phrase just before them: Whisper's loops.", 0, 100
)
_LANGUAGE = Measure(
    "language_probability", "Language probability", "%", "How sure Whisper was of the language.", 0, 100
)
_DISAGREEMENT = Measure(
    "disagreement", "Text against hearing", "%",
    "Character error rate between the text and what the machine heard, where the two differ.", 0, 100,
)  # fmt: skip
_SIMILARITY = Measure(
    "speaker_similarity", "Similarity to the speaker", "", "Cosine of the clip's voice and the speaker's centre.", 2
)
_DEVIATION = Measure(
    "speaker_deviation", "Distance from the speaker", "σ",
    "How far the similarity lies below what is usual for this speaker, in robust standard deviations.",
)  # fmt: skip
_PIECE = Measure(
    "piece_deviation", "Distance of its least similar part", "σ",
    "The same of the least similar 2 s of the clip: another voice for a moment.",
)  # fmt: skip
_DUPLICATE = Measure("duplicate", "Repeats an earlier clip", "", "The same sound, by audio fingerprint.", 0)
_COPIES = Measure("copies_of_text", "Earlier clips with this text", "", "Same letters and digits.", 0)

MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        _SNR, _CLIPPED, _FLAT, _LOUDNESS, _BANDWIDTH, _SPEECH, _BACKGROUND, _TONAL, _EDGE, _CHARACTERS, _PACE, _LOGPROB,
        _NO_SPEECH, _COMPRESSION, _REPEATED, _LANGUAGE, _DISAGREEMENT, _SIMILARITY, _DEVIATION, _PIECE, _DUPLICATE,
        _COPIES,
    )
}  # fmt: skip

RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("noise", _SNR, "below", "noisy", 22.0, 15.0, 0.0, 90.0),
        Rule("clipping", _CLIPPED, "above", "overdriven", 0.0002, 0.002, 0.0, 1.0),
        Rule("flat_peaks", _FLAT, "above", "overdriven and turned down", 0.0006, 0.003, 0.0, 1.0),
        Rule("loudness", _LOUDNESS, "below", "very quiet", -40.0, -55.0, -70.0, 0.0),
        Rule("bandwidth", _BANDWIDTH, "below", "in a narrow band, as by telephone", 7000.0, 4600.0, 0.0, 24_000.0),
        Rule("speech", _SPEECH, "below", "mostly without speech", 0.5, 0.25, 0.0, 1.0),
        Rule("background", _TONAL, "above", "over music, hum or other voices", -25.0, None, -90.0, 0.0),
        Rule("cut_edge", _EDGE, "above", "cut inside a word", -1.5, None, -120.0, 120.0),
        Rule("slow", _PACE, "below", "short of text for its length: words may be missing", 0.6, 0.3, 0.0, 1.0),
        Rule("fast", _PACE, "above", "long of text for its length: words may be made up", 1.6, 2.5, 1.0, 100.0),
        Rule("unsure", _LOGPROB, "below", "uncertainly transcribed", -0.8, None, -20.0, 0.0),
        Rule("no_speech", _NO_SPEECH, "above", "perhaps no speech at all", 0.6, None, 0.0, 1.0),
        Rule("compression", _COMPRESSION, "above", "transcribed as a loop, as it compresses", 2.0, 2.4, 0.0, 1000.0),
        Rule("repetition", _REPEATED, "above", "transcribed with repeated words", 0.25, 0.5, 0.0, 1.0),
        Rule("language", _LANGUAGE, "below", "perhaps in another language", 0.5, None, 0.0, 1.0),
        Rule("disagreement", _DISAGREEMENT, "above", "not what the machine heard", 0.4, None, 0.0, 100.0),
        Rule("speaker", _DEVIATION, "above", "perhaps another speaker", 6.0, None, 0.0, 1000.0),
        Rule("speaker_part", _PIECE, "above", "perhaps in part another speaker", 7.0, None, 0.0, 1000.0),
        Rule("duplicate", _DUPLICATE, "above", "a copy of an earlier clip", None, 0.0, 0.0, 1.0),
        Rule("same_text", _COPIES, "above", "the same text as several earlier clips", 2.0, None, 0.0, 100_000.0),
    )
}


def told(values: Mapping[str, Any]) -> list[tuple[Measure, str]]:
    """Every measure that is known of a clip, with its value in words, in the catalogue's order."""
    found = []
    for measure in MEASURES.values():
        value = values.get(measure.name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append((measure, measure.words(float(value))))
    return found
