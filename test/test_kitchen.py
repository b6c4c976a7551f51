# SPDX-License-Identifier: Apache-2.0
"""The bakery's kitchen in trouble: bakers that hang, die and stand still, and one that takes long."""
import contextlib
import http.client
import json
import os
import signal
import threading
import time
import urllib.parse

import pytest

from takt_server import TAKT, TOP, Takt, wait_until

BAKERY = os.path.join(TOP, "build", "examples", "bakery")
WIP_LIMIT = 50
COUNTER_LIMIT = 20
# A sanitizer keeps what was freed, for a while: its program's memory says less.
GROWTH_KIB_MAX = 256 if ".asan" not in TAKT else 16384
LINE = f"""
line: bakery
gateway: {{ POST /orders: {{ to: counter, key: .number }} }}
stations:
  counter:
    stream: {BAKERY}/counter
    workers: 1
    wip_limit: {COUNTER_LIMIT}
    next: [ {{ to: kitchen, each: .items }} ]
  kitchen:
    stream: {BAKERY}/kitchen
    concurrency: 2
    workers: 2
    timeout: 2m
    wip_limit: {WIP_LIMIT}
"""
SLEEP = """
line: slow
gateway: { POST /exec: { to: exec }, POST /stream: { to: stream } }
stations:
  exec: { exec: /bin/sleep 60 }
  stream: { stream: /bin/sleep 60 }
"""


def order(number, count=1):
    items = [{"what": what, "count": 1} for what in ("bread", "sweet bread", "pizza")]
    return json.dumps({"number": number, "items": items[:count], "card": "4000123412341234",
                       "address": {"street": "Mill Lane 3"}})


def bakers(takt):
    """Those whose program runs: before that, a worker's process is still takt's own."""
    found = []
    for pid in takt.workers():
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")).endswith("kitchen"):
                found.append(pid)
    return sorted(found)


class Customers:
    """One order after the other, until told to stop."""

    def __init__(self, takt, pause):
        self.takt = takt
        self.pause = pause
        self.jobs = []
        self.statuses = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        address = urllib.parse.urlsplit(self.takt.urls["gateway"]).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
            while not self.stopped.is_set():
                connection.request("POST", "/orders", order(len(self.statuses) + 1, 3),
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self.statuses.append(answer.status)
                if answer.status == 202:
                    self.jobs.append(answer.headers["Location"])
                self.stopped.wait(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def wall_ms(text):
    """Of an RFC 3339 time in UTC."""
    whole, fraction = text.rstrip("Z").split(".")
    return (time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 1000 + \
        int(fraction)


def baked_at(takt, jobs):
    """When the kitchen's messages were done, and how many were given up: (times, timeouts)."""
    times = []
    timeouts = 0
    for job in jobs:
        for step in takt.job(job)["steps"]:
            if step["station"] != "kitchen":
                continue
            if step["outcome"] == "done":
                times.append(wall_ms(step["ended"]))
            else:
                timeouts += 1
    return sorted(times), timeouts


@pytest.mark.sanitized
def test_one_baker_hangs_and_one_dies_and_orders_go_on_within_a_second(tmp_path):
    env = {"BAKERY": BAKERY, "BAKERY_LEDGER": str(tmp_path / "ledger.db"), "TZ": "UTC"}
    with Takt(tmp_path, os.path.join(TOP, "examples", "bakery", "line.yaml"), env=env) as takt:
        hanging, dying = wait_until(lambda: len(bakers(takt)) == 2 and bakers(takt), 10, "bakers")
        with Customers(takt, 0.05) as customers:
            wait_until(lambda: takt.station("delivery")["handed_on"] > 3, 20, "orders go through")
            os.kill(hanging, signal.SIGSTOP)
            time.sleep(0.5)  # it has taken what it will never bake
            os.kill(dying, signal.SIGKILL)
            died_ms = time.time() * 1000
            time.sleep(2)
            assert hanging in bakers(takt), "it hung all the time"
        for job in customers.jobs:
            takt.ended(job, "done", 30)
        assert set(customers.statuses) == {202}
        times, failures = baked_at(takt, customers.jobs)
        after = [at - died_ms for at in times if at > died_ms]
        print(f"baked again after {after[0]:.0f} ms, {failures} attempts failed")
        assert after[0] < 1000, "the first message after the death"
        assert sum(1 for at in after if at < 2000) >= 10, "and it went on"
        assert 1 <= failures <= 5, "what the hanging baker had, and perhaps what the dead one had"
        assert hanging not in bakers(takt), "its station's timeout has ended it"
        takt.stop()


def memory_kib(takt):
    with open(f"/proc/{takt.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def journal(takt):
    status, answer = takt.admin("GET", "/api/v1/status")
    assert status == 200
    return {name: answer["journal"][name] for name in ("appended", "commits", "bytes_used")}


def settled(takt):
    """The journal, once it has stood still for a moment."""
    seen = {"last": journal(takt)}

    def stands():
        time.sleep(0.3)
        before, seen["last"] = seen["last"], journal(takt)
        return before == seen["last"]
    wait_until(stands, 20, "the line stands still")
    return seen["last"]


def send_until_full(takt, connection):
    """Orders of one item until the kitchen is full: the jobs of those that were taken."""
    accepted = []
    while len(accepted) < 4 * WIP_LIMIT:
        connection.request("POST", "/orders", order(len(accepted)))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 202:
            accepted.append(answer.headers["Location"])
            continue
        assert answer.status == 429, text
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "has reached its WIP limit of" in json.loads(text)["detail"]
        if takt.station("kitchen")["full"]:
            return accepted
        time.sleep(0.02)  # the counter is behind
    raise AssertionError("never full")


def stop_kitchen(takt, by):
    if by == "scale":
        takt.cli("station", "scale", "kitchen=0")
        return
    stopped = wait_until(lambda: len(bakers(takt)) == 2 and bakers(takt), 10, "two bakers")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)


def start_kitchen(takt, by):
    if by == "scale":
        takt.cli("station", "scale", "kitchen=auto")
        return
    for pid in bakers(takt):
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("by", ["scale", pytest.param("signal", marks=pytest.mark.sanitized)])
def test_a_stopped_kitchen_closes_the_door_and_nothing_grows(tmp_path, by):
    (tmp_path / "line.yaml").write_text(LINE, encoding="utf-8")
    with Takt(tmp_path / "takt", tmp_path / "line.yaml") as takt:
        address = urllib.parse.urlsplit(takt.urls["gateway"]).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
            stop_kitchen(takt, by)
            accepted = send_until_full(takt, connection)
            before = settled(takt)
            kitchen, counter = takt.station("kitchen"), takt.station("counter")
            print(f"{len(accepted)} accepted, {kitchen['wip']} at the kitchen")
            assert kitchen["full"] and counter["blocked_by"] == "kitchen"
            assert kitchen["wip"] + counter["wip"] == len(accepted)
            assert kitchen["wip"] == WIP_LIMIT, "the counter began nothing that had no room"
            assert len(accepted) <= WIP_LIMIT + COUNTER_LIMIT, "the limit, and what was in flight"

            def refuse(count):
                for _ in range(count):
                    connection.request("POST", "/orders", order(0))
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 429
            refuse(500)  # the memory that requests need at all
            memory = memory_kib(takt)
            refuse(3000)
            assert memory_kib(takt) <= memory + GROWTH_KIB_MAX
            assert journal(takt) == before
            start_kitchen(takt, by)
            for job in accepted:
                takt.ended(job, "done")
            takt.ended(takt.order("/orders", order(1000)), "done")
            takt.stop()


@pytest.mark.sanitized
def test_the_journal_is_idle_while_handlers_run(tmp_path):
    (tmp_path / "line.yaml").write_text(SLEEP, encoding="utf-8")
    with Takt(tmp_path / "takt", tmp_path / "line.yaml", "--grace", "100ms") as takt:
        takt.order("/exec", "{}")
        takt.order("/stream", "{}")
        for name in ("exec", "stream"):
            wait_until(lambda name=name: takt.station(name)["in_flight"] == 1, 10, "in work")
        before = settled(takt)
        time.sleep(10)
        assert journal(takt) == before, "no heartbeat is a record"
        assert takt.station("exec")["in_flight"] == takt.station("stream")["in_flight"] == 1
        takt.stop()
