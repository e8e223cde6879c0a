"""What keeps a transcript out of a dataset. Its spoken form is the model's affair: ``xttsproject.xtts.normaliser``."""

from __future__ import annotations

from xttsproject.xtts.languages import LANGUAGES, validate_language
from xttsproject.xtts.normaliser import normalise


def check_text(text: str, language: str) -> list[str]:
    """What keeps XTTS from learning or speaking ``text``, each in one sentence; empty when nothing does."""
    language = validate_language(language)
    spoken = normalise(text, language)
    if not spoken:
        return ["The text is empty."]
    problems = []
    if not any(character.isalpha() for character in spoken):
        problems.append("The text has no letters, so there is nothing to say.")
    facts = LANGUAGES[language]
    if len(spoken) > facts.max_chars:
        problems.append(
            f"Spoken out, the text has {len(spoken)} characters, and the limit for {facts.name} is {facts.max_chars}."
        )
    return problems
