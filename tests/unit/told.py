"""The journal of a fake lab as lines for people: what was changed, or waited for, in few words."""

import re

from lab.databases import once
from lab.deploy import static
from lab.engine import memory
from lab.engine.apply import FOLLOW
from lab.engine.ssh import UNPACK

SCRIPTS = {
    UNPACK: "UNPACK",
    memory.LOOK: "LOOK",
    once.RUN: "ONCE",
    static.COMPLETE: "COMPLETE",
    FOLLOW[-1]: "FOLLOW",
}
RELEASE = re.compile(r"\d{8}-\d{4}-[0-9a-f]{6}")
REGISTRY = "ubuntu1:5000/"
# The two balancers are told, and seen to see, the same.
OF_BOTH = re.compile(r"lab-haproxy|seen (answered|seen well) \S+")
# Files that are named one by one.
FEW = 2

# They change nothing.
QUESTIONS = re.compile(
    r"(lab-observe|cat|ls|test|ip|ss|systemctl|install|GET|bash -c LOOK|sh -c COMPLETE"
    r"|sh -ec FOLLOW"
    r"|docker (info|logs|ps|swarm join-token|secret ls|service inspect|network rm docker_gwbridge)"
    r"|docker --host \S+ image ls|curl .*/tags/list|curl --silent --fail --output"
    r"|POST /accounts/logout/|rm --force /etc/lab/addressed/\S+)( .*)?"
)
WORDS = {
    r"docker run .*:/shared webapp_static:\S+ (\S+).*": r"publish static set \1",
    r"docker run --detach .*--name (\S+) .* ([a-z_]+:[0-9a-z]+)\b.*": r"run \1 \2",
    r"/etc/lab/addressed/(\S+)": r"run \1 by its script",
    r"docker pull --quiet (\S+)": r"pull \1",
    r"docker rm --force (\S+)": r"rm \1",
    r"docker (network|volume) create .*?(\S+)": r"create \1 \2",
    r"docker --host \S+ push --quiet (\S+)": r"push \1",
    r"lab-build (\S+) .*": r"build \1",
    r"lab-hand-over (\S+)": r"hand over \1",
    r"lab-give-address \S+": "give the virtual address away",
    r"bash -c ONCE .* manage.py (\S+)": r"manage.py \1",
    r"rm --recursive --force (\S+)": r"rm \1",
    r"rm --force (\S+)": r"rm \1",
    r"tee --append (\S+)": r"append to \1",
    r"docker swarm (\w+).*": r"swarm \1",
    r"docker secret create ([a-z_]+).*": r"secret \1",
    r"docker node update --label-add (\S+) id-of-(\S+)": r"label \2 \1",
    r"timeout \d+ docker stack deploy .*": "stack deploy",
    r"curl .*/swarm/join": "join the swarm",
    r"POST /accounts/login/": "a user signs in",
    r"rsync (\w+)": r"rsync \1",
    r"seen (.+)": r"\1",
    r"docker (stop|exec|restart|image|stack|network|volume) .+": r"\g<0>",
}


def told(journal):
    """A line for each change, in order.

    What both balancers are told, or see, is one line, where the second of them does.
    """
    lines, of_one = [], {}
    for entry in journal:
        words = _words(entry)
        what = _what(entry, words)
        if not what:
            continue
        if not OF_BOTH.fullmatch(words):
            lines.append(f"{entry.node}: {what}")
        elif of_one.pop(what, entry.node) == entry.node:
            of_one[what] = entry.node
        else:
            lines.append(f"balancers: {what}")
    return lines + [f"{node} alone: {what}" for what, node in of_one.items()]


def of(lines, *who):
    """Those of some nodes: what the others do at the same time has no order."""
    return [line for line in lines if line.split(":")[0] in who]


def before(lines, first, second):
    """Whether a line comes before another; each is there once."""
    assert (lines.count(first), lines.count(second)) == (1, 1), lines
    return lines.index(first) < lines.index(second)


def _words(entry):
    return " ".join(SCRIPTS.get(word, word).removeprefix(REGISTRY) for word in entry.argv)


def _what(entry, words):
    """One command in short; empty: it only asks."""
    if words.startswith("sh -c UNPACK"):
        return _written(entry.argv[4:])
    if words == "lab-haproxy":
        return _states(entry.given)
    if QUESTIONS.fullmatch(words):
        return ""
    for pattern, short in WORDS.items():
        if found := re.fullmatch(pattern, words):
            return found.expand(short).removeprefix("docker ")
    raise AssertionError(f"no words for {words}")


def _written(paths):
    if len(paths) <= FEW:
        return f"write {RELEASE.sub('RELEASE', ' '.join(paths))}"
    folders = dict.fromkeys(path.rsplit("/", 1)[0] for path in paths)
    return f"write {len(paths)} files to {' '.join(folders)}"


def _states(commands):
    found = re.findall(r"set server nginx/(\S+) state (\w+)", commands)
    return f"{found[0][1]} {' '.join(server for server, _ in found)}" if found else ""
