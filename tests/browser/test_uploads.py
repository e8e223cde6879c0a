"""Several files at once, chosen or dropped, each with a bar; and the same form where no script runs."""

import base64
import re
import wave
import zipfile

import numpy as np
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def recording(path, seed, seconds=20):
    """A WAV of quiet noise, different for each seed: some 960 kB."""
    samples = np.random.default_rng(seed).normal(0, 300, seconds * 24_000).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(24_000)
        out.writeframes(samples.tobytes())
    return path


@pytest.fixture
def maker(person):
    one = person("maker")
    page = one.sign_in()
    page.goto("/recordings/add/")
    there = page.locator("#upload-form select[name=speaker]")
    if there.locator("option", has_text="Upload speaker").count():
        there.select_option(label="Upload speaker")
    else:
        page.goto("/speakers/add/")
        page.get_by_label("Name").fill("Upload speaker")
        page.get_by_label("The voice is synthetic").check()
        page.locator("[name=consent_statement]").fill("A synthetic voice.")
        page.get_by_role("button", name="Add speaker").click()
        page.wait_for_url("**/recordings/add/?speaker=*")
    return one


def slow_line(page, bytes_per_second):
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second},
    )


def drop(page, *paths):
    """What the browser does when files are dragged from a folder onto the page and let go."""
    files = [{"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()} for path in paths]
    transfer = page.evaluate_handle(
        """files => {
            const transfer = new DataTransfer();
            for (const { name, data } of files) {
                const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type: "audio/wav" }));
            }
            return transfer;
        }""",
        files,
    )
    for event in ("dragenter", "dragover"):
        page.dispatch_event("#drop-zone", event, {"dataTransfer": transfer})
    assert "is-over" in page.locator("#drop-zone").get_attribute("class")
    page.dispatch_event("#drop-zone", "drop", {"dataTransfer": transfer})
    assert "is-over" not in page.locator("#drop-zone").get_attribute("class")


def test_a_chosen_and_a_dropped_file_are_uploaded_with_progress(maker, tmp_path):
    page = maker.page
    chosen, dropped = (recording(tmp_path / f"upload {seed}.wav", seed) for seed in (1, 2))
    page.locator("#upload-form [type=file]").set_input_files(str(chosen))
    drop(page, dropped)
    names = page.locator("#chosen-files .chosen-name")
    assert names.all_inner_texts() == ["upload 1.wav", "upload 2.wav"]
    slow_line(page, 600_000)
    page.get_by_role("button", name="Upload", exact=True).click()
    first, second = (page.get_by_role("progressbar", name=f"Upload of upload {seed}.wav") for seed in (1, 2))
    first.wait_for()
    seen = set()
    for _ in range(200):
        seen.add(int(first.get_attribute("aria-valuenow") or 0))
        if second.count():
            break
        page.wait_for_timeout(20)
    assert any(0 < percent < 100 for percent in seen), seen
    second.wait_for()
    page.wait_for_url(re.compile(r"/recordings/$"))
    page.get_by_role("link", name="upload 1", exact=True).wait_for()
    page.get_by_role("link", name="upload 2", exact=True).wait_for()
    assert maker.complaints == []


def test_the_same_file_again_is_offered_and_a_file_that_is_none_is_named(maker, tmp_path):
    page = maker.page
    same, none = recording(tmp_path / "again.wav", 3), tmp_path / "notes.wav"
    none.write_text("not sound")
    page.locator("#upload-form [type=file]").set_input_files(str(same))
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url(re.compile(r"/recordings/[0-9a-f-]{36}/"))
    there = page.url
    page.goto("/recordings/add/")
    page.locator("#upload-form [type=file]").set_input_files([str(same), str(none)])
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_text("notes.wav is neither an audio nor a video file").wait_for()
    link = page.get_by_role("link", name="Open it.")
    assert page.evaluate("element => element.href", link.element_handle()) == there
    # What the server has judged is not kept for another try.
    assert page.locator("#chosen-files li").count() == 0
    assert {complaint[:3] for complaint in maker.complaints} == {"409", "400"}


def test_an_upload_can_be_stopped_and_what_was_not_sent_stays_chosen(maker, tmp_path):
    page = maker.page
    files = [recording(tmp_path / f"stop {seed}.wav", seed) for seed in (4, 5, 6)]
    drop(page, *files)
    page.get_by_role("button", name="Remove stop 5.wav").click()
    assert page.locator("#chosen-files .chosen-name").all_inner_texts() == ["stop 4.wav", "stop 6.wav"]
    slow_line(page, 100_000)
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("The upload was stopped.").wait_for()
    page.get_by_text("Not sent.").wait_for()
    assert page.locator("#chosen-files .chosen-name").all_inner_texts() == ["stop 4.wav", "stop 6.wav"]
    assert page.get_by_role("button", name="Upload", exact=True).is_enabled()


def test_a_dataset_is_imported_with_a_bar_that_can_be_stopped(maker, tmp_path):
    page = maker.page
    archive = tmp_path / "browser set.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.write(recording(tmp_path / "one.wav", 11, seconds=8), "wavs/one.wav")
        out.writestr("metadata.csv", "one|This is the only clip.|This is the only clip.\n")
    page.goto("/datasets/import/")
    page.locator("#import-form [type=file]").set_input_files(str(archive))
    slow_line(page, 40_000)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("progressbar", name="Upload of browser set.zip").wait_for()
    assert page.get_by_role("button", name="Import", exact=True).is_disabled()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("The upload was stopped.").wait_for()
    slow_line(page, -1)
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile(r"/datasets/imports/[0-9a-f-]{36}/$"))
    page.get_by_role("heading", name="browser set").wait_for()
    assert maker.complaints == []


def test_without_scripts_the_form_takes_several_files_too(maker, chromium, running_portal, tmp_path):
    context = chromium.new_context(
        base_url=running_portal.address, java_script_enabled=False, storage_state=maker.context.storage_state()
    )
    try:
        page = context.new_page()
        page.goto("/recordings/add/")
        assert not page.locator("#drop-zone").is_visible()
        page.locator("#upload-form select[name=speaker]").select_option(label="Upload speaker")
        files = [str(recording(tmp_path / f"plain {seed}.wav", seed)) for seed in (7, 8)]
        page.locator("#upload-form [type=file]").set_input_files(files)
        page.locator("#upload-form").get_by_role("button", name="Upload").click()
        page.wait_for_url(re.compile(r"/recordings/$"))
        page.get_by_role("link", name="plain 7", exact=True).wait_for()
        page.get_by_role("link", name="plain 8", exact=True).wait_for()
    finally:
        context.close()
