# SPDX-License-Identifier: Apache-2.0
"""A digest of the whole state is equal before a stop and after the restart, on the real program.

Workers' sessions end with takt, which is a record: where a line is looked at, its stations are
stopped first, or the second start is compared with the first.
"""
import json

import pytest

from takt_server import Takt, wait_until, write_program

QUEUES = """
queues:
  work: { visibility: 1h, retention: 4d, dead: { to: work-dead, after: 1 } }
  work-dead: {}
  later: { delay: 15m }
  emptied: {}
"""
LINE = """
line: floor
gateway:
  POST /orders: { to: split, key: .number, once: .number }
  POST /hard: { to: hard }
stations:
  split:
    stream: ./split
    next:
      - { to: part, each: .parts }
      - { to: gather, with: '{number}' }
  part: { stream: ./part, concurrency: 4, wip_limit: 30, retry: { attempts: 2, backoff: 1h..2h }, next: gather }
  gather: { join: split, within: 2h, stream: ./gather }
  hard: { exec: ./hard, retry: { attempts: 1 } }
result: gather
"""
ECHO = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "output": task["body"]}), flush=True)
"""
PART = """#!/usr/bin/python3
import json, os, sys, threading
for line in sys.stdin:
    task = json.loads(line)
    body = task["body"]
    if body == "die":
        threading.Timer(0.5, os._exit, [1]).start()
        continue
    if body == "hold":
        continue
    kind = {"fail": "error", "no": "reject"}.get(body, "output")
    print(json.dumps({"id": task["id"], kind: body}), flush=True)
"""
HARD = """#!/bin/sh
echo "too hard" >&2
exit 1
"""


def digest(takt):
    status, answer = takt.admin("GET", "/api/v1/digest")
    assert status == 200 and len(answer["digest"]) == 32
    return answer["digest"]


def end(takt, way):
    if way == "kill":
        takt.kill()
    else:
        takt.stop()


def receive(takt, queue, **fields):
    status, answer = takt.sqs("ReceiveMessage", QueueUrl=queue, **fields)
    assert status == 200, answer
    return answer.get("Messages", [])


def fill_queues(takt):
    """Messages in every state a plain queue knows."""
    for number in range(30):
        attributes = {"n": {"DataType": "Number", "StringValue": str(number)}}
        assert takt.sqs("SendMessage", QueueUrl="work", MessageBody=f"m{number}",
                        MessageAttributes=attributes)[0] == 200
    for queue, count in (("later", 3), ("emptied", 4)):
        for number in range(count):
            assert takt.sqs("SendMessage", QueueUrl=queue, MessageBody=str(number))[0] == 200
    in_flight = receive(takt, "work", MaxNumberOfMessages=10)
    assert len(in_flight) == 10
    assert takt.sqs("DeleteMessage", QueueUrl="work",
                    ReceiptHandle=in_flight[0]["ReceiptHandle"])[0] == 200
    for message in in_flight[1:4]:  # visible again, and at the next receive dead
        assert takt.sqs("ChangeMessageVisibility", QueueUrl="work", VisibilityTimeout=0,
                        ReceiptHandle=message["ReceiptHandle"])[0] == 200
    receive(takt, "work", MaxNumberOfMessages=5)
    assert takt.sqs("PurgeQueue", QueueUrl="emptied")[0] == 200
    assert takt.sqs("CreateQueue", QueueName="gone")[0] == 200
    assert takt.sqs("SendMessage", QueueUrl="gone", MessageBody="x")[0] == 200
    assert takt.sqs("DeleteQueue", QueueUrl="gone")[0] == 200


@pytest.mark.sanitized
@pytest.mark.parametrize("way", ["kill", "stop"])
def test_queues_are_the_same_after_a_restart(tmp_path, way):
    (tmp_path / "queues.yaml").write_text(QUEUES, encoding="utf-8")
    with Takt(tmp_path / "takt", tmp_path / "queues.yaml", command="serve") as takt:
        fill_queues(takt)
        counts = {queue["name"]: (queue["visible"], queue["in_flight"], queue["delayed"])
                  for queue in takt.admin("GET", "/api/v1/queues")[1]["queues"]}
        assert all(counts["work"][:2]) and counts["later"][2] == 3 and counts["work-dead"][0] == 3
        before = digest(takt)
        for _ in range(2):
            end(takt, way)
            takt.start()
            assert digest(takt) == before
        # And it is no constant: whatever a command can read counts.
        seen = {before}
        handle = receive(takt, "work")[0]["ReceiptHandle"]
        seen.add(digest(takt))
        for action, fields in (("DeleteMessage", {"QueueUrl": "work", "ReceiptHandle": handle}),
                               ("SendMessage", {"QueueUrl": "later", "MessageBody": "x"}),
                               ("SetQueueAttributes", {"QueueUrl": "later", "Attributes":
                                                       {"DelaySeconds": "1"}})):
            assert takt.sqs(action, **fields)[0] == 200
            seen.add(digest(takt))
        assert len(seen) == 5
        after = digest(takt)
        end(takt, way)
        takt.start()
        assert digest(takt) == after
        takt.stop()


def scale(takt, count, *stations):
    for station in stations:
        takt.cli("station", "scale", f"{station}={count}")


def fill_line(takt):
    """Jobs in every state, open kits, a roll that is stopped by a limit, a suspect, a retry."""
    jobs = {}

    def send(name, *parts):
        jobs[name] = takt.order("/orders", json.dumps({"number": name, "parts": list(parts)}))
    send("done", 1, 2)
    takt.ended(jobs["done"], "done")
    send("rejected", 1, "no")
    takt.ended(jobs["rejected"], "rejected")
    jobs["failed"] = takt.order("/hard", "{}")
    takt.ended(jobs["failed"], "failed")
    send("retried", 1, "fail")
    wait_until(lambda: takt.station("part")["delayed"] == 1, 10, "a retry to come")
    send("suspect", "hold", "die")
    wait_until(lambda: takt.station("part")["in_flight"] == 2, 10, "one that dies with two")
    scale(takt, 0, "part")
    wait_until(lambda: takt.station("part")["in_flight"] == 0, 10, "its death")
    send("waiting", *range(20))
    wait_until(lambda: takt.station("part")["wip"] >= 20, 10, "parts that wait")
    send("rolled", *range(300))
    wait_until(lambda: takt.station("part")["full"], 10, "a roll that is stopped")
    return jobs


@pytest.fixture(name="floor")
def fixture_floor(tmp_path):
    (tmp_path / "line.yaml").write_text(LINE, encoding="utf-8")
    for name, text in (("split", ECHO), ("part", PART), ("gather", ECHO), ("hard", HARD)):
        write_program(tmp_path / name, text)
    with Takt(tmp_path / "takt", tmp_path / "line.yaml", "--grace", "100ms") as takt:
        yield takt


def as_server(takt):
    """The same data, without workers: `takt serve`."""
    takt.command, takt.arguments = "serve", []
    return takt.start()


def sessions(takt):
    return takt.admin("GET", "/api/v1/status")[1]["totals"]["workers"]


@pytest.mark.sanitized
@pytest.mark.parametrize("way", ["kill", "stop"])
def test_a_line_is_the_same_after_a_restart(floor, way):
    jobs = fill_line(floor)
    scale(floor, 0, "split", "gather", "hard")
    wait_until(lambda: sessions(floor) == 0, 10, "no worker is left")
    before = digest(floor)
    reports = {name: floor.job(path) for name, path in jobs.items()}
    states = {name: report["state"] for name, report in reports.items()}
    assert states == {"done": "done", "rejected": "rejected", "failed": "failed",
                      "retried": "running", "suspect": "running", "waiting": "running",
                      "rolled": "running"}
    arguments = floor.arguments
    end(floor, way)
    as_server(floor)
    assert digest(floor) == before
    for name, path in jobs.items():
        assert floor.admin("GET", f"/api/v1/jobs/{path.rsplit('/', 1)[1]}")[1] == reports[name]
    end(floor, way)
    floor.start()
    assert digest(floor) == before
    floor.stop()
    floor.command, floor.arguments = "run", arguments
    floor.start()  # what waited goes on
    floor.ended(jobs["waiting"], "done")
    assert len(floor.ended(jobs["rolled"], "done", 40)["result"]["part"]) == 300
    floor.stop()


@pytest.mark.sanitized
def test_what_workers_held_comes_back_once(floor):
    """The first start ends the earlier life's sessions; the second finds nothing to do."""
    held = floor.order("/orders", json.dumps({"number": "held", "parts": ["hold"] * 3}))
    wait_until(lambda: floor.station("part")["in_flight"] == 3, 10, "three in hand")
    floor.kill()
    as_server(floor)
    assert sessions(floor) == 0
    place = floor.admin("GET", f"/api/v1/jobs/{held.rsplit('/', 1)[1]}")[1]["waiting"]
    assert [(at["station"], at["waiting"], at["in_flight"]) for at in place
            if at["station"] == "part"] == [("part", 3, 0)]
    before = digest(floor)
    for way in ("kill", "stop"):
        end(floor, way)
        floor.start()
        assert digest(floor) == before
    floor.stop()
