# SPDX-License-Identifier: Apache-2.0
"""takt under the unchanged @aws-sdk/client-sqs, and killed under its load."""
import os
import subprocess
import time

import pytest

from takt_server import TOP, Takt

NODE_SECONDS_MAX = 90
KILLS = 5


def node(script, *words):
    return ["node", os.path.join(TOP, "test", "sdk", script), *words]


@pytest.fixture(scope="module", name="takt")
def fixture_takt(tmp_path_factory):
    takt = Takt(tmp_path_factory.mktemp("sdk"), command="serve")
    with takt:
        yield takt
        takt.stop()


@pytest.mark.sanitized
@pytest.mark.parametrize("script,parts", [("actions.mjs", 13), ("consumers.mjs", 1)])
def test_script(takt, script, parts):
    done = subprocess.run(node(script, takt.urls["sqs"]), capture_output=True, text=True,
                          timeout=NODE_SECONDS_MAX, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == parts, done.stdout


def drain(takt):
    """The bodies that are still there, each received and deleted."""
    bodies = []
    while True:
        status, answer = takt.sqs("ReceiveMessage", QueueUrl="load", MaxNumberOfMessages=10,
                                  WaitTimeSeconds=2 if not bodies else 0)
        assert status == 200, answer
        messages = answer.get("Messages", [])
        if not messages:
            return bodies
        bodies += [message["Body"] for message in messages]
        entries = [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                   for number, message in enumerate(messages)]
        status, answer = takt.sqs("DeleteMessageBatch", QueueUrl="load", Entries=entries)
        assert status == 200 and not answer.get("Failed"), answer


def make_visible(takt):
    """What a consumer held when its server died comes back now and not after its timeout."""
    status, answer = takt.sqs("GetQueueAttributes", QueueUrl="load", AttributeNames=["All"])
    assert status == 200
    if answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"] != "0":
        time.sleep(3.5)


def test_killed_under_load_nothing_answered_is_lost(tmp_path):
    """Every send that was answered is there, unless it was to be deleted; and no message comes back
    whose delete was answered."""
    takt = Takt(tmp_path, command="serve").start()
    load = None
    try:
        assert takt.sqs("CreateQueue", QueueName="load",
                        Attributes={"VisibilityTimeout": "3"})[0] == 200
        load = subprocess.Popen(node("load.mjs", takt.urls["sqs"], "load"), text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(KILLS):
            time.sleep(0.7)
            takt.kill()
            takt.start()
        time.sleep(0.7)
        output, _ = load.communicate("", timeout=30)
        assert load.returncode == 0
        lines = [line.split(" ") for line in output.splitlines()]
        sent = {body for word, body in lines if word == "sent"}
        deleted = {body for word, body in lines if word == "deleted"}
        unsure = {body for word, body in lines if word == "deleting"} - deleted
        make_visible(takt)
        left = drain(takt)
        assert len(sent) > 100 and len(deleted) > 10
        assert sent - deleted - unsure - set(left) == set(), "answered, and lost"
        assert len(unsure) <= KILLS, "one consumer deletes one at a time"
        assert deleted & set(left) == set(), "deleted, and back"
        assert len(left) == len(set(left)), "there twice"
        takt.stop()
    finally:
        if load is not None and load.poll() is None:
            load.kill()
        if takt.process.poll() is None:
            takt.kill()
