"""The page of the review queue in a browser, by keyboard alone: begin, choose, leave for later, confirm."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivetrain.testing.graphs import CLASSES, ROW, classes_model
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, lake, running, settings_of

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tried in a browser by playwright")
if shutil.which("chromium") is None:
    pytest.skip("there is no chromium", allow_module_level=True)

NAMES = ("<b>first</b>", "second", "third")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that is never sure."""
    home = Path(tmp_path_factory.mktemp("page") / "project")
    home.mkdir()
    maker = ReleaseMaker(home, SERVICE)
    maker.deploy(maker.release(classes_model(sure=1.1)))
    with running(settings_of(home)) as found:
        yield found


@pytest.fixture
def page(server: Running) -> Iterator[Any]:
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        found = browser.new_page()
        found.goto(f"{server.url}/queue")
        yield found
        browser.close()


def test_a_person_goes_through_the_queue_by_keyboard_alone(server: Running, page: Any) -> None:
    said = [server.predict({**ROW, "case": name}).json()["predictions"][0] for name in NAMES]
    title, status = page.locator("#title"), page.get_by_role("status")
    page.keyboard.press("Tab")
    page.keyboard.type(server.key)
    page.keyboard.press("Enter")
    playwright.expect(title).to_contain_text(NAMES[0])  # as text, not as HTML
    playwright.expect(status).to_contain_text("3 waiting")
    answer = page.get_by_label("product")
    playwright.expect(answer).to_be_focused()
    playwright.expect(answer).to_have_value(said[0]["class"])
    playwright.expect(page.locator("#inputs")).to_contain_text(ROW["city"])
    page.keyboard.press("Enter")  # what the model says is right
    playwright.expect(title).to_contain_text(NAMES[1])
    page.keyboard.press("Alt+n")  # later
    playwright.expect(title).to_contain_text(NAMES[2])
    page.keyboard.press("Alt+2")  # another class
    other = next(name for name in CLASSES if name != said[2]["class"])
    playwright.expect(answer).to_have_value(other)
    page.keyboard.press("Enter")
    playwright.expect(title).to_contain_text(NAMES[1])
    answer.fill("a new one")
    page.keyboard.press("Enter")
    playwright.expect(status).to_contain_text("0 waiting")
    labels = {row["prediction_id"]: row["label"] for row in lake(server.home, "labels")}
    assert [labels[one["id"]] for one in said] == [said[0]["class"], "a new one", other]


def test_a_wrong_key_is_told(page: Any) -> None:
    page.get_by_label("API key").fill("guessed")
    page.keyboard.press("Enter")
    playwright.expect(page.get_by_role("status")).to_contain_text("key")
    playwright.expect(page.locator("#case")).to_be_hidden()
