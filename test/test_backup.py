# SPDX-License-Identifier: Apache-2.0
"""`takt backup` of a running takt and `takt restore`, whole and broken in every way."""
import json
import os
import shutil
import signal
import struct
import subprocess
import threading
import time

import pytest

import journal_bytes
from takt_server import TAKT, Takt, wait_until

LARGE = "x" * 200_000


def send(takt, queue, body):
    status, answer = takt.sqs("SendMessage", QueueUrl=queue, MessageBody=body)
    assert status == 200, answer


def digest(takt):
    return takt.admin("GET", "/api/v1/digest")[1]["digest"]


def drain(takt, queue):
    bodies = []
    while True:
        status, answer = takt.sqs("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10,
                                  VisibilityTimeout=600)
        assert status == 200, answer
        if not answer.get("Messages"):
            return bodies
        bodies += [message["Body"] for message in answer["Messages"]]


def restore(file, data, code=0):
    done = subprocess.run([TAKT, "restore", str(file), "--data", str(data)], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stderr


def check(data):
    done = subprocess.run([TAKT, "data", "check", "--json", "--data", str(data)], timeout=120,
                          capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


@pytest.fixture(name="takt")
def fixture_takt(tmp_path):
    """Two segments' worth, in two lives."""
    with Takt(tmp_path / "takt", command="serve") as takt:
        for queue in ("work", "large"):
            assert takt.sqs("CreateQueue", QueueName=queue)[0] == 200
        for number in range(30):
            send(takt, "large", f"{number} {LARGE}")
            send(takt, "work", f"message {number}")
        takt.kill()
        takt.start()
        for number in range(30, 40):
            send(takt, "work", f"message {number}")
        yield takt


@pytest.fixture(name="file")
def fixture_file(takt, tmp_path):
    takt.cli("backup", str(tmp_path / "backup"))
    return tmp_path / "backup"


@pytest.mark.sanitized
def test_a_backup_is_the_whole_state(takt, tmp_path):
    file = tmp_path / "backup"
    done = takt.cli("backup", str(file))
    lsn = int(done.stderr.split("record ")[1].split(",")[0])
    assert lsn == takt.admin("GET", "/api/v1/status")[1]["journal"]["appended"]
    assert os.stat(file).st_mode & 0o777 == 0o600 and not os.path.exists(f"{file}.part")
    assert "there is" in takt.cli("backup", str(file), check=False).stderr, "never written over"
    before = digest(takt)
    send(takt, "work", "later")
    assert f"record {lsn} is in" in restore(file, tmp_path / "restored")
    report = check(tmp_path / "restored")
    assert report["whole"] and report["lsn_last"] == lsn
    os.makedirs(tmp_path / "other")
    os.rename(tmp_path / "restored", tmp_path / "other" / "data")
    with Takt(tmp_path / "other", command="serve") as copy:
        assert digest(copy) == before
        assert drain(copy, "work") == [f"message {number}" for number in range(40)]
        assert drain(copy, "large") == [f"{number} {LARGE}" for number in range(30)]
        send(copy, "work", "goes on")
        copy.kill()
        copy.start()
        assert drain(copy, "work") == ["goes on"]
        copy.stop()
    assert drain(takt, "work")[-1] == "later"
    takt.stop()


def test_through_a_pipe_into_an_empty_folder(takt, tmp_path):
    (tmp_path / "restored").mkdir()
    line = f"{TAKT} backup - --rate 1GiB | {TAKT} restore - --data {tmp_path}/restored/"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True,
                          timeout=120, check=False,
                          env={**os.environ, "TAKT_SERVER": takt.urls["admin"]})
    assert done.returncode == 0, done.stderr
    assert check(tmp_path / "restored")["whole"]
    assert sorted(os.listdir(tmp_path)) == ["restored", "takt"]


@pytest.mark.sanitized
def test_under_load_it_is_one_moment(takt, tmp_path):
    """Each sender numbers its messages: of each, the copy has the first so many, and all that were
    answered before it began."""
    answered = [0, 0]
    is_over = threading.Event()

    def load(sender):
        while not is_over.is_set():
            send(takt, "work", f"sender {sender} {answered[sender]}")
            answered[sender] += 1
    threads = [threading.Thread(target=load, args=(sender,)) for sender in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: min(answered) > 20, 20, "load")
        at_least = list(answered)
        takt.cli("backup", str(tmp_path / "backup"))
        at_most = list(answered)
        wait_until(lambda: min(answered) > min(at_most) + 20, 20, "load goes on")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    restore(tmp_path / "backup", tmp_path / "other-data")
    os.makedirs(tmp_path / "other")
    os.rename(tmp_path / "other-data", tmp_path / "other" / "data")
    with Takt(tmp_path / "other", command="serve") as copy:
        bodies = drain(copy, "work")
        for sender in (0, 1):
            mine = [int(body.split()[2]) for body in bodies if body.startswith(f"sender {sender}")]
            assert mine == list(range(len(mine)))
            assert at_least[sender] <= len(mine) <= at_most[sender] + 1
        copy.stop()


def frames(content):
    """(offset, whole length) of each, as src/journal/file/file_backup.h has them."""
    found = []
    at = 8
    while at < len(content):
        count = struct.unpack_from("<I", content, at + 4)[0]
        found.append((at, 32 + count))
        at += 32 + count
    return found


@pytest.mark.sanitized
def test_a_broken_stream_is_refused(file, tmp_path):
    content = file.read_bytes()
    all_frames = frames(content)
    assert len(all_frames) > 10
    third = all_frames[3]
    broken = {
        "nothing": b"",
        "no backup": b"hello world" * 100,
        "cut in the head": content[:20],
        "cut in a frame": content[:third[0] + third[1] // 2],
        "cut between frames": content[:all_frames[-2][0]],
        "without its end": content[:all_frames[-1][0]],
        "one byte short": content[:-1],
        "one byte more": content + b"x",
        "a frame left out": content[:third[0]] + content[sum(third):],
        "a frame twice": content[:sum(third)] + content[third[0]:],
    }
    for place in (3, 30, third[0] + 1, third[0] + 25, third[0] + 40, len(content) - 5):
        flipped = bytearray(content)
        flipped[place] ^= 1
        broken[f"a bit at {place}"] = bytes(flipped)
    for name, wrong in broken.items():
        (tmp_path / "broken").write_bytes(wrong)
        words = restore(tmp_path / "broken", tmp_path / "restored", code=65)
        assert "cannot be restored" in words, name
        assert not (tmp_path / "restored").exists(), name
    restore(file, tmp_path / "restored")
    assert check(tmp_path / "restored")["whole"]


def test_a_folder_with_anything_in_it_is_left_alone(file, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("dear", encoding="utf-8")
    assert "is not empty" in restore(file, tmp_path / "full", code=1)
    assert os.listdir(tmp_path / "full") == ["letter"]
    restore(file, tmp_path / "restored")
    before = journal_bytes.contents(tmp_path / "restored")
    assert "is not empty" in restore(file, tmp_path / "restored", code=1)
    assert journal_bytes.contents(tmp_path / "restored") == before
    restore(tmp_path / "nowhere", tmp_path / "more", code=1)


@pytest.mark.sanitized
def test_a_restore_may_be_killed_at_any_moment(file, tmp_path):
    begin = time.monotonic()
    restore(file, tmp_path / "restored")
    whole_seconds = time.monotonic() - begin
    killed = 0
    for step in range(10):
        shutil.rmtree(tmp_path / "restored", ignore_errors=True)
        child = subprocess.Popen([TAKT, "restore", str(file), "--data",
                                  str(tmp_path / "restored")], stderr=subprocess.DEVNULL)
        try:
            child.wait(whole_seconds * step / 9)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed += 1
        if (tmp_path / "restored").exists():
            assert check(tmp_path / "restored")["whole"], "never half a folder"
        else:
            restore(file, tmp_path / "restored")
            assert check(tmp_path / "restored")["whole"]
        assert not (tmp_path / "restored.restoring").exists()
    assert killed > 3


def test_a_backup_that_is_killed_leaves_takt_as_it_was(takt, tmp_path):
    child = subprocess.Popen([TAKT, "backup", str(tmp_path / "backup"), "--rate", "1MiB"],
                             stderr=subprocess.DEVNULL,
                             env={**os.environ, "TAKT_SERVER": takt.urls["admin"]})
    wait_until(lambda: (tmp_path / "backup.part").exists()
               and os.path.getsize(tmp_path / "backup.part") > 100_000, 20, "it has begun")
    done = takt.cli("backup", str(tmp_path / "second"), check=False)
    assert done.returncode == 1 and "one at a time" in done.stderr
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "backup").exists()
    restore(tmp_path / "backup.part", tmp_path / "restored", code=65)
    wait_until(lambda: takt.cli("backup", str(tmp_path / "second"), check=False).returncode == 0,
               20, "the next one")
    restore(tmp_path / "second", tmp_path / "restored")
    takt.stop()


def test_takt_is_killed_while_it_is_backed_up(takt, tmp_path):
    child = subprocess.Popen([TAKT, "backup", str(tmp_path / "backup"), "--rate", "1MiB"],
                             stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "TAKT_SERVER": takt.urls["admin"]})
    wait_until(lambda: (tmp_path / "backup.part").exists()
               and os.path.getsize(tmp_path / "backup.part") > 100_000, 20, "it has begun")
    takt.kill()
    assert child.wait(30) == 69, child.stderr.read()
    child.stderr.close()
    assert sorted(os.listdir(tmp_path)) == ["takt"]
    takt.start()
    takt.cli("backup", str(tmp_path / "backup"))
    takt.stop()


def test_takt_stops_in_order_while_it_is_backed_up(takt, tmp_path):
    status, answer = takt.admin("POST", "/api/v1/backup")
    assert status == 200 and answer["lsn"] > 0
    takt.stop()
    assert check(takt.data)["whole"]
