"""The identities of posts and the months they fall into. Pure.

A post's id is a time UUID issued with the form, so that a form sent twice makes one post.
"""

import hashlib
import secrets
import uuid
from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

# A post bears the time at which its form was opened. An older form would put it far down the
# list, where its author would not look for it.
LONGEST_OPEN = timedelta(hours=12)

UUID_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)
# Earlier and later than any post's.
EARLIEST = uuid.UUID("00000000-0000-1000-8080-808080808080")
LATEST = uuid.UUID("ffffffff-ffff-1fff-bfff-ffffffffffff")
# RFC 9562: marks a node that is no hardware address.
MULTICAST = 1 << 40


class Refused(Exception):
    """An issued id that may not be used; str() is what its user is told."""


def new_id() -> uuid.UUID:
    """Not plain uuid1: that tells the machine's address, and two processes may make the same."""
    return uuid.uuid1(node=secrets.randbits(48) | MULTICAST, clock_seq=secrets.randbits(14))


def time_of(identity: uuid.UUID) -> datetime:
    return UUID_EPOCH + timedelta(microseconds=identity.time // 10)


def age(identity: uuid.UUID) -> tuple[int, tuple[int, ...]]:
    """Sorts as Cassandra does (TimeUUIDType.java): by the time, then by the other bytes, signed."""
    rest = memoryview(identity.bytes[8:]).cast("b")
    return identity.time, tuple(rest)


def month_of(moment: datetime) -> int:
    """2026-11-24 -> 202611"""
    return moment.year * 100 + moment.month


def issued(identity: uuid.UUID, username: str) -> str:
    """The id as it stands in the form of this user."""
    return signer(username).sign(identity.hex)


def accepted(token: str, username: str, now: datetime) -> uuid.UUID:
    try:
        identity = uuid.UUID(hex=signer(username).unsign(token))
    except BadSignature:
        raise Refused("This form was not made for you, or was changed on its way.") from None
    if now - time_of(identity) > LONGEST_OPEN:
        raise Refused("This form was open for very long.")
    return identity


def with_content(identity: uuid.UUID, content: str) -> uuid.UUID:
    """The id of a post with this content, at the time of the given id.

    The same form with the same content gives the same id. A form that was sent, then changed
    and sent again gives another one: a post overwrites none.
    """
    digest = hashlib.blake2b(content.encode(), key=identity.bytes, digest_size=8).digest()
    variant = bytes([digest[0] & 0x3F | 0x80]) + digest[1:2]
    node = bytes([digest[2] | 0x01]) + digest[3:]
    return uuid.UUID(bytes=identity.bytes[:8] + variant + node)


def signer(username: str) -> Signer:
    """Another user's signatures are as invalid as no signature."""
    return Signer(salt=f"posts.issued:{username}")
