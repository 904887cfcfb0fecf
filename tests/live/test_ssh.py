"""What a node's command prints comes whole, however much it is, and to which of the two outputs."""

import pytest

# More than a channel of paramiko's has room for as long as nobody reads.
MUCH = 6_000_000
PRINT = f"head -c {MUCH} /dev/zero | tr '\\0' x"

pytestmark = pytest.mark.beside


@pytest.mark.parametrize(
    ("script", "lengths"),
    [
        (f"{PRINT} >&2; echo done", (5, MUCH)),
        (f"{PRINT}; echo done >&2", (MUCH, 5)),
        (f"{PRINT} >&2; {PRINT}", (MUCH, MUCH)),
    ],
)
def test_both_outputs_come_whole(running, script, lengths):
    status, output, errors = running.builder.attempt("sh", "-c", script)
    assert (status, (len(output), len(errors))) == (0, lengths)


def test_a_command_reads_what_it_is_given(running):
    assert running.builder.feed("x" * MUCH, "wc", "-c").strip() == str(MUCH)
