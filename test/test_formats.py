# SPDX-License-Identifier: Apache-2.0
"""Data folders of earlier formats (test/formats/) are read, and go on in today's.

Each holds, over two lives and two segments, ended by SIGKILL: a queue with attributes, deletions and
dead letters; one with large messages; an emptied one; a line with a job that is done and one that
waits at a station.
"""
import glob
import hashlib
import os
import shutil
import tarfile

import pytest

from takt_server import Takt, write_program

FORMATS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats")
LARGE_COUNT = 24
LARGE_BYTES = 240 * 1024
WAITING = {"number": 77}
LINE = """
line: floor
gateway:
  POST /orders: { to: split, key: .number, once: .number }
  POST /singles: { to: last }
stations:
  split:
    stream: ./echo
    next: [{ to: part, each: .parts }, { to: gather, with: '{number}' }]
  part: { stream: ./echo, next: gather }
  gather: { join: split, within: 365d, stream: ./echo, next: last }
  last: { stream: ./echo }
"""
ECHO = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "output": task["body"]}), flush=True)
"""


def archive(number):
    return os.path.join(FORMATS, f"format-{number}.tar.xz")


def large(number):
    """Hard to mistake for another, easy to compress."""
    block = hashlib.sha256(str(number).encode()).hexdigest()
    return (block * (LARGE_BYTES // len(block) + 1))[:LARGE_BYTES]


def drain(takt, queue, count):
    """All bodies that are to be had, in order."""
    bodies = []
    while len(bodies) < count:
        status, answer = takt.sqs("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10,
                                  MessageAttributeNames=["All"], VisibilityTimeout=3600)
        assert status == 200 and answer.get("Messages"), (queue, len(bodies), answer)
        for message in answer["Messages"]:
            assert hashlib.md5(message["Body"].encode()).hexdigest() == message["MD5OfBody"]
            bodies.append(message)
    status, answer = takt.sqs("ReceiveMessage", QueueUrl=queue)
    assert status == 200 and not answer.get("Messages")
    return bodies


@pytest.mark.sanitized
@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(FORMATS, "format-*.tar.xz"))))
def test_an_older_folder_goes_on(tmp_path, path):
    with tarfile.open(path) as file:
        file.extractall(tmp_path)
    folder = tmp_path / "takt"
    folder.mkdir()
    shutil.move(tmp_path / "data", folder / "data")
    job = (folder / "data" / "waiting").read_text(encoding="utf-8")
    (tmp_path / "line.yaml").write_text(LINE, encoding="utf-8")
    write_program(tmp_path / "echo", ECHO)
    format_of = folder / "data" / "journal" / "format"
    assert format_of.read_text(encoding="utf-8").startswith(f"takt-journal {path.split('-')[-1][0]}")
    with Takt(folder, tmp_path / "line.yaml") as takt:
        told = takt.ended(job, "done")
        assert told["result"] == WAITING, told
        takt.kill()
        takt.start()  # by now it has written into the old segments, in the new format
        work = drain(takt, "work", 24)
        assert [message["Body"] for message in work] == [f"work {i}" for i in range(6, 30)]
        assert [message["MessageAttributes"]["n"]["StringValue"] for message in work] == \
            [str(i) for i in range(6, 30)]
        assert [message["Body"] for message in drain(takt, "dead", 5)] == \
            [f"work {i}" for i in range(1, 6)]
        assert [message["Body"] for message in drain(takt, "large", LARGE_COUNT)] == \
            [large(i) for i in range(LARGE_COUNT)]
        assert not takt.sqs("ReceiveMessage", QueueUrl="purged")[1].get("Messages")
        status, answer = takt.sqs("GetQueueAttributes", QueueUrl="large", AttributeNames=["All"])
        assert status == 200 and answer["Attributes"]["VisibilityTimeout"] == "77"
        takt.stop()
    assert not format_of.read_text(encoding="utf-8").startswith("takt-journal 1\n")


def test_each_older_format_has_a_folder():
    """The number of today's format is in src/journal/file/file_layout.h."""
    layout = os.path.join(os.path.dirname(FORMATS), "..", "src", "journal", "file", "file_layout.h")
    with open(layout, encoding="utf-8") as file:
        numbers = dict(line.split()[1:3] for line in file if line.startswith("#define FILE_FORMAT"))
    now = int(numbers["FILE_FORMAT"].rstrip("u"))
    oldest = int(numbers["FILE_FORMAT_OLDEST"].rstrip("u"))
    assert [n for n in range(oldest, now) if not os.path.exists(archive(n))] == []
