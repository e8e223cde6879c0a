"""The main job, stage by stage, as a client of the running portal.

Every stage first looks for what an earlier demo left, so that running it again repeats nothing and harms nothing.
"""

from __future__ import annotations

import sys
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets.pipeline.media import decode_audio
from training.engine.tiny.pitch import RATE as PITCH_RATE
from training.engine.tiny.pitch import median_pitch
from xttsproject.demo.client import ApiError, Json, Portal
from xttsproject.lib.audio import Audio
from xttsproject.lib.error_rates import character_error_rate
from xttsproject.lib.files import atomic_path, sha256_of

SPEAKER = {True: "Demo (synthetic voice)", False: "Demo (own recording)"}
CONSENT = {
    True: ("synthetic", "The voice is synthetic, made by a speech synthesiser on this machine."),
    False: ("self", "The person who started the demo with this recording says that it may be cloned."),
}
TEXT = "This sentence was never recorded. The voice has learnt to say it."
EPOCHS = 3


class StageError(Exception):
    """A stage ended in a state from which the next cannot begin."""


@dataclass(frozen=True)
class Recording:
    """The file, and, where it is the demo's own, what is said in it and when: [{text, start, end}] in seconds."""

    path: Path
    script: list[Json] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Tells this recording's objects in the portal from those of another."""
        return f"Demo {self.path.stem} {sha256_of(self.path)[:8]}"

    def words_between(self, start: float, end: float) -> str:
        """The sentences whose middle lies between the two times."""
        return " ".join(
            sentence["text"] for sentence in self.script if start <= (sentence["start"] + sentence["end"]) / 2 < end
        )


@dataclass
class MainJob:
    """``maker`` uploads, trains and speaks; ``reviewer`` corrects and approves. ``output``: where the WAV is put."""

    maker: Portal
    reviewer: Portal
    recording: Recording
    output: Path

    def run(self) -> Path:
        label = self.recording.label
        self._stage("Signed in", lambda: ", ".join([self._name(self.maker), self._name(self.reviewer)]))
        source = self._stage("Recording cut and transcribed", lambda: self._source(label))
        self._stage("Transcripts reviewed", lambda: self._review(source))
        version = self._stage("Dataset frozen", lambda: self._version(label, source))
        run = self._stage("Fine-tuned", lambda: self._train(label, version))
        checkpoint = self._stage("Checkpoints and their samples", lambda: self._checkpoint(run))
        voice = self._stage("Voice made", lambda: self._voice(label, checkpoint))
        return Path(self._stage("Spoken", lambda: self._speak(voice))["path"])

    # --- the stages; each returns what the next needs, with "told": the words for the terminal ----------------

    def _source(self, label: str) -> Json:
        speaker = self._speaker()
        found = [row for row in self.maker.all("/api/v1/recordings/") if row["title"] == label]
        if found:
            source = found[0]
        else:
            with open(self.recording.path, "rb") as handle:
                source = self.maker.post(
                    "/api/v1/recordings/",
                    data={"speaker": speaker["id"], "language": "en", "title": label, "visibility": "team"},
                    files={"file": (self.recording.path.name, handle)},
                )
        # Each stage of the work starts the next, so the recording's newest job is followed until it is ready.
        while source["state"] != "ready":
            if source["state"] in ("failed", "cancelled"):
                raise StageError(f"The recording “{label}” {source['state']}: {source['error']}")
            if source["job"]:
                self.maker.follow(source["job"]["id"], _progress)
            source = self.maker.get(f"/api/v1/recordings/{source['id']}/")
            time.sleep(0.2)
        minutes = source["seconds"] / 60
        source["told"] = f"{minutes:.1f} minutes of {source['audio_codec']}, {source['segment_count']} segments"
        return dict(source)

    def _review(self, source: Json) -> str:
        corrected, rejected = 0, []
        heard: list[tuple[str, str]] = []
        segments = self.reviewer.all("/api/v1/segments/", source=source["id"])
        for segment in (row for row in segments if row["status"] == "pending"):
            spoken = self.recording.words_between(segment["start"], segment["end"])
            text = spoken or segment["text"].strip()
            heard += [(spoken, segment["text"])] if spoken else []
            try:
                self.reviewer.patch(f"/api/v1/segments/{segment['id']}/", {"text": text, "status": "approved"})
                corrected += text != segment["text"]
            except ApiError as error:
                rejected.append(error.message)
                self.reviewer.patch(f"/api/v1/segments/{segment['id']}/", {"status": "rejected"})
        approved = len(self.reviewer.all("/api/v1/segments/", source=source["id"], status="approved"))
        if not approved:
            raise StageError("No segment could be approved" + (f": {rejected[0]}" if rejected else "."))
        told = f"{approved} of {len(segments)} approved, {corrected} corrected now"
        told += f" ({max(0.0, 1 - character_error_rate(heard)):.0%} of the letters were right)" if heard else ""
        return told + (f", {len(rejected)} rejected (first: {rejected[0]})" if rejected else "")

    def _version(self, label: str, source: Json) -> Json:
        found = [row for row in self.maker.all("/api/v1/datasets/") if row["name"] == label]
        dataset = (
            found[0]
            if found
            else self.maker.post(
                "/api/v1/datasets/",
                {"name": label, "speaker": source["speaker"], "language": "en", "sources": [source["id"]]},
            )
        )
        ready = [version for version in dataset["versions"] if version["state"] == "ready"]
        if ready:
            version = ready[0]
        else:
            version = self.maker.post(f"/api/v1/datasets/{dataset['id']}/freeze/")
            self.maker.follow(version["job"]["id"], _progress)
            version = self.maker.get(f"/api/v1/dataset-versions/{version['id']}/")
        version["told"] = (
            f"version {version['number']}, {version['clips_train']} + {version['clips_validation']} clips, "
            f"{version['seconds'] / 60:.1f} minutes, hash {version['content_hash'][:12]}"
        )
        return dict(version)

    def _train(self, label: str, version: Json) -> Json:
        found = [row for row in self.maker.all("/api/v1/training-runs/") if row["name"] == label]
        if not found:
            run = self.maker.post(
                "/api/v1/training-runs/",
                {"name": label, "version": version["id"], "epochs": EPOCHS, "batch_size": 4, "prompts": [TEXT]},
            )
        elif found[0]["state"] in ("failed", "cancelled"):
            run = self.maker.post(f"/api/v1/training-runs/{found[0]['id']}/resume/")
        else:
            run = found[0]
        if run["state"] != "succeeded":
            self.maker.follow(run["job"], _progress)
            run = self.maker.get(f"/api/v1/training-runs/{run['id']}/")
        if run["state"] != "succeeded":
            raise StageError(f"The run “{label}” is {run['state']}: {run['error']}")
        before, after = run["base_validation_loss"], run["best_validation_loss"]
        # A single clip leaves nothing to validate on.
        losses = f"training loss {run['loss']:.3f}" if after is None else f"validation loss {before:.3f} → {after:.3f}"
        run["told"] = f"{run['epochs_total']} epochs, {run['steps_total']} steps, {losses}"
        return dict(run)

    def _checkpoint(self, run: Json) -> Json:
        checkpoints = self.maker.all("/api/v1/checkpoints/", run=run["id"])
        if len(checkpoints) != run["epochs_total"]:
            raise StageError(f"{run['epochs_total']} epochs left {len(checkpoints)} checkpoints.")
        for sample in (*run["base_samples"], *(sample for row in checkpoints for sample in row["samples"])):
            sound = self.maker.bytes("GET", sample["audio"]).content
            if sound[:4] != b"RIFF":
                raise StageError(f"The sample of epoch {sample['epoch']} is no WAV file.")
        best = next((row for row in checkpoints if row["is_recommended"]), checkpoints[-1])
        best["told"] = (
            f"{len(checkpoints)} beside the base model, taken: {best['title']} ({best['bytes'] / 1e6:.2f} MB)"
        )
        return dict(best)

    def _voice(self, label: str, checkpoint: Json) -> Json:
        found = [row for row in self.maker.all("/api/v1/voices/") if row["name"] == label]
        voice = (
            self.maker.get(f"/api/v1/voices/{found[0]['id']}/")
            if found
            else self.maker.post("/api/v1/voices/", {"name": label, "checkpoint": checkpoint["id"]})
        )
        if voice["state"] == "failed":
            voice = self.maker.post(f"/api/v1/voices/{voice['id']}/prepare/")
        if voice["state"] != "ready":
            self.maker.follow(voice["job"], _progress)
            voice = self.maker.get(f"/api/v1/voices/{voice['id']}/")
        clips = voice["clips"]
        voice["told"] = f"from {len(clips)} clips, {sum(clip['seconds'] for clip in clips):.0f} s"
        return dict(voice)

    def _speak(self, voice: Json) -> Json:
        began = time.monotonic()
        answer = self.maker.bytes(
            "POST",
            "/v1/audio/speech",
            # Whole: a WAV that is sent while it is spoken does not know how long it is.
            json={
                "model": "xtts",
                "voice": voice["id"],
                "input": TEXT,
                "seed": 1,
                "response_format": "wav",
                "stream": False,
            },
        )
        took = time.monotonic() - began
        with atomic_path(self.output) as temporary:
            temporary.write_bytes(answer.content)
        with wave.open(str(self.output)) as handle:
            rate, frames = handle.getframerate(), handle.getnframes()
            samples = np.frombuffer(handle.readframes(frames), dtype="<i2").astype(np.float64) / 32768
        level = 20 * np.log10(max(float(np.sqrt(np.mean(samples**2))), 1e-9)) if frames else -180.0
        if rate != 24_000 or frames < rate // 4 or level < -60:
            raise StageError(f"What was spoken is no speech: {frames} samples at {rate} Hz, {level:.0f} dB.")
        told = f"{frames / rate:.1f} s at {rate} Hz and {level:.0f} dBFS, in {took:.1f} s{self._pitches(samples, rate)}"
        return {"path": str(self.output), "told": told}

    def _pitches(self, samples: npt.NDArray[np.float64], rate: int) -> str:
        """How high the voice speaks, and the synthesiser in its recording; nothing of a recording of one's own."""
        if not self.recording.script:
            return ""
        import torch

        wanted = decode_audio(self.recording.path, PITCH_RATE).samples
        spoken = Audio(samples.astype(np.float32), rate).at_rate(PITCH_RATE).samples
        voice, recorded = (median_pitch(torch.from_numpy(np.ascontiguousarray(wave))) for wave in (spoken, wanted))
        return f", pitch {voice:.0f} Hz (the recording's: {recorded:.0f} Hz)" if voice and recorded else ""

    # --- helpers ----------------------------------------------------------------------------------------------

    def _speaker(self) -> Json:
        synthetic = bool(self.recording.script)
        found = [row for row in self.maker.all("/api/v1/speakers/") if row["name"] == SPEAKER[synthetic]]
        if found:
            return found[0]
        kind, statement = CONSENT[synthetic]
        return dict(
            self.maker.post(
                "/api/v1/speakers/",
                {
                    "name": SPEAKER[synthetic],
                    "consent_kind": kind,
                    "consent_statement": statement,
                    "visibility": "team",
                },
            )
        )

    @staticmethod
    def _name(portal: Portal) -> str:
        me = portal.get("/api/v1/me/")
        return f"{me['username']} ({', '.join(me['groups'])})"

    @staticmethod
    def _stage(title: str, work: Callable[[], Any]) -> Any:
        """Do a stage and print its name, its time and what came of it."""
        began = time.monotonic()
        result = work()
        told = result if isinstance(result, str) else result["told"]
        if sys.stdout.isatty():
            print("\r\033[K", end="")
        print(f"  {title:<30} {time.monotonic() - began:6.1f} s   {told}", flush=True)
        return result


def _progress(job: Json) -> None:
    """The running job on one line that is written over; only for people who watch."""
    if sys.stdout.isatty():
        words = f"  … {job['title']} {job['progress']:.0%} {job['message']}"
        print(f"\r\033[K{words[:100]}", end="", flush=True)
