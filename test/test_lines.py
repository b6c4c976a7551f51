# SPDX-License-Identifier: Apache-2.0
"""Line files that change between takt's lives: jobs under way go on by the new ones."""
import json

import pytest

from takt_server import Takt, wait_until

A = """
line: a
gateway: {{ POST /orders: {{ to: first }} }}
stations:
  first: {{ exec: /bin/cat, next: {next} }}
{more}"""
SECOND = "  second: { exec: /bin/cat }\n"
THIRD = "  second: { exec: /bin/cat, next: third }\n  third: { exec: /bin/cat }\n"
B = """
line: b
gateway: { POST /others: { to: only } }
stations:
  only: { exec: /bin/cat }
"""


def write(tmp_path, *lines):
    (tmp_path / "line.yaml").write_text("---".join(lines), encoding="utf-8")


@pytest.fixture(name="takt")
def fixture_takt(tmp_path):
    """Two lines, each with a message that waits."""
    write(tmp_path, A.format(next="second", more=SECOND), B)
    with Takt(tmp_path / "takt", tmp_path / "line.yaml") as takt:
        takt.cli("station", "scale", "second=0", "only=0")
        yield takt


def waits(takt, path, body, station):
    job = takt.order(path, body)
    wait_until(lambda: [at["station"] for at in takt.job(job)["waiting"]] == [station], 10, station)
    return job


@pytest.mark.sanitized
def test_a_job_goes_on_by_the_new_routes(takt, tmp_path):
    job = waits(takt, "/orders", '{"n":1}', "second")
    takt.stop()
    write(tmp_path, A.format(next="second", more=THIRD), B)
    takt.start()
    told = takt.ended(job, "done")
    assert [step["station"] for step in told["steps"]] == ["first", "second", "third"]
    assert told["result"] == {"n": 1}
    takt.stop()


@pytest.mark.sanitized
def test_a_station_with_a_backlog_is_not_removed(takt, tmp_path):
    job = waits(takt, "/orders", "{}", "second")
    takt.stop()
    write(tmp_path, A.format(next="end", more=""), B)
    takt.spawn()
    assert takt.process.wait(20) == 1
    assert "The station second is not in the new file, but jobs still need it" in takt.log()
    assert not takt.is_ready()
    write(tmp_path, A.format(next="second", more=SECOND), B)
    takt.start()
    takt.ended(job, "done")
    takt.stop()
    write(tmp_path, A.format(next="end", more=""), B)  # now nothing needs it any more
    takt.start()
    told = takt.ended(takt.order("/orders", '{"n":2}'), "done")
    assert [step["station"] for step in told["steps"]] == ["first"]
    assert "second" not in [row["station"] for row in
                            takt.admin("GET", "/api/v1/stations")[1]["stations"]]
    takt.stop()


@pytest.mark.sanitized
def test_a_line_that_is_not_run_keeps_what_it_has(takt, tmp_path):
    job = waits(takt, "/others", '{"n":3}', "only")
    takt.kill()
    write(tmp_path, A.format(next="second", more=SECOND))
    takt.start()
    assert "line b (not run: this takt was started without its file)" in takt.cli("status").stdout
    assert takt.job(job)["state"] == "running"
    assert takt.gateway("POST", "/others", "{}")[0] == 404
    takt.stop()
    write(tmp_path, B)
    takt.start()
    assert takt.ended(job, "done")["result"] == {"n": 3}
    takt.stop()


def test_a_stations_queue_is_the_lines_own(takt):
    job = waits(takt, "/orders", '{"n":4}', "second")
    for action, fields in (("ReceiveMessage", {}), ("DeleteQueue", {}),
                           ("SetQueueAttributes", {"Attributes": {"VisibilityTimeout": "1"}})):
        status, answer = takt.sqs(action, QueueUrl="a_second", **fields)
        assert status == 400 and "belongs to a station" in answer["message"], (action, answer)
    peeked = json.loads(takt.cli("queue", "peek", "a_second", "-o", "json").stdout)
    assert [(message["body"], message["receive_count"]) for message in peeked] == [('{"n":4}', 0)]
    takt.cli("station", "scale", "second=auto")
    assert takt.ended(job, "done")["result"] == {"n": 4}
