#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends the orders of a file through the gateway and waits until each has ended.

usage: send.py GATEWAY_URL ORDERS.ndjson

An order whose answer did not come is sent again under the same Idempotency-Key: takt takes it
once. Exits with 1 if an order that was accepted has not ended after a minute without news.
"""
import http.client
import json
import os
import sys
import time
import urllib.parse

PATIENCE_S = 60


def bar(what, done, whole):
    if sys.stderr.isatty():
        full = 40 * done // whole
        # The cursor goes back to the left: a line of takt's log takes the bar's place, whole.
        sys.stderr.write(f"{what} [{'#' * full}{'.' * (40 - full)}] {done}/{whole}\033[K\r")
        if done == whole:
            sys.stderr.write("\n")
        sys.stderr.flush()
    elif done == whole:
        print(f"{what} {done}/{whole}", file=sys.stderr)


class Gateway:
    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc
        self.connection = None

    def ask(self, method, path, body=None, headers=None):
        """One request; the connection is kept, and made again after a failure."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=30)
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection = None
            return None, {}, b""


def send(gateway, order, run):
    key = f"{run}-{json.loads(order)['number']}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        status, answer, body = gateway.ask("POST", "/orders", order, headers)
        if status == 202:
            return answer["Location"]
        if status is not None and status not in (429, 503):
            sys.exit(f"the order {key} was refused with {status}: {body.decode()}")
        time.sleep(float(answer.get("Retry-After", 0.2)) if status == 429 else 0.2)
    sys.exit(f"the order {key} was not accepted within {PATIENCE_S} s")


def wait_for_all(gateway, jobs):
    """Asks for the jobs that are not known to have ended; returns {path: state}."""
    ended = {}
    open_jobs = list(jobs)
    last_news = time.monotonic()
    while open_jobs and time.monotonic() - last_news < PATIENCE_S:
        still = []
        for path in open_jobs:
            status, _, body = gateway.ask("GET", path)
            state = json.loads(body)["state"] if status == 200 else "running"
            if state == "running":
                still.append(path)
            else:
                ended[path] = state
                last_news = time.monotonic()
                bar("ended", len(ended), len(jobs))
        open_jobs = still
        if open_jobs:
            time.sleep(0.05)
    return ended


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    gateway = Gateway(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        orders = [line.strip() for line in file if line.strip()]
    run = f"{int(time.time())}-{os.getpid()}"
    started = time.monotonic()
    jobs = []
    for order in orders:
        jobs.append(send(gateway, order, run))
        bar("sent ", len(jobs), len(orders))
    ended = wait_for_all(gateway, jobs)
    counts = {}
    for state in ended.values():
        counts[state] = counts.get(state, 0) + 1
    words = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    print(f"{len(orders)} orders in {time.monotonic() - started:.1f} s: {words}")
    print(f"one of them: {jobs[0].rsplit('/', 1)[1]}")
    if len(ended) < len(jobs) or counts.get("failed", 0) > 0:
        sys.exit(f"{len(jobs) - len(ended)} orders did not end, {counts.get('failed', 0)} failed")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
