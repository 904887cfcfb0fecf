"""The registry: whether it answers, its certificates, and whether each node may pull from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509

from lab.doctor.checks.containers import container, health, memory_of
from lab.doctor.checks.facts import Facts
from lab.doctor.checks.nodes import on
from lab.doctor.diagnosis import Check, Failure, each

# 401: another registry than the lab's own may want a login.
WELL = ("200", "401")
RENEW = "rm .lab/ca/registry-*; fab up"
RENEW_ALL = "rm -r .lab/ca; fab up"


def checks(facts: Facts) -> Iterator[Check]:
    own = facts.topology.settings.registry is None
    needs = list(_own(facts)) if own else []
    yield from needs
    for node in facts.topology.names:
        answer = facts.answer(node, "registry")
        failure = Failure(
            f"https://{facts.topology.registry}/v2/: {answer.said}",
            on(node, f"curl -v https://{facts.topology.registry}/v2/"),
        )
        before = each(*(c.name for c in needs), f"{node}: SSH", f"{node}: names", f"{node}: files")
        well = answer.output in WELL
        yield Check(f"{node}: way to the registry", None if well else failure, (before,))


def _own(facts: Facts) -> Iterator[Check]:
    builder = facts.topology.builder
    served = facts.answer(builder, "certificate")
    failure = Failure(f"no TLS: {served.said}", f"fab -H {builder} logs --service=registry")
    own = (container(builder, "registry"), memory_of(builder, "registry"))
    files = each(*own, f"{builder}: files of registry")
    yield Check("registry", None if served.well else failure, (files,))
    expired = invalid(served.output, facts.now) if served.well else "none was served"
    failure = Failure(f"the registry's certificate {expired}", RENEW)
    yield Check("registry: certificate", failure if expired else None, (each("registry"),))
    yield health(facts, builder, "registry", "registry: certificate")
    expired = invalid(facts.authority, facts.now)
    failure = Failure(f"the lab's authority {expired}", RENEW_ALL)
    yield Check("registry: authority", failure if expired else None)


def invalid(pem: str, now: float) -> str:
    """Why a certificate is not valid now; empty if it is."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return "can't be read"
    at = datetime.fromtimestamp(now, UTC)
    if at > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if at < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    return ""
