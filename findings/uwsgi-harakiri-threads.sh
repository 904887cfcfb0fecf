#!/usr/bin/env bash
# uWSGI: with two threads in a process, any other request that ends there lifts harakiri from one that hangs.
# harakiri (here 2 s) is to end a request that takes longer. One of 6 s is asked for while another one comes twice a
# second, as health checks do. Needs a C compiler and Python's headers; takes half a minute, most of it to compile.
set -euo pipefail

VERSION=2.0.31
PORT=${PORT:-18571}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/app.py" <<'END'
import time


def application(environ, start_response):
    if environ["PATH_INFO"] == "/hangs":
        time.sleep(6)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"answered\n"]
END

# What becomes of a request of 6 s: its status and seconds, or that there was no answer.
cat >"$folder/ask.py" <<'END'
import http.client
import sys
import threading
import time

port, checks = int(sys.argv[1]), sys.argv[2] == "checks"


def ask(path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request("GET", path)
    return connection.getresponse().status


def check(done):
    while not done.wait(0.5):
        ask("/")


done = threading.Event()
if checks:
    threading.Thread(target=check, args=(done,), daemon=True).start()
began = time.monotonic()
try:
    said = f"answered {ask('/hangs')}"
except (OSError, http.client.HTTPException):
    said = "ended without an answer"
done.set()
print(f"{said} after {time.monotonic() - began:.0f} s")
END

try() { # THREADS PROCESSES checks|alone
  local answer server
  timeout --signal INT 20 "$folder/venv/bin/uwsgi" --master --http-socket "127.0.0.1:$PORT" --chdir "$folder" --module app --need-app \
    --enable-threads --threads "$1" --processes "$2" --harakiri 2 --disable-logging --die-on-term \
    >"$folder/log" 2>&1 &
  server=$!
  for _ in $(seq 50); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then break; fi
    sleep 0.1
  done
  answer=$(python3 "$folder/ask.py" "$PORT" "$3")
  kill "$server"
  wait "$server" || true
  echo "$2 process(es) of $1 thread(s), $3: $answer" >&2
  echo "$answer"
}

python3 -m venv "$folder/venv"
# As little of it as does: it is compiled.
CPUCOUNT=$(nproc) UWSGI_PROFILE_OVERRIDE='ssl=false;xml=false;yaml=false;json=false;pcre=false;embedded_plugins=python' \
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "uwsgi==$VERSION"
echo "uWSGI $("$folder/venv/bin/uwsgi" --version)"

alone=$(try 2 1 alone)
shared=$(try 2 1 checks)
own=$(try 1 2 checks)
if [[ $alone == ended* && $shared == 'answered 200 after 6 s' && $own == ended* ]]; then
  echo "as found: harakiri ends it where nothing else comes, and where each process has one thread; with two threads and" \
    "checks that come meanwhile it goes on for as long as it likes"
else
  echo "the behaviour has changed" >&2
  exit 1
fi
