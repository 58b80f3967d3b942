"""The questions at a chapter's end, on its built page: opened by mouse and keyboard, readable, and printed."""

import shutil
from itertools import cycle

import pytest
import toc
from address import ROOT
from test_pages import WIDTHS, Visit, barriers

CHAPTERS = [f"book/{path.stem}" for path in toc.chapters()]
QUIZ = "#check-yourself"
pytestmark = pytest.mark.browser


@pytest.fixture
def base(html):
    return f"{html.resolve().as_uri()}/"


# By turns, since all chapters share what is tried; the first in both ways.
@pytest.mark.parametrize(("name", "how"), [(CHAPTERS[0], "mouse"), *zip(CHAPTERS, cycle(["keyboard", "mouse"]))])
def test_each_answer_opens_and_gives_its_reason(browser, base, name, how):
    scheme = {"mouse": "light", "keyboard": "dark"}[how]
    with Visit(browser, base, name, WIDTHS["phone"], scheme) as visit:
        page = visit.page
        page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
        answers = page.locator(f"{QUIZ} details").all()
        assert len(answers) >= 12
        answers[0].locator("summary").focus()
        for answer in answers:
            reason = answer.locator("p").first
            assert not reason.is_visible()
            if how == "mouse":
                answer.locator("summary").click()
            else:
                assert answer.evaluate("e => e.firstElementChild === document.activeElement")
                page.keyboard.press("Enter")
            right = answer.get_attribute("class") == "right"
            assert reason.is_visible()
            assert reason.inner_text().startswith("Right. " if right else "No. ")
            page.keyboard.press("Tab")
            while page.evaluate("document.activeElement.matches('#check-yourself :not(summary)')"):
                page.keyboard.press("Tab")  # over links
        visit.show_all()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert barriers(page, QUIZ) == []
        assert visit.errors == visit.foreign == []


def test_without_scripts_answers_open_and_in_print_they_stay_away(browser, base):
    with Visit(browser, base, "search", java_script_enabled=False) as visit:
        page = visit.page
        page.goto(f"{base}{CHAPTERS[0]}.html")
        answer = page.locator(f"{QUIZ} details").first
        answer.locator("summary").click()
        assert answer.locator("p").is_visible()
        page.emulate_media(media="print")
        assert all(one.is_visible() for one in page.locator(f"{QUIZ} summary").all())
        assert not any(one.is_visible() for one in page.locator(f"{QUIZ} details > p").all())


# ------------------------------------------------------------------ predictions

BOX = """<div class="predict admonition"><p class="admonition-title">Predict</p><p>How many?</p>
<details><summary>One</summary><p><strong>No.</strong></p></details>
<details class="right"><summary>Two</summary><p><strong>Right.</strong></p></details></div>"""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>A</title>
<script defer src="predict.js"></script><article>{boxes}<section id="check-yourself"></section></article>"""


@pytest.fixture
def predictions(browser, tmp_path):
    """A page with two predictions, each of which may be answered by One or Two."""
    shutil.copy(ROOT / "book" / "web" / "predict.js", tmp_path)
    boxes = 2 * BOX + '<div class="predict">without guesses</div>'
    (tmp_path / "page.html").write_text(PAGE.format(boxes=boxes), encoding="utf-8")
    with Visit(browser, f"{tmp_path.as_uri()}/", "page", WIDTHS["phone"]) as visit:
        yield visit.page
        assert visit.errors == visit.foreign == []


def test_the_first_guess_counts_and_is_remembered(predictions):
    score = predictions.locator(".guessed")
    assert score.inner_text() == ""
    for guess, told in [
        (("One", 0), "You made 1 of this chapter’s 2 predictions, and 0 were right."),
        (("Two", 0), "You made 1 of this chapter’s 2 predictions, and 0 were right."),
        (("Two", 1), "You made 2 of this chapter’s 2 predictions, and 1 was right."),
    ]:
        predictions.get_by_text(guess[0], exact=True).nth(guess[1]).click()
        predictions.wait_for_timeout(50)
        assert score.inner_text() == told
    predictions.reload()
    assert score.inner_text() == told
    assert predictions.locator("details[open] summary").all_inner_texts() == ["One", "Two"]


def test_guesses_work_where_nothing_may_be_kept(predictions):
    predictions.add_init_script("delete Window.prototype.localStorage")
    predictions.reload()
    predictions.get_by_text("Two", exact=True).first.click()
    predictions.get_by_text("and 1 was right").wait_for()
