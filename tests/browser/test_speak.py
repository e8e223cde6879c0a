"""The page that speaks, on a telephone and by the keyboard."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def test_on_a_small_screen_what_came_of_it_comes_into_view(person):
    from playwright.sync_api import expect

    page = person("maker", width=390).sign_in()
    page.goto("/speak/")
    text = page.locator("textarea[name=text]")
    # The first speech loads the model.
    outcome = page.locator("#outcome")

    text.fill("[voice: Nobody] Hello.")
    text.press("Control+Enter")
    expect(outcome.get_by_role("alert")).to_be_in_viewport(timeout=60_000)

    text.fill("Good morning, everybody.")
    page.get_by_role("button", name="Show what will be spoken").click()
    plan = page.locator("[data-plan]")
    expect(plan).to_be_in_viewport(ratio=0.5, timeout=60_000)

    # It is brought up to date as one types, who is left where they are.
    text.fill("Good evening, everybody.")
    place = page.evaluate("scrollY")
    expect(plan).to_contain_text("Good evening")
    assert page.evaluate("scrollY") == place

    page.get_by_label("Play while it is spoken").uncheck()
    # Speaking stands before the many things that may be set, so that those do not push it away.
    page.get_by_text("More", exact=True).click()
    text.press("Control+Enter")
    expect(outcome.locator("[data-spoken]")).to_be_in_viewport(timeout=60_000)
    speak, more = (page.locator(name).bounding_box() for name in ("#show-plan", "#speak-form summary"))
    assert speak["y"] < more["y"]
