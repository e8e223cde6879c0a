"""A script falls into passages; what it asks for is followed or refused, and never spoken by mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.script import Passage, Script, parse
from xttsproject.xtts.types import Pauses


def test_a_plain_text_is_one_passage() -> None:
    assert parse("One sentence.\nAnother one.") == Script((Passage("One sentence.\nAnother one."),))


def test_blank_lines_part_paragraphs_with_a_longer_pause() -> None:
    first, second, third = parse("One.\n\nTwo.\r\n \t\r\n\r\nThree.", Pauses(paragraph=1.2)).passages
    assert (first.pause, second.pause, third.pause) == (None, 1.2, 1.2)
    assert [first.paragraph, second.paragraph, third.paragraph] == [0, 1, 2]
    assert (second.text, third.text) == ("Two.", "Three.")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("[pause 700ms]", 0.7),
        ("[pause 1.5s]", 1.5),
        ("[pause 1,5 s]", 1.5),
        ("[PAUSE: 2 seconds]", 2.0),
        ("[ pause 250 milliseconds ]", 0.25),
        ("[pause 2]", 2.0),
        ("[pause]", 0.7),
        ("[pause 1s] [pause 500ms]", 1.5),
        ("\n\n[pause 100ms]\n\n", 0.1),
        ("[pause 10s]", 10.0),
        ("[pause 0ms]", 0.0),
    ],
)
def test_a_pause_is_as_long_as_written(written: str, seconds: float) -> None:
    before, after = parse(f"Wait {written} for it.").passages
    assert (before.text, after.text) == ("Wait", "for it.")
    assert after.pause == pytest.approx(seconds)


def test_silence_before_and_after_everything_is_kept() -> None:
    script = parse("[pause 1s] Hello. [pause 2s]")
    assert [passage.pause for passage in script.passages] == [1.0]
    assert script.pause_after == 2.0


def test_voice_and_language_hold_until_the_next_and_go_back() -> None:
    text = "Here. [voice: Ana Maria]Olá. [lang: pt-BR]\n\nTudo bem? [voice]E eu? [language] Bye. [lang: auto] Salut."
    assert [(p.text, p.voice, p.language) for p in parse(text).passages] == [
        ("Here.", None, None),
        ("Olá.", "Ana Maria", None),
        ("Tudo bem?", "Ana Maria", "pt"),
        ("E eu?", None, "pt"),
        ("Bye.", None, None),
        ("Salut.", None, "auto"),
    ]


@pytest.mark.parametrize(
    "text",
    ["He said [sic] so.", "See [1].", "A [voice over] begins.", "[language barrier] he said", "An [open bracket", "[]"],
)
def test_other_brackets_are_text(text: str) -> None:
    assert [passage.text for passage in parse(text).passages] == [text]


def test_a_command_behind_a_backslash_is_text() -> None:
    assert [passage.text for passage in parse(r"Write \[pause 1s] there.").passages] == ["Write [pause 1s] there."]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("a [pause long] b", "script_invalid", "“[pause long]” is no pause"),
        ("a [pause 11s] b", "script_invalid", "11 s, but 10 s"),
        ("a [pause 700] b", "script_invalid", "[pause 700ms]"),
        ("a [pause -1s] b", "script_invalid", "no pause"),
        ("a [pause 1s b", "script_invalid", "closing bracket"),
        ("a [voice: Vera", "script_invalid", "closing bracket"),
        ("a [lang: xx] b", "language_unsupported", "“xx”"),
        ("a" + "[pause 10s] b" * 31, "script_invalid", "more than 300 s"),
        ("  \n ", "text_empty", "no text"),
        ("[pause 1s]\n[voice: Vera]", "text_empty", "nothing but commands"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(text: str, code: str, said: str) -> None:
    with pytest.raises(DomainError) as caught:
        parse(text, field="input")
    assert (caught.value.code, caught.value.field) == (code, "input")
    assert said in caught.value.message


@pytest.mark.parametrize("seconds", [-0.1, 10.5, float("nan")])
def test_pauses_out_of_bounds_are_refused(seconds: float) -> None:
    with pytest.raises(DomainError) as caught:
        Pauses(paragraph=seconds)
    assert caught.value.field == "paragraph_pause"


PIECES = st.sampled_from(
    ["one", "two", " ", "\n", "\n\n", ". ", "[pause]", "[pause 1ms]", "[voice: Vera]", "[voice]", "[lang: de]",
     "[lang]", "[sic]", "]", "\\[", "(", "天"]
)  # fmt: skip


@given(st.lists(PIECES, min_size=1, max_size=20))
def test_every_word_is_in_one_passage_in_order(pieces: list[str]) -> None:
    text = "".join(pieces)
    commands = ("[pause]", "[pause 1ms]", "[voice: Vera]", "[voice]", "[lang: de]", "[lang]")
    # "\\[" before "pause]" would make a command of text; it is not among the pieces.
    written = "".join("[" if piece == "\\[" else piece for piece in pieces if piece not in commands)
    if not written.strip():
        with pytest.raises(DomainError, match="nothing but commands|no text"):
            parse(text)
        return
    script = parse(text)
    assert "".join("".join(p.text for p in script.passages).split()) == "".join(written.split())
    assert all(p.text == p.text.strip() != "" for p in script.passages)
    assert [p.paragraph for p in script.passages] == sorted(p.paragraph for p in script.passages)


def chapters(text):
    script = parse(text)
    return script.chapters, [(passage.text, passage.chapter) for passage in script.passages]


def test_headings_begin_chapters_and_are_spoken():
    text = "Before it all.\n# One\nThe sea. [pause]\nStill one.\n\n## Two ##\n\nRain.\n### Deeper\nMore rain."
    assert chapters(text) == (
        ("", "One", "Two"),
        [
            ("Before it all.", 0),
            ("One", 1),
            ("The sea.", 1),
            ("Still one.", 1),
            ("Two", 2),
            ("Rain.", 2),
            ("Deeper", 2),
            ("More rain.", 2),
        ],
    )
    script = parse("# One\nThe sea.")
    assert [(passage.pause, passage.paragraph) for passage in script.passages] == [(None, 0), (0.7, 1)]


def test_a_mark_begins_a_chapter_in_silence():
    assert chapters("[chapter: One]Sea.\n[Chapter:  Two  words ] Rain.") == (
        ("One", "Two words"),
        [("Sea.", 0), ("Rain.", 1)],
    )
    # In which nothing is said are none.
    assert chapters("[chapter: A][chapter: B] Sea. [chapter: C]") == (("B",), [("Sea.", 0)])
    assert chapters("Sea.")[0] == ()


def test_what_is_no_heading_is_text():
    assert chapters("#1 of 3, and # of these.\n\\# Not one.\n[chapter 3] it was, \\[chapter: X].") == (
        (),
        [("#1 of 3, and # of these.\n# Not one.\n[chapter 3] it was, [chapter: X].", 0)],
    )


def test_commands_in_a_heading_are_followed_and_not_named():
    script = parse("# The [pause 1s] end [lang: de]\nAus.")
    assert script.chapters == ("The end",)
    assert [(passage.text, passage.language) for passage in script.passages] == [
        ("The", None),
        ("end", None),
        ("Aus.", "de"),
    ]


@pytest.mark.parametrize(
    "text", ["[chapter: ] Yes.", f"[chapter: {'x' * 201}] Yes.", "".join(f"[chapter: {n}] Yes. " for n in range(501))]
)
def test_chapters_that_cannot_be_are_refused(text):
    with pytest.raises(DomainError) as caught:
        parse(text)
    assert caught.value.code == "script_invalid"


def test_longer_scripts_may_be_silent_for_longer():
    words = "The sea was quiet. " * 600
    assert len(words) > 10_000
    assert parse("[pause 10s] Yes. " * 60 + words).passages
    with pytest.raises(DomainError):
        parse("[pause 10s] Yes. " * 100 + words)
