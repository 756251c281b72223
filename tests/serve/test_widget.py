"""The widget in a browser: by keyboard, with names for what a screen reader reads, and no text is read as HTML."""

import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from tests.serve.chat_desk import released_desk

from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.engine.serving import Server

playwright = pytest.importorskip("playwright.sync_api", reason="the widget is tried in a browser by playwright")
if shutil.which("chromium") is None:
    pytest.skip("there is no chromium", allow_module_level=True)


class _Page(BaseHTTPRequestHandler):
    content = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", "default-src 'none'; script-src http:; connect-src http:")
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of another origin with the widget on it, in a browser."""
    project = released_desk(tmp_path_factory.mktemp("widget") / "desk")
    handler = type("Bound", (_Page,), {})
    shop = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    origin = f"http://127.0.0.1:{shop.server_address[1]}"
    file = project.home / "drivetrain.yaml"
    file.write_text(file.read_text().replace("{port: 0}", f'{{port: 0, cors_origins: ["{origin}"]}}'))
    opened = Project(project.home, Settings())
    Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    ready = opened.catalog.state / "run" / "desk.json"
    with Server(opened.server_command(port=0), ready) as server, playwright.sync_playwright() as tool:
        key = opened.add_key("widget", requests_per_second=50)
        script = f'<script src="{server.url}/widget.js" data-key="{key}" data-title="Help" defer></script>'
        handler.content = f"<!doctype html><html lang=en><title>Shop</title><h1>Shop</h1>{script}</html>".encode()
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        found = browser.new_page()
        found.goto(origin)
        yield found
        browser.close()
    shop.shutdown()
    shop.server_close()
    opened.catalog.close()
    project.catalog.close()


def test_a_conversation_by_keyboard_alone(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    log = page.get_by_role("log")
    playwright.expect(log).to_contain_text("Hello! How can I help?")
    playwright.expect(page.get_by_label("Your message")).to_be_focused()
    page.keyboard.type("how long does my refund take please")
    page.keyboard.press("Enter")
    playwright.expect(log).to_contain_text("A refund takes 14 days after the parcel came back.")
    link = page.get_by_role("link", name="How long does a refund take?")
    assert link.get_attribute("href") == "https://shop.example/1"
    page.get_by_role("button", name="Helpful", exact=True).press("Enter")
    playwright.expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_count(0)
    page.keyboard.press("Escape")
    playwright.expect(page.get_by_role("dialog", name="Help")).to_be_hidden()
    playwright.expect(page.get_by_role("button", name="Help")).to_be_focused()
    page.keyboard.press("Enter")


def test_no_text_is_read_as_html_and_no_address_runs(page):
    page.get_by_label("Your message").fill("<img src=x onerror=document.title='taken'> who pays to return a parcel")
    page.keyboard.press("Enter")
    playwright.expect(page.get_by_role("log")).to_contain_text("You pay to return a parcel")
    assert page.title() == "Shop"
    assert page.locator("img").count() == 0
    assert page.locator('a[href^="javascript"]').count() == 0


def test_the_script_is_open_and_says_what_it_is(page):
    url = page.evaluate("document.querySelector('script').src")
    answer = httpx.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "innerHTML" not in answer.text
