"""The lab's own certificate authority, and the registry's certificate made with it.

Kept below .lab/ca. Nodes trust it for the registry only (/etc/docker/certs.d).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.config.paths import FOLDER
from lab.config.topology import Topology
from lab.secrets.private import write

AUTHORITY = FOLDER / ".lab" / "ca"
VALIDITY = timedelta(days=3650)

PrivateKey = ec.EllipticCurvePrivateKey


def registry_certificate(topology: Topology) -> dict[str, str]:
    """The registry's certificate and key and the authority's certificate, made if missing (PEM).

    The certificate names every node, by name and address, so that a registry may stand on any.
    """
    key, certificate = _authority(topology.name)
    hosts = [(node.name, node.address) for node in topology.nodes]
    stem = f"registry-{hashlib.sha256(repr(hosts).encode()).hexdigest()[:12]}"
    if not (AUTHORITY / f"{stem}.key").exists():
        _issue(stem, hosts, key, certificate)
    return {
        "registry.crt": (AUTHORITY / f"{stem}.crt").read_text(),
        "registry.key": (AUTHORITY / f"{stem}.key").read_text(),
        "ca.crt": _pem(certificate),
    }


def _authority(name: str) -> tuple[PrivateKey, x509.Certificate]:
    key_path, certificate_path = AUTHORITY / "ca.key", AUTHORITY / "ca.crt"
    if not key_path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} CA")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(subject, subject, key).add_extension(constraints, critical=True)
        write(certificate_path, _pem(builder.sign(key, hashes.SHA256())))
        write(key_path, _key_pem(key))
    stored = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    if not isinstance(stored, PrivateKey):
        raise TypeError(f"{key_path} holds no elliptic-curve key: remove {AUTHORITY}")
    return stored, x509.load_pem_x509_certificate(certificate_path.read_bytes())


def _issue(
    stem: str, hosts: list[tuple[str, str]], key: PrivateKey, issuer: x509.Certificate
) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    names: list[x509.GeneralName] = [x509.DNSName(name) for name, _ in hosts]
    names += [x509.IPAddress(IPv4Address(address)) for _, address in hosts]
    certificate = (
        _builder(subject, issuer.subject, own)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write(AUTHORITY / f"{stem}.crt", _pem(certificate))
    write(AUTHORITY / f"{stem}.key", _key_pem(own))


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALIDITY)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
