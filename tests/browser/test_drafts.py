"""What somebody has typed is not lost, whatever comes between typing and sending."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

NOT_SENT = "You typed this before and did not send it."


def _signed_out(person):
    """As after the weeks that a sign-in lasts."""
    person.context.clear_cookies(name="sessionid")


def _sign_in_again(person):
    page = person.page
    page.get_by_label("Username").or_(page.get_by_label("Login")).first.fill(person.name)
    page.get_by_label("Password", exact=True).fill(person.portal.passwords[person.name])
    page.get_by_role("button", name="Sign in").click()


def test_a_text_to_speak_outlives_links_reloads_the_back_button_and_the_sign_in(person):
    from playwright.sync_api import expect

    maker = person("maker")
    page = maker.sign_in()
    text = page.locator("textarea[name=text]")

    page.goto("/speak/")
    text.fill("A thought that took a while.")
    page.get_by_role("link", name="Long texts").click()
    page.wait_for_url("**/speak/long/")
    # Another form's text is another text.
    expect(text).to_have_value("")
    page.goto("/speak/?q=nothing")
    expect(text).to_have_value("A thought that took a while.")
    page.reload()
    expect(text).to_have_value("A thought that took a while.")
    expect(page.get_by_text(NOT_SENT)).to_be_visible()

    page.get_by_label("Play while it is spoken").uncheck()
    text.press("Control+Enter")
    expect(page.locator("[data-spoken]")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(NOT_SENT)).to_have_count(0)
    page.reload()
    expect(text).to_have_value("")

    text.fill("A thought that took a while.")
    _signed_out(maker)
    page.get_by_label("Play while it is spoken").uncheck()
    text.press("Control+Enter")
    expect(page.locator("#outcome").get_by_role("alert")).to_contain_text("You are signed out.")
    page.reload()
    _sign_in_again(maker)
    expect(text).to_have_value("A thought that took a while.")
    page.get_by_role("button", name="Discard it").click()
    expect(text).to_have_value("")
    page.reload()
    expect(text).to_have_value("")

    # Sent as a long text it is taken: a new visit begins anew, and going back shows what was sent.
    text.fill("A text for later.")
    page.get_by_role("button", name="As a long text").click()
    page.wait_for_url("**/speak/long/*-*/")
    page.go_back()
    expect(text).to_have_value("A text for later.")
    page.goto("/speak/")
    expect(text).to_have_value("")

    # What could not be taken is still there.
    text.fill("[voice: Nobody] Not to be had.")
    page.get_by_role("button", name="As a long text").click()
    expect(page.get_by_text("Nobody").first).to_be_visible()
    page.goto("/speak/")
    expect(text).to_have_value("[voice: Nobody] Not to be had.")

    # Nobody else sees it who signs in here.
    maker.name = "reviewer"
    _signed_out(maker)
    page.reload()
    _sign_in_again(maker)
    page.wait_for_url(lambda address: address.endswith("/speak/") and "login" not in address)
    expect(text).to_have_value("")


def test_what_was_refused_and_then_sent_corrected_is_not_offered_again(person):
    from playwright.sync_api import expect

    page = person("maker").sign_in()
    text = page.locator("textarea[name=text]")
    page.goto("/speak/")
    text.fill("[voice: Nobody] It ended.")
    page.get_by_role("button", name="As a long text").click()
    page.wait_for_url("**/speak/long/")
    text.fill("[voice: Nobody else] It ended.")
    page.get_by_role("button", name="Speak it").click()
    expect(page.get_by_text("Nobody else").first).to_be_visible()
    text.fill("It ended.")
    page.get_by_role("button", name="Speak it").click()
    page.wait_for_url("**/speak/long/*-*/")
    for address in ("/speak/long/", "/speak/"):
        page.goto(address)
        expect(text).to_have_value("")

    # A form that its own page answers, with fields that were right and stay as they were.
    page.goto("/lexicon/")
    for spoken in ("first", "second"):
        page.get_by_label("Written").fill("xyzzy")
        page.get_by_label("Spoken").fill(spoken)
        page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_label("Written")).to_have_value("xyzzy")
    page.get_by_label("Written").fill("plugh")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("rowheader", name="plugh")).to_be_visible()
    for name in ("Written", "Spoken"):
        expect(page.get_by_label(name)).to_have_value("")
    # Whoever goes back to it has nothing to send either.
    page.get_by_role("row").filter(has_text="plugh").get_by_role("link", name="Edit").click()
    page.wait_for_url("**/lexicon/*/")
    page.go_back()
    expect(page.get_by_role("rowheader", name="plugh")).to_be_visible()
    for name in ("Written", "Spoken"):
        expect(page.get_by_label(name)).to_have_value("")


def test_what_is_typed_while_another_text_is_spoken_is_not_taken_for_sent(person):
    from playwright.sync_api import expect

    page = person("maker").sign_in()
    text = page.locator("textarea[name=text]")
    page.goto("/speak/")
    page.get_by_label("Play while it is spoken").uncheck()

    def type_on(route):
        text.fill("The next one, begun meanwhile.")
        route.continue_()

    page.route("**/speak/", type_on)
    text.fill("The first one.")
    text.press("Control+Enter")
    expect(page.locator("[data-spoken]")).to_be_visible(timeout=60_000)
    page.unroute("**/speak/")
    page.reload()
    expect(text).to_have_value("The next one, begun meanwhile.")


def test_a_draft_is_not_put_over_a_text_that_has_changed_meanwhile(person):
    from playwright.sync_api import expect

    page = person("maker").sign_in()
    text = page.locator("textarea[name=text]")
    same = "It is the same for a long while, so long that nobody would look at its end, but for this: "
    page.goto(f"/speak/?text={same}cat")
    text.fill("My own words.")
    page.goto(f"/speak/?text={same}dog")
    expect(text).to_have_value(f"{same}dog")
    page.goto(f"/speak/?text={same}cat")
    expect(text).to_have_value("My own words.")


def test_a_long_text_outlives_a_sign_in_that_has_ended_and_goes_with_signing_out(person):
    from playwright.sync_api import expect

    maker = person("maker", width=390)
    page = maker.sign_in()
    text = page.locator("textarea[name=text]")
    page.goto("/speak/long/")
    text.fill("# One\n\nIt began.")
    _signed_out(maker)
    page.get_by_role("button", name="Speak it").click()
    _sign_in_again(maker)
    page.wait_for_url("**/speak/long/")
    expect(text).to_have_value("# One\n\nIt began.")

    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    maker.sign_in()
    page.goto("/speak/long/")
    expect(text).to_have_value("")


def test_a_transcript_that_could_not_be_saved_is_still_there_after_signing_in_again(person, running_portal):
    from playwright.sync_api import expect

    made = running_portal.manage(
        "shell",
        "-v0",
        "-c",
        "from django.contrib.auth import get_user_model as users\n"
        "from tests.datasets.factories import reviewed_source\n"
        "print(reviewed_source(users().objects.get(username='maker'), segments=3, status='pending').pk)",
    )
    maker = person("maker")
    page = maker.sign_in()
    page.goto(f"/recordings/{made.split()[-1]}/")
    second = page.get_by_role("article", name="Segment 2")
    text = second.get_by_role("textbox")

    # The others are still corrected when one has been saved.
    page.get_by_role("article", name="Segment 3").get_by_role("textbox").fill("The third, not saved.")
    text.fill("The second, as it was said.")
    second.get_by_role("button", name="Save text").click()
    expect(text).to_have_js_property("defaultValue", "The second, as it was said.")
    text.fill("The second, corrected once more.")
    _signed_out(maker)
    second.get_by_role("button", name="Save text").click()
    expect(second.get_by_role("alert")).to_contain_text("You are signed out.")
    page.reload()
    _sign_in_again(maker)
    expect(text).to_have_value("The second, corrected once more.")
    expect(page.get_by_role("article", name="Segment 3").get_by_role("textbox")).to_have_value("The third, not saved.")

    # What is refused stays, and what is saved is no longer brought back.
    text.fill(" ")
    second.get_by_role("button", name="Approve").click()
    expect(second.get_by_role("alert")).to_be_visible()
    text.fill("The second, at last.")
    second.get_by_role("button", name="Approve").click()
    # The refusal has the word “approved” in it, too.
    expect(second.get_by_role("alert")).to_have_count(0)
    expect(second.get_by_text("Approved", exact=True)).to_be_visible()
    page.reload()
    expect(text).to_have_value("The second, at last.")
    expect(second.get_by_text(NOT_SENT)).to_have_count(0)


def test_other_words_for_a_sentence_that_were_refused_are_still_there(person):
    from playwright.sync_api import expect

    page = person("maker").sign_in()
    page.goto("/speak/long/")
    page.locator("textarea[name=text]").fill("It was a short day.")
    page.get_by_role("button", name="Speak it").click()
    page.wait_for_url("**/speak/long/*-*/")
    words = page.get_by_label("Other words")
    expect(page.get_by_text("Succeeded")).to_be_visible(timeout=60_000)
    page.reload()
    page.get_by_text("Say anew").first.click()
    words.fill("It was [pause 1s] a long day.")
    page.get_by_role("button", name="Say it anew").click()
    expect(page.get_by_role("alert")).to_contain_text("no commands")
    expect(words).to_be_visible()
    expect(words).to_have_value("It was [pause 1s] a long day.")
    words.fill("It was a long day.")
    page.get_by_role("button", name="Say it anew").click()
    expect(page.get_by_text("is said anew")).to_be_visible()
    expect(words).to_have_value("")
