"""A run as its owner lives through it: started, watched, cancelled, resumed, compared blind, and made into a voice."""

import re

import pytest

from training.engine.events import read_events
from training.engine.launch import EVENTS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

EPOCHS = 3
PARTS = ("loss", "loss_mel", "loss_text")
# The portal serves other files' tests too, and factories count from the start in every process: names are given here.
SEED = """
from django.contrib.auth import get_user_model
from tests.training.factories import frozen_version
maker = get_user_model().objects.get(username="maker")
print(frozen_version(maker, clips=24, name="Watched talk", speaker__name="Watched speaker").pk)
"""


@pytest.fixture
def version(running_portal):
    """A frozen version of the maker's, made by the code that freezes."""
    return running_portal.manage("shell", "-v", "0", "-c", SEED).split()[-1]


def steps_done(page):
    """How far the page says that the run is; it exchanges these figures itself."""
    (found,) = re.findall(r"Step\s+(\d+) of \d+", page.locator("#run-facts").inner_text())
    return int(found)


def wait_for_step(page, step):
    page.wait_for_function(
        "step => Number(/Step\\s+(\\d+) of/.exec(document.getElementById('run-facts').innerText)?.[1]) >= step",
        arg=step,
        timeout=180_000,
    )


def settled(page):
    """The page of a run that has ended is loaded anew; the figures say before that that it has."""
    page.get_by_role("button", name="Delete", exact=True).wait_for()


def drawn(page, part):
    """The picture of a chart, once there is one."""
    canvas = page.locator(f"[data-curve={part}] canvas")
    canvas.wait_for()
    return canvas.evaluate("canvas => canvas.toDataURL()")


def test_a_run_is_watched_cancelled_resumed_compared_and_made_into_a_voice(person, running_portal, version):
    maker = person("maker")
    page = maker.sign_in()

    # Started, with one short sentence to say.
    page.goto(f"/runs/new/?version={version}")
    page.get_by_label("Name").fill("Watched run")
    page.locator("[name=epochs]").fill(str(EPOCHS))
    page.locator("[name=batch_size]").fill("1")
    page.locator("[name=learning_rate]").fill("0.001")
    page.locator("[name=prompt]").fill("Good morning.")
    page.get_by_label("Speak the fixed sentences").uncheck()
    page.get_by_text(re.compile(r"to train on")).wait_for()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))
    address = page.url
    folder = running_portal.data / "runs" / address.rstrip("/").rpartition("/")[2]

    # Watched: figures, curves and log move while nobody touches the page.
    page.evaluate("window.untouched = true")
    wait_for_step(page, 1)
    before, pictures = steps_done(page), [drawn(page, part) for part in PARTS]
    page.get_by_text(re.compile(f"starts on RUNS/{folder.name}")).wait_for()
    wait_for_step(page, before + 5)
    figures = page.locator("#run-facts").inner_text()
    for fact in ("Learning rate", "Training loss", "clips a second", "Expected", "Memory"):
        assert fact in figures
    page.locator("#row-1 audio").wait_for(timeout=180_000)
    assert page.evaluate("window.untouched") is True

    # Cancelled in the middle, at the first click.
    page.locator(".job-live").get_by_role("button", name=re.compile("^Cancel")).click()
    page.locator("#run-facts").get_by_text("Cancelled").wait_for()
    settled(page)
    stopped = steps_done(page)
    assert all(drawn(page, part) != old for part, old in zip(PARTS, pictures, strict=True))
    whole = [event for event in read_events(folder / EVENTS) if event.kind == "epoch"]
    assert 1 <= len(whole) < EPOCHS
    assert len(whole) == page.locator("#checkpoints tr[data-checkpoint]").count()

    # Resumed: the very next step follows, and the epochs go on.
    page.get_by_role("button", name="Resume").click()
    page.locator("#run-facts").get_by_text("Finished").wait_for(timeout=300_000)
    settled(page)
    rows = page.locator("#checkpoints tr[data-checkpoint]")
    assert [row.get_attribute("id") for row in rows.all()] == [f"row-{epoch}" for epoch in range(1, EPOCHS + 1)]
    told = [event.data for event in read_events(folder / EVENTS) if event.kind == "step"]
    assert [step["step"] for step in told] == list(range(1, len(told) + 1))
    assert len(told) > stopped
    assert steps_done(page) == len(told)

    # Compared blind, by the keyboard alone.
    page.get_by_role("link", name="Compare blind").click()
    pairs = EPOCHS * (EPOCHS + 1) // 2
    for done in range(pairs):
        page.get_by_text(f"{done} of {pairs} pairs judged").wait_for()
        hidden = page.locator("#compare").inner_html()
        assert not re.search(r"epoch|base model|checkpoint", hidden, re.IGNORECASE)
        page.keyboard.press(("1", "2", "0")[done % 3])
    page.get_by_text("You have heard and judged every pair").wait_for()
    # Whoever goes on by keyboard sees where they are, on the current page's own entry of the navigation too.
    page.keyboard.press("Tab")
    page.locator(".site-header .nav-link.active").focus()
    assert page.locator(":focus").evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    page.get_by_role("link", name="What the votes say").click()
    page.get_by_role("heading", level=1).wait_for()
    text = page.locator("main").inner_text()
    assert "Base model" in text
    assert all(f"Epoch {epoch}" in text or f"epoch {epoch}" in text for epoch in range(1, EPOCHS + 1))

    # A voice of the best.
    page.goto(address)
    page.locator("tr.best").get_by_role("link", name="Make a voice").click()
    page.get_by_label("Name").fill("Watched voice")
    page.get_by_role("button", name="Make the voice").click()
    page.get_by_role("link", name="Speak", exact=True).and_(page.locator(".btn")).wait_for(timeout=180_000)
    page.get_by_role("link", name="Speak", exact=True).and_(page.locator(".btn")).click()
    page.locator("#speak-form").wait_for()
    assert "Watched voice" in page.locator("#speak-form").inner_text()
    assert maker.complaints == []
