"""Whether the file of the administrator's password still fits."""

import pytest

from lab.databases.administrator import fits

# Of Django 6.1: make_password("of the file", salt="salt", hasher="pbkdf2_sha256") with 1000 rounds.
ENCODED = "pbkdf2_sha256$1000$salt$mtztuDYYsrWFTd5S3q6D0PbVewp+k6/vWnYiQVS/hHs="


@pytest.mark.parametrize(
    ("encoded", "password", "expected"),
    [
        (ENCODED, "of the file", True),
        (ENCODED, "chosen", False),
        (ENCODED.replace("1000", "1001"), "of the file", False),
        ("", "of the file", True),
        ("!unusable", "of the file", False),
        ("argon2$argon2id$v=19$m=102400", "of the file", True),
        ("pbkdf2_sha256$many$salt$x", "of the file", True),
    ],
    ids=["fits", "changed", "other rounds", "no answer", "unusable", "other hasher", "damaged"],
)
def test_the_file_s_password(encoded, password, expected):
    assert fits(encoded, password) is expected
