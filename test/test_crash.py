# SPDX-License-Identifier: Apache-2.0
"""2,000 orders through the bakery while workers and takt itself are killed all the time.

Clients repeat a POST that was not answered under the same Idempotency-Key. At the end every
accepted order is finished, and the cashier's ledger equals, to the cent, a sum made from the 202s
alone; dead letters that were redriven after a charge included.
"""
import json
import os
import queue
import random
import signal
import sqlite3
import threading
import time

import pytest

from takt_server import TOP, Takt, marked_processes, request, wait_until

ORDERS = int(os.environ.get("CRASH_ORDERS", "2000"))
WORKER_KILLS = 50
TAKT_KILLS = 20
RECOVERY_KILLS = 3
SENDERS = 6
SECONDS_MAX = 280
BAKERY = os.path.join(TOP, "build", "examples", "bakery")
CENTS = {"bread": 380, "sweet bread": 245, "pizza": 990}


def make_orders(rng):
    orders = []
    for number in range(1, ORDERS + 1):
        kinds = rng.sample(sorted(CENTS), rng.randint(1, 3))
        items = [{"what": what, "count": rng.randint(1, 4)} for what in kinds]
        card = f"4000{rng.randrange(10**8):08d}{rng.randint(1, 9999):04d}"
        order = {"number": number, "items": items, "address": {"street": "Mill Lane 3"}}
        if rng.random() < 0.05:
            order["gift"] = True
        else:
            order["card"] = card[:-4] + "0000" if rng.random() < 0.05 else card
        if rng.random() < 0.03:
            order["address"] = {}
        orders.append(order)
    return orders


def cents_of(order):
    """What this order must bring into the ledger."""
    if order.get("gift") or order["card"].endswith("0000"):
        return 0
    return sum(CENTS[item["what"]] * item["count"] for item in order["items"])


def state_of(order):
    if not order.get("gift") and order["card"].endswith("0000"):
        return "rejected"
    return "done" if order["address"] else "rejected"


class Senders:
    """Clients that do not give up. What takt answered with 202 is in `accepted`."""

    def __init__(self, takt, orders, seed):
        self.takt = takt
        self.seed = seed
        self.accepted = {}
        self.wrong = []
        self.repeated = 0
        self.stopped = threading.Event()
        self.todo = queue.Queue()
        for order in orders:
            self.todo.put(order)
        self.threads = [threading.Thread(target=self.run) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopped.is_set():
            try:
                order = self.todo.get_nowait()
            except queue.Empty:
                return
            self.send(order)

    def send(self, order):
        headers = {"Content-Type": "application/json",
                   "Idempotency-Key": f"{self.seed}-{order['number']}"}
        while not self.stopped.is_set():
            try:
                status, answer, body = request(self.takt.urls["gateway"], "POST", "/orders",
                                               json.dumps(order), headers, timeout=10)
            except (OSError, ValueError, Exception):  # any half answer is no answer
                self.repeated += 1
                time.sleep(0.02)
                continue
            if status == 202:
                self.accepted[order["number"]] = answer["Location"].rsplit("/", 1)[1]
                return
            if status not in (429, 503):
                self.wrong.append((order["number"], status, body))
                return
            time.sleep(0.05)

    def end(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


class Killer:
    """Kills workers and takt at moments drawn from the seed, and counts what really died."""

    def __init__(self, takt, rng):
        self.takt = takt
        self.rng = rng
        self.workers = 0
        self.takts = 0
        self.in_recovery = 0

    def kill_worker(self):
        workers = self.takt.workers()
        if not workers:
            return
        try:
            os.kill(self.rng.choice(workers), signal.SIGKILL)
            self.workers += 1
        except ProcessLookupError:  # an exec handler that had just ended
            pass

    def kill_takt(self, recovery):
        self.takt.kill()
        self.takts += 1
        if recovery:
            self.takt.spawn()
            wait_until(self.replay_has_begun, 30, "a replay to kill")
            assert not self.takt.is_ready()
            self.takt.kill()
            self.takts += 1
            self.in_recovery += 1
        self.takt.start()

    def replay_has_begun(self):
        """takt has the journal's files open and its doors are not open yet."""
        folder = f"/proc/{self.takt.process.pid}/fd"
        try:
            return any("/journal/" in os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder))
        except OSError:
            return False

    def run(self, is_over):
        while not is_over():
            for _ in range(3):
                time.sleep(self.rng.uniform(0.02, 0.25))
                self.kill_worker()
            if self.takts < TAKT_KILLS:
                recovery = self.in_recovery < RECOVERY_KILLS and self.rng.random() < 0.4
                self.kill_takt(recovery)

    def is_enough(self):
        return (self.workers >= WORKER_KILLS and self.takts >= TAKT_KILLS and
                self.in_recovery >= RECOVERY_KILLS)


def job_states(takt, accepted):
    states = {}
    for number, job in accepted.items():
        status, _, body = takt.gateway("GET", f"/jobs/{job}")
        assert status == 200, (number, job, status, body)
        states[number] = json.loads(body)
    return states


def redrive_all(takt):
    for station in ("counter", "kitchen", "cashier", "delivery"):
        while True:
            status, answer = takt.admin("POST", f"/api/v1/queues/bakery_{station}_dead/redrive",
                                        "{}")
            assert status == 200, answer
            if not answer["more"]:
                break


def finish(takt, accepted):
    """Redrives dead letters until every job has ended as something else than failed."""
    def ended():
        status, answer = takt.admin("GET", "/api/v1/status")
        assert status == 200
        return answer["totals"]["jobs_running"] == 0
    for _ in range(20):
        wait_until(ended, 120, "all jobs ended")
        states = job_states(takt, accepted)
        if all(job["state"] != "failed" for job in states.values()):
            return states
        redrive_all(takt)
    raise AssertionError("dead letters again and again")


def check_ledger(path, orders, accepted):
    charged = {number: cents_of(orders[number - 1]) for number in accepted}
    with sqlite3.connect(path) as ledger:
        rows = ledger.execute("SELECT number, cents, task FROM charge").fetchall()
    assert len({row[2] for row in rows}) == len(rows)
    assert {int(number): cents for number, cents, _ in rows} == \
        {number: cents for number, cents in charged.items() if cents > 0}
    assert sum(cents for _, cents, _ in rows) == sum(charged.values())
    assert len(rows) == sum(1 for cents in charged.values() if cents > 0), "one order twice"


@pytest.mark.timeout(SECONDS_MAX + 60)
@pytest.mark.parametrize("run", range(3))
def test_nothing_is_lost_or_charged_twice_whatever_is_killed(tmp_path, run):
    seed = int(os.environ.get("CRASH_SEED", random.randrange(10**9))) + run
    print(f"seed {seed} (repeat with CRASH_SEED={seed - run})")
    rng = random.Random(seed)
    orders = make_orders(rng)
    well = tmp_path / "well"
    env = {"BAKERY": BAKERY, "BAKERY_LEDGER": str(tmp_path / "ledger.db"),
           "CASHIER_WELL": str(well)}
    takt = Takt(tmp_path, os.path.join(TOP, "test", "crash", "line.yaml"), env=env)
    with takt:
        senders = Senders(takt, orders, seed)
        killer = Killer(takt, rng)
        deadline = time.monotonic() + SECONDS_MAX
        try:
            killer.run(lambda: time.monotonic() > deadline or (
                killer.is_enough() and not any(t.is_alive() for t in senders.threads)))
        finally:
            senders.end()
        print(f"killed: {killer.workers} workers, {killer.takts} takts, "
              f"{killer.in_recovery} of them in recovery; {senders.repeated} POSTs repeated")
        assert killer.is_enough(), "fewer kills landed than the test is for"
        assert not senders.wrong
        assert len(senders.accepted) == ORDERS
        well.touch()
        jobs = finish(takt, senders.accepted)
        for number, job in jobs.items():
            order = orders[number - 1]
            assert job["state"] == state_of(order), job
            if job["state"] == "done":
                assert job["result"]["paid"] == cents_of(order), job
                assert job["result"]["pieces"] == sum(i["count"] for i in order["items"]), job
        assert len({job["id"] for job in jobs.values()}) == ORDERS
        check_ledger(tmp_path / "ledger.db", orders, senders.accepted)
        takt.stop()
    assert marked_processes(takt.data) == []
