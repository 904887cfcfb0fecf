"""Origins in lab.yml: which are right, what is said of the others, and the host in each."""

import pytest

from lab.config import origins

GENERAL = "should be http or https, a host and perhaps a port, such as https://lab.example.org:8443"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://lab.example.org", "lab.example.org"),
        ("https://lab.example.org:8443", "lab.example.org"),
        ("http://lab", "lab"),
        ("http://localhost:443", "localhost"),
        ("https://192.168.56.10:8443", "192.168.56.10"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]"),
        ("https://[::1]", "[::1]"),
    ],
)
def test_what_browsers_send_is_right_and_has_a_host(origin, host):
    assert (origins.mistake(origin), origins.host(origin)) == ("", host)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("https://lab.example.org/", "should be https://lab.example.org"),
        ("https://lab.example.org/posts/?a#b", "should be https://lab.example.org"),
        ("https://Lab.Example.org", "should be https://lab.example.org"),
        ("HTTPS://lab.example.org", "should be https://lab.example.org"),
        ("https://lab.example.org.", "should be https://lab.example.org"),
        ("https://lab.example.org:443", "should be https://lab.example.org"),
        ("http://lab.example.org:80", "should be http://lab.example.org"),
        ("http://lab.example.org:", "should be http://lab.example.org"),
        ("http://lab.example.org:08080", "should be http://lab.example.org:8080"),
        ("https://me@lab.example.org", "should be https://lab.example.org"),
        ("https://[2001:DB8:0::1]:8443", "should be https://[2001:db8::1]:8443"),
    ],
)
def test_what_browsers_send_otherwise_is_said_to_be_sent_so(text, mistake):
    assert origins.mistake(text) == f"{mistake}: browsers send no more than that"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("lab.example.org", "http://lab.example.org or https://lab.example.org"),
        ("lab.example.org:8443", "http://lab.example.org:8443 or https://lab.example.org:8443"),
        ("localhost:8080/posts/", "http://localhost:8080 or https://localhost:8080"),
        ("192.168.56.1", "http://192.168.56.1 or https://192.168.56.1"),
    ],
)
def test_a_bare_host_is_asked_for_its_scheme(text, right):
    assert origins.mistake(text) == f"should say how it is reached: {right}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "https://",
        "https://*",
        "https://*.example.org",
        "*.example.org",
        ".example.org",
        "ftp://lab.example.org",
        "//lab.example.org",
        "https:/lab.example.org",
        "https://my_lab",
        "https://a,https://b",
        "https://lab..org",
        "https://-lab.org",
        "https://lab.example.org:0",
        "https://lab.example.org:65536",
        "https://lab.example.org:http",
        "https://bücher.example",
        "https://192.168.56.256",
        "https://192.168.056.10",
        "https://1.2.3",
        "https://[::1",
        "https://[fe80::1%eth0]",
        "https://[v1.a]",
        "https://" + "a" * 64 + ".org",
        "https://" + "a." * 127 + "org",
    ],
)
def test_anything_else_is_told_what_an_origin_is(text):
    assert origins.mistake(text) == GENERAL
