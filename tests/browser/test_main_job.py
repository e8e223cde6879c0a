"""Steps 1 to 9 as two users walk them: one records, trains and speaks, the other reviews."""

import io
import json
import re
import subprocess
import sys
import wave

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

SENTENCES = 4
"""Every checkpoint says the four sentences of its language."""
TITLE = "A talk for the browser"


@pytest.fixture(scope="session")
def talk(tmp_path_factory):
    """The demo's recording: a video with sound, and what is said in it."""
    video = tmp_path_factory.mktemp("talk") / "talk.mp4"
    subprocess.run([sys.executable, "-m", "xttsproject.demo.recording", str(video)], cwd=ROOT, check=True)
    return video, json.loads(video.with_suffix(".json").read_text())


def said_between(script, start, end):
    return " ".join(row["text"] for row in script if start <= (row["start"] + row["end"]) / 2 < end)


def seconds_of(page, audio):
    """The length that the browser finds when it loads the player's sound."""
    return audio.evaluate(
        """element => new Promise((resolve, reject) => {
            element.addEventListener("loadedmetadata", () => resolve(element.duration));
            element.addEventListener("error", () => reject(new Error("the sound does not load")));
            element.preload = "metadata"; element.load();
        })"""
    )


def test_a_recording_becomes_a_voice_that_speaks(person, talk):
    video, script = talk
    maker = person("maker")
    page = maker.sign_in()

    # A speaker with consent, and an upload.
    page.goto("/speakers/add/")
    page.get_by_label("Name").fill("Browser speaker")
    page.get_by_label("The voice is synthetic").check()
    page.locator("[name=consent_statement]").fill("A synthetic voice.")
    page.locator("select[name=visibility]").select_option("team")
    page.get_by_role("button", name="Add speaker").click()
    page.goto("/recordings/add/")
    form = page.locator("#upload-form")
    form.locator("[type=file]").set_input_files(str(video))
    form.locator("[name=title]").fill(TITLE)
    form.locator("select[name=speaker]").select_option(label="Browser speaker")
    form.locator("select[name=language]").select_option("en")
    form.locator("select[name=visibility]").select_option("team")
    form.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/recordings/[0-9a-f-]{36}/"))

    # Cut and transcribed while the page is watched: it shows the outcome without being reloaded by hand.
    page.get_by_text("Ready for review").first.wait_for(timeout=120_000)
    recording = page.url
    heading = page.get_by_role("heading", name=re.compile("segments")).inner_text()
    count = int(heading.split()[0])
    assert count > 10
    assert 1 < seconds_of(page, page.locator("article audio").first) < 12

    # Reviewed by somebody else, in the admin.
    reviewer = person("reviewer")
    desk = reviewer.sign_in()
    desk.goto(recording)
    desk.get_by_role("link", name="Review in the admin").click()
    rows = desk.locator("#result_list tbody tr")
    desk.locator("textarea[name$='-text']").first.wait_for()
    assert rows.count() == count
    for index in range(count):
        row = rows.nth(index)
        ((start, end),) = re.findall(r"([\d.]+)–([\d.]+) s", row.inner_text())
        row.locator("textarea[name$='-text']").fill(said_between(script, float(start), float(end)))
    assert 1 < seconds_of(desk, desk.locator("#result_list audio").first) < 12
    desk.locator("[name=_save]").first.click()
    desk.get_by_text(re.compile("changed successfully")).first.wait_for()
    desk.locator("#action-toggle").check()
    desk.locator("select[name=action]").select_option("approve")
    desk.get_by_role("button", name=re.compile("Run|Go")).first.click()
    desk.get_by_text(f"{count} approved").first.wait_for()
    assert reviewer.complaints == []

    # Frozen.
    page.reload()
    page.get_by_role("link", name="Make a dataset").click()
    page.get_by_label("Name").fill("Browser dataset")
    page.get_by_role("button", name="Make dataset").click()
    page.get_by_role("button", name="Freeze a version").click()
    page.get_by_role("link", name="Train on this version").wait_for(timeout=60_000)
    page.get_by_role("link", name="Train on this version").click()

    # Trained, watched live.
    page.get_by_label("Name").fill("Browser run")
    page.locator("[name=epochs]").fill("2")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("progressbar").first.wait_for()
    page.locator("#row-2 audio").nth(SENTENCES - 1).wait_for(timeout=180_000)
    page.get_by_text("Finished").first.wait_for(timeout=60_000)

    # Every checkpoint beside its sample, next to the base model's; the curve is drawn.
    table = page.locator("#checkpoints tbody tr")
    assert [row.get_attribute("id") for row in table.all()] == ["row-reference", "row-base", "row-1", "row-2"]
    for row in table.all():
        # The table may just be drawn anew.
        row.locator("audio").first.wait_for(timeout=60_000)
        assert seconds_of(page, row.locator("audio").first) > 0.3
    assert page.locator("#chart canvas").count() == 1

    # A voice of the best one.
    page.locator("tr.best").get_by_role("link", name="Make a voice").click()
    page.get_by_label("Name").fill("Browser voice")
    page.get_by_role("button", name="Make the voice").click()
    page.get_by_role("link", name="Speak", exact=True).and_(page.locator(".btn")).wait_for(timeout=90_000)
    page.get_by_role("link", name="Speak", exact=True).and_(page.locator(".btn")).click()

    # It speaks, and the file is what it says it is.
    page.locator("#speak-form [name=text]").fill("The browser heard a voice that was never recorded.")
    page.locator("#speak-form").get_by_role("button", name="Speak").click()
    player = page.locator("[data-spoken] audio")
    player.wait_for(timeout=90_000)
    shown = seconds_of(page, player)
    with page.expect_download() as download:
        page.locator("[data-spoken]").get_by_role("link", name=re.compile("Download")).click()
    with wave.open(io.BytesIO(download.value.path().read_bytes())) as sound:
        assert sound.getframerate() == 24_000
        assert sound.getnframes() / 24_000 == pytest.approx(shown, abs=0.05)
    assert maker.complaints == []


PAGES = ("/", "/recordings/", "/recordings/add/", "/recordings/playlists/", "/speakers/", "/datasets/", "/runs/",
         "/voices/", "/voices/add/", "/speak/", "/jobs/", "/models/", "/profile/")  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_window_or_complains(person, width):
    maker = person("maker", width=width)
    page = maker.sign_in()
    for address in PAGES:
        answer = page.goto(address)
        assert answer.status == 200, address
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    assert maker.complaints == []
