"""Answers of Cassandra's, opcode and body, as they stand on the wire behind each header."""

AUTHENTICATE, AUTH_SUCCESS, RESULT, ERROR = 0x03, 0x10, 0x08, 0x00
WANTS_LOGIN = AUTHENTICATE, b"\x00\x2forg.apache.cassandra.auth.PasswordAuthenticator"
LOGGED_IN = AUTH_SUCCESS, b"\xff\xff\xff\xff"
WRONG_PASSWORD = (
    ERROR,
    b"\x00\x00\x01\x00\x00\x31Provided username x and/or password are incorrect",
)
NO_KEYSPACE = ERROR, b"\x00\x00\x22\x00\x00\x1ckeyspace nope does not exist"
# Behind the message: the consistency, how many were needed, how many live.
UNAVAILABLE = (
    ERROR,
    b"\x00\x00\x10\x00\x00\x27Cannot achieve consistency level QUORUM"
    b"\x00\x04\x00\x00\x00\x02\x00\x00\x00\x01",
)
# Recorded of Cassandra 5.0.9: two of the rows that lab-sample asks for.
RING = (
    RESULT,
    b"\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01"
    b"\x00\x0csystem_views\x00\x0bgossip_info\x00\x06[json]\x00\x0d"
    b"\x00\x00\x00\x02"
    b"\x00\x00\x00\xa7"
    b'{"address": "192.168.56.11", "heartbeat": 955, "load": "112694.0", '
    b'"schema": "25661f1a-442a-345c-9237-ea98cdbaf351", '
    b'"status_with_port": "NORMAL,-4611686018427387904"}'
    b"\x00\x00\x00\xa6"
    b'{"address": "192.168.56.12", "heartbeat": 952, "load": "89426.0", '
    b'"schema": "25661f1a-442a-345c-9237-ea98cdbaf351", '
    b'"status_with_port": "NORMAL,-2305843009213693952"}',
)
