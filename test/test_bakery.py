# SPDX-License-Identifier: Apache-2.0
"""`make run`, as a pipeline runs it: 200 orders, the report to the cent, and nothing left behind."""
import json
import os
import subprocess

import pytest

from takt_server import TAKT, TOP, marked_processes

BAKERY = os.path.join(TOP, "examples", "bakery")
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


@pytest.mark.skipif(TAKT != os.path.join(TOP, "build", "takt"), reason="it runs build/takt")
def test_make_run_sends_all_orders_and_reports_to_the_cent(tmp_path):
    env = {"CI": "true", "BAKERY_DATA": str(tmp_path), "TAKT_LISTEN_SQS": "127.0.0.1:0",
           "TAKT_LISTEN_ADMIN": "127.0.0.1:0", "TAKT_LISTEN_GATEWAY": "127.0.0.1:0"}
    done = subprocess.run([os.path.join(BAKERY, "run.sh")], capture_output=True, text=True,
                          timeout=100, check=False, env={**os.environ, **env})
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
