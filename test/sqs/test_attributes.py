# SPDX-License-Identifier: Apache-2.0
import json as jsons
import time

MIB = 1024 * 1024
TEXT = '{"Version":"2012-10-17", "Statement":[{"Effect":"Allow","Principal":"*","Action":"SQS:*"}]}'


def setting(api, queue, **attributes):
    return api.good("SetQueueAttributes", QueueUrl=queue, Attributes=attributes)


def refused(api, queue, code, words, **attributes):
    api.bad("SetQueueAttributes", code, words, QueueUrl=queue, Attributes=attributes)
    api.bad("CreateQueue", code, words, QueueName="never", Attributes=attributes)


def test_a_fresh_queue_has_the_defaults(api, queue, name):
    found = api.attributes(queue)
    for time_name in ["CreatedTimestamp", "LastModifiedTimestamp"]:
        assert abs(int(found.pop(time_name)) - time.time()) < 60
    assert found == {
        "VisibilityTimeout": "30", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0",
        "MessageRetentionPeriod": "345600", "MaximumMessageSize": "1048576",
        "SqsManagedSseEnabled": "true", "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
        "QueueArn": f"arn:aws:sqs:us-east-1:000000000000:{name}"}


def check_range(api, queue, attribute, low, high):
    for value in [low, high]:
        setting(api, queue, **{attribute: str(value)})
        assert api.attributes(queue, attribute) == {attribute: str(value)}
    for value in [low - 1, high + 1, "", "x", "1.5", " 60", "0x20"]:
        refused(api, queue, "InvalidAttributeValue",
                f"Invalid value for the parameter {attribute}. Reason: Must be an integer from "
                f"{low} to {high}.", **{attribute: str(value)})
    assert api.attributes(queue, attribute) == {attribute: str(high)}


def test_visibilitytimeout_is_0_to_43200_seconds(api, queue):
    check_range(api, queue, "VisibilityTimeout", 0, 43200)


def test_delayseconds_is_0_to_900_seconds(api, queue):
    check_range(api, queue, "DelaySeconds", 0, 900)


def test_receivemessagewaittimeseconds_is_0_to_20_seconds(api, queue):
    check_range(api, queue, "ReceiveMessageWaitTimeSeconds", 0, 20)


def test_messageretentionperiod_is_60_to_1209600_seconds(api, queue):
    check_range(api, queue, "MessageRetentionPeriod", 60, 1209600)


def test_maximummessagesize_is_1024_to_1048576_bytes(api, queue):
    check_range(api, queue, "MaximumMessageSize", 1024, MIB)


def test_an_attribute_that_is_not_known_or_read_only_cannot_be_set(api, queue):
    for attribute in ["Fly", "All", "QueueArn", "CreatedTimestamp", "LastModifiedTimestamp",
                      "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed",
                      "ApproximateNumberOfMessagesNotVisible"]:
        refused(api, queue, "InvalidAttributeName", f"Unknown Attribute {attribute}.",
                **{attribute: "1"})
    api.bad("SetQueueAttributes", "MissingParameter",
            "The request must contain the parameter Attributes.", QueueUrl=queue)


def test_all_attributes_are_set_or_none(api, queue):
    before = api.attributes(queue)
    api.bad("SetQueueAttributes", "InvalidAttributeName", "Unknown Attribute Fly.", QueueUrl=queue,
            Attributes={"DelaySeconds": "5", "Policy": TEXT, "Fly": "1"})
    assert api.attributes(queue) == before
    setting(api, queue, DelaySeconds="5", VisibilityTimeout="6")
    assert api.attributes(queue, "DelaySeconds", "VisibilityTimeout") == {
        "DelaySeconds": "5", "VisibilityTimeout": "6"}


def test_only_the_attributes_that_are_asked_for_are_given(api, queue):
    assert "Attributes" not in api.good("GetQueueAttributes", QueueUrl=queue)
    assert api.attributes(queue, "RedrivePolicy", "Policy", "KmsMasterKeyId") == {}
    assert set(api.attributes(queue, "DelaySeconds", "QueueArn")) == {"DelaySeconds", "QueueArn"}
    api.bad("GetQueueAttributes", "InvalidAttributeName", "Unknown Attribute Fly.",
            QueueUrl=queue, AttributeNames=["All", "Fly"])


def test_changing_a_queue_is_seen_in_lastmodifiedtimestamp(api, queue):
    before = api.attributes(queue)
    time.sleep(1.1)
    setting(api, queue, DelaySeconds="5")
    after = api.attributes(queue)
    assert after["CreatedTimestamp"] == before["CreatedTimestamp"]
    assert int(after["LastModifiedTimestamp"]) > int(before["LastModifiedTimestamp"])


def test_a_policy_is_kept_as_it_came_and_empty_takes_it_away(api, queue):
    setting(api, queue, Policy=TEXT)
    assert api.attributes(queue, "Policy") == {"Policy": TEXT}
    assert api.attributes(queue)["Policy"] == TEXT
    for wrong in ["{", "[]", "x", '"{}"', "{}", '{"Statement":[1]}']:
        refused(api, queue, "InvalidAttributeValue", "Invalid value for the parameter Policy.",
                Policy=wrong)
    assert api.attributes(queue, "Policy") == {"Policy": TEXT}
    setting(api, queue, Policy="")
    assert "Policy" not in api.attributes(queue)


def statement(**more):
    return {"Effect": "Allow", "Principal": "*", "Action": "SQS:*", **more}


def test_a_policy_has_8192_bytes_20_statements_50_principals_10_conditions_and_7_actions_at_most(
        api, queue):
    def policy(*statements, pad=0):
        text = jsons.dumps({"Statement": list(statements)})
        return text + " " * pad
    def accounts(count):
        return [str(100000000000 + number) for number in range(count)]
    def conditions(count):
        return {"StringEquals": {f"k{number}": "v" for number in range(count)}}
    longest = policy(statement())
    for good, bad in [
            (longest + " " * (8192 - len(longest)), longest + " " * (8193 - len(longest))),
            (policy(*[statement()] * 20), policy(*[statement()] * 21)),
            (policy(statement(Principal={"AWS": accounts(50)})),
             policy(statement(Principal={"AWS": accounts(51)}))),
            (policy(statement(Condition=conditions(10))),
             policy(statement(Condition=conditions(11)))),
            (policy(statement(Action=["SQS:SendMessage"] * 7)),
             policy(statement(Action=["SQS:SendMessage"] * 8)))]:
        setting(api, queue, Policy=good)
        assert api.attributes(queue, "Policy") == {"Policy": good}
        refused(api, queue, "InvalidAttributeValue", "Invalid value for the parameter Policy.",
                Policy=bad)


def test_kms_and_sqs_s_own_encryption_exclude_each_other(api, queue):
    names = ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"]
    words = ("You can use one type of server-side encryption (SSE) at one time. You can either "
             "enable KMS SSE or SQS SSE.")
    refused(api, queue, "InvalidAttributeName", words, KmsMasterKeyId="key",
            SqsManagedSseEnabled="true")
    setting(api, queue, KmsMasterKeyId="alias/aws/sqs")
    assert api.attributes(queue, *names) == {
        "KmsMasterKeyId": "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds": "300",
        "SqsManagedSseEnabled": "false"}
    api.bad("SetQueueAttributes", "InvalidAttributeName", words, QueueUrl=queue,
            Attributes={"SqsManagedSseEnabled": "true"})
    setting(api, queue, KmsMasterKeyId="", SqsManagedSseEnabled="true")
    assert api.attributes(queue, *names) == {"SqsManagedSseEnabled": "true"}
    setting(api, queue, SqsManagedSseEnabled="false")
    assert api.attributes(queue, *names) == {"SqsManagedSseEnabled": "false"}
    refused(api, queue, "InvalidAttributeValue",
            "Invalid value for the parameter SqsManagedSseEnabled.", SqsManagedSseEnabled="yes")


def test_kmsdatakeyreuseperiodseconds_is_60_to_86400_seconds(api, queue):
    check_range(api, queue, "KmsDataKeyReusePeriodSeconds", 60, 86400)


def test_attributes_of_fifo_queues_are_refused_on_a_standard_queue(api, queue):
    for attribute in ["FifoQueue", "ContentBasedDeduplication"]:
        api.bad("SetQueueAttributes", "InvalidAttributeName", f"Unknown Attribute {attribute}.",
                QueueUrl=queue, Attributes={attribute: "true"})
    refused(api, queue, "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication.",
            ContentBasedDeduplication="true")
    refused(api, queue, "InvalidAttributeName", "Unknown Attribute FifoQueue.", FifoQueue="false")
    for attribute, value in [("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue")]:
        refused(api, queue, "InvalidAttributeName",
                f"You can specify the {attribute} only when FifoQueue is set to true.",
                **{attribute: value})
    api.bad("CreateQueue", "InvalidParameterValue", "The name of a FIFO queue can only...",
            QueueName="never", Attributes={"FifoQueue": "true"})


def test_attributes_survive_a_restart(api, other, name):
    api.url = other.urls["sqs"]
    values = {"VisibilityTimeout": "7", "DelaySeconds": "8", "MaximumMessageSize": "2048",
              "ReceiveMessageWaitTimeSeconds": "9", "MessageRetentionPeriod": "61",
              "Policy": TEXT, "KmsMasterKeyId": "key", "KmsDataKeyReusePeriodSeconds": "60",
              "RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'}
    api.good("CreateQueue", QueueName=name, Attributes=values)
    before = api.attributes(name)
    assert {key: before[key] for key in values} == values
    other.kill()
    other.start()
    assert api.attributes(name) == before


def test_counts_are_of_what_is_visible_in_flight_and_delayed(api, queue):
    for delay in [0, 0, 0, 900, 900]:
        api.good("SendMessage", QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
    assert len(api.receive(queue)) == 1
    assert api.attributes(queue, "ApproximateNumberOfMessages",
                          "ApproximateNumberOfMessagesNotVisible",
                          "ApproximateNumberOfMessagesDelayed") == {
        "ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1",
        "ApproximateNumberOfMessagesDelayed": "2"}
