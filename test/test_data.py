# SPDX-License-Identifier: Apache-2.0
"""`takt data check` and `takt data repair`, on the real program's files with real damage in them."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

import journal_bytes
from takt_server import TAKT, Takt, wait_until


def data_command(*words, code=None):
    done = subprocess.run([TAKT, "data", *words], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, check=False)
    if code is not None:
        assert done.returncode == code, (done.stdout, done.stderr)
    return done


def check(data):
    """The report, and whether the exit code says the same."""
    done = data_command("check", "--json", "--data", str(data))
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["whole"] else 1), done
    return report


def repair(data, code=0):
    return data_command("repair", "--yes", "--data", str(data), code=code).stdout


def send(takt, queue, body):
    status, answer = takt.sqs("SendMessage", QueueUrl=queue, MessageBody=body)
    assert status == 200, answer
    return answer["MessageId"].replace("-", "")


def drain(takt, queue):
    """All bodies that ReceiveMessage gives; what is damaged is refused or left out."""
    bodies = []
    for _ in range(200):
        status, answer = takt.sqs("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10,
                                  VisibilityTimeout=600)
        assert status == 200 or answer["__type"].endswith("InternalError"), answer
        if status == 200 and not answer.get("Messages"):
            return bodies
        bodies += [message["Body"] for message in answer.get("Messages", [])]
    raise AssertionError("there is no end")


def text_of(number):
    return f"message {number} " + str(number) * 40


@pytest.fixture(name="made", scope="module")
def fixture_made(tmp_path_factory):
    """A folder over two lives and three segments, stopped, and the ids of what is in it."""
    folder = tmp_path_factory.mktemp("made")
    ids = []
    with Takt(folder / "takt", command="serve") as takt:
        for name in ("plain", "large"):
            assert takt.sqs("CreateQueue", QueueName=name)[0] == 200
        for number in range(20):
            ids.append(send(takt, "plain", text_of(number)))
        for number in range(20):
            send(takt, "large", f"{number} " * 120_000)
        takt.kill()
        takt.start()
        for number in range(20, 30):
            ids.append(send(takt, "plain", text_of(number)))
        wait_until(lambda: len(journal_bytes.segments(takt.data)) == 3, 20, "a third segment")
        takt.stop()
        data = takt.data
    return data, ids


def copy(source, target):
    """Most of a segment is zeros, which need no room on the disk."""
    target.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-r", "--sparse=always", source, target], check=True)


@pytest.fixture(name="data")
def fixture_data(made, tmp_path):
    copy(made[0], tmp_path / "takt" / "data")
    return tmp_path / "takt" / "data"


@pytest.fixture(name="ids")
def fixture_ids(made):
    return made[1]


def serve(data):
    return Takt(data.parent, command="serve")


def sent_in(data, lsn_of=None, body=None):
    """The batch whose bodies hold this text, and where."""
    for batch in journal_bytes.batches(data):
        with open(journal_bytes.path(data, batch.segment), "rb") as file:
            file.seek(batch.bodies_at)
            at = file.read(batch.bodies_bytes).find(body.encode())
        if at >= 0:
            return batch, batch.bodies_at + at
    raise AssertionError(body)


def test_a_whole_folder_is_whole(data):
    report = check(data)
    assert report["whole"] and report["findings"] == [] and report["format"] >= 1
    last = journal_bytes.batches(data)[-1]
    assert report["lsn_first"] == 1 and report["records"] == report["lsn_last"] == last.lsn_last
    before = journal_bytes.contents(data)
    assert "nothing is to be repaired" in repair(data)
    assert journal_bytes.contents(data) == before, "and nothing was changed"
    text = data_command("check", str(data), code=0).stdout
    assert text.endswith(": whole\n") and "records 1 to" in text


@pytest.mark.sanitized
def test_a_damaged_body_is_found_and_given_up(data, ids):
    batch, offset = sent_in(data, body=text_of(7))
    journal_bytes.flip(data, batch.segment, offset + 12)
    report = check(data)
    assert len(report["findings"]) == 1
    found = report["findings"][0]
    assert (found["kind"], found["thing"], found["part"]) == ("body", "message", "body")
    assert (found["queue"], found["message"]) == ("plain", ids[7])
    assert found["segment"] + ".segment" == batch.segment and not found["ends_log"]
    assert batch.bodies_at <= found["offset"] <= offset < found["offset"] + found["bytes"]
    assert batch.lsn <= found["lsn_first"] <= batch.lsn_last
    damaged = journal_bytes.contents(data)
    assert check(data) == report, "a check changes nothing"
    assert data_command("repair", "--data", str(data), code=1).stderr.count("--yes") == 1
    assert journal_bytes.contents(data) == damaged, "nor does a repair that nobody agreed to"

    text = repair(data)
    assert ids[7] in text and "of queue plain" in text and ".damaged" in text
    after = journal_bytes.contents(data)
    assert after[batch.segment.replace(".segment", ".damaged")] == damaged[batch.segment]
    report = check(data)
    assert report["whole"] and report["bodies_given_up"] == 1
    with serve(data) as takt:
        queue = takt.admin("GET", "/api/v1/queues/plain")[1]
        assert queue["visible"] == 30, "it is still there, for an operator to see"
        peeked = takt.admin("GET", "/api/v1/queues/plain/messages?max=30")[1]["messages"]
        marked = [message for message in peeked if message.get("damaged")]
        assert [message["id"].replace("-", "") for message in marked] == [ids[7]]
        assert "body" not in marked[0]
        assert drain(takt, "plain") == [text_of(number) for number in range(30) if number != 7]
        takt.stop()
    assert check(data)["whole"]


def test_a_damaged_body_goes_to_the_dead_letters(data, ids):
    batch, offset = sent_in(data, body=text_of(3))
    journal_bytes.flip(data, batch.segment, offset)
    with serve(data) as takt:  # without a repair too: a body is read only when it is asked for
        assert takt.sqs("CreateQueue", QueueName="dead")[0] == 200
        policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
                             "maxReceiveCount": "1"})
        assert takt.sqs("SetQueueAttributes", QueueUrl="plain",
                        Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "1"})[0] == 200
        bodies = []
        for _ in range(40):
            answer = takt.sqs("ReceiveMessage", QueueUrl="plain")[1]
            for message in answer.get("Messages", []):
                bodies.append(message["Body"])
                assert takt.sqs("DeleteMessage", QueueUrl="plain",
                                ReceiptHandle=message["ReceiptHandle"])[0] == 200
        assert bodies == [text_of(number) for number in range(30) if number != 3]
        time.sleep(1.1)
        takt.sqs("ReceiveMessage", QueueUrl="plain")
        peeked = takt.admin("GET", "/api/v1/queues/dead/messages")[1]["messages"]
        assert [(message["id"].replace("-", ""), message["damaged"]) for message in peeked] == \
            [(ids[3], True)]
        takt.stop()


def batch_in_the_middle(data):
    """In the second life, with records before and behind it."""
    found = [batch for batch in journal_bytes.batches(data) if batch.records_count > 0]
    return found[-5]


@pytest.mark.sanitized
@pytest.mark.parametrize("kind", ["records", "batch-header"])
def test_damaged_records_end_the_log(data, ids, kind):
    batch = batch_in_the_middle(data)
    offset = batch.records_at + 9 if kind == "records" else batch.offset + 40
    journal_bytes.flip(data, batch.segment, offset)
    report = check(data)
    found = report["findings"]
    assert [(one["kind"], one["ends_log"]) for one in found] == [(kind, True)]
    assert found[0]["segment"] + ".segment" == batch.segment and found[0]["offset"] == batch.offset
    assert (found[0]["lsn_first"], found[0]["lsn_last"]) == (batch.lsn, batch.lsn_last)
    assert report["lsn_last"] == batch.lsn - 1 and report["records_beyond"] > 0
    takt = serve(data).spawn()
    assert takt.process.wait(20) == 1
    assert "damage in" in takt.log() and "data repair" in takt.log()
    damaged = journal_bytes.contents(data)
    text = repair(data)
    assert ids[-1] in text and "send to queue plain" in text, "what is gone is listed"
    kept = journal_bytes.contents(data)
    assert kept[batch.segment.replace(".segment", ".damaged")] == damaged[batch.segment]
    report = check(data)
    assert report["whole"] and report["lsn_last"] == batch.lsn - 1
    with serve(data) as takt:
        bodies = drain(takt, "plain")
        assert 20 <= len(bodies) < 30
        assert bodies == [text_of(number) for number in range(len(bodies))]
        send(takt, "plain", "goes on")
        takt.kill()
        takt.start()
        assert drain(takt, "plain") == ["goes on"]
        takt.stop()
    assert check(data)["whole"]


def test_a_damaged_header_of_a_file_loses_nothing(data):
    name = journal_bytes.segments(data)[1]
    journal_bytes.flip(data, name, 20)
    found = check(data)["findings"]
    assert [(one["kind"], one["segment"] + ".segment", one["ends_log"]) for one in found] == \
        [("segment-header", name, False)]
    repair(data)
    assert check(data)["whole"]
    with serve(data) as takt:
        assert len(drain(takt, "plain")) == 30
        takt.stop()


def test_a_file_that_lost_its_end(data):
    """Its empty end: nothing is lost. Less than that: the log ends there."""
    last = journal_bytes.batches(data)[-1]
    path = journal_bytes.path(data, last.segment)
    os.truncate(path, os.path.getsize(path) - 4096)
    found = check(data)["findings"]
    assert [(one["kind"], one["ends_log"]) for one in found] == [("segment-short", False)]
    repair(data)
    assert check(data)["whole"] and os.path.getsize(path) % (1 << 20) == 0

    first = journal_bytes.segments(data)[0]
    cut = [batch for batch in journal_bytes.batches(data) if batch.segment == first][-2]
    os.truncate(journal_bytes.path(data, first), cut.offset + 100)
    report = check(data)
    assert "segment-short" in [one["kind"] for one in report["findings"]]
    assert [one["kind"] for one in report["findings"] if one["ends_log"] and not one["beyond"]] == \
        ["records"]
    text = repair(data)
    assert text.count("kept: ") == 3
    report = check(data)
    assert report["whole"] and report["lsn_last"] == cut.lsn - 1
    with serve(data) as takt:
        assert drain(takt, "plain") == [text_of(number) for number in range(20)]
        takt.stop()


def test_a_missing_file(data):
    names = journal_bytes.segments(data)
    os.unlink(journal_bytes.path(data, names[1]))
    found = check(data)["findings"]
    assert [(one["kind"], one["segment"] + ".segment") for one in found if not one["beyond"]] == \
        [("segment-missing", names[1])]
    repair(data)
    assert check(data)["whole"]
    with serve(data) as takt:
        assert drain(takt, "plain") == [text_of(number) for number in range(20)]
        takt.stop()


def test_the_oldest_file_is_missing(data):
    """What is left is no state by itself: that is said, and nothing is changed."""
    os.unlink(journal_bytes.path(data, journal_bytes.segments(data)[0]))
    report = check(data)
    assert not report["whole"] and report["state"]
    before = journal_bytes.contents(data)
    assert "restore a backup" in data_command("repair", "--yes", "--data", str(data),
                                              code=1).stderr
    assert journal_bytes.contents(data) == before


@pytest.mark.sanitized
def test_flips_anywhere_are_found_or_harm_nothing(data, tmp_path):
    """A bit in every area of the log, each alone: found, unless it is in bytes that mean nothing."""
    batches = journal_bytes.batches(data)
    whole = check(data)
    places = []
    for batch in batches[::7]:
        places += [(batch.segment, batch.offset + 1), (batch.segment, batch.offset + 73)]
        if batch.bodies_bytes:
            places.append((batch.segment, batch.bodies_at + batch.bodies_bytes // 2))
        if batch.records_bytes:
            places.append((batch.segment, batch.records_at + batch.records_bytes - 1))
    seen = set()
    for name, offset in places:
        journal_bytes.flip(data, name, offset)
        report = check(data)
        assert not report["whole"], (name, offset)
        seen |= {one["kind"] for one in report["findings"]}
        journal_bytes.flip(data, name, offset)
    assert seen == {"batch-header", "body", "records"}
    assert check(data) == whole


def test_a_running_takt_is_left_alone(data):
    with serve(data) as takt:
        for part in ("check", "repair"):
            done = data_command(part, "--data", str(data), code=1)
            assert "a takt runs on" in done.stderr and done.stdout == ""
        takt.stop()
    assert check(data)["whole"]


def test_what_is_no_journal_is_refused(tmp_path):
    for part in ("check", "repair"):
        done = data_command(part, "--data", str(tmp_path / "nothing"), code=65)
        assert "there is no journal in" in done.stderr
    assert not (tmp_path / "nothing").exists()
    data_command("check", "a", "b", code=2)
    data_command("mend", code=2)


def test_a_newer_format_is_refused_in_words(data):
    path = journal_bytes.path(data, "format")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write("takt-journal 99\n" + text.split("\n", 1)[1])
    for part in ("check", "repair"):
        done = data_command(part, "--data", str(data), code=65)
        assert "written by a newer takt (format 99)" in done.stderr
    takt = serve(data).spawn()
    assert takt.process.wait(20) == 1
    assert "written by a newer takt (format 99" in takt.log()


def kill_after(seconds, *words):
    """How the command ended: None if it was killed."""
    child = subprocess.Popen([TAKT, "data", *words], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        return None


@pytest.mark.sanitized
def test_a_repair_may_be_killed_at_any_moment(data, tmp_path):
    """Whenever it is killed: takt never starts on half of it, and the next repair ends it."""
    damaged = tmp_path / "damaged"
    batch = batch_in_the_middle(data)
    journal_bytes.flip(data, batch.segment, batch.records_at + 9)
    name = journal_bytes.segments(data)[0]
    first, offset = sent_in(data, body=text_of(5))
    assert first.segment == name != batch.segment
    journal_bytes.flip(data, name, offset)
    copy(data, damaged)
    before = journal_bytes.contents(damaged)
    begin = time.monotonic()
    repair(data)
    whole_seconds = time.monotonic() - begin
    ways = set()
    for step in range(12):
        shutil.rmtree(data)
        copy(damaged, data)
        ended = kill_after(whole_seconds * step / 10, "repair", "--yes", "--data", str(data))
        ways.add(ended is None)
        done = data_command("check", "--data", str(data))
        assert done.returncode in (0, 1)
        repair(data)
        report = check(data)
        assert report["whole"] and report["lsn_last"] == batch.lsn - 1
        after = journal_bytes.contents(data)
        for old in (name, batch.segment):
            assert after[old.replace(".segment", ".damaged")] == before[old]
        assert "repair" not in after
    assert True in ways
