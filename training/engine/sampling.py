"""Epoch samples: every checkpoint speaks the same prompts, through the very code that users' speech goes through."""

from __future__ import annotations

import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.engine.checkpoint import SAMPLES
from training.engine.spec import TrainSpec
from xttsproject.lib.audio import Audio, read_wav, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress
from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.normaliser import normalise

if TYPE_CHECKING:
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


def speak_samples(
    spec: TrainSpec,
    epoch: int,
    adapter: Path | None,
    device: str,
    progress: Progress,
    on_sample: Callable[[SampleFacts], None],
    skip: frozenset[int] = frozenset(),
    folder: str = "",
) -> None:
    """Let the bundle with this adapter speak every prompt, and write 24 kHz WAVs of all but those in ``skip``.

    They are spoken as one batch, which takes as many steps as the longest alone. Neighbours in a batch change the last
    bits of a sound, so those that are skipped are spoken along: what is made up for later is the same to the bit.
    """
    from xttsproject.xtts.engine import Saying, XttsEngine
    from xttsproject.xtts.types import Sampling

    if all(index in skip for index in range(len(spec.sample_prompts))):
        return
    progress.check()
    engine = XttsEngine.load(spec.bundle, adapter=adapter, device=device)
    progress.check()
    conditioning = engine.conditioning(read_references(spec))
    # Normalised as users' speech and the training texts are.
    sayings = [
        Saying(normalise(prompt.text, prompt.language), prompt.language, conditioning, Sampling(seed=prompt.seed))
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
