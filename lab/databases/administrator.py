"""Whether the administrator's password is still the one in the lab's file."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from hmac import compare_digest

from lab.context import Lab
from lab.databases import mysql

# What Django's PBKDF2PasswordHasher writes: algorithm, iterations, salt, hash.
ALGORITHM, PARTS = "pbkdf2_sha256", 4
# What it begins with for whom no password lets in.
UNUSABLE = "!"
CHANGED = (
    "admin has another password than the one in .lab/secrets/django_admin_password:"
    " `fab init --reset-password` brings that back"
)


def fits(encoded: str, password: str) -> bool:
    """encoded: as in Django's auth_user. True also where that can't be told: another hasher's."""
    if encoded.startswith(UNUSABLE):
        return False
    parts = encoded.split("$")
    if len(parts) != PARTS or parts[0] != ALGORITHM or not parts[1].isdecimal():
        return True
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), parts[2].encode(), int(parts[1]))
    return compare_digest(b64encode(made), parts[3].encode())


def administrator_fits(lab: Lab) -> bool:
    """Whether admin's password is that of the lab's file, as far as can be told."""
    return fits(mysql.password_hash(lab, "admin"), lab.secrets["django_admin_password"])
