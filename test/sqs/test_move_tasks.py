# SPDX-License-Identifier: Apache-2.0
import base64
import json as jsons
import time

import pytest

from api import PREFIX
from messages import counts
from takt_server import wait_until

GONE = "The resource that you specified for the {} parameter doesn't exist."


class Scene:
    """A queue, its dead-letter queue, and a third one."""

    def __init__(self, api, name):
        self.api = api
        self.dead, self.other = (api.good("CreateQueue", QueueName=f"{name}-{which}")["QueueUrl"]
                                 for which in ("dead", "other"))
        policy = jsons.dumps({"deadLetterTargetArn": api.arn(self.dead), "maxReceiveCount": 1})
        self.work = api.good("CreateQueue", QueueName=f"{name}-work", Attributes={
            "RedrivePolicy": policy, "VisibilityTimeout": "0"})["QueueUrl"]
        self.dead_arn, self.other_arn = api.arn(self.dead), api.arn(self.other)

    def kill(self, count):
        """So many dead letters of the queue."""
        for number in range(count):
            self.api.good("SendMessage", QueueUrl=self.work, MessageBody=f"m{number}")
        for _ in range(2 * count + 2):
            self.api.receive(self.work, MaxNumberOfMessages=10)
        assert counts(self.api, self.dead)[0] == count

    def start(self, **fields):
        return self.api.good("StartMessageMoveTask", SourceArn=self.dead_arn,
                             **fields)["TaskHandle"]

    def tasks(self, **fields):
        return self.api.good("ListMessageMoveTasks", SourceArn=self.dead_arn,
                             **fields).get("Results", [])

    def ended(self):
        """The newest task once it is not running any more."""
        return wait_until(lambda: self.tasks()[0]["Status"] != "RUNNING" and self.tasks()[0],
                          20, "the task's end")


@pytest.fixture(name="scene")
def fixture_scene(api, name):
    return Scene(api, name)


def test_a_task_without_a_destination_moves_dead_letters_back_to_where_they_came_from(api, scene):
    scene.kill(3)
    before = time.time() * 1000
    assert scene.start()
    task = scene.ended()
    assert abs(task.pop("StartedTimestamp") - before) < 60000
    assert task == {"Status": "COMPLETED", "SourceArn": scene.dead_arn,
                    "ApproximateNumberOfMessagesMoved": 3, "ApproximateNumberOfMessagesToMove": 3}
    assert (counts(api, scene.dead), counts(api, scene.work)) == ((0, 0, 0), (3, 0, 0))


def test_a_task_with_a_destination_moves_all_that_is_in_the_dead_letter_queue_there(api, scene):
    scene.kill(2)
    api.good("SendMessage", QueueUrl=scene.dead, MessageBody="sent here")
    scene.start(DestinationArn=scene.other_arn)
    task = scene.ended()
    assert (task["Status"], task["DestinationArn"], task["ApproximateNumberOfMessagesMoved"]) == (
        "COMPLETED", scene.other_arn, 3)
    bodies = {message["Body"] for message in api.receive(scene.other, MaxNumberOfMessages=10)}
    assert bodies == {"m0", "m1", "sent here"}


def test_a_moved_message_has_a_new_id_and_was_never_received(api, scene):
    scene.kill(1)
    dead, = api.receive(scene.dead, VisibilityTimeout=0, AttributeNames=["All"])
    scene.start(DestinationArn=scene.other_arn)
    assert scene.ended()["Status"] == "COMPLETED"
    moved, = api.receive(scene.other, AttributeNames=["All"])
    assert moved["MessageId"] != dead["MessageId"] and moved["Body"] == dead["Body"]
    assert moved["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(moved["Attributes"]["SentTimestamp"]) >= int(dead["Attributes"]["SentTimestamp"])
    assert "DeadLetterQueueSourceArn" not in moved["Attributes"]


def test_the_source_must_be_a_dead_letter_queue(api, scene):
    api.bad("StartMessageMoveTask", "InvalidParameterValue",
            "Source queue must be configured as a Dead Letter Queue.", SourceArn=scene.other_arn)
    api.bad("StartMessageMoveTask", "ResourceNotFoundException", GONE.format("SourceArn"), 404,
            SourceArn=scene.dead_arn + "-none")
    api.bad("StartMessageMoveTask", "MissingParameter",
            "The request must contain the parameter SourceArn.")
    for arn in ["x", "arn:aws:sqs:us-east-1", "arn:::::"]:
        api.bad("StartMessageMoveTask", "InvalidParameterValue",
                "You must use this format to specify the SourceArn: ...", SourceArn=arn)
    api.bad("StartMessageMoveTask", "InvalidParameterValue",
            "Source queue arn and destination queue arn cannot be the same.",
            SourceArn=scene.dead_arn, DestinationArn=scene.dead_arn)


def test_one_task_is_active_for_a_source_at_a_time(api, scene):
    scene.kill(3)
    scene.start(MaxNumberOfMessagesPerSecond=1)
    api.bad("StartMessageMoveTask", "InvalidParameterValue",
            "There is already a task running. Only one active task is allowed for a source queue "
            "arn at a given time.", SourceArn=scene.dead_arn)
    assert len(scene.tasks(MaxResults=10)) == 1


def test_a_destination_must_be_there(api, scene):
    api.bad("StartMessageMoveTask", "ResourceNotFoundException", GONE.format("DestinationArn"),
            404, SourceArn=scene.dead_arn, DestinationArn=scene.other_arn + "-none")
    assert scene.tasks() == []


def test_maxnumberofmessagespersecond_is_1_to_500_and_kept(api, scene):
    for rate in [0, 501, -1]:
        api.bad("StartMessageMoveTask", "InvalidParameterValue",
                f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You "
                "must enter a number that's between 1 and 500.", SourceArn=scene.dead_arn,
                MaxNumberOfMessagesPerSecond=rate)
    scene.kill(5)
    begin = time.monotonic()
    scene.start(MaxNumberOfMessagesPerSecond=4)
    assert scene.tasks()[0]["MaxNumberOfMessagesPerSecond"] == 4
    assert scene.ended()["ApproximateNumberOfMessagesMoved"] == 5
    assert 0.9 < time.monotonic() - begin < 10


def test_a_cancelled_task_leaves_what_it_moved_where_it_is(api, scene):
    scene.kill(5)
    handle = scene.start(MaxNumberOfMessagesPerSecond=1, DestinationArn=scene.other_arn)
    wait_until(lambda: scene.tasks()[0]["ApproximateNumberOfMessagesMoved"], 10, "the first move")
    answer = api.good("CancelMessageMoveTask", TaskHandle=handle)
    moved = answer["ApproximateNumberOfMessagesMoved"]
    task, = scene.tasks(MaxResults=10)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("CANCELLED", moved)
    assert 1 <= moved < 5
    assert (counts(api, scene.other)[0], counts(api, scene.dead)[0]) == (moved, 5 - moved)
    api.bad("CancelMessageMoveTask", f"{PREFIX}UnsupportedOperation",
            "Only active tasks can be cancelled.", TaskHandle=handle)


def test_a_handle_that_is_none_is_refused_and_so_is_one_of_another_task(api, scene):
    def cancel(code, words, status, handle):
        if isinstance(handle, dict):
            handle = base64.b64encode(jsons.dumps(handle).encode()).decode()
        api.bad("CancelMessageMoveTask", code, words, status, TaskHandle=handle)
    ident = "10f6af9f-1253-4b1c-8d0b-0d0e6a4c1f1b"
    for wrong in ["%", "e30=", "bm8=", {"taskId": 5, "sourceArn": scene.dead_arn},
                  {"taskId": ident}]:
        cancel("InvalidParameterValue", "Value for parameter TaskHandle is invalid.", 400, wrong)
    cancel("ResourceNotFoundException", GONE.format("SourceArn"), 404,
           {"taskId": ident, "sourceArn": scene.dead_arn + "-none"})
    cancel("ResourceNotFoundException", "Task does not exist.", 404,
           {"taskId": ident, "sourceArn": scene.dead_arn})
    api.bad("CancelMessageMoveTask", "MissingParameter",
            "The request must contain the parameter TaskHandle.")


def test_tasks_are_listed_newest_first_1_to_10_of_them_one_unless_it_says_more(api, scene):
    assert scene.tasks() == []
    for number in range(12):
        scene.start(**({"DestinationArn": scene.other_arn} if number % 2 else {}))
        scene.ended()
    assert len(scene.tasks()) == 1
    tasks = scene.tasks(MaxResults=10)
    assert ["DestinationArn" in task for task in tasks] == [True, False] * 5
    started = [task["StartedTimestamp"] for task in tasks]
    assert started == sorted(started, reverse=True)
    for number in [0, 11]:
        api.bad("ListMessageMoveTasks", "InvalidParameterValue",
                f"Value {number} for parameter MaxResults is invalid. Reason: You must enter a "
                "number that's between 1 and 10.", SourceArn=scene.dead_arn, MaxResults=number)
    api.bad("ListMessageMoveTasks", "ResourceNotFoundException", GONE.format("SourceArn"), 404,
            SourceArn=scene.dead_arn + "-none")


def test_the_handle_is_shown_while_a_task_is_running_only(api, scene):
    scene.kill(3)
    handle = scene.start(MaxNumberOfMessagesPerSecond=1)
    task, = scene.tasks()
    assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
    api.good("CancelMessageMoveTask", TaskHandle=handle)
    assert "TaskHandle" not in scene.tasks()[0]


def test_a_message_whose_source_is_not_known_makes_the_task_fail_in_words(api, scene):
    scene.kill(1)
    api.good("SendMessage", QueueUrl=scene.dead, MessageBody="sent here")
    scene.start()
    task = scene.ended()
    assert (task["Status"], task["FailureReason"], task["ApproximateNumberOfMessagesMoved"]) == (
        "FAILED", "CouldNotDetermineMessageSource", 1)
    assert counts(api, scene.dead)[0] == 1


def test_a_destination_that_is_deleted_makes_the_task_fail_in_words(api, scene):
    scene.kill(5)
    scene.start(MaxNumberOfMessagesPerSecond=2, DestinationArn=scene.other_arn)
    api.good("DeleteQueue", QueueUrl=scene.other)
    task = scene.ended()
    assert (task["Status"], task["FailureReason"], task["DestinationArn"]) == (
        "FAILED", f"{PREFIX}NonExistentQueue", scene.other_arn)


def test_a_task_goes_on_after_a_restart(api, other, name):
    api.url = other.urls["sqs"]
    scene = Scene(api, name)
    scene.kill(4)
    scene.start(MaxNumberOfMessagesPerSecond=2, DestinationArn=scene.other_arn)
    before, = scene.tasks()
    other.kill()
    other.start()
    after, = scene.tasks()
    assert after["StartedTimestamp"] == before["StartedTimestamp"]
    task = scene.ended()
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 4)
    assert counts(api, scene.other)[0] == 4
