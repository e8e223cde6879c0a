"""What screening, with the policy that datasets have by default, finds of the planted defects."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.pipeline.screening.duplicates import same_sound
from datasets.pipeline.screening.likeness import Embeddings, likeness
from datasets.pipeline.screening.policy import Policy, judge
from datasets.pipeline.screening.recording import MeasuredClip, measure_clips
from datasets.pipeline.screening.transcript import compression_ratio, paces, repeated_share
from training.engine.planted import defects
from training.engine.planted.material import RATE, Clip, Material
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.error_rates import character_error_rate
from xttsproject.lib.progress import Silent

Log = Callable[[str], None]
Values = dict[str, Any]
Hear = Callable[[Audio], str]
Embed = Callable[[Audio], "Embeddings | None"]

_GAP_SECONDS = 0.5
_FOLDS = 10
"""A tenth of a speaker's clips is somebody else's at a time, until each has been."""

RULES: Mapping[str, tuple[str, ...]] = {
    "noise": ("noise",),
    "clipping": ("clipping", "flat_peaks"),
    "cut_edges": ("cut_edge",),
    "bandwidth": ("bandwidth",),
    "loops": ("compression", "repetition"),
    "duplicates": ("duplicate",),
    "music": ("background", "noise"),
    "babble": ("background", "noise"),
    "second_voice": ("speaker", "speaker_part"),
    "other_speaker": ("speaker", "speaker_part"),
    "wrong_text": ("disagreement", "slow", "fast"),
}
"""The rules that are to find each defect: any of them, whether it leads to review or to rejection."""


@dataclass(frozen=True)
class Figures:
    """``recall``: share of the ``planted`` defects that were found; ``false_alarms``: share of the ``clean`` clips that
    the same rules complain of. ``real`` counts the clips of real recordings among the planted.
    """

    recall: float
    false_alarms: float
    planted: int
    clean: int
    real: int


class Bench:
    """Measures one half of the material: the clips for tuning, or those that no threshold has seen."""

    def __init__(self, material: Material, *, tuning: bool, work: Path, log: Log, policy: Policy | None = None):
        self._material, self._work, self._log = material, work, log
        self._clips = [clip for clip in material.clips if clip.tuning == tuning]
        self._policy = policy or Policy()
        self._clean = self._measure(self._clips)

    def run(self, embed: Embed, hear: Hear) -> dict[str, Figures]:
        material = self._material
        found = {
            "noise": self._sound("noise", defects.noise),
            "clipping": self._sound("clipping", defects.clipping),
            "cut_edges": self._sound("cut_edges", defects.cut_edge),
            "bandwidth": self._sound("bandwidth", defects.telephone),
            "music": self._sound("music", defects.music),
            "babble": self._sound("babble", lambda clip, random: defects.babble(clip, random, material)),
            "loops": self._loops(),
            "duplicates": self._duplicates(),
        }
        voices = [embed(clip.audio) for clip in self._clips]
        for name, plant in (("second_voice", defects.spliced_speaker), ("other_speaker", defects.other_speaker)):
            found[name] = self._voices(name, plant, voices, embed)
        found["wrong_text"] = self._texts(hear)
        return {name: found[name] for name in RULES}

    def _sound(self, name: str, plant: Callable[[Clip, np.random.Generator], Clip | None]) -> Figures:
        """Defects that show in the clip alone."""
        self._log(f"planting {name}")
        planted = [made for clip in self._clips if (made := plant(clip, _random(name, clip))) is not None]
        measured = self._measure(planted)
        return self._figures(
            name,
            [clip.values for clip in measured],
            [clip.values for clip in self._clean],
            sum(clip.real for clip in planted),
        )

    def _loops(self) -> Figures:
        looped = [defects.looping_text(clip, _random("loops", clip)) for clip in self._clips]
        return self._figures(
            "loops",
            [_text_values(text) for text in looped],
            [_text_values(clip.text) for clip in self._clips],
            sum(clip.real for clip in self._clips),
        )

    def _duplicates(self) -> Figures:
        """A copy of every clip among all the clips; the first ones are to be left alone."""
        self._log("planting duplicates")
        copies = self._measure([defects.duplicate(clip, _random("duplicates", clip)) for clip in self._clips])
        first = same_sound([clip.fingerprint for clip in [*self._clean, *copies]])
        count = len(self._clips)
        # Found is found as the copy of its own original, and of nothing else.
        found = [{"duplicate": float(first.get(count + index) == index)} for index in range(count)]
        false = [{"duplicate": float(index in first)} for index in range(count)]
        return self._figures("duplicates", found, false, sum(clip.real for clip in self._clips))

    def _voices(
        self,
        name: str,
        plant: Callable[[Clip, np.random.Generator, Material], Clip],
        voices: Sequence[Embeddings | None],
        embed: Embed,
    ) -> Figures:
        """In turn a tenth of each speaker's clips is planted; the others are the clean ones of that turn."""
        self._log(f"planting {name}")
        found: list[Values] = []
        clean: list[Values] = []
        for speaker in dict.fromkeys(clip.speaker for clip in self._clips):
            own = [index for index, clip in enumerate(self._clips) if clip.speaker == speaker]
            if len(own) < _FOLDS:
                # A tenth of less is no clip at all; the recorded speaker is heard too seldom to be told.
                continue
            planted = {
                index: embed(plant(self._clips[index], _random(name, self._clips[index]), self._material).audio)
                for index in own
            }
            for fold in range(_FOLDS):
                bad = set(own[fold::_FOLDS])
                mixed = [planted[index] if index in bad else voices[index] for index in own]
                for index, voice in zip(own, likeness(mixed), strict=True):
                    values = {
                        "speaker_deviation": voice.deviation if voice else None,
                        "piece_deviation": voice.piece_deviation if voice else None,
                    }
                    (found if index in bad else clean).append(values)
        return self._figures(name, found, clean, 0)

    def _texts(self, hear: Hear) -> Figures:
        """The text of another clip of the same speaker. Synthetic speech alone: the tiny Whisper hears no other."""
        self._log("planting wrong_text")
        clips = [clip for clip in self._clips if not clip.real]
        heard = [hear(clip.audio) for clip in clips]
        wrong: list[Values] = []
        clean: list[Values] = []
        for speaker in dict.fromkeys(clip.speaker for clip in clips):
            own = [index for index, clip in enumerate(clips) if clip.speaker == speaker]
            right = [len("".join(clips[index].text.split())) / clips[index].audio.seconds for index in own]
            for place, index in enumerate(own):
                other = clips[own[(place + 1) % len(own)]].text
                rates: list[float | None] = list(right)
                rates[place] = len("".join(other.split())) / clips[index].audio.seconds
                wrong.append(_heard(other, heard[index]) | {"pace": paces(rates)[place]})
                clean.append(_heard(clips[index].text, heard[index]) | {"pace": paces(list(right))[place]})
        return self._figures("wrong_text", wrong, clean, 0)

    def _figures(self, name: str, planted: Sequence[Values], clean: Sequence[Values], real: int) -> Figures:
        return Figures(
            recall=round(sum(self._complains(name, values) for values in planted) / max(len(planted), 1), 4),
            false_alarms=round(sum(self._complains(name, values) for values in clean) / max(len(clean), 1), 4),
            planted=len(planted),
            clean=len(clean),
            real=real,
        )

    def _complains(self, name: str, values: Values) -> bool:
        return any(reason.rule in RULES[name] for reason in judge(values, self._policy).reasons)

    def _measure(self, clips: Sequence[Clip]) -> list[MeasuredClip]:
        """As clips of one recording, half a second apart: the way that the portal measures them."""
        gap = np.zeros(round(_GAP_SECONDS * RATE), np.float32)
        parts, spans, position = [], [], 0
        for clip in clips:
            length = len(clip.audio.samples)
            spans.append((position / RATE, (position + length) / RATE))
            parts += [clip.audio.samples, gap]
            position += length + len(gap)
        with tempfile.TemporaryDirectory(dir=self._work) as folder:
            master = Path(folder) / "master.wav"
            write_wav(master, Audio(np.concatenate(parts), RATE))
            return list(measure_clips(master, spans, Silent()))


def table(figures: Mapping[str, Figures]) -> str:
    """A line for each defect, as a Markdown table."""
    lines = [
        "| defect | recall | false alarms | planted | of them real | clean |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, each in figures.items():
        lines.append(
            f"| {name} | {each.recall:.3f} | {each.false_alarms:.3f} | {each.planted} | {each.real} | {each.clean} |"
        )
    return "\n".join(lines)


def _random(name: str, clip: Clip) -> np.random.Generator:
    """The same for the same defect and clip, whatever else is measured."""
    seed = [*name.encode(), *clip.speaker.encode(), *clip.text.encode()]
    return np.random.default_rng(seed)


def _text_values(text: str) -> Values:
    return {"compression_ratio": compression_ratio(text), "repeated_share": repeated_share(text)}


def _heard(text: str, heard: str) -> Values:
    return {"disagreement": character_error_rate([(text, heard)]) if heard else None}
