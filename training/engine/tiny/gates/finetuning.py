"""Whether fine-tuning moves the tiny model to a voice: the product's training run, as it is, in its own process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median

from datasets.pipeline.transcribe import Transcriber
from training.engine import launch
from training.engine.checkpoint import checkpoint_folder
from training.engine.events import FAILED, FINISHED, read_events
from training.engine.spec import LoraSpec, TrainSpec
from training.engine.tiny.corpus import FINETUNE_TEST_CLIPS, RATE, Corpus
from training.engine.tiny.gates.cloning import Figures, pitch_errors, pitch_of, sentence_pitch_errors
from training.engine.tiny.gates.material import Asked
from training.engine.tiny.gates.reading import read_true_codes, weakened
from training.engine.tiny.gates.speaking import LANGUAGE, embedding, error_rate, speak, voice_of
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.engine import XttsEngine

EPOCHS = 8
VALIDATION_CLIPS = 8
REFERENCE_CLIPS = 8

_BATCH, _RATE, _CODE_NOISE = 12, 1e-3, 0.4


def measure(
    bundle: Path,
    transcriber: Transcriber,
    corpus: Corpus,
    work: Path,
    log: Callable[[str], None],
    *,
    threads: int | None = None,
    epochs: int = EPOCHS,
    explain: bool = True,
) -> Figures:
    """Train on all but the last 30 clips of ``corpus``, one voice's, and compare speech before and after with those.

    The similarity is the cosine between a spoken sentence's embedding and the held-out clips' mean one; the references
    are the same before and after, so what changes is the adapter alone. With ``explain``, to tell where errors come
    from, the adapter at a quarter of its strength besides, and the true clips' codes instead of chosen ones. Raises
    :class:`DomainError` where the run does.
    """
    train, test = range(len(corpus) - FINETUNE_TEST_CLIPS), range(len(corpus) - FINETUNE_TEST_CLIPS, len(corpus))
    run_dir = work / "run"
    spec = TrainSpec(
        run_dir=run_dir,
        bundle=bundle,
        manifest=_write_manifest(corpus, train, work / "dataset"),
        language=LANGUAGE,
        epochs=epochs,
        batch_size=_BATCH,
        learning_rate=_RATE,
        code_noise=_CODE_NOISE,
        lora=LoraSpec(rank=8, alpha=16.0),
        # Figures of one machine must compare with another's, whatever its processor multiplies in.
        precision="fp32",
        device="cpu",
        threads=threads,
    )
    best = _train(spec)
    log(f"  trained {epochs} epochs; the best is number {best['epoch']:.0f}")
    adapter = checkpoint_folder(run_dir, int(best["epoch"]))
    before, after = XttsEngine.load(bundle), XttsEngine.load(bundle, adapter=adapter)
    held = [corpus.wave(index) for index in test]
    asked = [Asked(corpus.utterances[index].text, "", corpus.wave(index)) for index in test]
    voice = {"": voice_of(before, [corpus.wave(index) for index in train[:REFERENCE_CLIPS]])}
    wanted, pitch = embedding(before, held), pitch_of(held)
    figures: Figures = {
        "finetune_seconds": best["seconds"],
        "finetune_similarity_ceiling": fmean(float(embedding(before, [clip]) @ wanted) for clip in held),
    }
    takes = {"before": speak(before, asked, voice, log), "after": speak(after, asked, voice, log)}
    if explain:
        quarter = XttsEngine.load(bundle, adapter=weakened(adapter, 0.25, work / "quarter"))
        takes["quarter"] = speak(quarter, asked, voice, log)
        takes["true_codes_before"] = read_true_codes(bundle, before, None, asked, voice[""])
        takes["true_codes_after"] = read_true_codes(bundle, before, adapter, asked, voice[""])
    for name, spoken in takes.items():
        figures[f"finetune_similarity_{name}"] = fmean(
            float(embedding(before, [one.samples]) @ wanted) for one in spoken
        )
        figures[f"finetune_pitch_error_{name}"] = _median(pitch_errors(spoken, {"": pitch}))
        figures[f"finetune_sentence_pitch_error_{name}"] = _median(sentence_pitch_errors(spoken))
        figures[f"finetune_cer_{name}"] = error_rate(transcriber, spoken)
    for figure, source in (("similarity_gain", "similarity"), ("pitch_change", "pitch_error"), ("cer_change", "cer")):
        change = figures[f"finetune_{source}_after"] - figures[f"finetune_{source}_before"]
        figures[f"finetune_{figure}"] = change
    return figures


def _median(errors: Sequence[float | None]) -> float:
    """Over sentences, in semitones; a sentence without any pitch counts as an octave off."""
    return median(12.0 if error is None else abs(error) for error in errors)


def _write_manifest(corpus: Corpus, indices: range, folder: Path) -> Path:
    """A dataset version as the portal freezes it: clips and their lines."""
    clips = folder / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    lines = []
    for place, index in enumerate(indices):
        audio = Audio(corpus.wave(index), RATE)
        write_wav(clips / f"{index:03d}.wav", audio)
        lines.append(
            {
                "id": f"{index:03d}",
                "audio": f"clips/{index:03d}.wav",
                "text": corpus.utterances[index].text,
                "language": LANGUAGE,
                "split": "validation" if place >= len(indices) - VALIDATION_CLIPS else "train",
                "speaker": corpus.utterances[index].voice,
                "seconds": round(audio.seconds, 3),
            }
        )
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return manifest


def _train(spec: TrainSpec) -> dict[str, float]:
    """Run to the end, from the beginning; the best epoch and the seconds of all."""
    shutil.rmtree(spec.run_dir, ignore_errors=True)
    code = launch.start(spec).wait()
    events = list(read_events(spec.run_dir / launch.EVENTS))
    if code != launch.EXIT_FINISHED:
        said = next((event.data["message"] for event in reversed(events) if event.kind == FAILED), f"exit code {code}")
        raise DomainError("finetuning_failed", f"The fine-tuning run did not finish: {said}")
    best = next(event.data["best_epoch"] for event in events if event.kind == FINISHED)
    return {"epoch": float(best), "seconds": round(events[-1].time - events[0].time, 1)}
