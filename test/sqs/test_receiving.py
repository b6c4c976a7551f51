# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import json as jsons
import socket
import time
import urllib.parse

from api import JSON
from messages import ATTRIBUTES, attribute_md5, counts, delete


def send(api, queue, count=1, **fields):
    return [api.good("SendMessage", QueueUrl=queue, MessageBody=f"m{number}", **fields)
            for number in range(count)]


def change(api, queue, message, seconds):
    api.good("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"],
             VisibilityTimeout=seconds)


def refused(api, queue, name, value, reason):
    api.bad("ReceiveMessage", "InvalidParameterValue",
            f"Value {value} for parameter {name} is invalid. Reason: {reason}",
            QueueUrl=queue, **{name: value})


def test_a_receive_gives_1_to_10_messages_one_unless_it_says_more(api, queue):
    send(api, queue, 12)
    assert len(api.receive(queue)) == 1
    assert len(api.receive(queue, MaxNumberOfMessages=10)) == 10
    assert len(api.receive(queue, MaxNumberOfMessages=10)) == 1
    for value in [0, 11, -1]:
        refused(api, queue, "MaxNumberOfMessages", value, "Must be between 1 and 10, if provided.")


def test_waittimeseconds_is_0_to_20_seconds(api, queue):
    for value in [-1, 21]:
        refused(api, queue, "WaitTimeSeconds", value, "Must be >= 0 and <= 20, if provided.")
    send(api, queue)
    assert len(api.receive(queue, WaitTimeSeconds=20)) == 1


def test_visibilitytimeout_is_0_to_43200_seconds(api, queue):
    for value in [-1, 43201]:
        refused(api, queue, "VisibilityTimeout", value, "Must be >= 0 and <= 43200, if provided.")
    send(api, queue)
    assert len(api.receive(queue, VisibilityTimeout=0)) == 1
    assert len(api.receive(queue, VisibilityTimeout=43200)) == 1


def test_an_empty_receive_has_no_messages(api, queue):
    assert api.good("ReceiveMessage", QueueUrl=queue) == {}
    send(api, queue)
    assert len(api.good("ReceiveMessage", QueueUrl=queue)["Messages"]) == 1
    assert api.good("ReceiveMessage", QueueUrl=queue) == {}


def test_a_received_message_is_hidden_until_its_visibility_timeout_is_over(api, queue):
    api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    send(api, queue)
    begin = time.monotonic()
    assert len(api.receive(queue)) == 1
    assert api.receive(queue) == []
    message, = api.receive(queue, WaitTimeSeconds=10, AttributeNames=["All"])
    assert 0.8 < time.monotonic() - begin < 5
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_receive_s_visibility_timeout_is_for_that_receive_only(api, queue):
    send(api, queue)
    message, = api.receive(queue, VisibilityTimeout=0)
    assert len(api.receive(queue)) == 1
    assert api.receive(queue) == []  # the queue's own 30 seconds
    assert api.attributes(queue, "VisibilityTimeout") == {"VisibilityTimeout": "30"}


def test_a_long_poll_ends_when_a_message_comes(api, queue):
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.receive, queue, WaitTimeSeconds=20)
        time.sleep(0.3)
        send(api, queue)
        assert [message["Body"] for message in waiting.result(30)] == ["m0"]
    assert 0.25 < time.monotonic() - begin < 10


def test_a_queue_s_own_wait_is_used_when_a_receive_says_none(api, queue):
    api.good("SetQueueAttributes", QueueUrl=queue,
             Attributes={"ReceiveMessageWaitTimeSeconds": "1"})
    begin = time.monotonic()
    assert api.receive(queue) == []
    assert time.monotonic() - begin > 0.8
    begin = time.monotonic()
    assert api.receive(queue, WaitTimeSeconds=0) == []
    assert time.monotonic() - begin < 0.8


def test_who_went_away_gets_nothing(takt, json, name):
    queue = json.good("CreateQueue", QueueName=name)["QueueUrl"]
    netloc = urllib.parse.urlsplit(takt.urls["sqs"])
    body = jsons.dumps({"QueueUrl": queue, "WaitTimeSeconds": 20}).encode()
    head = (f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
            f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    gone = [socket.create_connection((netloc.hostname, netloc.port)) for _ in range(10)]
    for connection in gone:
        connection.sendall(head + body)
    time.sleep(0.2)
    for connection in gone:
        connection.close()
    time.sleep(0.2)
    send(json, queue)
    message, = json.receive(queue, AttributeNames=["ApproximateReceiveCount"])
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_receive_gives_the_system_attributes_that_are_asked_for(api, queue):
    before = time.time() * 1000
    send(api, queue)
    message, = api.receive(queue, AttributeNames=["All"], VisibilityTimeout=0)
    found = message["Attributes"]
    assert set(found) == {"SenderId", "SentTimestamp", "ApproximateReceiveCount",
                          "ApproximateFirstReceiveTimestamp"}
    assert (found["SenderId"], found["ApproximateReceiveCount"]) == ("000000000000", "1")
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"]:
        assert abs(int(found[name]) - before) < 60000
    again, = api.receive(queue, MessageSystemAttributeNames=["All"], VisibilityTimeout=0)
    assert again["Attributes"] == {**found, "ApproximateReceiveCount": "2"}
    for names in ["AttributeNames", "MessageSystemAttributeNames"]:
        message, = api.receive(queue, **{names: ["SenderId", "SequenceNumber"]},
                               VisibilityTimeout=0)
        assert list(message["Attributes"]) == ["SenderId"]
    assert "Attributes" not in api.receive(queue)[0]


def test_an_unknown_system_attribute_is_refused_by_name(api, queue):
    send(api, queue)
    for names in ["AttributeNames", "MessageSystemAttributeNames"]:
        api.bad("ReceiveMessage", "InvalidAttributeName", "Unknown Attribute Fly.", QueueUrl=queue,
                **{names: ["All", "Fly"]})
    assert counts(api, queue) == (1, 0, 0)


WANTED = [
    ([], []), (["All"], list(ATTRIBUTES)), ([".*"], list(ATTRIBUTES)), (["none", "zeta"], ["zeta"]),
    (["alpha.*"], ["alpha-two", "alphabet"]), (["Alpha.*"], ["Alpha.one"]),
    (["bytes", "Alpha.one"], ["Alpha.one", "bytes"]), (["none"], []), ([""], [])]


def test_a_receive_gives_the_message_attributes_that_are_asked_for_by_name_prefix_or_all(
        api, queue):
    send(api, queue, MessageAttributes=ATTRIBUTES)
    for wanted, found in WANTED:
        message, = api.receive(queue, MessageAttributeNames=wanted, VisibilityTimeout=0)
        expected = {name: ATTRIBUTES[name] for name in found}
        assert message.get("MessageAttributes", {}) == expected, wanted


def test_the_md5_of_attributes_is_over_those_that_are_given(api, queue):
    send(api, queue, MessageAttributes=ATTRIBUTES)
    for wanted, found in WANTED:
        message, = api.receive(queue, MessageAttributeNames=wanted, VisibilityTimeout=0)
        expected = {name: ATTRIBUTES[name] for name in found}
        assert message.get("MD5OfMessageAttributes") == (
            attribute_md5(expected) if expected else None)


def test_a_handle_changes_with_every_receive_and_any_of_them_deletes(api, queue):
    send(api, queue)
    first, = api.receive(queue, VisibilityTimeout=0)
    second, = api.receive(queue)
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    delete(api, queue, first)
    assert counts(api, queue) == (0, 0, 0)


def test_to_delete_again_is_no_error(api, queue):
    send(api, queue)
    message, = api.receive(queue)
    for _ in range(3):
        delete(api, queue, message)
    assert counts(api, queue) == (0, 0, 0)


def test_a_message_whose_lease_is_over_can_be_deleted(api, queue):
    send(api, queue)
    message, = api.receive(queue, VisibilityTimeout=0)
    assert counts(api, queue) == (1, 0, 0)
    delete(api, queue, message)
    assert counts(api, queue) == (0, 0, 0)


def test_a_handle_that_is_none_is_refused_in_words(api, queue):
    send(api, queue)
    handle = api.receive(queue)[0]["ReceiptHandle"]
    spoilt = handle[:-1] + ("A" if handle[-1] != "A" else "B")
    for wrong in ["garbage", spoilt, handle + "A", "x" * 200, "ü"]:
        words = f'The input receipt handle "{wrong}" is not a valid receipt handle.'
        api.bad("DeleteMessage", "ReceiptHandleIsInvalid", words, 404, QueueUrl=queue,
                ReceiptHandle=wrong)
        api.bad("ChangeMessageVisibility", "ReceiptHandleIsInvalid", words, 404, QueueUrl=queue,
                ReceiptHandle=wrong, VisibilityTimeout=0)
    assert counts(api, queue) == (0, 1, 0)


def test_a_handle_is_needed_and_a_timeout_to_change_it(api, queue):
    send(api, queue)
    handle = api.receive(queue)[0]["ReceiptHandle"]
    for action, missing, fields in [
            ("DeleteMessage", "ReceiptHandle", {}),
            ("ChangeMessageVisibility", "ReceiptHandle", {"VisibilityTimeout": 1}),
            ("ChangeMessageVisibility", "VisibilityTimeout", {"ReceiptHandle": handle})]:
        api.bad(action, "MissingParameter", f"The request must contain the parameter {missing}.",
                QueueUrl=queue, **fields)


def test_visibility_can_be_changed_to_0_to_43200_seconds(api, queue):
    send(api, queue)
    message, = api.receive(queue)
    for value in [-1, 43201]:
        api.bad("ChangeMessageVisibility", "InvalidParameterValue",
                f"Value {value} for parameter VisibilityTimeout is invalid. Reason: "
                "VisibilityTimeout must be >= 0 and <= 43200.", QueueUrl=queue,
                ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=value)
    change(api, queue, message, 43000)
    assert api.receive(queue) == []
    change(api, queue, message, 0)
    assert len(api.receive(queue)) == 1


def test_a_message_is_in_flight_for_12_hours_at_most_with_all_changes(api, queue):
    send(api, queue)
    message, = api.receive(queue)
    time.sleep(0.1)
    api.bad("ChangeMessageVisibility", "InvalidParameterValue",
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total "
            "VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=43200)


def test_the_visibility_of_a_message_that_is_gone_cannot_be_changed(api, queue):
    send(api, queue)
    message, = api.receive(queue)
    delete(api, queue, message)
    words = (f"Value {message['ReceiptHandle']} for parameter ReceiptHandle is invalid. Reason: "
             "Message does not exist or is not available for visibility timeout change.")
    api.bad("ChangeMessageVisibility", "InvalidParameterValue", words, QueueUrl=queue,
            ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=1)
    answer = api.good("ChangeMessageVisibilityBatch", QueueUrl=queue, Entries=[
        {"Id": "a", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 1}])
    assert answer["Failed"] == [{"Id": "a", "SenderFault": True, "Code": "InvalidParameterValue",
                                 "Message": words}]


def test_the_visibility_of_a_message_that_is_visible_again_can_be_changed(api, queue):
    send(api, queue)
    message, = api.receive(queue, VisibilityTimeout=0)
    change(api, queue, message, 100)
    change(api, queue, message, 0)
    assert len(api.receive(queue)) == 1


def test_handles_are_good_after_a_restart(api, other, name):
    api.url = other.urls["sqs"]
    queue = api.good("CreateQueue", QueueName=name)["QueueUrl"]
    send(api, queue, 2)
    first, second = api.receive(queue, MaxNumberOfMessages=10)
    other.kill()
    other.start()
    assert counts(api, queue) == (0, 2, 0)
    delete(api, queue, first)
    change(api, queue, second, 0)
    message, = api.receive(queue, AttributeNames=["All"])
    assert message["MessageId"] == second["MessageId"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_message_id_is_the_same_at_every_receive(api, queue):
    sent, = send(api, queue)
    for _ in range(3):
        message, = api.receive(queue, VisibilityTimeout=0)
        assert message["MessageId"] == sent["MessageId"]
