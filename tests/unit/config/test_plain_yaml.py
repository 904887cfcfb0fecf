"""What of YAML lab.yml may use: Python and Ruby take it for the same, or refuse it alike."""

import pytest

from lab.config import plain_yaml
from tests.unit import ruby

MANY = (
    "may be read in more than one way: write a number as 11 or 0.5, and any other value in quotes"
)

REFUSED = [
    # Keys that are there twice.
    (b"a: 1\nb: 2\na: 3\n", ["line 3: a is there already, in line 1: rename or remove one"]),
    (b"a: {h: 1, h: 2}", ["line 1: h is there already, in line 1: rename or remove one"]),
    (b"- a: 1\n  'a': 2", ["line 2: a is there already, in line 1: rename or remove one"]),
    (b"? [a]\n: 1\n", ["line 1: a key should be one name"]),
    (b"a: {[b]: 1}", ["line 1: a key should be one name"]),
    (b"'': 1\n", ["line 1: a key should be one name"]),
    *(
        (
            f"a: {{{number}: b}}".encode(),
            [f"line 1: {number} is a number, and a key should be a name: write it in quotes"],
        )
        for number in ("0", "1", "1.0", "999999999")
    ),
    # Numbers in other notations.
    (b"a: 1\nb: 011\n", [f"line 2: 011 {MANY}"]),
    (b"a: 0o11", [f"line 1: 0o11 {MANY}"]),
    (b"a: 0x1f", [f"line 1: 0x1f {MANY}"]),
    (b"a: 0b11", [f"line 1: 0b11 {MANY}"]),
    (b"a: 4_096", [f"line 1: 4_096 {MANY}"]),
    (b"a: 4,096", [f"line 1: 4,096 {MANY}"]),
    (b"a: 1:30", [f"line 1: 1:30 {MANY}"]),
    (b"a: 1e3", [f"line 1: 1e3 {MANY}"]),
    (b"a: .5", [f"line 1: .5 {MANY}"]),
    (b"a: 1.", [f"line 1: 1. {MANY}"]),
    (b"a: +11", [f"line 1: +11 {MANY}"]),
    (b"a: -11", [f"line 1: -11 {MANY}"]),
    (b"a: .inf", [f"line 1: .inf {MANY}"]),
    (b"a: .NaN", [f"line 1: .NaN {MANY}"]),
    (b"a: 99999999999999999999", [f"line 1: 99999999999999999999 {MANY}"]),
    (b"a: " + b"9" * 5000, [f"line 1: {'9' * 40} {MANY}"]),
    (b"a: 2026-11-30", [f"line 1: 2026-11-30 {MANY}"]),
    (b"011: a", [f"line 1: 011 {MANY}"]),
    # Words that are truth or nothing, and signs that are more than text somewhere.
    *(
        (f"a: [b, {word}]".encode(), [f"line 1: {word} {MANY}"])
        for word in ("yes", "No", "on", "OFF", "y", "N", "true", "False", "null", "~", "=")
    ),
    (b"a: :b", [f"line 1: :b {MANY}"]),
    (b"a: ubuntu1\n  ubuntu2\n\n  ubuntu3", [f"line 1: ubuntu1 ubuntu2 ubuntu3 {MANY}"]),
    ("a: é".encode(), [f"line 1: ? {MANY}"]),
    # What stands for something else.
    (
        b"a: &x 1\nb: *x\n",
        [
            "line 1: an anchor (&) is not plain YAML: remove it",
            "line 2: an alias (*) is not plain YAML: write out what it stands for",
        ],
    ),
    (b"a: &x {}", ["line 1: an anchor (&) is not plain YAML: remove it"]),
    *(
        (text, ["line 1: a merge key (<<) is not plain YAML: write out what it stands for"])
        for text in (
            b"<<: {a: 1}",
            b"'<<': {a: 1}",
            b'"<<": {a: 1}',
            b'"\\x3c<": {a: 1}',
            b"a: '<<'",
        )
    ),
    (b"a: !!int 3", ["line 1: a tag (!) is not plain YAML: remove it"]),
    (b"a: !!python/name:os.system x", ["line 1: a tag (!) is not plain YAML: remove it"]),
    (b"a: !ruby/object:Gem {}", ["line 1: a tag (!) is not plain YAML: remove it"]),
    (b"a: ! 3", ["line 1: a tag (!) is not plain YAML: remove it"]),
    (b"a: |\n  b\n", ["line 1: a block of text (|) is not plain YAML: write it in quotes"]),
    (b"a: >-\n  b\n", ["line 1: a block of text (>) is not plain YAML: write it in quotes"]),
    # More than one document.
    (b"a: 1\n---\na: 2\n", ["line 2: a second document begins: keep one"]),
    (b"%YAML 1.1\n---\na: 1\n", ["line 1: a directive (%) is not plain YAML: remove it"]),
    (b"%TAG ! x:\n---\na: 1\n", ["line 1: a directive (%) is not plain YAML: remove it"]),
    # What is not seen.
    (b"a: 1\nb:\t2\n", ["line 2: a tab may be read in more than one way: use blanks"]),
    (b"a: 1\rb: 2", ["line 1: the character U+000D may be read in more than one way: use blanks"]),
    (b"\0", ["line 1: the character U+0000 may be read in more than one way: use blanks"]),
    (
        b"\xef\xbb\xbfa: 1",
        ["line 1: the character U+FEFF may be read in more than one way: use blanks"],
    ),
    (
        "a: 1\u2028b: 2".encode(),
        ["line 1: the character U+2028 may be read in more than one way: use blanks"],
    ),
    (b"a: 1\n# caf\xe9\n", ["line 2: the byte 0xe9 is not UTF-8: save it as UTF-8"]),
    (b"\xff\xfea\0:\0", ["line 1: the byte 0xff is not UTF-8: save it as UTF-8"]),
    (
        b'a: "b\\0"',
        ["line 1: a value in quotes holds the character U+0000: write it without"],
    ),
    (
        b'a: "b\\nc"',
        ["line 1: a value in quotes holds the character U+000A: write it without"],
    ),
    (b"a: " + b"[" * 9 + b"]" * 9, ["line 1: more than 8 lists and mappings in one another"]),
]

READ = [
    (b"", None),
    (b"# nothing\n", None),
    (b"---\na: 1\n...\n", {"a": 1}),
    (b"a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    (b"a: {b: 11, c: 0.5, d: 0}\n", {"a": {"b": 11, "c": 0.5, "d": 0}}),
    (b"a: [ubuntu1, nowhere, oN1]\nb: \n", {"a": ["ubuntu1", "nowhere", "oN1"], "b": None}),
    (b"a: 192.168.56.0/24\nb: 10.0.0.1:80", {"a": "192.168.56.0/24", "b": "10.0.0.1:80"}),
    (b"a: /b/c.crt\nb: ./c\nc: ../d", {"a": "/b/c.crt", "b": "./c", "c": "../d"}),
    (b"a: https://b.example.org:8443", {"a": "https://b.example.org:8443"}),
    (b"'1': a\n10.0.0.1: b\n'1.0': c", {"1": "a", "10.0.0.1": "b", "1.0": "c"}),
    (b"a: '011'\nb: \"yes\"", {"a": "011", "b": "yes"}),
    ("a: 'é' # ü".encode(), {"a": "é"}),
]

# Each reader has its own words for them.
NOT_YAML = [
    (b"a: [b", 1),
    (b"a: 1\nb: c: d\n", 2),
    (b"a: 'b", 1),
    (b"a: 1\nb: @c\n", 2),
    (b'a: "\\U00110000"', 1),
    (b"[" * 2000 + b"\n", 1),
]


@pytest.fixture(scope="module")
def in_ruby():
    """What Ruby makes of a text: its mistakes, or its value."""
    texts = [text for text, _ in (*REFUSED, *READ, *NOT_YAML)]
    program = """
    require './provision/plain_yaml'
    puts JSON.generate(given.map do |text|
      [nil, PlainYaml.load([text].pack('H*'))]
    rescue PlainYaml::NotPlain => e
      [e.mistakes, nil]
    end)
    """
    answers = ruby.ask(program, [text.hex() for text in texts])
    return dict(zip(texts, answers, strict=True))


def mistakes(text):
    with pytest.raises(plain_yaml.NotPlain) as error:
        plain_yaml.load(text)
    return error.value.mistakes


@pytest.mark.parametrize(("text", "lines"), REFUSED)
def test_what_may_be_read_differently_is_refused_with_its_line(text, lines):
    assert mistakes(text) == lines


@pytest.mark.parametrize(("text", "lines"), REFUSED)
def test_ruby_refuses_the_same(text, lines, in_ruby):
    assert in_ruby[text] == [lines, None]


@pytest.mark.parametrize(("text", "value"), READ)
def test_plain_yaml_is_read(text, value):
    assert plain_yaml.load(text) == value


@pytest.mark.parametrize(("text", "value"), READ)
def test_ruby_reads_the_same(text, value, in_ruby):
    assert in_ruby[text] == [None, value]


@pytest.mark.parametrize(("text", "line"), NOT_YAML)
def test_what_is_not_yaml_is_refused_with_its_line(text, line):
    (found,) = mistakes(text)
    assert found.startswith(f"line {line}: not YAML: ")
    assert "\n" not in found


@pytest.mark.parametrize(("text", "line"), NOT_YAML)
def test_ruby_says_so_too(text, line, in_ruby):
    ((found,), value) = in_ruby[text]
    # It may come to another mistake first.
    assert found.startswith((f"line {line}: not YAML: ", f"line {line}: more than 8 lists"))
    assert ("\n" in found, value) == (False, None)
