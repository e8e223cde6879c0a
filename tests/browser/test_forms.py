"""What a form looks like before anything is filled in."""

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
