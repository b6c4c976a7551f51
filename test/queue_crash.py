#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Queues under load while takt is killed, at random moments and at each named point of its writing.

queue_crash.py [KILLS [SEED]]    with TAKT_BIN, or build/takt

Clients keep their own record of every answer; queue_crash_check.py compares it with what is left.
The same seed gives the same plan: which point, the how-manieth time. The points are those of
test/crash/points_preload.c, which kills the shipped program through LD_PRELOAD.
"""
import collections
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import queue_crash_check
from queue_crash_clients import VISIBILITY, Client, Load
from takt_server import TOP, Takt, wait_until

PROGRAMS = os.path.join(TOP, "build", "test-programs")
POINT_SECONDS_MAX = 6  # a point that does not come in that time is tried again later
TRIES_MAX = 8
WRONG_MAX = 20  # are told

# How often a point comes in a second of load, about: the plan chooses below that.
POINTS = {
    **{f"batch-{part}": 60 for part in ("before-write", "half-written", "written", "synced")},
    **{f"carry-{part}": 3 for part in ("before-write", "half-written", "written", "synced")},
    **{f"header-{part}": 2 for part in ("before-write", "half-written", "written", "synced")},
    **{f"epoch-{part}": 1 for part in ("before-write", "half-written", "written", "synced")},
    **{f"prepared-{part}": 1 for part in ("before-rename", "renamed", "folder-synced")},
    **{f"recycled-{part}": 1 for part in ("before-rename", "renamed", "folder-synced")},
    **{f"summary-{part}": 1 for part in ("before-write", "written", "before-rename", "renamed")},
    "zeros-half-written": 2, "zeros-synced": 1,
    "old-before-unlink": 1, "old-unlinked": 1,
    "replay-read": 3, "tail-written": 1, "tail-synced": 1,
}


def make_plan(kills, rng):
    """[(point or None, count)]: every point as often as the others, and as many random moments."""
    each = max(1, kills // 2 // len(POINTS))
    points = list(POINTS) * each
    if kills < len(POINTS):
        points = rng.sample(list(POINTS), kills // 2)
    plan = [(point, rng.randint(1, POINTS[point])) for point in points]
    plan += [(None, 0)] * (kills - len(plan))
    rng.shuffle(plan)
    return plan


class Killer:
    def __init__(self, takt, rng, report):
        self.takt = takt
        self.rng = rng
        self.report = report
        self.landed = collections.Counter()
        self.missed = collections.Counter()

    def reported(self):
        if not os.path.exists(self.report):
            return None
        with open(self.report, encoding="utf-8") as file:
            name = file.read().strip()
        os.unlink(self.report)
        return name or None

    def spawn(self, point=None, count=0):
        self.takt.env = {}
        if point is not None:
            self.takt.env = {"TAKT_CRASH_POINT": f"{point}:{count}",
                             "TAKT_CRASH_REPORT": self.report,
                             "LD_PRELOAD": os.path.join(PROGRAMS, "points_preload.so")}
        self.takt.spawn()

    def kill_at(self, point, count):
        self.spawn(point, count)
        try:
            self.takt.process.wait(POINT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.takt.kill()
        name = self.reported()
        if name == point:
            assert self.takt.process.returncode == -9
            self.landed[point] += 1
            return True
        assert self.takt.process.returncode == -9, self.takt.log()[-3000:]
        self.landed["at random"] += 1
        self.missed[point] += 1
        return False

    def kill_at_random(self):
        self.spawn()
        if self.rng.random() < 0.1:  # perhaps before it is ready
            time.sleep(self.rng.uniform(0, 0.05))
        else:
            self.takt.wait_ready()
            time.sleep(self.rng.uniform(0.02, 0.5))
        self.takt.kill()
        self.landed["at random"] += 1

    def run(self, plan):
        tries = collections.Counter()
        plan = collections.deque(plan)
        while plan:
            point, count = plan.popleft()
            if point is None:
                self.kill_at_random()
            elif not self.kill_at(point, count):
                tries[point] += 1
                if tries[point] < TRIES_MAX:
                    plan.append((point, 1))


def drain(takt, load):
    """What each queue holds in the end: received, each of them once, by a client of its own."""
    time.sleep(VISIBILITY + 0.5)  # what was in flight comes back
    client = Client(load, "drain")
    load.clients.append(client)
    status, answer = takt.sqs("ListQueues")
    assert status == 200, answer
    left = {}
    for url in answer.get("QueueUrls", []):
        queue = url.rsplit("/", 1)[1]
        left[queue] = []
        found = True
        while found:
            found = client.receive(queue, visibility=600)
            left[queue] += [name for name, _ in found]
    return left


def say(events, killer, load, left, seconds):
    counts = collections.Counter()
    for event in events:
        word = {True: "answered", False: "refused", None: "unanswered"}[event.ok]
        counts[event.kind, word] += 1
    kinds = ["send", "receive", "delete", "visibility", "purge", "drop", "create"]
    print(f"{sum(killer.landed.values())} kills in {seconds:.0f} s, of them")
    for point in ["at random", *POINTS]:
        missed = f" ({killer.missed[point]} times it did not come)" if killer.missed[point] else ""
        print(f"  {killer.landed[point]:4} {point}{missed}")
    for kind in kinds:
        print(f"  {kind:10} {counts[kind, 'answered']:7} answered {counts[kind, 'unanswered']:6} "
              f"unanswered {counts[kind, 'refused']:6} refused")
    print(f"  refused with {load.refusals()}")
    received = sum(len(event.messages) for event in events if event.kind == "receive")
    print(f"  {received} messages received, {sum(map(len, left.values()))} left at the end")


def tell(events, name):
    """All that the clients know of one message, in seconds from its send."""
    about = [event for event in events if event.body == name or
             name in (body for body, _ in event.messages)]
    about.sort(key=lambda event: event.begin)
    for event in about:
        counts = [count for body, count in event.messages if body == name]
        print(f"    {event.begin - about[0].begin:8.3f} to {event.end - about[0].begin:8.3f} "
              f"{event.kind} {event.queue} answered={event.ok} counts={counts} "
              f"visibility={event.visibility}")


def run(folder, kills, seed):
    """(what is wrong, the Killer); what was counted is printed."""
    rng = random.Random(seed)
    plan = make_plan(kills, rng)
    takt = Takt(folder, command="serve")
    subprocess.run([os.path.join(PROGRAMS, "small_segments"), os.path.join(takt.data, "journal")],
                   check=True)
    killer = Killer(takt, rng, os.path.join(folder, "report"))
    begin = time.monotonic()
    load = None
    try:
        takt.start()
        load = Load(takt.ports["sqs"], seed)
        load.create()
        load.start()
        takt.kill()
        killer.run(plan)
        takt.env = {}
        takt.start()
        load.stop()
        left = drain(takt, load)
        takt.stop()
    finally:
        if load is not None:
            load.is_over = True
        if takt.process is not None and takt.process.poll() is None:
            takt.kill()
    events = load.events()
    say(events, killer, load, left, time.monotonic() - begin)
    wrong = load.wrong + queue_crash_check.check(events, left)
    for line in wrong[:WRONG_MAX]:
        print(f"WRONG {line}")
        tell(events, line.partition(": ")[2].partition(" ")[0])
    return wrong, killer


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**9)
    print(f"{kills} kills, seed {seed} (again: make crash KILLS={kills} SEED={seed})", flush=True)
    folder = tempfile.mkdtemp(prefix="takt-crash-")
    wrong, killer = run(folder, kills, seed)
    never = [point for point in POINTS if killer.landed[point] == 0]
    landed = sum(killer.landed.values())
    if kills >= len(POINTS) and never:
        wrong.append(f"points that never came: {' '.join(never)}")
        print(wrong[-1])
    if landed < kills:
        wrong.append(f"only {landed} kills landed")
        print(wrong[-1])
    if wrong:
        print(f"{len(wrong)} things are wrong; the folder is kept: {folder}")
        sys.exit(1)
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
    print("nothing answered was lost, nothing deleted came back, nothing was given out twice")


if __name__ == "__main__":
    main()
