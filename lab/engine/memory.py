"""Whether a container, or a process of it, was killed for want of memory, and what to tell of it.

Pure. Docker's `OOMKilled` is true only of a container that has ended; of one that runs, or was
started again by itself, its control group and Docker's events know. An event alone is no proof:
when a node runs out of memory as a whole, cgroup v1 has Docker tell it of all its containers. And a
container that is killed while it starts may get neither: then 137 is all there is.
"""

from __future__ import annotations

import re

RECENT_SECONDS = 300
KILLED_STATUS = 137

# Of a container: how many of its processes the kernel has killed for memory since it was started.
KILLS = """
kills() {
  local pid number controllers path
  pid=$(docker inspect --format '{{.State.Pid}}' "$1")
  while IFS=: read -r number controllers path; do
    case ,$controllers, in
      *,memory,*) cat "/sys/fs/cgroup/memory$path/memory.oom_control" ;;
      ,,) cat "/sys/fs/cgroup$path/memory.events" ;;
    esac
  done 2>/dev/null <"/proc/$pid/cgroup" | awk '$1 == "oom_kill" {sum += $2} END {print sum + 0}'
}
"""
# Of all containers, when one of their processes was killed for memory: nanoseconds, and whose.
EVENTS = """
events() { # seconds
  docker events --since "$1s" --until "$(date +%s.%N)" --filter event=oom \\
    --format '{{.TimeNano}} {{.Actor.ID}}'
}
"""
# Words and their values, a line each.
LOOK = f"""{KILLS}{EVENTS}
form='id {{{{.Id}}}}
service {{{{index .Config.Labels "lab.service"}}}}
limit {{{{.HostConfig.Memory}}}}
state {{{{.State.Status}}}}
status {{{{.State.ExitCode}}}}
ended {{{{.State.OOMKilled}}}}
started {{{{.State.StartedAt}}}}'
found=$(docker inspect --format "$form" "$1" 2>/dev/null) || exit 0
word() {{ sed -n "s/^$1 //p" <<<"$found"; }}
echo "$found"
echo "kills $(kills "$1")"
started=$(date --date "$(word started)" +%s%N)
events {RECENT_SECONDS} | while read -r time id; do
  [ "$id" = "$(word id)" ] || continue
  [[ $(word state) == running && $time -gt $started ]] || echo "killed yes"
done
docker logs --since {RECENT_SECONDS}s "$1" 2>&1 | grep -o 'java.lang.OutOfMemoryError.*' | tail -n 1
"""
# What compilers, runtimes and BuildKit say of a process that was killed, or got no memory.
KILLED_STEP = re.compile(
    r"exit code: 137\b|[Kk]illed signal|signal: killed|\bOOM\b|OutOfMemoryError|\bMemoryError\b"
    r"|[Cc]annot allocate memory|std::bad_alloc"
)
JAVA = "java.lang.OutOfMemoryError"


def told(node: str, name: str, printed: str) -> str:
    """What LOOK printed of a container, for people; empty if nothing was killed."""
    if not printed:
        return ""
    words = dict(line.partition(" ")[::2] for line in printed.splitlines())
    key = words.get("service") or name.removeprefix("scratch-")
    limit = int(words.get("limit") or 0) // 2**20
    if int(words.get("kills") or 0):
        return f"{node}: a process of {name} was {killed(key, limit)}"
    ended = words.get("state") != "running"
    if (ended and words.get("ended") == "true") or "killed" in words:
        return f"{node}: {name} was {killed(key, limit)}"
    if java := re.search(rf"^{JAVA}.*", printed, re.MULTILINE):
        return f"{node}: {name}: {': '.join(out_of_java(java[0], key, limit))}"
    if ended and words.get("status") == str(KILLED_STATUS):
        return f"{node}: {name} was {killed_by_somebody(key, limit)}"
    return ""


def killed(key: str, limit: int) -> str:
    """limit: MiB."""
    return f"killed for memory: its limit is {limit} MiB: {remedy(key)}"


def killed_by_somebody(key: str, limit: int) -> str:
    return f"killed by a signal: unless somebody sent it, it was {killed(key, limit)}"


def remedy(key: str) -> str:
    return f"raise limits.{key}.memory in lab.yml"


def out_of_java(error: str, key: str, limit: int) -> tuple[str, str]:
    """Java has limits of its own below the container's. What was seen, and the remedy."""
    said = error.removeprefix(JAVA).strip(": ")
    if "native thread" in said:
        return f"Java got no more threads ({said})", f"raise limits.{key}.pids in lab.yml"
    return (
        f"Java ran out of its own memory ({said}), with {limit} MiB for the container",
        f"raise CASSANDRA_HEAP in images/cassandra/bin/entrypoint.sh, and limits.{key}.memory in"
        " lab.yml as much",
    )


def of_build(node: str, memory: int, report: str) -> str:
    """Why a build failed, if a step of it was killed for memory; else empty. memory: the node's."""
    step = KILLED_STEP.search(report)
    if not step:
        return ""
    return (
        f"a step was killed for memory ({step[0]}): {node} has {memory} MiB, which builds share"
        f" with all that runs there: raise nodes.{node}.memory in lab.yml"
    )
