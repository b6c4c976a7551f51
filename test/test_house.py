# SPDX-License-Identifier: Apache-2.0
"""Starting, refusing to start, and stopping."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from takt_server import TAKT, TOP, Takt, marked_processes, wait_until, write_program

SLOW = """
line: slow
gateway: { POST /orders: { to: work } }
stations:
  work: { exec: /bin/sleep 30, workers: 2 }
"""


def run(*words):
    return subprocess.run([TAKT, *words], capture_output=True, text=True, timeout=60, check=False)


def serve(tmp_path):
    return Takt(tmp_path, command="serve")


def test_second_takt_on_one_folder_is_refused(tmp_path):
    with serve(tmp_path) as takt:
        second = run("serve", "--data", takt.data, "--listen-sqs", "127.0.0.1:0",
                     "--listen-admin", "127.0.0.1:0")
        assert second.returncode == 1
        assert "another takt is running on this data folder" in second.stderr
        assert second.stderr.count("error:") == 1 and "unavailable" not in second.stderr
        assert takt.sqs("ListQueues")[0] == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_port_in_use_is_said_and_leaves_nothing(tmp_path, host):
    with serve(tmp_path) as takt:
        second = run("serve", "--data", str(tmp_path / "other"), "--listen-sqs",
                     f"{host}:{takt.ports['sqs']}", "--listen-admin", "127.0.0.1:0")
        assert second.returncode == 1, second.stderr
        assert "Address already in use" in second.stderr
        assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1", "127.0.0.1:x"])
def test_address_that_is_none_is_said_in_words(tmp_path, address):
    done = run("serve", "--data", str(tmp_path / "data"), "--listen-sqs", address)
    assert done.returncode == 2, done.stderr
    assert f"cannot listen on {address}: it is not ADDRESS:PORT" in done.stderr
    assert not (tmp_path / "data").exists()


def test_signals_that_mean_nothing_do_nothing(tmp_path):
    with serve(tmp_path) as takt:
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            takt.process.send_signal(number)
        assert takt.sqs("ListQueues")[0] == 200
        takt.stop()


def test_address_others_could_reach_is_refused():
    done = run("serve", "--listen-sqs", "0.0.0.0:0")
    assert done.returncode == 2
    assert "no access keys yet" in done.stderr


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1 2"])
def test_closed_standard_files_harm_nothing(tmp_path, closed):
    """As a careless supervisor starts it: a job is done, and takt stops in order."""
    (tmp_path / "echo.yaml").write_text(
        "line: echo\ngateway: { POST /orders: work }\nstations: { work: { exec: cat } }\n",
        encoding="utf-8")
    program = tmp_path / "closed"
    closes = " ".join(f"{fd}>&-" for fd in closed.split())
    write_program(program, f'#!/bin/sh\nexec {TAKT} "$@" {closes}\n')
    takt = Takt(tmp_path, tmp_path / "echo.yaml")
    takt.program = str(program)
    with takt:
        path = takt.order("/orders", b"1")
        wait_until(lambda: takt.job(path)["state"] == "done", 20, "the job is done")
        takt.stop()


def test_bad_file_is_refused_with_its_place(tmp_path):
    line = tmp_path / "bad.yaml"
    line.write_text("line: x\nstations:\n  a: { exec: ./nope }\n", encoding="utf-8")
    done = run("run", str(line), "--data", str(tmp_path / "data"))
    assert done.returncode == 65
    assert f"{line}:3:14: the program `./nope` does not exist" in done.stderr


def test_ephemeral_folder_is_gone_at_the_end(tmp_path):
    folders = set()
    for command, files in [("serve", []), ("run", [tmp_path / "slow.yaml"])]:
        (tmp_path / "slow.yaml").write_text(SLOW, encoding="utf-8")
        with Takt(tmp_path / command, *files, "--ephemeral", command=command) as takt:
            folder = re.findall(r"data in (\S+) \(durability: none", takt.log())[0]
            assert os.path.exists(os.path.join(folder, "journal", "format"))
            takt.stop()
        assert not os.path.exists(folder)
        folders.add(folder)
    assert len(folders) == 2


def test_status_of_a_stopped_station_says_so(tmp_path):
    (tmp_path / "slow.yaml").write_text(SLOW, encoding="utf-8")
    with Takt(tmp_path, tmp_path / "slow.yaml") as takt:
        takt.cli("station", "scale", "work=0")
        assert re.search(r"workers busy   stopped$", takt.cli("status").stdout, re.MULTILINE)


def test_worker_that_holds_a_message_is_not_scaled_away(tmp_path):
    """Scaled to none while it works: it finishes, at its first attempt, and only then goes."""
    (tmp_path / "patient").write_text("#!/bin/sh\ntouch begun\nuntil [ -e go ]; do sleep 0.01; done\n",
                                      encoding="utf-8")
    (tmp_path / "patient").chmod(0o755)
    (tmp_path / "patient.yaml").write_text(
        "line: patient\ngateway: { POST /orders: work }\n"
        "stations: { work: { exec: ./patient, workers: 2 } }\n", encoding="utf-8")
    with Takt(tmp_path, tmp_path / "patient.yaml") as takt:
        _, headers, _ = takt.gateway("POST", "/orders", b"1")
        wait_until((tmp_path / "begun").exists, 20, "the order is in work")
        takt.cli("station", "scale", "work=0")
        time.sleep(0.3)
        workers = takt.admin("GET", "/api/v1/stations")[1]["stations"][0]["workers"]
        assert (workers["wanted"], workers["idle"], workers["busy"]) == (0, 0, 1)
        (tmp_path / "go").touch()
        job = json.loads(takt.cli("job", "follow", headers["Location"].split("/")[2], "-o",
                                  "json").stdout)
        assert [(step["attempt"], step["outcome"]) for step in job["steps"]] == [(1, "done")]


def test_stop_lets_idle_workers_go_at_once(tmp_path):
    with Takt(tmp_path, os.path.join(TOP, "examples", "bakery", "line.yaml")) as takt:
        begin = time.monotonic()
        takt.stop()
        assert time.monotonic() - begin < 10, "idle workers need no grace"
    assert "not done in time" not in takt.log()


def test_second_signal_stops_at_once_and_leaves_no_process(tmp_path):
    line = tmp_path / "slow.yaml"
    line.write_text(SLOW, encoding="utf-8")
    with Takt(tmp_path, line, "--grace", "60s") as takt:
        assert takt.gateway("POST", "/orders", "{}")[0] == 202
        wait_until(takt.workers, 10, "a worker that works")
        takt.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping: workers may finish" in takt.log(), 10, "the first signal")
        takt.stop()
    assert marked_processes(takt.data) == []


def test_what_a_worker_held_when_takt_stopped_comes_back_uncounted(tmp_path):
    line = tmp_path / "slow.yaml"
    line.write_text(SLOW, encoding="utf-8")
    takt = Takt(tmp_path, line, "--grace", "100ms")
    with takt:
        _, headers, _ = takt.gateway("POST", "/orders", "{}")
        wait_until(takt.workers, 10, "a worker that works")
        takt.stop()
    line.write_text(SLOW.replace("/bin/sleep 30", "/usr/bin/printenv TAKT_ATTEMPT"),
                    encoding="utf-8")
    with takt:
        def report():
            job = json.loads(takt.gateway("GET", headers["Location"])[2])
            return job["state"] == "done" and job
        job = wait_until(report, 20, "the job is done")
        assert job["result"] in (1, "1\n"), job
        takt.stop()


def test_workers_of_a_killed_takt_are_gone_before_their_messages_come_back(tmp_path):
    line = tmp_path / "slow.yaml"
    line.write_text(SLOW.replace("/bin/sleep 30", "\"/bin/sh -c 'sleep 600 & wait'\""),
                    encoding="utf-8")
    takt = Takt(tmp_path, line, "--grace", "100ms")
    with takt:
        takt.gateway("POST", "/orders", "{}")
        wait_until(takt.workers, 10, "a worker that works")
        time.sleep(0.2)  # until the shell has its child
        earlier = set(marked_processes(takt.data))
        assert len(earlier) >= 2
        takt.kill()
        takt.start()
        assert not earlier & set(marked_processes(takt.data))
        takt.stop()


def test_a_copy_of_a_folder_leaves_the_originals_workers_alone(tmp_path):
    """It has a mark of its own; a folder that is renamed keeps its."""
    line = tmp_path / "slow.yaml"
    line.write_text(SLOW, encoding="utf-8")

    def mark(data):
        with open(os.path.join(data, "mark"), encoding="utf-8") as file:
            return file.readline()

    original = Takt(tmp_path / "original", line)
    copy = Takt(tmp_path / "copy", line)
    with original:
        original.order("/orders", "{}")
        workers = wait_until(original.workers, 10, "a worker that works")
        shutil.copytree(original.data, copy.data)
        with copy:
            assert original.workers() == workers
            assert mark(copy.data) != mark(original.data)
            assert wait_until(copy.workers, 10, "the copy's own worker") != workers
    drawn = mark(original.data)
    os.rename(original.data, original.data + "-renamed")
    original.data += "-renamed"
    with original:
        assert mark(original.data) == drawn


def test_damage_is_refused_until_it_is_accepted(tmp_path):
    takt = Takt(tmp_path, command="serve").start()
    takt.sqs("CreateQueue", QueueName="kept")
    takt.stop()
    segment = os.path.join(takt.data, "journal", f"{1:016x}.segment")
    os.truncate(segment, os.path.getsize(segment) - 1)
    takt.spawn()
    assert takt.process.wait(30) == 1
    assert "damage in 0000000000000001.segment" in takt.log()
    assert "takt data repair" in takt.log()
    takt.arguments.append("--accept-damage")
    takt.start()
    assert takt.sqs("GetQueueUrl", QueueName="kept")[0] == 200
    takt.stop()
