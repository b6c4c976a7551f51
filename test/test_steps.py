# SPDX-License-Identifier: Apache-2.0
"""Every station that an order passed is told, however many steps there were.

A split of 3,000 through three stations, and an order that goes round and round; over a restart, and
after the journal has written all of it again further on.
"""
import json
import os

from takt_server import Takt, wait_until, write_program

PARTS = 3000
LINE = """
line: laundry
gateway:
  POST /baskets: { to: counter }
  POST /rounds: { to: knead }
stations:
  counter: { exec: ./parts, next: { to: wash, each: .parts } }
  wash: { stream: ./echo, concurrency: 64, next: dry }
  dry: { stream: ./some-fail, concurrency: 64, retry: { attempts: 3, backoff: 1ms..2ms }, next: fold }
  fold: { stream: ./echo, concurrency: 64 }
  knead: { stream: ./count, next: [ { to: knead, when: .n < 90 }, { to: bake, when: .n >= 90 } ] }
  bake: { stream: ./echo }
"""
PARTS_PROGRAM = f"""#!/usr/bin/python3
import json
print(json.dumps({{"parts": list(range({PARTS}))}}))
"""
ECHO = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "output": task["body"]}), flush=True)
"""
SOME_FAIL = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    answer = {"id": task["id"], "output": task["body"]}
    if task["body"] % 100 == 7 and task["attempt"] == 1:
        answer = {"id": task["id"], "error": f"part {task['body']} is still wet"}
    print(json.dumps(answer), flush=True)
"""
COUNT = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "output": {"n": task["body"]["n"] + 1}}), flush=True)
"""


def told(takt, job):
    report = takt.job(job)
    shown = {}
    for step in report["steps"]:
        key = (step["station"], step["outcome"])
        shown[key] = shown.get(key, 0) + 1
    return report, shown


def expect_basket(takt, job):
    report, shown = told(takt, job)
    assert report["state"] == "done"
    stations = {station["station"]: station for station in report["stations"]}
    assert list(stations) == ["counter", "wash", "dry", "fold"]
    for name, station in stations.items():
        assert station["done"] == (1 if name == "counter" else PARTS), station
        assert station["first"] <= station["last"]
        assert station["attempts"] == station["done"] + station.get("failed", 0)
    assert stations["dry"]["failed"] == PARTS // 100
    assert "is still wet" in stations["dry"]["error"]
    steps = 1 + 3 * PARTS + PARTS // 100
    assert report["steps_left_out"] == steps - len(report["steps"])
    assert report["steps"][-1]["station"] == "fold" and shown[("fold", "done")] > 100
    text = takt.cli("job", "show", job.rsplit("/", 1)[1]).stdout
    assert f"fold                  {PARTS} done" in text
    assert f"{report['steps_left_out']} earlier steps are not shown one by one" in text


def expect_rounds(takt, job):
    report, shown = told(takt, job)
    assert report["state"] == "done"
    assert [(s["station"], s["done"]) for s in report["stations"]] == [("knead", 90), ("bake", 1)]
    assert shown == {("knead", "done"): 90, ("bake", "done"): 1} and "steps_left_out" not in report


def oldest_segment(takt):
    return min(name for name in os.listdir(os.path.join(takt.data, "journal"))
               if name.endswith(".segment"))


def make_the_journal_go_round(takt):
    """Large messages come and go until the oldest segment has been given back."""
    first = oldest_segment(takt)

    def is_gone():
        url = takt.sqs("CreateQueue", QueueName="heap")[1]["QueueUrl"]
        for _ in range(16):
            assert takt.sqs("SendMessage", QueueUrl=url, MessageBody="x" * 1000000)[0] == 200
        assert takt.sqs("DeleteQueue", QueueUrl=url)[0] == 200
        return oldest_segment(takt) != first
    wait_until(is_gone, 90, "the oldest segment is given back")


def restart(takt, way):
    way()
    takt.start()


def test_every_station_is_told(tmp_path):
    (tmp_path / "line.yaml").write_text(LINE, encoding="utf-8")
    programs = {"parts": PARTS_PROGRAM, "echo": ECHO, "some-fail": SOME_FAIL, "count": COUNT}
    for name, text in programs.items():
        write_program(tmp_path / name, text)
    with Takt(tmp_path / "takt", tmp_path / "line.yaml") as takt:
        rounds = takt.order("/rounds", json.dumps({"n": 0}))
        basket = takt.order("/baskets", "{}")
        takt.ended(rounds, "done", 30)
        takt.ended(basket, "done", 60)
        expect_rounds(takt, rounds)
        expect_basket(takt, basket)
        restart(takt, takt.kill)
        expect_rounds(takt, rounds)
        expect_basket(takt, basket)
        make_the_journal_go_round(takt)
        expect_rounds(takt, rounds)
        expect_basket(takt, basket)
        restart(takt, takt.stop)
        expect_rounds(takt, rounds)
        expect_basket(takt, basket)
        takt.stop()
