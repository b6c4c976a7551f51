# SPDX-License-Identifier: Apache-2.0
"""`make run`: 200 orders, the report to the cent, and nothing left behind."""
import contextlib
import json
import os
import pty
import select
import subprocess
import time

import pytest

from takt_server import TAKT, TOP, marked_processes, write_program

BAKERY = os.path.join(TOP, "examples", "bakery")
PROGRAMS = os.path.join(TOP, "build", "examples", "bakery")
RUN = os.path.join(BAKERY, "run.sh")
only_release = pytest.mark.skipif(TAKT != os.path.join(TOP, "build", "takt"),
                                  reason="it runs build/takt")
CENTS = {"bread": 380, "sweet bread": 245, "pizza": 990}


def expected():
    """What the orders must become: (states, charges in cents)."""
    states = {}
    charges = []
    with open(os.path.join(BAKERY, "orders.ndjson"), encoding="utf-8") as file:
        for order in map(json.loads, file):
            cents = 0 if order.get("gift") else \
                sum(CENTS[item["what"]] * item["count"] for item in order["items"])
            refused = cents > 0 and order["card"].endswith("0000")
            state = "rejected" if refused or not order["address"].get("street") else "done"
            states[state] = states.get(state, 0) + 1
            if cents > 0 and not refused:
                charges.append(cents)
    return states, charges


def euros(cents):
    return f"{cents // 100}.{cents % 100:02d} EUR"


def environment(folder, **more):
    listen = {f"TAKT_LISTEN_{door}": "127.0.0.1:0" for door in ("SQS", "ADMIN", "GATEWAY")}
    return {**os.environ, "BAKERY_DATA": str(folder), **listen, **more}


def run(folder, **more):
    """As a pipeline runs it."""
    return subprocess.run([RUN], capture_output=True, text=True, timeout=100, check=False,
                          env=environment(folder, CI="true", **more))


@only_release
def test_make_run_sends_all_orders_and_reports_to_the_cent(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    states, charges = expected()
    words = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    assert f"s: {words}\n" in done.stdout and done.stdout.startswith("200 orders in ")
    report = {line[:14].strip(): line[14:].strip() for line in done.stdout.splitlines()}
    assert report["cards charged"] == str(len(charges))
    assert report["smallest"] == euros(min(charges))
    assert report["largest"] == euros(max(charges))
    assert report["taken in all"] == euros(sum(charges))
    for station in ("counter", "kitchen", "cashier", "delivery"):
        assert f"  {station} " in done.stdout.replace("/", " "), "the timeline of one order"
    assert "ended 200/200" in done.stderr
    assert marked_processes(str(tmp_path)) == []


@only_release
def test_make_run_fails_when_orders_fail(tmp_path):
    """A cashier that cannot work: its orders end in the dead letters."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("counter", "kitchen", "delivery"):
        os.symlink(os.path.join(PROGRAMS, name), programs / name)
    write_program(programs / "cashier", "#!/bin/sh\necho 'the till is locked' >&2\nexit 1\n")
    done = run(tmp_path / "data", BAKERY=str(programs))
    assert done.returncode == 1, done.stdout + done.stderr
    assert " failed" in done.stdout and "0 orders did not end" in done.stderr
    assert "the till is locked" in done.stdout, "why, in the timeline of one order"
    assert marked_processes(str(tmp_path / "data")) == []


def read_until(terminal, words, seconds):
    """What a terminal shows until these words are there."""
    shown = b""
    deadline = time.monotonic() + seconds
    while words not in shown:
        assert time.monotonic() < deadline, shown.decode(errors="replace")[-3000:]
        if select.select([terminal], [], [], 0.2)[0]:
            with contextlib.suppress(OSError):  # the other end has gone
                shown += os.read(terminal, 65536)
    return shown


@only_release
def test_make_run_ends_when_nobody_reads_it_any_more(tmp_path):
    with subprocess.Popen([RUN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=environment(tmp_path, CI="true")) as script:
        script.stdout.readline()
        script.stdout.close()
        script.wait(60)
    assert marked_processes(tmp_path) == []


@only_release
def test_make_run_on_a_terminal_goes_on_until_ctrl_c(tmp_path):
    pid, terminal = pty.fork()
    if pid == 0:
        env = environment(tmp_path)
        env.pop("CI", None)
        os.execve(RUN, [RUN], env)
    try:
        shown = read_until(terminal, b"an order by its number", 60)
        assert b"] 200/200" in shown and b"####" in shown, "a progress bar"
        assert b"The bakery is open until Ctrl-C" in shown
        assert marked_processes(str(tmp_path)) != []
        os.write(terminal, b"\x03")
        deadline = time.monotonic() + 20
        ended = (0, 0)
        while ended[0] == 0 and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    os.read(terminal, 65536)
            ended = os.waitpid(pid, os.WNOHANG)
        assert ended == (pid, 0)
    finally:
        os.close(terminal)  # which ends what is left, as a closed window would
    assert marked_processes(str(tmp_path)) == []
