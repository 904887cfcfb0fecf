"""A person's way through the site, in a real browser, through the balancer."""

import os
import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import sign_in
from tests.conftest import TOPOLOGY
from tests.proxy import Recorder, through

pytestmark = pytest.mark.beside

PAGE_SIZE = 20
PHONE = {"width": 390, "height": 844}


def write(page, text):
    page.goto("/posts/create")
    page.get_by_label("Your post").fill(text)
    page.get_by_role("button", name="Post").click()
    expect(page.get_by_text("Posted.")).to_be_visible()


def test_a_wrong_password_is_refused_and_says_so(page):
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Please enter a correct username and password")).to_be_visible()
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_sign_in_write_list_and_sign_out(page, writer, console_errors):
    sign_in(page, writer)
    text = f"A first post {uuid.uuid4()}"
    write(page, text)
    expect(page.locator("article").first).to_contain_text(text)
    page.get_by_role("button", name="Sign out").click()
    page.goto("/posts/")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    assert console_errors == []


MARK = "no-" + "x" * 8
TEXTS = {
    "emoji": "Ship it 🚢🇫🇷👩‍👩‍👧 done",
    "markup": f"<script>document.title = '{MARK}'</script><b>bold?</b> &amp; \"quotes\"",
    "ten thousand characters": "0123456789" * 1000,
    "other scripts": "Ελληνικά, עברית, 中文, हिन्दी",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_comes_back_as_it_was_written(signed_in, text, console_errors):
    write(signed_in, text)
    shown = signed_in.locator("article .text").first
    assert shown.text_content() == text
    assert shown.locator("*").count() == 0
    assert MARK not in signed_in.title()
    assert console_errors == []


def test_line_breaks_are_shown_as_typed(signed_in):
    write(signed_in, "one\ntwo\n\nfour")
    assert signed_in.locator("article .text").first.inner_text() == "one\ntwo\n\nfour"


def test_a_text_that_is_too_long_is_refused_and_kept(signed_in):
    signed_in.goto("/posts/create")
    field = signed_in.get_by_label("Your post")
    # Past the browser's own limit, as a client without one would send it.
    field.evaluate("element => element.removeAttribute('maxlength')")
    field.fill("x" * 10_001)
    signed_in.get_by_role("button", name="Post").click()
    expect(signed_in.get_by_text("10000 is the most")).to_be_visible()
    assert len(signed_in.get_by_label("Your post").input_value()) == 10_001


def test_more_posts_than_a_page_holds_go_on_behind_older_posts(signed_in):
    token = uuid.uuid4()
    signed_in.goto("/posts/create")
    csrf = signed_in.locator("input[name=csrfmiddlewaretoken]").last.input_value()
    for number in range(PAGE_SIZE + 2):
        form = {"csrfmiddlewaretoken": csrf, "content": f"{token} {number}"}
        assert signed_in.request.post("/posts/create", form=form).ok
    signed_in.goto("/posts/")
    first = signed_in.locator("article .text").all_text_contents()
    signed_in.get_by_role("link", name="Older posts").click()
    expect(signed_in.get_by_role("heading", name="Older posts")).to_be_visible()
    second = signed_in.locator("article .text").all_text_contents()
    newest_first = [f"{token} {number}" for number in reversed(range(PAGE_SIZE + 2))]
    assert first == newest_first[:PAGE_SIZE]
    assert second[:2] == newest_first[PAGE_SIZE:]


def test_a_form_that_is_sent_twice_makes_one_post(signed_in):
    signed_in.goto("/posts/create")
    text = f"once {uuid.uuid4()}"
    fields = signed_in.locator("form[action='/posts/create'] input")
    form = {
        name: value
        for name, value in fields.evaluate_all("all => all.map(one => [one.name, one.value])")
    }
    for _ in range(2):
        assert signed_in.request.post("/posts/create", form={**form, "content": text}).ok
    signed_in.goto("/posts/")
    assert signed_in.locator("article .text").all_text_contents().count(text) == 1


def test_a_session_goes_on_while_every_request_is_served_by_another_node(signed_in):
    served = []
    for _ in range(4 * len(TOPOLOGY.web)):
        answer = signed_in.request.get("/posts/", max_redirects=0)
        assert answer.status == 200
        served.append(answer.headers["x-lab-node"])
    assert set(served) == {service.django for service in TOPOLOGY.web}


def test_the_foot_of_the_page_names_node_mode_and_release(page):
    answer = page.goto("/accounts/login/")
    foot = page.locator("footer")
    for header in ("x-lab-node", "x-lab-mode", "x-lab-release"):
        expect(foot).to_contain_text(answer.headers[header])


def test_static_files_are_there_and_may_be_kept_for_good(page):
    answers = []

    def note(answer):
        answers.append(answer)

    page.on("response", note)
    page.goto("/accounts/login/")
    page.wait_for_load_state("networkidle")
    static = [answer for answer in answers if "/static/" in answer.url]
    assert {answer.url.rsplit(".", 1)[-1] for answer in static} == {"css", "svg"}
    for answer in static:
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_static_files_are_the_same_from_every_nginx(page):
    page.goto("/accounts/login/")
    path = page.locator("link[rel=stylesheet]").get_attribute("href")
    addresses = [TOPOLOGY.address(service.nginx) for service in TOPOLOGY.web]
    texts = [page.request.get(f"http://{address}{path}") for address in addresses]
    assert [answer.status for answer in texts] == [200] * len(addresses)
    assert len({answer.text() for answer in texts}) == 1


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("br", "br"), ("gzip", "gzip"), ("identity", None)]
)
def test_every_nginx_has_the_style_sheet_compressed_already(page, accepted, encoding):
    page.goto("/accounts/login/")
    path = page.locator("link[rel=stylesheet]").get_attribute("href")
    for service in TOPOLOGY.web:
        address = f"http://{TOPOLOGY.address(service.nginx)}{path}"
        answer = page.request.get(address, headers={"Accept-Encoding": accepted})
        assert answer.status == 200
        assert answer.headers.get("content-encoding") == encoding


def test_the_administration_opens_with_its_styles(page, administrator, console_errors):
    page.goto("/admin/")
    page.get_by_label("Username").fill(administrator[0])
    page.get_by_label("Password").fill(administrator[1])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Users")).to_be_visible()
    assert console_errors == []


@pytest.mark.parametrize("path", ["/accounts/login/", "/posts/", "/posts/create", "/nothing"])
def test_nothing_sticks_out_of_a_phone(signed_in, path):
    signed_in.set_viewport_size(PHONE)
    signed_in.goto(path)
    assert signed_in.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_an_unknown_page_is_a_page_of_the_site(page):
    answer = page.goto("/nothing/here")
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_browser_asks_no_proxy(browser_type, browser_type_launch_args, base_url):
    proxy = Recorder()
    environment = os.environ | through(proxy)
    browser = browser_type.launch(**browser_type_launch_args, env=environment)
    page = browser.new_page()
    assert page.goto(f"{base_url}/accounts/login/").status == 200
    assert page.request.get(f"{base_url}/nginx_health").status == 200
    browser.close()
    assert proxy.asked == []
