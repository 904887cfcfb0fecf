#!/usr/bin/env bash
# paramiko, and with it Fabric: on a connection that is kept, each command takes 40 ms longer than the machines need.
# The socket that its SSHClient opens has Nagle's algorithm (TCP_NODELAY is not set). At the end of a command paramiko
# sends that it has closed the channel, which nobody answers, and with the next one that it opens another: the second
# packet waits until the server's kernel acknowledges the first, which Linux delays by 40 ms. OpenSSH's own client sets
# the option. Here both ends are paramiko's, over 127.0.0.1; of OpenSSH's sshd on Linux the same was seen: 48 ms and 3 ms.
# Takes a quarter of a minute, most of it for installing. Needs Linux and Python 3 with venv.
set -euo pipefail

VERSION=5.1.0

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/commands.py" <<'END'
"""The median of the milliseconds that a command takes which does nothing: as paramiko connects, and with the option."""
import logging
import platform
import socket
import statistics
import threading
import time

import paramiko

logging.disable()
KEY = paramiko.RSAKey.generate(2048)


class Server(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=self.answer, args=(channel,)).start()
        return True

    def answer(self, channel):
        assert channel.recv(1) == b""
        channel.sendall(b"done")
        channel.send_exit_status(0)
        channel.close()


def serve(listening):
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(connection)
        transport.add_server_key(KEY)
        transport.start_server(server=Server())


def command(transport):
    began = time.monotonic()
    channel = transport.open_session()
    channel.exec_command("nothing")
    channel.shutdown_write()
    assert channel.makefile("rb").read() == b"done"
    assert channel.recv_exit_status() == 0
    channel.close()
    return (time.monotonic() - began) * 1000


def milliseconds(port, no_delay):
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("127.0.0.1", port, "user", "password", allow_agent=False, look_for_keys=False)
        transport = client.get_transport()
        if no_delay:
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return statistics.median(command(transport) for _ in range(40))


listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listening,), daemon=True).start()
as_it_is, with_option = (milliseconds(listening.getsockname()[1], each) for each in (False, True))
print(f"paramiko {paramiko.__version__}, Python {platform.python_version()}")
print(f"a command takes {as_it_is:.1f} ms, with TCP_NODELAY {with_option:.1f} ms")
if as_it_is < 30 or with_option > as_it_is / 2:
    raise SystemExit("the behaviour has changed")
print("as found: each command on a kept connection waits for a delayed acknowledgement")
END

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "paramiko==$VERSION"
"$folder/venv/bin/python" "$folder/commands.py"
