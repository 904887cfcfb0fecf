"""A browser at the other end of a tunnel: what it sends along with a form is what counts."""

import uuid

import pytest
from playwright.sync_api import expect

from tests.conftest import TOPOLOGY
from tests.lab.tunnel import tunnel


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_sign_in_write_and_sign_out_through_a_tunnel(browser, administrator, name):
    text = f"Through a tunnel {uuid.uuid4()}"
    with tunnel(TOPOLOGY.builder, TOPOLOGY.virtual_address) as port:
        site = f"http://{name}:{port}"
        page = browser.new_page()
        page.goto(site)
        page.get_by_label("Username").fill(administrator[0])
        page.get_by_label("Password").fill(administrator[1])
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{site}/posts/")
        page.goto(f"{site}/posts/create")
        page.get_by_label("Your post").fill(text)
        page.get_by_role("button", name="Post").click()
        expect(page.locator("article").first).to_contain_text(text)
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{site}/accounts/login/")
        page.close()
