"""Stage "speech": every set of the corpus, rendered by espeak-ng."""

from __future__ import annotations

import json

from training.engine.tiny.corpus import FACTS, LISTENING, RATE, SETS, Corpus, planned, render
from training.engine.tiny.recipe import Workshop


def run(workshop: Workshop) -> None:
    figures: dict[str, object] = {}
    seconds = 0.0
    for name in (*SETS, LISTENING):
        folder = workshop.folder("speech") / name
        if folder.is_dir():
            corpus = Corpus.open(folder)
        else:
            corpus = render(planned(name, workshop.scale), folder, processes=workshop.threads)
        hours = sum(utterance.samples for utterance in corpus.utterances) / RATE / 3600
        figures[name] = {"clips": len(corpus), "voices": len(corpus.by_voice), "hours": round(hours, 3)}
        # What an earlier run rendered took its time, too.
        seconds += json.loads((folder / FACTS).read_text(encoding="utf-8"))["seconds"]
        workshop.log(f"{name}: {len(corpus)} clips by {len(corpus.by_voice)} voices, {hours:.2f} h")
    workshop.finish("speech", {**figures, "seconds": round(seconds, 1)})
