"""What wrk printed, and the table and the picture that are made of it."""

from xml.etree import ElementTree

import pytest

from lab.config.modes import MODES, OVERLAY
from lab.errors import LabError
from lab.matrix import results
from lab.matrix.results import Measurement, Result

WRK = """\
Running 2s test @ http://192.168.56.12/uwsgi_health
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.62ms    2.01ms  24.50ms   92.11%
    Req/Sec     3.43k   405.12     4.10k    70.00%
  Latency Distribution
     50%    {p50}
     75%    1.54ms
     90%    3.28ms
     99%    {p99}
  6830 requests in 2.00s, 3.05MB read
{errors}Requests/sec:   3411.22
Transfer/sec:      1.52MB
"""


@pytest.mark.parametrize(
    ("p50", "p99", "errors", "load"),
    [
        ("1.00ms", "6.80ms", "", Measurement(3411.22, 1.0, 6.8, 0)),
        ("812.00us", "1.20s", "", Measurement(3411.22, 0.812, 1200.0, 0)),
        ("1.00ms", "6.80ms", "  Non-2xx or 3xx responses: 7\n", Measurement(3411.22, 1.0, 6.8, 7)),
        (
            "1.00ms",
            "6.80ms",
            "  Socket errors: connect 1, read 2, write 3, timeout 4\n",
            Measurement(3411.22, 1.0, 6.8, 10),
        ),
    ],
)
def test_what_wrk_printed(p50, p99, errors, load):
    assert results.parse_wrk(WRK.format(p50=p50, p99=p99, errors=errors)) == load


def test_output_of_something_else_is_refused():
    with pytest.raises(LabError, match="wrk printed no result: 'unable to connect'"):
        results.parse_wrk("unable to connect")


def result(mode, health):
    loads = {path: Measurement(100.0, 2.0, 9.0, 0) for path in results.PATHS}
    return Result(mode, ["log in"], loads | {"health": health}, 4.25, 101.6, 0.1, 1.8)


def test_the_table_has_a_row_per_mode_and_says_what_a_second_host_costs():
    near = result("custom-bridge", Measurement(2000.0, 1.0, 5.0, 0))
    far = result("separate-hosts", Measurement(1500.0, 1.5, 6.0, 3))
    text = results.table([near, far])
    assert (
        "| custom-bridge | own bridge, by name | volume | node:80 | 100, 2.0/9.0 |"
        " 2000, 1.0/5.0 | 100, 2.0/9.0 | 4.2 | 102 | 0.1 / 1.8 |\n" in text
    )
    assert "| 1500, 1.5/6.0, 3 errors |" in text
    assert text.endswith(
        "A second host costs +0.5 ms at p50 of the health page"
        " (75% of custom-bridge's requests/s).\n"
    )


def test_every_mode_has_its_row():
    modes = [result(mode, Measurement(1.0, 1.0, 1.0, 0)) for mode in (*MODES, OVERLAY)]
    assert [row[:4] for row in results.rows(modes)] == [
        ("default-bridge", "default bridge, by IP", "volume", "node:80"),
        ("custom-bridge", "own bridge, by name", "volume", "node:80"),
        ("unix-socket", "Unix socket", "volume, socket in it", "node:80"),
        ("all-in-one", "Unix socket, one container", "none: one file system", "node:80"),
        ("separate-hosts", "network, published port", "copies by rsync", "a:29000, b:80"),
        ("overlay", "VXLAN between nodes, by name", "volume per node", "nodes:80"),
    ]


def test_the_picture_has_a_bar_per_mode_and_path():
    text = results.picture([result("overlay", Measurement(50.0, 2.0, 9.0, 0))])
    svg = ElementTree.fromstring(text)  # noqa: S314 our own
    bars = [s for s in svg.iter("{http://www.w3.org/2000/svg}rect") if s.get("class") != "card"]
    assert len(bars) == 3
    assert [t.text for t in svg.iter("{http://www.w3.org/2000/svg}text")] == [
        *("static: requests/s (p50 ms)", "overlay", "100 (2.0)"),
        *("health: requests/s (p50 ms)", "overlay", "50 (2.0)"),
        *("list: requests/s (p50 ms)", "overlay", "100 (2.0)"),
    ]
