"""What the gates are measured with: the sentences and their true renderings, and how many of them count."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from training.engine.tiny import texts
from training.engine.tiny.corpus import REFERENCES, Corpus, Line, planned, render
from training.engine.tiny.voices import HELD_VOICES, TRAIN_VOICES, Voice
from xttsproject.lib.audio import Samples

POOL = 50
"""Texts among which the right one is to be found."""
APART = 10
"""Texts that differ in one word."""
SEEN_REFERENCES = 4
_MOST_SEEN = 60


@dataclass(frozen=True)
class Extent:
    """How much is measured. ``seen`` counts voices with a sentence each, the others are for each held voice."""

    listened: int
    cloned: int
    seen: int
    apart: int
    identified: int


FULL = Extent(listened=12, cloned=20, seen=_MOST_SEEN, apart=5, identified=16)
QUICK = Extent(listened=3, cloned=4, seen=12, apart=1, identified=5)


@dataclass(frozen=True)
class Asked:
    """A sentence to be spoken, by whom, and how the synthesiser says it itself."""

    text: str
    voice: str
    true: Samples


class Material:
    """The rendered sets below ``work``; those that are not there, or not what is planned now, are rendered first."""

    def __init__(self, work: Path, extent: Extent, log: Callable[[str], None]):
        self.extent, self._work, self._log = extent, work, log

    @cached_property
    def validation(self) -> Corpus:
        return self._rendered("validation", planned("validation"))

    @cached_property
    def held(self) -> Corpus:
        return self._rendered("held", planned("held"))

    @cached_property
    def finetune(self) -> Corpus:
        return self._rendered("finetune", planned("finetune"))

    @cached_property
    def _more(self) -> dict[tuple[str, str], list[Samples]]:
        """Clips of the set of the gates' own, by purpose and voice."""
        plan = _own_lines()
        corpus = self._rendered("gates", [line for _purpose, line in plan])
        found: dict[tuple[str, str], list[Samples]] = {}
        for index, (purpose, line) in enumerate(plan):
            found.setdefault((purpose, line.voice.key), []).append(corpus.wave(index))
        return found

    def held_voices(self) -> list[str]:
        return list(self.held.by_voice)

    def references(self, voice: str) -> list[Samples]:
        """The clips from which a voice is to be taken."""
        if voice in self.held.by_voice:
            return [self.held.wave(index) for index in self.held.by_voice[voice][:REFERENCES]]
        return self._more["reference", voice]

    def others(self, voice: str, count: int) -> list[int]:
        """Indices into :attr:`held` of the first ``count`` clips of a voice that are no references."""
        return self.held.by_voice[voice][REFERENCES : REFERENCES + count]

    def cloned(self) -> list[Asked]:
        """Held-out sentences for the held voices."""
        return [
            Asked(self.held.utterances[index].text, voice, self.held.wave(index))
            for voice in self.held_voices()
            for index in self.others(voice, self.extent.cloned)
        ]

    def seen(self) -> list[Asked]:
        """Held-out sentences for voices that were trained on."""
        return [
            Asked(clip.text, clip.voice, self.validation.wave(index))
            for index in _seen_indices()[:: _MOST_SEEN // self.extent.seen][: self.extent.seen]
            for clip in [self.validation.utterances[index]]
        ]

    def apart(self) -> list[tuple[Asked, list[Samples]]]:
        """Sentences for the held voices, each with the nine renderings that differ from its own in one word."""
        found = []
        for voice in self.held_voices():
            said, clips = _apart(voice), self._more["apart", voice]
            for place in range(self.extent.apart):
                rest = [clip for other, clip in enumerate(clips) if other != place]
                found.append((Asked(said[place], voice, clips[place]), rest))
        return found

    def pool(self, voice: str) -> dict[str, Samples]:
        """Fifty texts as a held voice says them."""
        own = {self.held.utterances[index].text: self.held.wave(index) for index in self.held.by_voice[voice]}
        more = zip(_fillers(voice, POOL), self._more["filler", voice], strict=False)
        return dict(islice({**own, **dict(more)}.items(), POOL))

    def _rendered(self, name: str, lines: Sequence[Line]) -> Corpus:
        folder = self._work / "speech" / name
        if (folder / "index.jsonl").is_file():
            corpus = Corpus.open(folder)
            if [(line.text, line.voice.key) for line in lines] == [(u.text, u.voice) for u in corpus.utterances]:
                return corpus
        self._log(f"rendering {len(lines)} clips of the set “{name}”")
        folder.parent.mkdir(parents=True, exist_ok=True)
        return render(lines, folder, processes=min(4, os.cpu_count() or 1))


def _own_lines() -> list[tuple[str, Line]]:
    by_key = {voice.key: voice for voice in (*TRAIN_VOICES, *HELD_VOICES)}
    lines = []
    plan = planned("validation")
    said = texts.sentences("gates references", short=True)
    for voice in dict.fromkeys(plan[index].voice.key for index in _seen_indices()):
        lines += [("reference", Line(next(said), by_key[voice])) for _ in range(SEEN_REFERENCES)]
    held: Sequence[Voice] = HELD_VOICES
    for one in held:
        lines += [("filler", Line(text, one)) for text in _fillers(one.key, POOL)[: POOL - 40 + REFERENCES]]
        lines += [("apart", Line(text, one)) for text in _apart(one.key)]
    return lines


def _seen_indices() -> range:
    return range(0, 2 * _MOST_SEEN, 2)


def _fillers(voice: str, count: int) -> list[str]:
    return list(islice(texts.sentences(f"gates fillers {voice}", short=True), count))


def _apart(voice: str) -> list[str]:
    return texts.one_word_apart(f"gates {voice}", APART)
