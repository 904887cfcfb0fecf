#!/usr/bin/env bash
# HAProxy: with conn-failure, empty-response and response-timeout in retry-on, a client's first request goes over a
# connection that another client used. If the server closes that one unanswered, and the request is a POST that may not
# be sent again (disable-l7-retry), the client is hung up on: no answer, and no line in the log.
# The package of Debian 13 (3.0.11; 2.6 answers 502 instead) with all that it needs, in a temporary folder, not installed;
# takes some 20 seconds. Needs apt, with Debian's archive among its sources.
set -euo pipefail

PORT=${PORT:-18573}
SUITE=trixie

folder=$(mktemp -d)
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT

cat >"$folder/server.py" <<'END'
"""Answers a connection's first request, and closes it at the second."""
import contextlib
import socket
import sys
import threading


def serve(connection):
    with connection:
        with contextlib.suppress(ConnectionResetError):
            if connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
                connection.recv(65536)


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END

cat >"$folder/ask.py" <<'END'
"""One client reads; then another one, on its own new connection, posts."""
import http.client
import sys


def ask(method, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    connection.request(method, "/", body)
    try:
        return f"answered {connection.getresponse().status}"
    except http.client.RemoteDisconnected:
        return "hung up on without an answer"


ask("GET")
print(ask("POST", "a=1"))
END

configuration() { # RETRY_ON OPTION
  cat <<END
defaults
    mode http
    log stdout format raw local0
    log-format "%HM %ST"
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:$PORT
    default_backend b
backend b
    retries 2
    retry-on $1
    http-request disable-l7-retry unless METH_GET
    $2
    server s 127.0.0.1:$((PORT + 1))
END
}

try() { # RETRY_ON OPTION: what the second client gets, and what is logged of it
  local answer pid logged
  configuration "$@" >"$folder/haproxy.cfg"
  timeout 20 "${haproxy[@]}" -db -f "$folder/haproxy.cfg" >"$folder/log" 2>"$folder/errors" &
  pid=$!
  for _ in $(seq 50); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then break; fi
    sleep 0.1
  done
  answer=$(python3 "$folder/ask.py" "$PORT")
  # For a line of log that may come after the answer: there is nothing to wait for where none comes.
  sleep 0.5
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  logged=$(grep --count '^POST' "$folder/log" || true)
  echo "$answer, logged $logged times"
}

# apt for another release of Debian than this machine's, which it leaves alone.
apt() {
  apt-get -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o "Dir::State=$folder/state" -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder/cache" \
    -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

fetch() {
  local archive package
  # shellcheck disable=SC2016  # apt-get fills these in
  archive=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk '$2 !~ /-/ {print $1; exit}')
  mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial"
  touch "$folder/status"
  echo "deb $archive $SUITE main" >"$folder/sources.list"
  apt update -qq
  apt install -qq -y --no-install-recommends --download-only haproxy >/dev/null
  for package in "$folder"/cache/archives/*.deb; do dpkg-deb --extract "$package" "$folder/root"; done
}

fetch
libraries=$folder/root/usr/lib/$(uname -m)-linux-gnu
# With the loader and the C library of its own release.
haproxy=("$(echo "$libraries"/ld-linux-*.so.*)" --library-path "$libraries" "$folder/root/usr/sbin/haproxy")
"${haproxy[@]}" -v | head -n 1
timeout 50 python3 "$folder/server.py" $((PORT + 1)) &
server=$!
trap 'kill "$server"; rm -rf "$folder"' EXIT
for _ in $(seq 50); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$((PORT + 1))") 2>/dev/null; then break; fi
  sleep 0.1
done

three='conn-failure empty-response response-timeout'
shared=$(try "$three" '')
two=$(try 'conn-failure empty-response' '')
own=$(try "$three" 'option http-server-close')
echo "retry-on $three: a first POST is $shared"
echo "without response-timeout: $two"
echo "all three, with option http-server-close: $own"
if [[ $shared == 'hung up on without an answer, logged 0 times' && $two == 'answered 200, logged 1 times' &&
  $own == 'answered 200, logged 1 times' ]]; then
  echo "as found: the three together send a first POST over another client's connection, and its end is answered to nobody"
else
  echo "the behaviour has changed" >&2
  exit 1
fi
