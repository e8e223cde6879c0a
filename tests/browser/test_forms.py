"""What a form looks like before anything is filled in, and when nothing comes of it."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_of_choices_none_looks_chosen_until_one_is(person, theme):
    from playwright.sync_api import expect

    page = person("maker").sign_in()
    page.emulate_media(color_scheme=theme)
    page.goto("/speakers/add/")
    choices = page.get_by_role("radio")
    colour = "element => getComputedStyle(element).backgroundColor"
    empty = [choice.evaluate(colour) for choice in choices.all()]
    assert len(set(empty)) == 1
    choices.first.check()
    choices.first.blur()
    expect(choices.first).not_to_have_css("background-color", empty[0])
    expect(choices.last).to_have_css("background-color", empty[0])


def test_a_page_about_a_request_that_was_not_understood_is_not_put_into_a_part_of_another(person):
    from playwright.sync_api import expect

    page = person("maker").sign_in()
    page.goto("/lexicon/")
    document = page.request.get("/speak/").text()
    page.route("**/lexicon/try/**", lambda route: route.fulfill(status=400, content_type="text/html", body=document))
    page.locator("#try-text").fill("Hello.")
    page.get_by_role("button", name="Show what will be spoken").click()
    expect(page.get_by_role("alert")).to_contain_text("could not answer (400)")
    assert page.locator("h1").count() == 1
