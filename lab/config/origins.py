"""The ways to the site that lab.yml adds to the lab's own: `origins`, each as browsers name it.

Pure. Knows how a browser spells an origin: https://html.spec.whatwg.org/#origin
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

OWN_PORTS = {"http": 80, "https": 443}
ADDRESS = re.compile(
    r"(?P<scheme>https?)://([^/?#@]*@)?"
    r"(\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.-]+))(:(?P<port>[0-9]*))?([/?#].*)?",
    re.IGNORECASE,
)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST_NAME, HIGHEST_PORT = 253, 65535
EXAMPLE = "https://lab.example.org:8443"


def mistake(text: str) -> str:
    """What would be right instead; empty if it is an origin as browsers send it."""
    right = _canonical(text)
    if right and right == text:
        return ""
    if right:
        return f"should be {right}: browsers send no more than that"
    if ":/" not in text and (right := _canonical(f"http://{text}")):
        return f"should say how it is reached: {right} or {right.replace('http', 'https', 1)}"
    return f"should be http or https, a host and perhaps a port, such as {EXAMPLE}"


def host(origin: str) -> str:
    """The origin's name or address, as Django's ALLOWED_HOSTS has it: without the port."""
    return re.sub(r":[0-9]+$", "", origin.partition("://")[2])


def _canonical(text: str) -> str:
    """The origin of an address as a browser sends it; empty if it has none."""
    parts = ADDRESS.fullmatch(text)
    if not parts:
        return ""
    scheme = parts["scheme"].lower()
    own = OWN_PORTS[scheme]
    port = int(parts["port"] or own)
    try:
        name = f"[{IPv6Address(parts['ipv6'])}]" if parts["ipv6"] else _name(parts["name"].lower())
    except ValueError:
        return ""
    if not name or not 0 < port <= HIGHEST_PORT:
        return ""
    return f"{scheme}://{name}" if port == own else f"{scheme}://{name}:{port}"


def _name(text: str) -> str:
    """A name or, if it ends in a number, an IPv4 address; empty or ValueError if neither."""
    name = text.removesuffix(".")
    labels = name.split(".")
    if labels[-1].isdigit():
        return str(IPv4Address(name))
    return name if len(name) <= LONGEST_NAME and all(map(LABEL.fullmatch, labels)) else ""
