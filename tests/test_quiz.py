"""The questions at a chapter's end, on its built page: opened by mouse and keyboard, readable, and printed."""

from itertools import cycle

import pytest
import toc
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


def test_without_scripts_and_in_print_all_is_reached(browser, base):
    with Visit(browser, base, "search", java_script_enabled=False) as visit:
        page = visit.page
        page.goto(f"{base}{CHAPTERS[0]}.html")
        answer = page.locator(f"{QUIZ} details").first
        answer.locator("summary").click()
        assert answer.locator("p").is_visible()
        page.emulate_media(media="print")
        closed = page.locator(f"{QUIZ} details:not([open]) > p")
        assert closed.count() > 10
        assert all(one.is_visible() and one.bounding_box()["height"] > 10 for one in closed.all())
