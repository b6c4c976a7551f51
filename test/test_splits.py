# SPDX-License-Identifier: Apache-2.0
"""Splits in splits, dealt out as rolls past a WIP limit, while workers and takt itself are killed.

Every part of every split must reach its join exactly once, and in order.
"""
import contextlib
import json
import os
import random
import signal
import time

import pytest

from takt_server import Takt, marked_processes, write_program

LINE = """
line: tree
gateway: { POST /trees: { to: trunk, max_body: 1MiB } }
x-retry: &retry { attempts: 100, backoff: 10ms..100ms }
stations:
  trunk: { stream: ./echo, workers: 2, retry: *retry, next: [ { to: branch, each: .groups }, { to: whole, with: '{number}' } ] }
  branch: { stream: ./echo, workers: 2, concurrency: 3, retry: *retry, next: { to: leaf, each: .leaves } }
  leaf: { stream: ./echo, workers: 3, concurrency: 8, wip_limit: 60, retry: *retry, next: inner }
  inner: { join: branch, within: 10m, stream: ./count, workers: 2, retry: *retry, next: whole }
  whole: { join: trunk, within: 10m, exec: ./cat, workers: 2, retry: *retry }
"""
ECHO = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "output": task["body"]}), flush=True)
"""
COUNT = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    kit = task["body"] if "body" in task else json.load(open(task["body_file"]))
    print(json.dumps({"id": task["id"], "output": [leaf["n"] for leaf in kit["leaf"]]}), flush=True)
"""
CAT = """#!/bin/sh
exec cat ${TAKT_INPUT_FILE:-}
"""
SECONDS = 8
LEAVES = (0, 1, 5, 130, 260)  # of 1,200 bytes, three times 260 fit an order; 260 need a file


def make_tree(rng, number):
    groups = [{"leaves": [{"n": n, "pad": "x" * rng.choice((1, 1200))}
                          for n in range(rng.choice(LEAVES))]} for _ in range(rng.choice((0, 1, 3)))]
    return {"number": number, "groups": groups}


def kill_for_a_while(takt, rng):
    """How often a worker and takt were killed, and how often it was asked to stop."""
    counts = {"workers": 0, "kills": 0, "stops": 0}
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(rng.uniform(0.05, 0.3))
        if rng.random() < 0.2:
            way = rng.choice(("kills", "stops"))
            if way == "kills":
                takt.kill()
            else:
                takt.stop()
            counts[way] += 1
            takt.start()
            continue
        assert takt.process.poll() is None, takt.log()[-3000:]
        workers = takt.workers()
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(rng.choice(workers), signal.SIGKILL)
            counts["workers"] += 1
    return counts


@pytest.mark.sanitized
def test_every_part_reaches_its_join_once(tmp_path):
    seed = int(os.environ.get("SPLITS_SEED", random.randrange(10**9)))
    print(f"seed {seed} (repeat with SPLITS_SEED={seed})")
    rng = random.Random(seed)
    (tmp_path / "line.yaml").write_text(LINE, encoding="utf-8")
    for name, text in (("echo", ECHO), ("count", COUNT), ("cat", CAT)):
        write_program(tmp_path / name, text)
    trees = [make_tree(rng, number) for number in range(16)]
    with Takt(tmp_path / "takt", tmp_path / "line.yaml", "--grace", "100ms") as takt:
        takt.cli("station", "scale", "trunk=0")  # until all are there: then the killing begins
        jobs = [takt.order("/trees", json.dumps(tree)) for tree in trees]
        takt.cli("station", "scale", "trunk=auto")
        counts = kill_for_a_while(takt, rng)
        print(counts)
        assert counts["workers"] >= 10 and counts["kills"] + counts["stops"] >= 2
        for tree, job in zip(trees, jobs):
            takt.ended(job, "done", 60)
            result = json.loads(takt.gateway("GET", job + "/result")[2])
            assert result["trunk"] == {"number": tree["number"]}
            assert result["inner"] == [[leaf["n"] for leaf in group["leaves"]]
                                       for group in tree["groups"]]
        totals = takt.admin("GET", "/api/v1/status")[1]["totals"]
        assert (totals["messages"], totals["jobs_running"]) == (0, 0)
        takt.stop()
    assert marked_processes(takt.data) == []
