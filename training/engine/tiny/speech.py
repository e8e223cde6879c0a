"""Stage "speech": every set of the corpus, rendered by espeak-ng."""

from __future__ import annotations

import time

from training.engine.tiny.corpus import LISTENING, RATE, SETS, Corpus, planned, render
from training.engine.tiny.recipe import Workshop


def run(workshop: Workshop) -> None:
    begun = time.monotonic()
    figures: dict[str, object] = {}
    for name in (*SETS, LISTENING):
        folder = workshop.folder("speech") / name
        corpus = Corpus.open(folder) if folder.is_dir() else render(planned(name), folder, processes=workshop.threads)
        hours = sum(utterance.samples for utterance in corpus.utterances) / RATE / 3600
        figures[name] = {"clips": len(corpus), "voices": len(corpus.by_voice), "hours": round(hours, 3)}
        workshop.log(f"{name}: {len(corpus)} clips by {len(corpus.by_voice)} voices, {hours:.2f} h")
    workshop.finish("speech", {**figures, "seconds": round(time.monotonic() - begun, 1)})
