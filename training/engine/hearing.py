"""What each epoch's samples score while a run is at work, by the figures that ask no transcription model.

The same figures and the same code as the scoring of a finished run (:mod:`training.engine.scoring`), without character
errors: loading and asking a second large model after every epoch would cost more than the epoch's samples.
"""

from __future__ import annotations

from collections.abc import Mapping

from datasets.pipeline.transcribe import Listening
from training.engine import events as ev
from training.engine.dataset import Dataset
from training.engine.figures import judge
from training.engine.launch import EVENTS
from training.engine.sampling import BASE_EPOCH, sample_path
from training.engine.scoring import Scorer, Speaker, Utterance, characters
from training.engine.spec import TrainSpec
from xttsproject.lib.progress import Progress
from xttsproject.xtts.limits import MODEL_RATE

Figures = Mapping[str, float | None]


class Hearing:
    """Measures epochs as they end, and tells of each; what earlier starts of the run measured is not measured again."""

    def __init__(self, spec: TrainSpec, dataset: Dataset, device: str, events: ev.Events):
        from xttsproject.xtts.likeness import SpeakerEar

        self._spec, self._dataset, self._events = spec, dataset, events
        self._scorer = Scorer(SpeakerEar.load(spec.bundle, device), None, Listening(), spec.language)
        self._speaker: Speaker | None = None
        self._own: Figures = {}
        self._figures: dict[int, Figures] = {}
        for event in ev.read_events(spec.run_dir / EVENTS):
            if event.kind == ev.SCORE:
                self._figures[event.data["epoch"]], self._own = event.data["figures"], event.data["own"]

    def measure(self, epoch: int, progress: Progress) -> None:
        """Measure an epoch's samples and tell of it, unless that has been done. DomainError ``clip_unreadable``."""
        if epoch in self._figures:
            return
        if self._speaker is None:
            self._speaker = self._hear_speaker(progress)
            self._own = dict(self._speaker.figures)
        spoken = [
            Utterance(self._spec.run_dir / sample_path(epoch, index), prompt.text)
            for index, prompt in enumerate(self._spec.sample_prompts)
        ]
        self._figures[epoch] = dict(self._scorer.samples(spoken, self._speaker, progress).figures)
        score = self._judged(epoch)[epoch]
        self._events.write(ev.SCORE, epoch=epoch, score=score, figures=self._figures[epoch], own=self._own)

    def scores(self, last: int) -> list[float]:
        """What the epochs up to ``last`` score, all by the same figures; the base model is not among them."""
        judged = self._judged(last)
        return [judged[epoch] for epoch in sorted(judged) if epoch != BASE_EPOCH]

    def _judged(self, last: int) -> dict[int, float]:
        known = {epoch: figures for epoch, figures in self._figures.items() if epoch <= last}
        return {epoch: verdict.composite or 0.0 for epoch, verdict in judge(known, self._own).items()}

    def _hear_speaker(self, progress: Progress) -> Speaker:
        """The speaker's own figures, from the held-out clips; how fast they speak, from all."""
        clips = (*self._dataset.train, *self._dataset.validation)
        count = sum(characters(clip.text, self._spec.language) for clip in clips)
        pace = sum(clip.samples for clip in clips) / MODEL_RATE / count if count else None
        held_out = [Utterance(clip.audio, clip.text) for clip in self._dataset.validation]
        return self._scorer.speaker(held_out, pace, progress)
