"""Epoch samples: every checkpoint speaks the same prompts, through the very code that users' speech goes through."""

from __future__ import annotations

import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from training.engine.checkpoint import SAMPLES
from training.engine.spec import LORA, TrainSpec
from xttsproject.lib.audio import Audio, read_wav, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress
from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.normaliser import normalise

if TYPE_CHECKING:
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.projections import Wanted
    from xttsproject.xtts.tokenizer import Tokenizer

BASE_EPOCH = 0
"""The epoch under which the base model's own samples go."""


@dataclass(frozen=True)
class SampleFacts:
    """``path`` is relative to the run's folder; ``seconds`` is how long the sample sounds."""

    epoch: int
    prompt_index: int
    text: str
    seed: int
    path: str
    seconds: float


def sample_path(epoch: int, prompt_index: int, folder: str = "") -> Path:
    """Relative to the run's folder; in ``folder`` where the sample is not that of an epoch."""
    folder = folder or ("base" if epoch == BASE_EPOCH else f"epoch-{epoch:04d}")
    return Path(SAMPLES) / folder / f"prompt-{prompt_index}.wav"


def check_prompts(spec: TrainSpec, languages: tuple[str, ...], tokenizer: Tokenizer) -> None:
    """Refuse before training what could not be spoken after the first epoch."""
    for prompt in spec.sample_prompts:
        if validate_language(prompt.language, field="sample_prompts") not in languages:
            raise DomainError(
                "language_unsupported",
                f"The prompt {prompt.text!r} is in {prompt.language!r}, which the model does not speak.",
                field="sample_prompts",
            )
        spoken = normalise(prompt.text, prompt.language)
        # The first token is the language's.
        read = any(token != tokenizer.unknown for token in tokenizer.encode(spoken, prompt.language)[1:])
        if not read or not any(character.isalpha() for character in spoken):
            raise DomainError(
                "text_unspeakable",
                f"The prompt {prompt.text!r} has no sign that the model can read; write another sentence.",
                field="sample_prompts",
            )
    if spec.sample_prompts:
        read_references(spec)


def read_references(spec: TrainSpec) -> list[Audio]:
    """The clips that condition the samples; ``reference_unreadable`` names the one that cannot be read."""
    clips = []
    for path in spec.reference_clips:
        try:
            clips.append(read_wav(path))
        except (OSError, EOFError, ValueError, wave.Error) as error:
            raise DomainError(
                "reference_unreadable", f"The reference clip {path} cannot be read: {error}.", field="reference_clips"
            ) from error
    return clips


class Sampler:
    """Speaks a run's samples, checkpoint after checkpoint.

    With ``keep`` the base model and what it heard of the reference clips stay loaded in between, as far as memory
    allows: what a checkpoint then costs is its adapter and its sentences. An adapter speaks beside the base model's
    weights, as in the portal's own speech; what holds more than an adapter (whole modules, the whole GPT) is loaded for
    itself each time. Either way a sample does not depend on what was spoken before it. ``precision`` is what it speaks
    in, None where there is nothing to speak. DomainError ``precision_unsupported`` where the device lacks it.
    """

    def __init__(self, spec: TrainSpec, device: str, *, keep: bool = False):
        self._spec, self._device = spec, device
        self._beside = spec.method == LORA and not (spec.train_conditioning or spec.train_heads)
        self._keep = keep and self._beside
        self._engine: XttsEngine | None = None
        self._voice: Conditioning | None = None
        self.precision = _speech_precision(spec, device)

    def speak(
        self,
        epoch: int,
        adapter: Path | None,
        progress: Progress,
        on_sample: Callable[[SampleFacts], None],
        skip: frozenset[int] = frozenset(),
        folder: str = "",
    ) -> None:
        """Let the model with this adapter speak every prompt, and write 24 kHz WAVs of all but those in ``skip``.

        They are spoken as one batch, which takes as many steps as the longest alone. Neighbours in a batch change the
        last bits of a sound, so those that are skipped are spoken along: what is made up for later is the same to the
        bit.
        """
        from training.engine.usage import has_room
        from xttsproject.xtts.engine import Saying
        from xttsproject.xtts.types import Sampling

        spec = self._spec
        if all(index in skip for index in range(len(spec.sample_prompts))):
            return
        progress.check()
        engine, voice = self._ready(adapter, progress)
        # Normalised as users' speech and the training texts are.
        sayings = [
            Saying(normalise(prompt.text, prompt.language), prompt.language, voice, Sampling(seed=prompt.seed))
            for prompt in spec.sample_prompts
        ]
        for index, speech in enumerate(engine.speak_all(sayings, progress)):
            if index in skip:
                continue
            prompt = spec.sample_prompts[index]
            relative = sample_path(epoch, index, folder)
            with atomic_path(spec.run_dir / relative) as temporary:
                write_wav(temporary, speech.audio)
            seconds = round(speech.audio.seconds, 3)
            on_sample(SampleFacts(epoch, index, prompt.text, prompt.seed, relative.as_posix(), seconds))
        if self._engine is not None and not has_room(engine.device):
            self.let_go()

    def let_go(self) -> bool:
        """Keep no model any more and give back the memory of the one that is there; False where there is none."""
        kept, self._engine, self._voice, self._keep = self._engine, None, None, False
        return kept is not None

    def _ready(self, adapter: Path | None, progress: Progress) -> tuple[XttsEngine, Conditioning]:
        """What speaks with this adapter, and the voice that it takes from the reference clips."""
        from xttsproject.xtts.engine import XttsEngine

        merged = None if self._beside else adapter
        base = self._engine or XttsEngine.load(
            self._spec.bundle,
            adapter=merged,
            device=self._device,
            precision=cast("Wanted", self._spec.speech_precision),
            # What is merged is loaded once, and would push the base models of others out of the folder.
            packed_dir=None if merged else self._spec.packed_dir,
        )
        progress.check()
        # What an adapter stands beside hears the clips as it does without.
        voice = self._voice or base.conditioning(read_references(self._spec))
        if self._keep:
            self._engine, self._voice = base, voice
        return (base.adapted(adapter) if adapter and not merged else base), voice


def _speech_precision(spec: TrainSpec, device: str) -> str | None:
    """What the samples are spoken in on this device; None where nothing is. DomainError ``precision_unsupported``."""
    from xttsproject.xtts.engine import choose_device
    from xttsproject.xtts.projections import resolve_precision

    if not spec.sample_prompts:
        return None
    try:
        return resolve_precision(spec.speech_precision, choose_device(device))
    except DomainError as error:
        raise DomainError(
            error.code,
            f"This run speaks its samples in {spec.speech_precision}, which speech had when it was made, and in no "
            f"other, so that all of them compare. {error.message} Go on with it on a machine like the one that it "
            "began on, or start a new run, which takes the SPEECH_PRECISION of today."
            if error.code == "precision_unsupported"
            else error.message,
            field=error.field,
        ) from error
