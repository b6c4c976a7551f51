# SPDX-License-Identifier: Apache-2.0
import json as jsons
import time

import pytest


@pytest.fixture(name="dead")
def fixture_dead(api, name):
    return api.good("CreateQueue", QueueName=f"{name}-dead")["QueueUrl"]


def text(api, dead, count=2, **more):
    return jsons.dumps({"deadLetterTargetArn": api.arn(dead), "maxReceiveCount": count, **more})


def set_policy(api, queue, policy):
    api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"RedrivePolicy": policy})


def refused(api, queue, policy, reason, name="RedrivePolicy"):
    api.bad("SetQueueAttributes", "InvalidParameterValue",
            f"Value {policy} for parameter {name} is invalid. Reason: {reason}",
            QueueUrl=queue, Attributes={name: policy})


def kill(api, queue, dead, body="poison"):
    """One dead letter of the queue: what was sent."""
    api.good("SetQueueAttributes", QueueUrl=queue,
             Attributes={"RedrivePolicy": text(api, dead, 1), "VisibilityTimeout": "0"})
    sent = api.good("SendMessage", QueueUrl=queue, MessageBody=body)
    assert len(api.receive(queue)) == 1
    assert api.receive(queue) == []
    return sent


def test_a_message_that_was_received_too_often_moves_to_the_dead_letter_queue(api, queue, dead):
    set_policy(api, queue, text(api, dead, 2))
    api.good("SendMessage", QueueUrl=queue, MessageBody="poison")
    for count in ["1", "2"]:
        message, = api.receive(queue, VisibilityTimeout=0,
                               AttributeNames=["ApproximateReceiveCount"])
        assert message["Attributes"] == {"ApproximateReceiveCount": count}
    assert api.receive(dead) == []
    assert api.receive(queue) == []
    assert [message["Body"] for message in api.receive(dead)] == ["poison"]


def test_maxreceivecount_is_1_to_1000_and_10_when_it_is_not_given(api, queue, dead):
    for count, found in [(1, 1), (1000, 1000), ("7", 7)]:
        set_policy(api, queue, text(api, dead, count))
        policy = jsons.loads(api.attributes(queue)["RedrivePolicy"])
        assert policy == {"deadLetterTargetArn": api.arn(dead), "maxReceiveCount": found}
    for count in [0, 1001, "x", -1, 1.5]:
        refused(api, queue, text(api, dead, count), "Invalid value for maxReceiveCount: valid "
                "values are from 1 to 1000 both inclusive.")
    set_policy(api, queue, jsons.dumps({"deadLetterTargetArn": api.arn(dead)}))
    assert jsons.loads(api.attributes(queue)["RedrivePolicy"])["maxReceiveCount"] == 10


def test_a_redrivepolicy_that_is_malformed_is_refused_before_its_queue_is_looked_for(
        api, queue, dead):
    for policy, reason in [
            ("{", "Redrive policy is not a valid JSON map."),
            ("[]", "Redrive policy is not a valid JSON map."),
            ("{}", "Redrive policy does not contain deadLetterTargetArn."),
            ('{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}',
             "Invalid value for deadLetterTargetArn."),
            ('{"deadLetterTargetArn": 5}', "Invalid value for deadLetterTargetArn."),
            ('{"deadLetterTargetArn":"arn:aws:sns:us-east-1:000000000000:q"}',
             "Invalid value for deadLetterTargetArn."),
            (text(api, dead, more=1), "Only deadLetterTargetArn and maxReceiveCount are allowed.")]:
        refused(api, queue, policy, reason)
    assert "RedrivePolicy" not in api.attributes(queue)


def test_a_dead_letter_queue_must_be_there(api, queue, name):
    policy = '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:none"}'
    refused(api, queue, policy, "Dead letter target does not exist.")
    api.bad("SetQueueAttributes", "InvalidParameterValue",
            "A queue cannot be its own dead-letter queue.", QueueUrl=queue,
            Attributes={"RedrivePolicy": text(api, queue)})


def test_an_empty_redrivepolicy_takes_it_away(api, queue, dead):
    set_policy(api, queue, text(api, dead))
    assert "RedrivePolicy" in api.attributes(queue)
    set_policy(api, queue, "")
    assert "RedrivePolicy" not in api.attributes(queue)


def allow(api, dead, permission, *arns):
    policy = {"redrivePermission": permission}
    if arns:
        policy["sourceQueueArns"] = list(arns)
    policy = jsons.dumps(policy)
    api.good("SetQueueAttributes", QueueUrl=dead, Attributes={"RedriveAllowPolicy": policy})
    assert api.attributes(dead, "RedriveAllowPolicy") == {"RedriveAllowPolicy": policy}


def test_denyall_and_byqueue_keep_other_queues_from_naming_a_dead_letter_queue(api, queue, dead):
    reason = "The RedriveAllowPolicy of the dead-letter queue does not allow this queue."
    allow(api, dead, "denyAll")
    refused(api, queue, text(api, dead), reason)
    allow(api, dead, "byQueue", api.arn(dead))
    refused(api, queue, text(api, dead), reason)
    allow(api, dead, "byQueue", api.arn(dead), api.arn(queue))
    set_policy(api, queue, text(api, dead))
    set_policy(api, queue, "")
    allow(api, dead, "allowAll")
    set_policy(api, queue, text(api, dead))
    set_policy(api, queue, "")
    allow(api, dead, "denyAll")
    api.good("SetQueueAttributes", QueueUrl=dead, Attributes={"RedriveAllowPolicy": ""})
    assert "RedriveAllowPolicy" not in api.attributes(dead)
    set_policy(api, queue, text(api, dead))


def test_a_redriveallowpolicy_that_is_malformed_is_refused(api, queue):
    arn = api.arn(queue)
    for policy in ["{", "[]", "{}", '{"redrivePermission":"some"}', '{"redrivePermission":5}',
                   '{"redrivePermission":"byQueue"}',
                   '{"redrivePermission":"byQueue","sourceQueueArns":["x"]}',
                   '{"redrivePermission":"byQueue","sourceQueueArns":[]}',
                   '{"redrivePermission":"allowAll","more":1}',
                   f'{{"redrivePermission":"denyAll","sourceQueueArns":["{arn}"]}}']:
        refused(api, queue, policy, "Amazon SQS can't create the redrive allow policy, as it's in "
                "an unsupported format.", "RedriveAllowPolicy")
    many = jsons.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn] * 11})
    api.bad("SetQueueAttributes", "InvalidParameterValue", "Value {\"redrivePermission\"...",
            QueueUrl=queue, Attributes={"RedriveAllowPolicy": many})
    allow(api, queue, "byQueue", *[arn] * 10)


def test_the_source_queues_of_a_dead_letter_queue_are_listed_in_pages(api, dead, name):
    assert api.good("ListDeadLetterSourceQueues", QueueUrl=dead).get("queueUrls", []) == []
    sources = [api.good("CreateQueue", QueueName=f"{name}-{number}",
                        Attributes={"RedrivePolicy": text(api, dead)})["QueueUrl"]
               for number in range(5)]
    answer = api.good("ListDeadLetterSourceQueues", QueueUrl=dead)
    assert answer["queueUrls"] == sources and "NextToken" not in answer
    first = api.good("ListDeadLetterSourceQueues", QueueUrl=dead, MaxResults=3)
    second = api.good("ListDeadLetterSourceQueues", QueueUrl=dead, MaxResults=3,
                      NextToken=first["NextToken"])
    assert first["queueUrls"] + second["queueUrls"] == sources and "NextToken" not in second
    set_policy(api, sources[0], "")
    assert api.good("ListDeadLetterSourceQueues", QueueUrl=dead)["queueUrls"] == sources[1:]
    api.bad("ListDeadLetterSourceQueues", "InvalidParameterValue",
            "Value 0 for parameter MaxResults is invalid. Reason: MaxResults must be an integer "
            "between 1 and 1000.", QueueUrl=dead, MaxResults=0)


def test_a_dead_letter_keeps_its_id_its_receive_count_and_the_time_it_was_sent(api, queue, dead):
    before = time.time() * 1000
    sent = kill(api, queue, dead)
    time.sleep(0.2)
    message, = api.receive(dead, AttributeNames=["All"])
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"
    assert -1000 < int(message["Attributes"]["SentTimestamp"]) - before < 150


def test_a_dead_letter_names_the_queue_it_came_from(api, queue, dead):
    kill(api, queue, dead)
    message, = api.receive(dead, AttributeNames=["All"], VisibilityTimeout=0)
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == api.arn(queue)
    message, = api.receive(dead, AttributeNames=["DeadLetterQueueSourceArn"])
    assert message["Attributes"] == {"DeadLetterQueueSourceArn": api.arn(queue)}
    api.good("SendMessage", QueueUrl=dead, MessageBody="sent here")
    other, = api.receive(dead, AttributeNames=["All"])
    assert "DeadLetterQueueSourceArn" not in other["Attributes"]
