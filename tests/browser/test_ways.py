"""A browser at the other end of a tunnel: what it sends along with a form is what counts."""

import uuid

import pytest
from playwright.sync_api import expect

from tests.conftest import TOPOLOGY
from tests.live.support.tunnel import tunnel

pytestmark = pytest.mark.beside


def test_sign_in_write_and_sign_out_through_a_tunnel(browser, writer):
    text = f"Through a tunnel {uuid.uuid4()}"
    with tunnel(TOPOLOGY.builder, TOPOLOGY.virtual_address) as port:
        site = f"http://localhost:{port}"
        page = browser.new_page()
        page.goto(site)
        page.get_by_label("Username").fill(writer[0])
        page.get_by_label("Password").fill(writer[1])
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{site}/posts/")
        page.goto(f"{site}/posts/create")
        page.get_by_label("Your post").fill(text)
        page.get_by_role("button", name="Post").click()
        expect(page.locator("article").first).to_contain_text(text)
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{site}/accounts/login/")
        page.close()
