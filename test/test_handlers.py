# SPDX-License-Identifier: Apache-2.0
"""What a handler sees, and what becomes of its answers: `exec` and `stream` on the real program.

All lines run in one takt. Each handler does what the order's body tells it.
"""
import base64
import json
import os
import re
import stat
import time

import pytest

from takt_server import Takt, wait_until, write_program

LINES = """
line: x
gateway: { POST /exec: { to: exec, key: .key } }
stations:
  exec: { exec: ./exec, env: { LOG: "", COLOUR: blue }, timeout: 1s, retry: { attempts: 3, backoff: 20ms..40ms } }
---
line: s
gateway: { POST /stream: { to: stream, key: .key } }
stations:
  stream: { stream: ./stream, env: { LOG: "" }, timeout: 1s, retry: { attempts: 3, backoff: 20ms..40ms } }
---
line: ways
gateway: { POST /ways: { to: fork } }
stations:
  fork: { stream: ./stream, retry: { attempts: 1 }, next: [left, right, { to: third, when: $order.third == true }] }
  left: { next: gather }
  right: { next: gather }
  third: { next: gather }
  gather: { join: fork, within: 1m, exec: /bin/cat }
---
line: bytes
gateway: { POST /bytes: { to: pass } }
stations:
  pass: { next: { to: one, each: .parts } }
  one: { stream: ./raw, next: two }
  two: { exec: /bin/cat, next: three }
  three: { next: all }
  all: { join: pass, within: 1m }
---
line: large-exec
gateway: { POST /large-exec: { to: cut, max_body: 1MiB } }
stations:
  cut: { next: { to: of-exec, each: .parts } }
  of-exec: { next: kit-exec }
  kit-exec: { join: cut, within: 1m, exec: ./measure }
---
line: large-stream
gateway: { POST /large-stream: { to: cut, max_body: 1MiB } }
stations:
  cut: { next: { to: of-stream, each: .parts } }
  of-stream: { next: kit-stream }
  kit-stream: { join: cut, within: 1m, stream: ./measure-stream }
---
line: jam
gateway: { POST /jam: { to: jam }, POST /jam-stream: { to: jam-stream } }
stations:
  jam: { exec: ./jammed, retry: { attempts: 2 } }
  jam-stream: { stream: ./jammed-stream, retry: { attempts: 2 } }
result: jam
---
line: many
gateway: { POST /many: { to: many } }
stations:
  many: { stream: ./many, concurrency: 4, workers: 1, retry: { attempts: 2, backoff: 20ms..40ms } }
---
line: pair
gateway: { POST /pair: { to: pair } }
stations:
  pair: { stream: ./many, concurrency: 2, workers: 1, timeout: 1s, retry: { attempts: 1 } }
---
line: wip
stations:
  first: { exec: /bin/cat, workers: 2, wip_limit: 20, next: second }
  second: { exec: /bin/cat, wip_limit: 2, workers: 1 }
"""

EXEC = """#!/bin/sh
body=$(cat)
[ -z "$LOG" ] || echo "$TAKT_TASK $TAKT_ATTEMPT $TAKT_JOB $TAKT_STATION $TAKT_LINE $COLOUR" >>"$LOG"
case "$body" in
*'"do":"echo"'*) printf '%s' "$body" ;;
*'"do":"nothing"'*) ;;
*'"do":"text"'*) echo "not JSON" ;;
*'"do":"reject"'*) echo "this card was refused" >&2; exit 65 ;;
*'"do":"reject on stdout"'*) echo "said on stdout"; exit 65 ;;
*'"do":"well at 3"'*) [ "$TAKT_ATTEMPT" = 3 ] || { echo "not yet: $TAKT_ATTEMPT" >&2; exit 7; }; echo 3 ;;
*'"do":"exit"'*) echo "early words"; echo "the till is stuck" >&2; exit 9 ;;
*'"do":"silent"'*) exit 4 ;;
*'"do":"zero"'*) printf 'the till\\000is \\033[1mstuck' >&2; exit 9 ;;
*'"do":"signal"'*) kill -TERM $$ ;;
*'"do":"hang"'*) echo "I hang" >&2; sleep 30 & wait ;;
*'"do":"redriven"'*) [ -e "$LOG.well" ] || { echo "not well" >&2; exit 1; }; echo '"well"' ;;
*) printf '%s' "$body" | base64 -w0 | sed 's/.*/"&"/' ;;
esac
"""

STREAM = """#!/usr/bin/python3
import json, os, sys, time
def say(**answer):
    print(json.dumps(answer), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    body = task.get("body")
    if os.environ.get("LOG"):
        with open(os.environ["LOG"], "a") as log:
            print(task["task"], task["attempt"], task["job"], task["station"], file=log)
    do = body.get("do") if isinstance(body, dict) else None
    if do == "error":
        say(id=task["id"], error="the oven is cold \\u2744")
    elif do == "reject":
        say(id=task["id"], reject="we make no cake")
    elif do == "reject with data":
        say(id=task["id"], reject={"why": 5})
    elif do == "well at 3":
        say(id=task["id"], **({"output": 3} if task["attempt"] == 3 else {"error": f"not yet: {task['attempt']}"}))
    elif do == "not JSON":
        value = {"nan": float("nan"), "infinity": -float("inf"), "half": "\\ud83d"}[body["value"]]
        say(id=task["id"], output=[value])
    elif do == "not UTF-8":
        sys.stdout.buffer.write(b'{"id": "%s", "output": "\\xff"}\\n' % task["id"].encode())
        sys.stdout.flush()
    elif do == "none":
        say(id=task["id"], otuput=1)
    elif do == "log":
        print("a line for the log", flush=True)
        print('{"id": "123456", "output": "of nobody"}', flush=True)
        print('{"no": "id"}', flush=True)
        print("words on stderr \\033[31mred", file=sys.stderr, flush=True)
        say(id=int(task["id"]), output="as a number")
    elif do == "outputs":
        say(id=task["id"], outputs=body["outputs"])
    elif do == "die":
        print("I fall down", file=sys.stderr, flush=True)
        os._exit(3)
    elif do == "hang":
        time.sleep(30)
    elif do == "late":
        if task["attempt"] == 1:
            time.sleep(1.3)
        say(id=task["id"], output=task["attempt"])
    elif do == "redriven":
        well = os.path.exists(os.environ["LOG"] + ".well")
        say(id=task["id"], **({"output": "well"} if well else {"error": "not well"}))
    else:
        say(id=task["id"], output=task)
"""

# As bytes: it must not be parsed and printed again.
RAW = """#!/usr/bin/python3
import re, sys
for line in sys.stdin:
    key = re.search(r'"id":"([0-9]+)"', line).group(1)
    body = line[line.index('"body":') + 7:].rstrip()[:-1]
    print('{"id":"%s","output":%s}' % (key, body), flush=True)
"""

MEASURE = """#!/bin/sh
size=$(wc -c <"$TAKT_INPUT_FILE")
parts=$(grep -o '"part"' "$TAKT_INPUT_FILE" | wc -l)
stdin=$(cat | wc -c)
echo "{\\"size\\": $size, \\"parts\\": $parts, \\"stdin\\": $stdin, \\"file\\": \\"$TAKT_INPUT_FILE\\"}"
"""
MEASURE_STREAM = """#!/usr/bin/python3
import json, os, sys
for line in sys.stdin:
    task = json.loads(line)
    kit = json.load(open(task["body_file"]))
    print(json.dumps({"id": task["id"], "output": {
        "size": os.path.getsize(task["body_file"]), "parts": len(kit["of-stream"]), "line": len(line),
        "first": kit["of-stream"][0]["n"], "last": kit["of-stream"][-1]["n"],
        "file": task["body_file"]}}), flush=True)
"""

# Dies with all that it has when poison is among it.
MANY = """#!/usr/bin/python3
import json, os, sys, threading, time
def work(task):
    time.sleep(0.2)
    if task["body"] == "poison":
        os._exit(1)
    if task["body"] == "hang":
        time.sleep(30)
    time.sleep(0.3)
    print(json.dumps({"id": task["id"], "output": task["attempt"]}), flush=True)
for line in sys.stdin:
    threading.Thread(target=work, args=(json.loads(line),)).start()
"""


@pytest.fixture(name="takt", scope="module")
def fixture_takt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    (folder / "lines.yaml").write_text(LINES, encoding="utf-8")
    for name, text in (("exec", EXEC), ("stream", STREAM), ("raw", RAW), ("measure", MEASURE),
                       ("measure-stream", MEASURE_STREAM), ("many", MANY),
                       ("jammed", "#!/no/such/program\n"),
                       ("jammed-stream", "#!/bin/sh\necho 'no licence' >&2\nexit 3\n")):
        write_program(folder / name, text)
    with Takt(folder / "takt", folder / "lines.yaml", "--grace", "100ms",
              env={"LOG": str(folder / "calls")}) as takt:
        yield takt


def beside(takt, name):
    return os.path.join(os.path.dirname(takt.folder), name)


def calls(takt, job):
    """What the handlers wrote down of this job: a list of words each."""
    with open(beside(takt, "calls"), encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [words for words in lines if words[0].startswith(job.rsplit("/", 1)[1])]


def send(takt, path, do, **more):
    return takt.order(path, json.dumps({"do": do, **more}, separators=(",", ":")))


def outcomes(report):
    return [(step["attempt"], step["outcome"]) for step in report["steps"]]


def errors(report):
    return [step.get("error") for step in report["steps"]]


def dead_letter(takt, line, station, job):
    name = f"{line}_{station}_dead"
    status, answer = takt.admin("GET", f"/api/v1/queues/{name}/messages?max=100")
    assert status == 200
    found = [letter for letter in answer["messages"] if letter["job"] == job.rsplit("/", 1)[1]]
    assert len(found) == 1, answer
    return found[0]


def newest_result(takt, line):
    """Of the newest job of that line: one that an SQS client's message has started."""
    jobs = takt.admin("GET", "/api/v1/jobs")[1]["jobs"]
    newest = next(job["id"] for job in jobs if job["line"] == line)
    return takt.ended(f"/jobs/{newest}", "done")["result"]


def exec_job(takt, do, state, **more):
    return takt.ended(send(takt, "/exec", do, **more), state)


def stream_job(takt, do, state, **more):
    return takt.ended(send(takt, "/stream", do, **more), state)


@pytest.mark.sanitized
def test_exec_stdout_is_the_output(takt):
    job = send(takt, "/exec", "echo", key="k1")
    told = takt.ended(job, "done")
    assert told["result"] == {"do": "echo", "key": "k1"} and told["key"] == "k1"
    task = job.rsplit("/", 1)[1]
    assert calls(takt, job) == [[f"{task}/exec", "1", task, "exec", "x", "blue"]]
    told = exec_job(takt, "text", "done")
    assert told["result"] == "not JSON\n"
    told = exec_job(takt, "nothing", "done")
    assert told.get("result", "") == ""


@pytest.mark.sanitized
def test_exec_exit_65_is_a_reject_with_the_handlers_words(takt):
    told = exec_job(takt, "reject", "rejected")
    assert told["reason"] == "this card was refused"
    assert outcomes(told) == [(1, "rejected")]
    assert exec_job(takt, "reject on stdout", "rejected")["reason"] == "said on stdout"
    before = takt.station("exec")["dead"]
    exec_job(takt, "reject", "rejected")
    assert takt.station("exec")["dead"] == before, "no dead letter, no red lamp"


@pytest.mark.sanitized
def test_exec_any_other_exit_is_tried_again_with_backoff(takt):
    job = send(takt, "/exec", "well at 3")
    told = takt.ended(job, "done")
    assert outcomes(told) == [(1, "failed"), (2, "failed"), (3, "done")]
    assert "not yet: 1" in errors(told)[0] and "not yet: 2" in errors(told)[1]
    assert told["result"] == 3
    assert len({words[0] for words in calls(takt, job)}) == 1, "TAKT_TASK is the same"


@pytest.mark.parametrize("do, words", [
    ("exit", "the till is stuck"), ("silent", "4"), ("signal", "signal 15"), ("hang", "1"),
])
def test_exec_dead_letters_say_why(takt, do, words):
    job = send(takt, "/exec", do)
    told = takt.ended(job, "failed")
    assert [outcome for _, outcome in outcomes(told)] == ["failed", "failed", "dead"]
    assert all(words in error for error in errors(told)), told
    letter = dead_letter(takt, "x", "exec", job)
    assert letter["error"] == errors(told)[-1] == told["error"]
    assert json.loads(letter["body"]) == {"do": do}
    shown = takt.cli("job", "show", job.rsplit("/", 1)[1]).stdout
    assert words in shown and "failed" in shown and "dead" in shown


def test_exec_gets_a_body_that_is_not_json_as_it_is(takt):
    body = bytes(range(256))
    status, _, text = takt.gateway("POST", "/exec", body)
    assert status == 400, text  # its route asks for a key
    status, answer = takt.sqs("SendMessage", QueueUrl="x_exec", MessageBody="plain \u2744 words")
    assert status == 200, answer
    result = newest_result(takt, "x")
    assert base64.b64decode(result).decode() == "plain \u2744 words"


@pytest.mark.sanitized
def test_stream_sees_its_message_and_answers(takt):
    job = send(takt, "/stream", "echo", key=5)
    told = takt.ended(job, "done")
    task = told["result"]
    job_id = job.rsplit("/", 1)[1]
    assert task == {"id": task["id"], "task": f"{job_id}/stream", "job": job_id,
                    "station": "stream", "attempt": 1, "body": {"do": "echo", "key": 5}}
    assert isinstance(task["id"], str)


@pytest.mark.sanitized
def test_stream_error_is_tried_again_and_reject_is_not(takt):
    told = stream_job(takt, "well at 3", "done")
    assert outcomes(told) == [(1, "failed"), (2, "failed"), (3, "done")]
    assert errors(told) == ["not yet: 1", "not yet: 2", None]
    told = stream_job(takt, "reject", "rejected")
    assert told["reason"] == "we make no cake" and outcomes(told) == [(1, "rejected")]
    assert json.loads(stream_job(takt, "reject with data", "rejected")["reason"]) == {"why": 5}
    job = send(takt, "/stream", "error")
    told = takt.ended(job, "failed")
    assert errors(told) == ["the oven is cold \u2744"] * 3
    assert dead_letter(takt, "s", "stream", job)["error"] == "the oven is cold \u2744"
    assert "none of output" in stream_job(takt, "none", "failed")["error"]


@pytest.mark.sanitized
@pytest.mark.parametrize("do, more", [("not JSON", {"value": "nan"}), ("not JSON", {"value": "infinity"}),
                                      ("not JSON", {"value": "half"}), ("not UTF-8", {})])
def test_stream_answer_that_is_not_json_fails_at_once_and_says_so(takt, do, more):
    told = stream_job(takt, do, "failed", **more)
    assert [outcome for _, outcome in outcomes(told)] == ["failed", "failed", "dead"]
    for error in errors(told):
        assert error.startswith("the answer is not JSON: ") and " at byte " in error


@pytest.mark.sanitized
def test_stream_death_and_timeout_are_attempts(takt):
    told = stream_job(takt, "die", "failed")
    assert [outcome for _, outcome in outcomes(told)] == ["failed", "failed", "dead"]
    assert "I fall down" in errors(told)[0] and "3" in errors(told)[0]
    told = stream_job(takt, "late", "done")
    assert outcomes(told) == [(1, "failed"), (2, "done")] and told["result"] == 2
    assert "1" in errors(told)[0] and "time" in errors(told)[0].lower() or "done" in errors(told)[0]


def test_control_bytes_do_not_cut_off_a_handlers_words(takt):
    told = exec_job(takt, "zero", "failed")
    assert told["error"].endswith("the till is  [1mstuck")


@pytest.mark.sanitized
def test_other_lines_of_a_stream_are_log_lines(takt):
    told = stream_job(takt, "log", "done")
    assert told["result"] == "as a number"
    log = takt.log()
    assert "stream/1 | a line for the log" in log
    assert 'stream/1 | {"id": "123456", "output": "of nobody"}' in log
    assert 'stream/1 | {"no": "id"}' in log
    assert "stream/1 | words on stderr" in log and "\033" not in log


def test_stream_gets_what_is_not_json_as_base64(takt):
    status, answer = takt.sqs("SendMessage", QueueUrl="s_stream", MessageBody="plain \u2744 words")
    assert status == 200, answer
    result = newest_result(takt, "s")
    assert "body" not in result
    assert base64.b64decode(result["body_base64"]).decode() == "plain \u2744 words"


@pytest.mark.parametrize("path, line, station", [("/exec", "x", "exec"),
                                                 ("/stream", "s", "stream")])
def test_a_task_keeps_its_name_over_attempts_death_and_redrive(takt, path, line, station):
    job = send(takt, path, "redriven")
    takt.ended(job, "failed")
    dead_letter(takt, line, station, job)
    well = beside(takt, "calls.well")
    with open(well, "w", encoding="utf-8"):
        pass
    try:
        done = takt.cli("queue", "redrive", f"{line}_{station}_dead")
        assert "sent back" in done.stdout
        told = takt.ended(job, "done")
    finally:
        os.unlink(well)
    assert told["result"] == "well"
    assert [outcome for _, outcome in outcomes(told)][:3] == ["failed", "failed", "dead"]
    assert "redriven" in [step["outcome"] for step in told["steps"]]
    seen = calls(takt, job)
    assert len(seen) == 4 and len({words[0] for words in seen}) == 1


@pytest.mark.sanitized
def test_outputs_go_by_station(takt):
    def ways(state, **outputs):
        return takt.ended(send(takt, "/ways", "outputs", outputs=outputs), state)
    told = ways("done", left=1, right={"a": [1, 2]})
    assert told["result"] == {"left": 1, "right": {"a": [1, 2]}, "third": None}
    told = takt.ended(send(takt, "/ways", "outputs", third=True, outputs={"third": "x"}), "done")
    assert told["result"] == {"left": None, "right": None, "third": "x"}
    told = ways("failed", nowhere=1)
    assert "nowhere" in told["error"]


@pytest.mark.sanitized
def test_bodies_cross_routes_untouched(takt):
    part = '{"n": 12345678901234567891, "v": 1.10, "e": 1E400, "u": "\\u00e9\\/ü"}'
    body = '{"parts": [%s, 1.0, %s]}' % (part, part)
    job = takt.order("/bytes", body.encode())
    takt.ended(job, "done")
    status, _, text = takt.gateway("GET", job + "/result")
    assert status == 200
    assert text.decode().count(part) == 2, text
    assert json.dumps(json.loads(text)["three"][1]) == "1.0"


@pytest.mark.sanitized
@pytest.mark.parametrize("path, station", [("/large-exec", "kit-exec"),
                                           ("/large-stream", "kit-stream")])
def test_a_large_kit_is_handed_as_a_file(takt, path, station):
    parts = [{"part": True, "n": number, "text": "x" * 10000} for number in range(40)]
    job = takt.order(path, json.dumps({"parts": parts}))
    told = takt.ended(job, "done")["result"]
    assert told["parts"] == 40 and told["size"] > 256 * 1024
    if "first" in told:
        assert (told["first"], told["last"]) == (0, 39) and told["line"] < 1000
    else:
        assert told["stdin"] == 0
    assert told["file"].startswith(takt.data) and not os.path.exists(told["file"])
    small = takt.ended(takt.order("/ways", json.dumps({"do": "outputs", "outputs": {"left": 1}})),
                       "done")
    assert small["result"]["left"] == 1
    assert takt.station(station)["condition"] == "fine"


@pytest.mark.sanitized
@pytest.mark.parametrize("station, words", [("jam", "No such file or directory"),
                                            ("jam-stream", "no licence")])
def test_a_jammed_station_is_said_and_costs_no_attempts(takt, station, words):
    job = takt.order(f"/{station}", '{"n": 1}')
    jammed = wait_until(lambda: (lambda seen: seen["condition"] == "jammed" and seen)(
        takt.station(station)), 20, "the jam")
    assert words in jammed["reason"], jammed
    assert words in takt.cli("status").stdout and words in takt.cli("station", "list").stdout
    assert "jammed" in takt.log()
    told = takt.job(job)
    assert told["state"] == "running" and told["steps"] == [], told
    path = beside(takt, "jammed" if station == "jam" else "jammed-stream")
    mended = "#!/bin/sh\ncat\n" if station == "jam" else RAW
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(mended)
    os.chmod(path + ".new", stat.S_IRWXU)
    os.rename(path + ".new", path)
    told = takt.ended(job, "done", 40)  # by itself: the pauses grow
    assert outcomes(told) == [(1, "done")]
    assert takt.station(station)["condition"] == "fine"


@pytest.mark.sanitized
def test_only_the_guilty_one_of_several_suspects_pays(takt):
    takt.cli("station", "scale", "many=0")
    jobs = [takt.order("/many", json.dumps(body)) for body in ("a", "poison", "b", "c")]
    takt.cli("station", "scale", "many=auto")
    told = takt.ended(jobs[1], "failed")
    assert [outcome for _, outcome in outcomes(told)][-1] == "dead", told
    for job in (jobs[0], jobs[2], jobs[3]):
        told = takt.ended(job, "done")
        assert told["result"] == 1 and outcomes(told) == [(1, "done")], told
    takt.ended(takt.order("/many", '"after"'), "done")


@pytest.mark.sanitized
def test_a_timeout_is_paid_by_the_one_that_took_too_long(takt):
    slow = takt.order("/pair", '"hang"')
    wait_until(lambda: takt.station("pair")["in_flight"] == 1, 10, "it hangs")
    time.sleep(0.7)
    other = takt.order("/pair", '"work"')  # in the same worker's hands when that is killed
    told = takt.ended(other, "done")
    assert outcomes(told) == [(1, "done")] and told["result"] == 1, told
    told = takt.ended(slow, "failed")
    assert outcomes(told) == [(1, "dead")] and "1" in told["error"], told


@pytest.mark.sanitized
def test_a_wip_limit_stops_the_stations_before_from_starting_more(takt):
    takt.cli("station", "scale", "first=0", "second=0")
    for number in range(10):
        assert takt.sqs("SendMessage", QueueUrl="wip_first", MessageBody=str(number))[0] == 200
    takt.cli("station", "scale", "first=auto")
    blocked = wait_until(lambda: (lambda seen: seen.get("blocked_by") and seen["in_flight"] == 0
                                  and seen)(takt.station("first")), 20, "the limit")
    second = takt.station("second")
    assert blocked["blocked_by"] == "second" and second["full"]
    started = second["wip"]
    assert 2 <= started <= 2 + 2, "the limit, and what was in hand"
    assert blocked["waiting"] == 10 - started
    time.sleep(0.3)
    assert takt.station("second")["wip"] == started
    assert takt.sqs("SendMessage", QueueUrl="wip_first", MessageBody="x")[0] == 429, "the door"
    takt.cli("station", "scale", "second=auto")
    wait_until(lambda: takt.station("second")["handed_on"] == 10, 20, "all went through")


ECHO = """#!/usr/bin/python3
import json
import os
import sys

for line in sys.stdin:
    told = json.loads(line)
    if told["body"] == "kill":
        os.abort()
    print(json.dumps({"id": told["id"], "output": told["body"]}), flush=True)
"""


def one_station(tmp_path, program, settings=""):
    write_program(tmp_path / "handler", program)
    (tmp_path / "one.yaml").write_text(
        f"line: one\ngateway: {{ POST /orders: {{ to: work }} }}\n"
        f"stations: {{ work: {{ stream: ./handler, workers: 1, {settings} }} }}\n", encoding="utf-8")
    return Takt(tmp_path, tmp_path / "one.yaml")


@pytest.mark.parametrize("program, words", [
    ("import time\ntime.sleep(1.2)\nraise SystemExit('no database')\n",
     "exited with 1: no database"),
    ("print('starting', flush=True)\nraise SystemExit('no database')\n",
     "exited with 1: no database"),
    ("import sys\nsys.stdout.write('x' * 50_000_000)\nsys.stdin.read()\n",
     "it wrote a line longer than 33 MiB")])
def test_a_worker_that_never_gets_to_its_input_jams_its_station(tmp_path, program, words):
    """However long it tries, and whatever it says meanwhile."""
    with one_station(tmp_path, "#!/usr/bin/python3\n" + program, "retry: 1") as takt:
        job = takt.order("/orders", '"good"')
        jammed = wait_until(lambda: (lambda seen: seen["condition"] == "jammed" and seen)(
            takt.station("work")), 60, "the jam")
        assert words in jammed["reason"], jammed
        assert takt.job(job)["steps"] == []
        write_program(tmp_path / "handler.new", ECHO)
        os.rename(tmp_path / "handler.new", tmp_path / "handler")
        assert outcomes(takt.ended(job, "done", 60)) == [(1, "done")]
        assert takt.station("work")["condition"] == "fine"


def test_deadly_messages_do_not_hold_up_those_behind_them(tmp_path):
    """Five that kill their worker twice each: the good one is done within seconds; pauses are said."""
    with one_station(tmp_path, ECHO, "retry: { attempts: 2, backoff: 10ms..20ms }") as takt:
        for _ in range(5):
            takt.order("/orders", '"kill"')
        good = takt.order("/orders", '"good"')
        seen = wait_until(lambda: (lambda told: told["condition"] == "pausing" and told)(
            takt.station("work")), 20, "a pause that is said")
        assert "killed by signal 6" in seen["reason"] and seen["retry_at"], seen
        takt.ended(good, "done", 60)
        pauses = [float(text) for text in re.findall(r"started again in ([0-9.]+) s", takt.log())]
        assert pauses and max(pauses) <= 1.0, pauses
        assert takt.station("work")["dead"] == 5
