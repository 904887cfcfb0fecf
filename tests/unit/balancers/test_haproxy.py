"""HAProxy's statistics as records."""

import pytest

from lab.balancers.haproxy import Server, servers, taken_out

# The columns that are read, as HAProxy 3.0 names them, between two that are not.
STATISTICS = """\
# pxname,svname,qcur,scur,status,check_status,rtime,
nginx,ubuntu1,0,3,UP,L7OK,2,
nginx,ubuntu2,0,0,DRAIN,* L7OK,2,
nginx,ubuntu4,0,0,DOWN,L4CON,,

"""


def test_servers_are_read_from_the_statistics():
    assert servers(STATISTICS) == {
        "ubuntu1": Server("ubuntu1", "UP", "L7OK", 3),
        "ubuntu2": Server("ubuntu2", "DRAIN", "L7OK", 0),
        "ubuntu4": Server("ubuntu4", "DOWN", "L4CON", 0),
    }


@pytest.mark.parametrize(
    ("status", "check", "gets_requests", "well"),
    [
        ("UP", "L7OK", True, True),
        ("UP 1/2", "L4CON", True, False),
        ("DOWN", "L7STS", False, False),
        ("DOWN 1/2", "L7OK", False, False),
        ("DRAIN", "L7OK", False, True),
        ("DRAIN", "L4TOUT", False, False),
        ("MAINT", "L7OK", False, False),
    ],
)
def test_what_a_state_means(status, check, gets_requests, well):
    server = Server("ubuntu1", status, check, 0)
    assert (server.gets_requests, server.well) == (gets_requests, well)


STATES = """\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight
3 nginx 1 ubuntu1 192.168.56.11 2 0 1
3 nginx 2 ubuntu2 192.168.56.12 2 8 1
3 nginx 3 ubuntu4 192.168.56.14 0 1 1

"""


def test_drained_and_disabled_servers_are_taken_out():
    assert taken_out(STATES) == {"ubuntu2", "ubuntu4"}
