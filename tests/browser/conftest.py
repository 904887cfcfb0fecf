"""Debian's Chromium, driven by Playwright, looking at the lab through its balancer."""

import secrets
import shutil
import uuid

import pytest
from playwright.sync_api import expect

from lab.context import Lab
from lab.secrets.secrets import SECRETS
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY
from tests.live.support.accounts import make_account, remove

# Chromium's own traffic (updates, safe browsing) has no business in a test.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]

# Pages come from two shared cores.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session", autouse=True)
def _a_lab_of_our_own():
    """Nothing is sent to the lab's addresses unless its network is this machine's neighbour."""
    Lab(TOPOLOGY).require_up()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: provision/host.sh test installs it"
    return {**browser_type_launch_args, "executable_path": chromium, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def base_url():
    return f"http://{TOPOLOGY.virtual_address}"


@pytest.fixture(scope="session")
def administrator():
    return "admin", (SECRETS / "django_admin_password").read_text()


@pytest.fixture(scope="session")
def writer(administrator):
    """An account of the tests' own: nobody else writes as it, so that its posts are those of one
    test after another."""
    admin = Client(TOPOLOGY.virtual_address)
    admin.sign_in(*administrator)
    account = f"browser-{uuid.uuid4().hex[:8]}", secrets.token_urlsafe()
    number = make_account(admin, *account)
    yield account
    remove(admin, number)


@pytest.fixture
def page(page):
    page.set_default_timeout(15_000)
    return page


@pytest.fixture
def console_errors(page):
    """What the page's console and scripts complained about."""
    errors = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


@pytest.fixture(scope="session")
def cookies(browser, base_url, writer):
    """Of the writer, who signed in once: that costs a core half a second."""
    context = browser.new_context(base_url=base_url)
    sign_in(context.new_page(), writer)
    kept = context.cookies()
    context.close()
    return kept


@pytest.fixture
def signed_in(page, cookies):
    page.context.add_cookies(cookies)
    return page


def sign_in(page, account):
    page.goto("/posts/")
    page.get_by_label("Username").fill(account[0])
    page.get_by_label("Password").fill(account[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"http://{TOPOLOGY.virtual_address}/posts/")
