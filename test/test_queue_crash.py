# SPDX-License-Identifier: Apache-2.0
"""A short run of queue_crash.py, and the rules of its checker, each by a record that breaks it."""
import os
import random

import pytest

import queue_crash
from queue_crash_check import Event, check

KILLS = 10


@pytest.mark.timeout(240)
def test_nothing_answered_is_lost_whenever_takt_is_killed(tmp_path):
    seed = int(os.environ.get("CRASH_SEED", random.randrange(10**9)))
    print(f"seed {seed}")
    wrong, killer = queue_crash.run(str(tmp_path), KILLS, seed)
    assert wrong == []
    assert sum(killer.landed.values()) >= KILLS


def test_a_plan_has_every_point_and_is_the_seed_s():
    plan = queue_crash.make_plan(300, random.Random(5))
    assert len(plan) == 300 and plan == queue_crash.make_plan(300, random.Random(5))
    points = [point for point, _ in plan if point]
    assert all(points.count(point) >= 4 for point in queue_crash.POINTS)
    assert len(queue_crash.make_plan(10, random.Random(5))) == 10


def send(body, begin=0.0, ok=True, queue="q", **more):
    return Event("send", queue, begin, begin + 0.1, ok, body, **more)


def receive(begin, *messages, ok=True, visibility=2.0, end=None):
    return Event("receive", "q", begin, end or begin + 0.1, ok, visibility=visibility,
                 messages=list(messages))


def about(kind, begin, body=None, ok=True, queue="q"):
    return Event(kind, queue, begin, begin + 0.1, ok, body)


SOUND = [
    ([send("a")], {"q": ["a"]}),
    ([send("a", ok=None)], {"q": []}),
    ([send("a", ok=None)], {"q": ["a"]}),
    ([send("a", ok=False)], {"q": []}),
    ([send("a"), about("delete", 1, "a")], {"q": []}),
    ([send("a"), about("delete", 1, "a", ok=None)], {"q": ["a"]}),
    ([send("a"), about("delete", 1, "a", ok=None)], {"q": []}),
    ([send("a"), receive(1, ("a", 1)), receive(3.2, ("a", 2))], {"q": ["a"]}),
    ([send("a"), receive(1, ok=None), receive(3.2, ("a", 2))], {"q": ["a"]}),
    ([send("a"), receive(1, ("a", 1)), about("visibility", 1.2, "a"), receive(1.4, ("a", 2))],
     {"q": ["a"]}),
    ([send("a"), receive(1, ("a", 2), end=1.5), receive(1.01, ("a", 1), end=1.1),
      about("visibility", 1.2, "a")], {"q": ["a"]}),
    ([send("a"), about("purge", 1), send("b", 2)], {"q": ["b"]}),
    ([send("a"), about("purge", 0.05)], {"q": ["a"]}),
    ([about("create", 0), send("a", 1), about("drop", 2), about("missing", 3)], {}),
    ([about("create", 0), about("drop", 1), about("create", 2), send("b", 3)], {"q": ["b"]}),
    ([about("create", 0), about("drop", 1, ok=None)], {"q": []}),
    ([about("create", 0), about("drop", 1, ok=None)], {}),
]

BROKEN = [
    ("answered, and lost", [send("a")], {"q": []}),
    ("answered, and lost", [send("a"), about("purge", 1), send("b", 2)], {"q": []}),
    ("there twice", [send("a")], {"q": ["a", "a"]}),
    ("in another queue", [send("a")], {"r": ["a"]}),
    ("never sent, or refused, and there", [send("a", ok=False)], {"q": ["a"]}),
    ("never sent, or refused, and there", [], {"q": ["x"]}),
    ("gone by an answer, and back", [send("a"), about("delete", 1, "a")], {"q": ["a"]}),
    ("gone by an answer, and back", [send("a"), about("purge", 1)], {"q": ["a"]}),
    ("received after its delete", [send("a"), about("delete", 1, "a"), receive(2, ("a", 1))],
     {"q": []}),
    ("received after its delete", [send("a"), about("purge", 1), receive(2, ("a", 1))], {"q": []}),
    ("received, and never sent there", [receive(1, ("x", 1))], {"q": []}),
    ("received before it was sent", [send("a", 5), receive(1, ("a", 1))], {"q": ["a"]}),
    ("received before its delay", [send("a", delay=3), receive(1, ("a", 1))], {"q": ["a"]}),
    ("received twice while in flight",
     [send("a"), receive(1, ("a", 1)), receive(1.5, ("a", 2))], {"q": ["a"]}),
    ("received twice while in flight",
     [send("a"), receive(1, ("a", 1)), receive(1.05, ("a", 2))], {"q": ["a"]}),
    ("the receive count does not grow",
     [send("a"), receive(1, ("a", 1)), receive(4, ("a", 1))], {"q": ["a"]}),
    ("a receive count that cannot be", [send("a"), receive(1, ("a", 2))], {"q": ["a"]}),
    ("a queue is lost", [about("create", 0)], {}),
    ("a queue is back", [about("create", 0), about("drop", 1)], {"q": []}),
    ("a queue was missing", [about("create", 0), about("missing", 1)], {"q": []}),
    ("taken by a queue that had been deleted",
     [about("create", 0), about("drop", 1), send("a", 2)], {"q": ["a"]}),
]


@pytest.mark.parametrize("events,left", SOUND)
def test_a_sound_record_is_good(events, left):
    assert check(events, left) == []


@pytest.mark.parametrize("rule,events,left", BROKEN)
def test_each_broken_promise_is_found(rule, events, left):
    assert any(line.startswith(rule) for line in check(events, left)), check(events, left)
