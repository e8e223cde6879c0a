"""The voices of the corpus: variants of espeak-ng at several pitches; who is trained on and who is kept unseen."""

from __future__ import annotations

from dataclasses import dataclass

# Variants with natural formants and one timing: a text then takes the same time in every voice, and what tells voices
# apart is what a voice is, pitch and timbre. Left out: robots, whispers, and variants that are another one's copy.
_NAMES = (
    "Alex Denis Diogo Gene Gene2 Henrique Hugo Mario Michael Mike Reed Storm adam boris david ed f1 f2 f3 grandma "
    "gustave ian iven2 iven4 kaukovalta linda m1 m2 m4 m6 m8 marcelo max michel miguel mike2 norbert pablo paul quincy "
    "robert sandro steph steph2 travis"
)
_TRAINED = tuple(_NAMES.split())
_PITCHES = (22, 36, 50, 64, 78)


@dataclass(frozen=True)
class Voice:
    """An espeak-ng variant and its pitch setting, 0 to 99."""

    variant: str
    pitch: int

    @property
    def key(self) -> str:
        return f"{self.variant}-{self.pitch}"


# Pitches differ a little from variant to variant, so that they cover the range and not five points of it.
TRAIN_VOICES = tuple(
    Voice(variant, pitch + (7 * number) % 13 - 6) for number, variant in enumerate(_TRAINED) for pitch in _PITCHES
)

HELD_VOICES = (
    Voice("f5", 45), Voice("belinda", 35), Voice("m3", 62), Voice("m7", 38), Voice("m5", 78), Voice("Tweaky", 28),
    Voice("f4", 55), Voice("victor", 66), Voice("shelby", 50), Voice("Nguyen", 40),
)  # fmt: skip
"""Never trained on, in no pitch: cloning and the speaker encoder are measured with them."""

KIN = frozenset({"f5", "m3", "Nguyen"})
"""Of the held variants those that share most formants with a trained one (f2, Mike, m8): of the others alone, the
strangers, the figures are told besides."""

FINETUNE_VOICE = Voice("Annie", 45)
"""Never trained on; fine-tuning is measured with it."""
