"""Accounts of the site, made and removed by admin, as in a browser."""

import re

from lab.visitor.client import hidden


def make_account(admin, name, password):
    """Its number."""
    form = {"username": name, "usable_password": "true"}
    passwords = {"password1": password, "password2": password}
    status, _, page = admin.post("/admin/auth/user/add/", {**form, **passwords})
    assert status == 200
    return re.search(r"/admin/auth/user/(\d+)/", page)[1]


def remove(admin, number):
    path = f"/admin/auth/user/{number}/delete/"
    status, _, page = admin.get(path)
    assert status == 200
    assert "All posts of" in page
    status, _, page = admin.send(path, {**hidden(page), "post": "yes"})
    assert (status, "was deleted successfully" in page) == (200, True)
