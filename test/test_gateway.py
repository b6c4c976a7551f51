# SPDX-License-Identifier: Apache-2.0
"""The gateway of the whole program: orders in, jobs out, and what they tell, also after SIGKILL."""
import contextlib
import json
import os
import socket
import stat
import threading
import urllib.parse

import pytest

from takt_server import Takt, request, wait_until

LINE = """
line: bakery
gateway:
  POST /orders:
    to: counter
    accept: application/json
    max_body: 1KiB
    key: .number
    require:
      an order needs a total above zero: .total > 0
  POST /payments: { to: counter, once: .id }
stations:
  counter: { exec: ./counter, retry: { attempts: 2, backoff: 10ms..20ms }, next: kitchen }
  kitchen: { stream: ./kitchen, workers: 1, wip_limit: 3, retry: { attempts: 2, backoff: 10ms..20ms } }
"""

COUNTER = """#!/bin/sh
order=$(cat)
case "$order" in
*reject*) echo "we do not bake that"; exit 65 ;;
*broken*) echo "the till is stuck" >&2; exit 3 ;;
*once*) if [ "$TAKT_ATTEMPT" = 1 ]; then echo "try me again" >&2; exit 1; fi ;;
esac
printf '%s' "$order"
"""

KITCHEN = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "output": {"baked": task["body"]["number"]}}), flush=True)
"""

JSON = {"Content-Type": "application/json"}


def write_program(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture(name="takt")
def fixture_takt(tmp_path):
    (tmp_path / "line.yaml").write_text(LINE, encoding="utf-8")
    write_program(tmp_path / "counter", COUNTER)
    write_program(tmp_path / "kitchen", KITCHEN)
    with Takt(tmp_path / "takt", tmp_path / "line.yaml") as takt:
        yield takt


def order(takt, number=1, headers=None, path="/orders", **more):
    body = json.dumps({"number": number, "total": 5, **more})
    status, answered, text = takt.gateway("POST", path, body, {**JSON, **(headers or {})})
    return status, answered, json.loads(text) if text else None


def accept(takt, *arguments, **more):
    """The URL of the job."""
    status, headers, answer = order(takt, *arguments, **more)
    assert status == 202, answer
    assert headers["Location"] == answer["url"] == f"/jobs/{answer['job']}"
    assert answer["state"] == "accepted"
    return answer["url"]


def report(takt, url):
    status, _, text = takt.gateway("GET", url)
    assert status == 200, text
    return json.loads(text)


def ended(takt, url, state):
    told = wait_until(lambda: (lambda seen: seen["state"] != "running" and seen)(report(takt, url)),
                      20, f"the end of {url}")
    assert told["state"] == state, told
    return told


def scale(takt, station, workers):
    status, answer = takt.admin("PUT", f"/api/v1/stations/bakery/{station}/scale",
                                json.dumps({"workers": workers}))
    assert status == 200, answer


@pytest.mark.sanitized
def test_an_order_goes_through_and_its_job_tells_how(takt):
    url = accept(takt, 7)
    told = ended(takt, url, "done")
    assert told["line"] == "bakery" and told["key"] == "7"
    assert told["result"] == {"baked": 7}
    assert [step["station"] for step in told["steps"]] == ["counter", "kitchen"]
    for step in told["steps"]:
        assert step["attempt"] == 1 and step["outcome"] == "done"
        assert told["started"] <= step["queued"] <= step["started"] <= step["ended"]
    assert told["waiting"] == []
    status, headers, text = takt.gateway("GET", url + "/result")
    assert (status, headers["Content-Type"], json.loads(text)) == \
        (200, "application/json", {"baked": 7})


@pytest.mark.sanitized
def test_waiting_gives_the_result_the_reason_or_the_report(takt):
    status, headers, answer = order(takt, 8, {"Prefer": "wait=20"})
    assert (status, answer) == (200, {"baked": 8})
    assert headers["Preference-Applied"] == "wait=20"
    assert report(takt, headers["Location"])["state"] == "done"

    status, headers, answer = order(takt, 9, {"Prefer": "respond-async, wait=20"}, what="reject")
    assert (status, answer["state"]) == (422, "rejected"), answer
    assert "we do not bake that" in answer["reason"]
    assert report(takt, headers["Location"])["reason"] == answer["reason"]

    status, headers, answer = order(takt, 10, {"Prefer": "wait=20"}, what="broken")
    assert (status, answer["state"]) == (502, "failed"), answer
    assert "the till is stuck" in answer["detail"]
    assert [step["outcome"] for step in answer["report"]["steps"]] == ["failed", "dead"]
    status, _, text = takt.gateway("GET", headers["Location"] + "/result")
    assert status == 409 and "the till is stuck" in json.loads(text)["detail"]


def test_the_wait_ends_with_the_job_still_running(takt):
    scale(takt, "kitchen", 0)
    status, headers, answer = order(takt, 1, {"Prefer": "wait=1"})
    assert (status, answer["state"]) == (202, "running")
    scale(takt, "kitchen", None)
    ended(takt, headers["Location"], "done")


@pytest.mark.sanitized
def test_what_was_accepted_survives_sigkill_with_its_history(takt):
    scale(takt, "kitchen", 0)
    urls = [accept(takt, number, what="once" if number == 1 else "") for number in range(3)]
    wait_until(lambda: report(takt, urls[1])["waiting"][0]["station"] == "kitchen", 20, "it waits")
    before = report(takt, urls[1])
    assert [step["outcome"] for step in before["steps"]] == ["failed", "done"]
    assert "try me again" in before["steps"][0]["error"]
    takt.kill()
    takt.start()
    for number, url in enumerate(urls):
        assert ended(takt, url, "done")["result"] == {"baked": number}
    after = report(takt, urls[1])
    assert after["steps"][:2] == before["steps"]
    assert after["started"] == before["started"]


def test_a_202_is_durable_at_once(takt):
    for number in range(5):
        url = accept(takt, number)
        takt.kill()
        takt.start()
        assert ended(takt, url, "done")["result"] == {"baked": number}


@pytest.mark.sanitized
def test_a_repeated_request_is_the_same_job_also_after_a_kill(takt):
    key = {"Idempotency-Key": '"order-1"'}
    url = accept(takt, 1, key)
    assert accept(takt, 1, key) == url
    status, _, answer = order(takt, 2, key)
    assert (status, answer["code"]) == (422, "key-used")
    paid = accept(takt, path="/payments", id="p-1")
    takt.kill()
    takt.start()
    assert accept(takt, 1, key) == url
    assert accept(takt, path="/payments", id="p-1") == paid
    assert order(takt, path="/payments", id="p-1", sum=9)[0] == 422
    assert accept(takt, 1) != url
    status, _, answer = order(takt, 1, {**key, "Prefer": "wait=20"})
    assert (status, answer) == (200, {"baked": 1})


def test_many_at_once_with_one_key_are_one_job(takt):
    urls = []

    def send():
        urls.append(accept(takt, 1, {"Idempotency-Key": "k"}))

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 20 and len(set(urls)) == 1


@pytest.mark.sanitized
def test_refusals_say_what_is_wrong(takt):
    status, headers, answer = order(takt, total=0)
    assert (status, answer["detail"]) == (400, "an order needs a total above zero")
    assert headers["Content-Type"] == "application/problem+json"
    assert takt.gateway("POST", "/orders", "not json", JSON)[0] == 400
    status, _, text = takt.gateway("POST", "/orders", "x", {"Content-Type": "image/png"})
    assert status == 415 and "application/json, not image/png" in json.loads(text)["detail"]
    status, _, text = takt.gateway("POST", "/orders", "x" * 2000, JSON)
    assert status == 413 and "max_body of POST /orders: 1KiB" in json.loads(text)["detail"]
    status, headers, _ = takt.gateway("GET", "/orders")
    assert (status, headers["Allow"]) == (405, "POST")
    assert takt.gateway("POST", "/cakes", "{}", JSON)[0] == 404
    assert takt.gateway("GET", "/jobs/" + "0" * 32)[0] == 404


@pytest.mark.sanitized
def test_a_full_line_sends_clients_away_and_comes_back_by_itself(takt):
    scale(takt, "kitchen", 0)
    accepted = []
    refusal = None
    for number in range(200):
        status, headers, answer = order(takt, number)
        if status != 202:
            refusal = (status, headers, answer)
            break
        accepted.append(answer["url"])
        # The counter may hold some in its hands: they are handed on all the same.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: report(takt, accepted[-1])["steps"], 0.2, "it is handed on")
    status, headers, answer = refusal
    assert status == 429, answer
    assert answer["detail"] == "station kitchen has reached its WIP limit of 3"
    assert 1 <= int(headers["Retry-After"]) <= 60
    scale(takt, "kitchen", None)
    for url in accepted:
        ended(takt, url, "done")
    ended(takt, accept(takt, 500), "done")


def test_a_client_that_leaves_does_not_take_its_order_along(takt):
    scale(takt, "kitchen", 0)
    address = urllib.parse.urlsplit(takt.urls["gateway"])
    body = json.dumps({"number": 77, "total": 1})
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall((f"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        f"Prefer: wait=60\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        wait_until(lambda: takt.admin("GET", "/api/v1/jobs?key=77")[1]["jobs"], 20, "the job")
    scale(takt, "kitchen", None)
    job = takt.admin("GET", "/api/v1/jobs?key=77")[1]["jobs"][0]["id"]
    ended(takt, f"/jobs/{job}", "done")


@pytest.mark.sanitized
def test_the_board_tells_of_stations_jobs_and_dead_letters(takt):
    done = accept(takt, 41)
    ended(takt, done, "done")
    failed = accept(takt, 42, what="broken")
    ended(takt, failed, "failed")
    status, told = takt.admin("GET", "/api/v1/status")
    assert status == 200 and told["ready"]
    counter, kitchen = told["lines"][0]["stations"]
    assert (counter["station"], counter["dead"], counter["condition"]) == ("counter", 1, "fine")
    assert kitchen["workers"]["wanted"] == 1
    assert takt.admin("GET", "/api/v1/jobs/42")[1]["id"] == failed.rsplit("/", 1)[1]
    listed = takt.admin("GET", "/api/v1/jobs?state=failed")[1]["jobs"]
    assert [job["key"] for job in listed] == ["42"]
    name = counter["dead_queue"]
    message = takt.admin("GET", f"/api/v1/queues/{name}/messages")[1]["messages"][0]
    assert json.loads(message["body"])["number"] == 42
    assert "the till is stuck" in message["error"]
    assert message["job"] == failed.rsplit("/", 1)[1]
    # The handler is mended; what was dead goes through.
    counter_path = os.path.join(os.path.dirname(takt.folder), "counter")
    with open(counter_path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexec cat\n")
    assert takt.admin("POST", f"/api/v1/queues/{name}/redrive") == \
        (200, {"moved": 1, "more": False})
    told = ended(takt, failed, "done")
    assert told["result"] == {"baked": 42}
    assert "redriven" in [step["outcome"] for step in told["steps"]]
    status, _, page = request(takt.urls["admin"], "GET", "/")
    assert status == 200 and b"kitchen" in page


def test_stopping_ends_what_waits_and_leaves_the_rest_for_later(takt):
    scale(takt, "kitchen", 0)
    url = accept(takt, 5)
    takt.stop()
    takt.start()
    assert ended(takt, url, "done")["result"] == {"baked": 5}
