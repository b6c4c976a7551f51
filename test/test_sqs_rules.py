# SPDX-License-Identifier: Apache-2.0
"""The SQS contract over AWS JSON 1.0, request by request: rules, limits, texts, error shapes."""
import base64
import hashlib
import http.client
import itertools
import json
import socket
import threading
import time
import urllib.parse

import pytest

from takt_server import Takt, request

pytestmark = pytest.mark.sanitized

JSON = "application/x-amz-json-1.0"
MIB = 1024 * 1024
names = itertools.count(1)


@pytest.fixture(scope="module", name="takt")
def fixture_takt(tmp_path_factory):
    takt = Takt(tmp_path_factory.mktemp("sqs"), command="serve")
    with takt:
        yield takt
        takt.stop()


def post(takt, action, fields, path="/", headers=None):
    body = fields if isinstance(fields, (bytes, str)) else json.dumps(fields)
    status, heads, answer = request(
        takt.urls["sqs"], "POST", path, body,
        {"X-Amz-Target": f"AmazonSQS.{action}", "Content-Type": JSON, **(headers or {})})
    assert heads["Content-Type"] == JSON
    assert len(heads["x-amzn-requestid"]) == 36
    return status, heads, json.loads(answer)


def good(takt, action, **fields):
    status, heads, answer = post(takt, action, fields)
    assert status == 200, answer
    assert heads["x-amzn-query-error"] is None
    return answer


def bad(takt, action, kind, words, status=400, code=None, **fields):
    """The refusal has this type, exactly these words (or starts with them, before ...)."""
    got, heads, answer = post(takt, action, fields)
    check_refusal(got, heads, answer, kind, words, status, code)


TYPES = {"InvalidParameterValue": "com.amazon.coral.service#InvalidParameterValueException",
         "MissingParameter": "com.amazon.coral.service#MissingRequiredParameterException",
         "SerializationException": "com.amazon.coral.service#SerializationException",
         "UnknownOperationException": "com.amazon.coral.service#UnknownOperationException"}


def check_refusal(got, heads, answer, kind, words, status=400, code=None):
    assert answer["__type"] == TYPES.get(kind, f"com.amazonaws.sqs#{kind}"), answer
    if words.endswith("..."):
        assert answer["message"].startswith(words[:-3])
    else:
        assert answer["message"] == words
    assert got == status
    fault = "Sender" if status < 500 else "Receiver"
    assert heads["x-amzn-query-error"] == f"{code or kind};{fault}"


@pytest.fixture(name="queue")
def fixture_queue(takt):
    """A new queue's URL."""
    return good(takt, "CreateQueue", QueueName=f"rules-{next(names)}")["QueueUrl"]


def receive(takt, queue, **fields):
    return good(takt, "ReceiveMessage", QueueUrl=queue, **fields).get("Messages", [])


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def attributes(takt, queue, *wanted):
    return good(takt, "GetQueueAttributes", QueueUrl=queue,
                AttributeNames=list(wanted) or ["All"])["Attributes"]


# ---- the protocol -----------------------------------------------------------------------------


def test_requests_that_name_no_action(takt):
    check = [
        ("Fly", "{}", {}, "UnknownOperationException", "SQS has no operation Fly.",
         "InvalidAction"),
        ("x", "{}", {"X-Amz-Target": "DynamoDB.Query"}, "UnknownOperationException",
         "The X-Amz-Target header does not begin with AmazonSQS.", "InvalidAction"),
        ("TagQueue", "{}", {}, "UnsupportedOperation", "TagQueue is not built yet in takt.",
         "AWS.SimpleQueueService.UnsupportedOperation"),
        ("StartMessageMoveTask", "{}", {}, "UnsupportedOperation",
         "StartMessageMoveTask is not built yet in takt.",
         "AWS.SimpleQueueService.UnsupportedOperation"),
        ("ListQueues", "{}", {"Content-Type": "text/plain"}, "SerializationException",
         "The Content-Type must be application/x-amz-json-1.0.", "MalformedInput"),
        ("ListQueues", "", {}, "SerializationException", "The request is not valid JSON: ...",
         "MalformedInput"),
        ("ListQueues", '{"a":1,}', {}, "SerializationException",
         "The request is not valid JSON: ...", "MalformedInput"),
        ("ListQueues", b'{"QueueNamePrefix":"\xff"}', {}, "SerializationException",
         "The request is not valid JSON: ...", "MalformedInput"),
        ("ListQueues", "[]", {}, "SerializationException",
         "The request must be a JSON object.", "MalformedInput"),
        ("ListQueues", '{"MaxResults":"5"}', {}, "SerializationException",
         "MaxResults must be an integer of 32 bits.", "MalformedInput"),
        ("ListQueues", '{"QueueNamePrefix":5}', {}, "SerializationException",
         "QueueNamePrefix must be a string.", "MalformedInput"),
        ("ListQueues", '{"Colour":5}', {}, "InvalidParameterValue", "Unknown parameter Colour.",
         "InvalidParameterValue"),
    ]
    for action, body, headers, kind, words, code in check:
        got = post(takt, action, body, headers=headers)
        check_refusal(*got, kind, words, code=code)


def test_only_post_is_taken(takt):
    status, heads, answer = request(takt.urls["sqs"], "PUT", "/")
    assert status == 405
    assert heads["x-amzn-query-error"] == "InvalidHttpMethod;Sender"
    assert json.loads(answer)["message"] == "A request in AWS JSON 1.0 is a POST."


def test_too_large_a_request_is_refused_as_json(takt):
    netloc = urllib.parse.urlsplit(takt.urls["sqs"]).netloc
    connection = http.client.HTTPConnection(netloc, timeout=30)
    connection.putrequest("POST", "/")
    connection.putheader("X-Amz-Target", "AmazonSQS.SendMessage")
    connection.putheader("Content-Type", JSON)
    connection.putheader("Content-Length", str(100 * MIB))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["__type"] == TYPES["InvalidParameterValue"]
    connection.close()


def test_what_is_no_request_is_refused_in_the_shape_of_sqs(takt):
    address = urllib.parse.urlsplit(takt.urls["sqs"])
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40000 + b"\r\n\r\n"
    for sent, status, words in [(b"hello\r\n\r\n", 400, "This is not an HTTP request"),
                                (head, 431, "The request's headers are too large."),
                                (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "takt speaks HTTP/1.1.")]:
        with socket.create_connection((address.hostname, address.port), timeout=30) as client:
            client.sendall(sent)
            answer = http.client.HTTPResponse(client)
            answer.begin()
            told = json.loads(answer.read())
        assert (answer.status, told["__type"]) == (status, TYPES["SerializationException"])
        side = "Sender" if status < 500 else "Receiver"
        assert answer.headers["x-amzn-query-error"] == f"MalformedInput;{side}"
        assert told["message"].startswith(words)


def test_members_that_are_null_count_as_missing(takt, queue):
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="a", DelaySeconds=None,
         MessageAttributes=None, MessageGroupId=None)
    assert len(receive(takt, queue, MaxNumberOfMessages=None)) == 1


# ---- names and URLs ---------------------------------------------------------------------------


def test_urls_follow_the_host_header(takt):
    status, _, answer = post(takt, "CreateQueue", {"QueueName": "hosted"},
                             headers={"Host": "queues.example:99"})
    assert (status, answer["QueueUrl"]) == (200, "http://queues.example:99/000000000000/hosted")
    status, _, answer = post(takt, "GetQueueUrl", {"QueueName": "hosted"},
                             headers={"Host": "other"})
    assert (status, answer["QueueUrl"]) == (200, "http://other/000000000000/hosted")
    for url in ["hosted", "/000000000000/hosted", "https://elsewhere/000000000000/hosted"]:
        good(takt, "SendMessage", QueueUrl=url, MessageBody="x")
    status, _, answer = post(takt, "SendMessage", {"MessageBody": "x"},
                             path="/000000000000/hosted")
    assert status == 200
    assert attributes(takt, "hosted")["ApproximateNumberOfMessages"] == "4"


def test_queues_that_are_not_there(takt):
    code = "AWS.SimpleQueueService.NonExistentQueue"
    words = "The specified queue does not exist."
    handle = "AgAAAAAAAAAAAAAAAQAAAAAAAADEYJgAeEVENIcaxI-AVKjr"
    sends = [{"Id": "a", "MessageBody": "x"}]
    spoilt = [{"Id": "a", "MessageBody": ""}]
    deletes = [{"Id": "a", "ReceiptHandle": handle}]
    visibilities = [{**deletes[0], "VisibilityTimeout": 1}]
    for action, fields in [
            ("DeleteQueue", {}), ("PurgeQueue", {}), ("GetQueueAttributes", {}),
            ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "1"}}),
            ("SendMessage", {"MessageBody": "x"}), ("ReceiveMessage", {}),
            ("ReceiveMessage", {"WaitTimeSeconds": 20}),
            ("DeleteMessage", {"ReceiptHandle": handle}),
            ("ChangeMessageVisibility", {"ReceiptHandle": handle, "VisibilityTimeout": 1}),
            ("SendMessageBatch", {"Entries": sends}), ("SendMessageBatch", {"Entries": spoilt}),
            ("DeleteMessageBatch", {"Entries": deletes}),
            ("ChangeMessageVisibilityBatch", {"Entries": visibilities})]:
        for url in ["nowhere", "http://h/000000000000/nowhere", "http://h/111111111111/hosted"]:
            bad(takt, action, "QueueDoesNotExist", words, code=code, QueueUrl=url, **fields)
    bad(takt, "GetQueueUrl", "QueueDoesNotExist", words, code=code, QueueName="nowhere")
    bad(takt, "SendMessage", "MissingParameter",
        "The request must contain the parameter QueueUrl.", MessageBody="x")
    bad(takt, "SendMessage", "InvalidAddress", "The address /q is not valid for this endpoint...",
        404, QueueUrl="http://host/q", MessageBody="x")
    bad(takt, "SendMessage", "InvalidAddress", "The address ...", 404, QueueUrl="http://host",
        MessageBody="x")


def test_other_accounts_queues(takt, queue):
    name = queue.rsplit("/", 1)[1]
    good(takt, "GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId="000000000000")
    bad(takt, "GetQueueUrl", "QueueDoesNotExist", "The specified queue does not exist.",
        code="AWS.SimpleQueueService.NonExistentQueue", QueueName=name,
        QueueOwnerAWSAccountId="123456789012")


def test_names_of_new_queues(takt):
    words = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    for name in ["a b", "ä", "a.b", "x" * 81, "a/b"]:
        bad(takt, "CreateQueue", "InvalidParameterValue", words, QueueName=name)
    bad(takt, "CreateQueue", "MissingParameter",
        "The request must contain the parameter QueueName.", QueueName="")
    bad(takt, "CreateQueue", "InvalidParameterValue", "FIFO queues are not built yet...",
        QueueName="a.fifo", Attributes={"FifoQueue": "true"})
    good(takt, "CreateQueue", QueueName="x" * 80)
    bad(takt, "CreateQueue", "UnsupportedOperation", "Tags are not built yet in takt...",
        code="AWS.SimpleQueueService.UnsupportedOperation", QueueName="tagged", tags={"a": "b"})


def test_list_of_queues_comes_in_pages(takt):
    wanted = [f"page-{number:02d}" for number in range(25)]
    for name in wanted:
        good(takt, "CreateQueue", QueueName=name)
    urls = good(takt, "ListQueues", QueueNamePrefix="page-")["QueueUrls"]
    assert [url.rsplit("/", 1)[1] for url in urls] == wanted
    assert "NextToken" not in good(takt, "ListQueues", QueueNamePrefix="page-", MaxResults=25)
    found, token = [], None
    while True:
        answer = good(takt, "ListQueues", QueueNamePrefix="page-", MaxResults=10, NextToken=token)
        found += [url.rsplit("/", 1)[1] for url in answer["QueueUrls"]]
        token = answer.get("NextToken")
        if token is None:
            break
    assert found == wanted
    assert good(takt, "ListQueues", QueueNamePrefix="no such") == {}
    for number in [0, 1001]:
        bad(takt, "ListQueues", "InvalidParameterValue",
            f"Value {number} for parameter MaxResults is invalid. Reason: MaxResults must be an "
            "integer between 1 and 1000.", MaxResults=number)
    bad(takt, "ListQueues", "InvalidParameterValue", "Invalid NextToken.", NextToken="%")


# ---- attributes of queues ---------------------------------------------------------------------

RANGES = {"VisibilityTimeout": (0, 43200), "DelaySeconds": (0, 900),
          "ReceiveMessageWaitTimeSeconds": (0, 20), "MessageRetentionPeriod": (60, 1209600),
          "MaximumMessageSize": (1024, MIB)}


def test_defaults_of_a_queue(takt, queue):
    before = int(time.time())
    got = attributes(takt, queue)
    name = queue.rsplit("/", 1)[1]
    for time_name in ["CreatedTimestamp", "LastModifiedTimestamp"]:
        assert abs(int(got.pop(time_name)) - before) < 60
    assert got == {
        "VisibilityTimeout": "30", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0",
        "MessageRetentionPeriod": "345600", "MaximumMessageSize": "1048576",
        "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "QueueArn": f"arn:aws:sqs:us-east-1:000000000000:{name}"}


@pytest.mark.parametrize("name", RANGES)
def test_ranges_of_settings(takt, queue, name):
    low, high = RANGES[name]
    for value in [low, high]:
        good(takt, "SetQueueAttributes", QueueUrl=queue, Attributes={name: str(value)})
        assert attributes(takt, queue, name) == {name: str(value)}
    for value in [low - 1, high + 1, "", "x", "1.5", " 60"]:
        for action, fields in [("SetQueueAttributes", {"QueueUrl": queue}),
                               ("CreateQueue", {"QueueName": "never"})]:
            bad(takt, action, "InvalidAttributeValue",
                f"Invalid value for the parameter {name}. Reason: Must be an integer from {low} "
                f"to {high}.", Attributes={name: str(value)}, **fields)
    bad(takt, "GetQueueUrl", "QueueDoesNotExist", "The specified queue does not exist.",
        code="AWS.SimpleQueueService.NonExistentQueue", QueueName="never")


def test_attributes_that_cannot_be_set(takt, queue):
    for name in ["Fly", "QueueArn", "CreatedTimestamp", "ApproximateNumberOfMessages"]:
        bad(takt, "SetQueueAttributes", "InvalidAttributeName", f"Unknown Attribute {name}.",
            QueueUrl=queue, Attributes={name: "1"})
    for name in ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope",
                 "FifoThroughputLimit"]:
        bad(takt, "CreateQueue", "InvalidAttributeName",
            f"Unknown Attribute {name}. It belongs to FIFO queues, which are not built yet in "
            "takt.", QueueName="fifo", Attributes={name: "true"})
    for name in ["Policy", "KmsMasterKeyId", "RedriveAllowPolicy", "SqsManagedSseEnabled",
                 "KmsDataKeyReusePeriodSeconds"]:
        bad(takt, "SetQueueAttributes", "InvalidAttributeName",
            f"Unknown Attribute {name}. It is not built yet in takt.", QueueUrl=queue,
            Attributes={name: "300"})
    for name in ["Policy", "KmsMasterKeyId", "RedriveAllowPolicy"]:  # takes away what is not there
        good(takt, "SetQueueAttributes", QueueUrl=queue, Attributes={name: ""})
    bad(takt, "SetQueueAttributes", "MissingParameter",
        "The request must contain the parameter Attributes.", QueueUrl=queue)


def test_attributes_that_are_asked_for(takt, queue):
    assert good(takt, "GetQueueAttributes", QueueUrl=queue) == {}
    assert good(takt, "GetQueueAttributes", QueueUrl=queue, AttributeNames=["RedrivePolicy"]) == {
        "Attributes": {}}
    assert attributes(takt, queue, "DelaySeconds", "VisibilityTimeout") == {
        "DelaySeconds": "0", "VisibilityTimeout": "30"}
    bad(takt, "GetQueueAttributes", "InvalidAttributeName", "Unknown Attribute Fly.",
        QueueUrl=queue, AttributeNames=["All", "Fly"])


def test_the_arn_has_the_region_that_was_signed_for(takt, queue):
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-3/sqs/"
                                "aws4_request, SignedHeaders=host, Signature=00"}
    _, _, answer = post(takt, "GetQueueAttributes",
                        {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}, headers=headers)
    assert answer["Attributes"]["QueueArn"].startswith("arn:aws:sqs:eu-west-3:000000000000:")
    for spoilt in ["Credential=AKID/1/ü/sqs", "Credential=AKID", "x", f"Credential=a/b/{'r' * 99}/"]:
        _, _, answer = post(takt, "GetQueueAttributes",
                            {"QueueUrl": queue, "AttributeNames": ["QueueArn"]},
                            headers={"Authorization": spoilt.encode()})
        assert answer["Attributes"]["QueueArn"].startswith("arn:aws:sqs:us-east-1:000000000000:")


def test_create_again(takt):
    first = good(takt, "CreateQueue", QueueName="again", Attributes={"VisibilityTimeout": "7"})
    assert good(takt, "CreateQueue", QueueName="again") == first
    assert good(takt, "CreateQueue", QueueName="again",
                Attributes={"VisibilityTimeout": "7"}) == first
    _, heads, answer = post(takt, "CreateQueue",
                            {"QueueName": "again", "Attributes": {"VisibilityTimeout": "8"}})
    assert answer["__type"] == "com.amazonaws.sqs#QueueNameExists"
    assert "VisibilityTimeout" in answer["message"]
    assert heads["x-amzn-query-error"] == "QueueAlreadyExists;Sender"
    good(takt, "DeleteQueue", QueueUrl="again")
    good(takt, "CreateQueue", QueueName="again", Attributes={"VisibilityTimeout": "8"})
    assert attributes(takt, "again", "VisibilityTimeout") == {"VisibilityTimeout": "8"}


def policy(arn="arn:aws:sqs:us-east-1:000000000000:graves", count=2, **more):
    return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count, **more})


def test_redrive_policies(takt, queue):
    good(takt, "CreateQueue", QueueName="graves")
    for count in [2, "2"]:
        good(takt, "SetQueueAttributes", QueueUrl=queue,
             Attributes={"RedrivePolicy": policy(count=count)})
        got = json.loads(attributes(takt, queue, "RedrivePolicy")["RedrivePolicy"])
        assert got == {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:graves",
                       "maxReceiveCount": 2}
    good(takt, "SetQueueAttributes", QueueUrl=queue, Attributes={
        "RedrivePolicy": '{"deadLetterTargetArn":"arn:aws:sqs:x-1:000000000000:graves"}'})
    assert '"maxReceiveCount":10' in attributes(takt, queue)["RedrivePolicy"]
    for text, reason in [
            ("{", "Redrive policy is not a valid JSON map."),
            ("[]", "Redrive policy is not a valid JSON map."),
            ("{}", "Redrive policy does not contain deadLetterTargetArn."),
            (policy(arn="graves"), "Invalid value for deadLetterTargetArn."),
            (policy(arn="arn:aws:sns:us-east-1:000000000000:graves"),
             "Invalid value for deadLetterTargetArn."),
            (policy(arn="arn:aws:sqs:us-east-1:000000000000:none"),
             "Dead letter target does not exist."),
            (policy(count=0), "Invalid value for maxReceiveCount: ..."),
            (policy(count=1001), "Invalid value for maxReceiveCount: ..."),
            (policy(count="x"), "Invalid value for maxReceiveCount: ..."),
            (policy(more=1), "Only deadLetterTargetArn and maxReceiveCount are allowed.")]:
        bad(takt, "SetQueueAttributes", "InvalidParameterValue",
            f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}",
            QueueUrl=queue, Attributes={"RedrivePolicy": text})
    good(takt, "SetQueueAttributes", QueueUrl=queue, Attributes={"RedrivePolicy": ""})
    assert "RedrivePolicy" not in attributes(takt, queue)


def test_a_message_that_is_received_too_often_is_a_dead_letter(takt, queue):
    good(takt, "CreateQueue", QueueName="graves")
    good(takt, "SetQueueAttributes", QueueUrl=queue,
         Attributes={"RedrivePolicy": policy(), "VisibilityTimeout": "0"})
    sent = good(takt, "SendMessage", QueueUrl=queue, MessageBody="poison")["MessageId"]
    for count in ["1", "2"]:
        message, = receive(takt, queue, MessageSystemAttributeNames=["ApproximateReceiveCount"])
        assert message["Attributes"] == {"ApproximateReceiveCount": count}
    assert receive(takt, queue) == []
    dead, = receive(takt, "graves", WaitTimeSeconds=2, AttributeNames=["ApproximateReceiveCount"])
    assert (dead["MessageId"], dead["Attributes"]["ApproximateReceiveCount"]) == (sent, "3")
    good(takt, "DeleteMessage", QueueUrl="graves", ReceiptHandle=dead["ReceiptHandle"])


# ---- messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "x", "tab\tline\nreturn\r", "\"quotes\\ and /", "ü€😀\ud7ff\ue000\ufffd", "\u2028 </script>",
    "\x7f\x80\x9f", "a" * MIB])
def test_bodies_come_back_as_they_were(takt, queue, text):
    for body in [json.dumps({"QueueUrl": queue, "MessageBody": text}),
                 json.dumps({"QueueUrl": queue, "MessageBody": text}, ensure_ascii=False).encode()]:
        status, _, answer = post(takt, "SendMessage", body)
        assert status == 200
        assert answer == {"MessageId": answer["MessageId"], "MD5OfMessageBody": md5(text)}
        message, = receive(takt, queue)
        assert (message["Body"], message["MD5OfBody"]) == (text, md5(text))
        assert message["MessageId"] == answer["MessageId"]
        good(takt, "DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_characters_that_xml_does_not_have(takt, queue):
    words = ("Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to "
             "#xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
    for char in ["\0", "\x01", "\b", "\x0b", "\x0c", "\x1f", "\ufffe", "\uffff"]:
        for text in [char, f"ok{char}", f"{char}ok", f"{'o' * 40}{char}{'k' * 40}"]:
            bad(takt, "SendMessage", "InvalidMessageContents", words, QueueUrl=queue,
                MessageBody=text)
    bad(takt, "SendMessage", "InvalidMessageContents", words, QueueUrl=queue, MessageBody="x",
        MessageAttributes={"a": {"DataType": "String", "StringValue": "\x01"}})
    status, _, answer = post(takt, "SendMessage",
                             '{"QueueUrl":"%s","MessageBody":"\\ud800"}' % queue)
    assert (status, answer["__type"]) == (400, TYPES["SerializationException"])
    assert receive(takt, queue) == []


def test_what_a_message_must_have(takt, queue):
    for fields in [{}, {"MessageBody": ""}]:
        bad(takt, "SendMessage", "MissingParameter",
            "The request must contain the parameter MessageBody.", QueueUrl=queue, **fields)
    for delay in [-1, 901]:
        bad(takt, "SendMessage", "InvalidParameterValue",
            f"Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be "
            ">= 0 and <= 900.", QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
    for name in ["MessageGroupId", "MessageDeduplicationId"]:
        bad(takt, "SendMessage", "InvalidParameterValue",
            f"Value g for parameter {name} is invalid. Reason: Message groups, fair queues and "
            "FIFO queues are not built yet in takt.", QueueUrl=queue, MessageBody="x",
            **{name: "g"})


def test_sizes(takt, queue):
    words = "One or more parameters are invalid. Reason: Message must be shorter than {} bytes."
    bad(takt, "SendMessage", "InvalidParameterValue", words.format(MIB), QueueUrl=queue,
        MessageBody="x" * (MIB + 1))
    good(takt, "SetQueueAttributes", QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    fields = {"MessageAttributes": {"name": {"DataType": "String", "StringValue": "v" * 14}},
              "MessageSystemAttributes": {
                  "AWSTraceHeader": {"DataType": "String", "StringValue": "free of size"}}}
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="x" * 1000, **fields)
    bad(takt, "SendMessage", "InvalidParameterValue", words.format(1024), QueueUrl=queue,
        MessageBody="x" * 1001, **fields)
    answer = good(takt, "SendMessageBatch", QueueUrl=queue, Entries=[
        {"Id": "small", "MessageBody": "x"}, {"Id": "large", "MessageBody": "x" * 1025}])
    assert [entry["Id"] for entry in answer["Successful"]] == ["small"]
    assert answer["Failed"] == [{"Id": "large", "SenderFault": True,
                                 "Code": "InvalidParameterValue", "Message": words.format(1024)}]


def attribute_md5(values):
    """As the AWS documentation describes it."""
    digest = hashlib.md5()
    for name in sorted(values):
        kind = values[name]["DataType"]
        is_binary = kind.startswith("Binary")
        raw = base64.b64decode(values[name]["BinaryValue"]) if is_binary \
            else values[name]["StringValue"].encode()
        for part in [name.encode(), kind.encode()]:
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\2" if is_binary else b"\1") + len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


ATTRIBUTES = {
    "zeta": {"DataType": "String", "StringValue": "ü € \n"},
    "Alpha.one": {"DataType": "Number.int", "StringValue": "-12.5e3"},
    "bytes": {"DataType": "Binary.png", "BinaryValue": base64.b64encode(bytes(range(256))).decode()},
    "alpha-two": {"DataType": "String", "StringValue": "x" * 300},
    "alphabet": {"DataType": "String", "StringValue": "abc"},
}


def test_message_attributes(takt, queue):
    sent = good(takt, "SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes=ATTRIBUTES)
    assert sent["MD5OfMessageAttributes"] == attribute_md5(ATTRIBUTES)
    good(takt, "SetQueueAttributes", QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    everything = list(ATTRIBUTES)
    for wanted, found in [
            ([], []), (["All"], everything), ([".*"], everything), (["none", "zeta"], ["zeta"]),
            (["alpha.*"], ["alpha-two", "alphabet"]), (["Alpha.*"], ["Alpha.one"]),
            (["bytes", "Alpha.one"], ["Alpha.one", "bytes"]), (["none"], []), ([""], [])]:
        message, = receive(takt, queue, MessageAttributeNames=wanted)
        expected = {name: ATTRIBUTES[name] for name in found}
        assert message.get("MessageAttributes", {}) == expected, wanted
        if found:
            assert message["MD5OfMessageAttributes"] == attribute_md5(expected)
        else:
            assert "MD5OfMessageAttributes" not in message


def test_message_attributes_that_are_refused(takt, queue):
    def refused(words, kind="InvalidParameterValue", code=None, name="a", **value):
        bad(takt, "SendMessage", kind, words, code=code, QueueUrl=queue, MessageBody="x",
            MessageAttributes={name: value})
    text = {"DataType": "String", "StringValue": "v"}
    for name in [".a", "a.", "a..b"]:
        refused(f"The message attribute '{name}' has a name that begins or ends with a period...",
                name=name, **text)
    for name in ["AWS.a", "aws.a", "Amazon.a", "AMAZON.b"]:
        refused(f"The message attribute '{name}' has a name that begins with AWS. or Amazon.",
                name=name, **text)
    for name in ["", "n" * 257]:
        refused(f"The message attribute '{name[:256]}' must have a name of 1 to 256 characters.",
                name=name, **text)
    refused("The message attribute 'a b' has a name with other characters...", name="a b", **text)
    refused("The message attribute 'a' must contain a non-empty message attribute type.",
            StringValue="v")
    refused("The message attribute 'a' has an invalid message attribute type...",
            DataType="Text", StringValue="v")
    refused("The message attribute 'a' must contain a non-empty StringValue...", DataType="String")
    refused("The message attribute 'a' must contain a non-empty StringValue...",
            DataType="String", StringValue="")
    refused("The message attribute 'a' must contain a non-empty StringValue...",
            DataType="String", BinaryValue="eHg=")
    refused("The message attribute 'a' must contain a non-empty BinaryValue...",
            DataType="Binary", StringValue="x")
    refused("The message attribute 'a' has a value that is not a number.", DataType="Number",
            StringValue="one")
    refused("Message attribute list values in SendMessage operation are not supported.",
            kind="UnsupportedOperation", code="AWS.SimpleQueueService.UnsupportedOperation",
            DataType="String", StringListValues=["a"])
    refused("BinaryValue must be base64.", kind="SerializationException", code="MalformedInput",
            DataType="Binary", BinaryValue="?")
    refused("A message attribute has no member Colour.", DataType="String", Colour="red")
    many = {f"a{number}": text for number in range(11)}
    bad(takt, "SendMessage", "InvalidParameterValue",
        "Number of message attributes [11] exceeds the allowed maximum [10].", QueueUrl=queue,
        MessageBody="x", MessageAttributes=many)
    many.popitem()
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes=many)
    bad(takt, "SendMessage", "InvalidParameterValue", "Message system attribute name 'Fly' is ...",
        QueueUrl=queue, MessageBody="x", MessageSystemAttributes={"Fly": text})


def test_system_attributes(takt, queue):
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}
    before = int(time.time() * 1000)
    plain = good(takt, "SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes=ATTRIBUTES)
    sent = good(takt, "SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes=ATTRIBUTES,
                MessageSystemAttributes=trace)
    assert sent["MD5OfMessageAttributes"] == plain["MD5OfMessageAttributes"]
    assert sent["MD5OfMessageSystemAttributes"] == attribute_md5(trace)
    messages = receive(takt, queue, MaxNumberOfMessages=10, AttributeNames=["All"],
                       VisibilityTimeout=0)
    by_id = {message["MessageId"]: message["Attributes"] for message in messages}
    got = by_id[sent["MessageId"]]
    assert (got["AWSTraceHeader"], got["ApproximateReceiveCount"]) == ("Root=1-2-3", "1")
    assert got["SenderId"] == "000000000000"
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"]:
        assert abs(int(got[name]) - before) < 60000
    assert "AWSTraceHeader" not in by_id[plain["MessageId"]]
    for names_field in ["AttributeNames", "MessageSystemAttributeNames"]:
        message = receive(takt, queue, **{names_field: ["SenderId"]}, VisibilityTimeout=0)[0]
        assert list(message["Attributes"]) == ["SenderId"]
        bad(takt, "ReceiveMessage", "InvalidAttributeName", "Unknown Attribute Fly.",
            QueueUrl=queue, **{names_field: ["Fly"]})
    assert "Attributes" not in receive(takt, queue)[0]


# ---- batches ----------------------------------------------------------------------------------

BATCHES = [("SendMessageBatch", {"MessageBody": "x"}),
           ("DeleteMessageBatch", {"ReceiptHandle": "x"}),
           ("ChangeMessageVisibilityBatch", {"ReceiptHandle": "x", "VisibilityTimeout": 1})]


@pytest.mark.parametrize("action,entry", BATCHES)
def test_batches_that_are_refused_whole(takt, queue, action, entry):
    prefix = "AWS.SimpleQueueService."
    def refused(kind, words, entries, code=None):
        bad(takt, action, kind, words, code=code or prefix + kind, QueueUrl=queue, Entries=entries)
    refused("EmptyBatchRequest",
            f"There should be at least one {action}RequestEntry in the request.", [])
    refused("TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 37.",
            [{"Id": f"i{number}", **entry} for number in range(37)])
    refused("BatchEntryIdsNotDistinct", "Id same repeated.",
            [{"Id": name, **entry} for name in ["a", "same", "b", "same"]])
    for name in ["a b", "ä", "x" * 81, "", "a.b"]:
        refused("InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and "
                "underscores. It can be at most 80 letters long.", [{"Id": name, **entry}])
    refused("MissingParameter",
            f"The request must contain the parameter {action}RequestEntry.1.Id.", [entry],
            "MissingParameter")
    refused("InvalidParameterValue", "Unknown parameter Colour.",
            [{"Id": "a", **entry, "Colour": "red"}], "InvalidParameterValue")
    refused("SerializationException", "An entry must be an object.", ["a"], "MalformedInput")
    assert receive(takt, queue) == []


def test_entries_of_a_send_fail_alone(takt, queue):
    answer = good(takt, "SendMessageBatch", QueueUrl=queue, Entries=[
        {"Id": "good", "MessageBody": "one", "MessageAttributes": ATTRIBUTES},
        {"Id": "control", "MessageBody": "\x01"},
        {"Id": "empty", "MessageBody": ""},
        {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
        {"Id": "group", "MessageBody": "x", "MessageGroupId": "g"},
        {"Id": "x" * 80, "MessageBody": "two"}])
    assert [(entry["Id"], entry["MD5OfMessageBody"]) for entry in answer["Successful"]] == [
        ("good", md5("one")), ("x" * 80, md5("two"))]
    assert answer["Successful"][0]["MD5OfMessageAttributes"] == attribute_md5(ATTRIBUTES)
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("control", "InvalidMessageContents", True), ("empty", "InvalidParameterValue", True),
        ("late", "InvalidParameterValue", True), ("group", "InvalidParameterValue", True)]
    assert answer["Failed"][1]["Message"] == "The request must contain the parameter MessageBody."
    found = receive(takt, queue, MaxNumberOfMessages=10)
    assert {message["MessageId"]: message["Body"] for message in found} == {
        answer["Successful"][0]["MessageId"]: "one", answer["Successful"][1]["MessageId"]: "two"}
    answer = good(takt, "SendMessageBatch", QueueUrl=queue,
                  Entries=[{"Id": "a", "MessageBody": "\x01"}])
    assert list(answer) == ["Failed"]


def test_the_sum_of_a_batch(takt, queue):
    half = "x" * (MIB // 2)
    good(takt, "SendMessageBatch", QueueUrl=queue,
         Entries=[{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half}])
    bad(takt, "SendMessageBatch", "BatchRequestTooLong",
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
        code="AWS.SimpleQueueService.BatchRequestTooLong", QueueUrl=queue,
        Entries=[{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half + "x"}])
    assert len(receive(takt, queue, MaxNumberOfMessages=10)) == 2


def test_handles_in_batches(takt, queue):
    good(takt, "SendMessageBatch", QueueUrl=queue,
         Entries=[{"Id": f"i{number}", "MessageBody": "x"} for number in range(10)])
    messages = receive(takt, queue, MaxNumberOfMessages=10)
    handles = [message["ReceiptHandle"] for message in messages]
    entries = [{"Id": f"i{number}", "ReceiptHandle": handle, "VisibilityTimeout": 0}
               for number, handle in enumerate(handles)]
    answer = good(takt, "ChangeMessageVisibilityBatch", QueueUrl=queue, Entries=[
        *entries[:4], {"Id": "none", "ReceiptHandle": "garbage", "VisibilityTimeout": 0},
        {"Id": "far", "ReceiptHandle": handles[5], "VisibilityTimeout": 43201},
        {"Id": "missing", "ReceiptHandle": handles[5]}])
    assert answer["Successful"] == [{"Id": f"i{number}"} for number in range(4)]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [
        ("none", "ReceiptHandleIsInvalid"), ("far", "InvalidParameterValue"),
        ("missing", "InvalidParameterValue")]
    assert len(receive(takt, queue, MaxNumberOfMessages=10)) == 4
    for entry in entries:
        del entry["VisibilityTimeout"]
    answer = good(takt, "DeleteMessageBatch", QueueUrl=queue, Entries=entries)
    assert answer == {"Successful": [{"Id": f"i{number}"} for number in range(10)]}
    got = attributes(takt, queue)
    assert (got["ApproximateNumberOfMessages"], got["ApproximateNumberOfMessagesNotVisible"]) == (
        "0", "0")


# ---- receiving --------------------------------------------------------------------------------


def test_ranges_of_a_receive(takt, queue):
    for name, values, reason in [
            ("MaxNumberOfMessages", [0, 11], "Must be between 1 and 10, if provided."),
            ("WaitTimeSeconds", [-1, 21], "Must be >= 0 and <= 20, if provided."),
            ("VisibilityTimeout", [-1, 43201], "Must be >= 0 and <= 43200, if provided.")]:
        for value in values:
            bad(takt, "ReceiveMessage", "InvalidParameterValue",
                f"Value {value} for parameter {name} is invalid. Reason: {reason}",
                QueueUrl=queue, **{name: value})
    bad(takt, "ReceiveMessage", "InvalidParameterValue",
        "Value a for parameter ReceiveRequestAttemptId is invalid. Reason: FIFO queues are not "
        "built yet in takt.", QueueUrl=queue, ReceiveRequestAttemptId="a")
    assert good(takt, "ReceiveMessage", QueueUrl=queue) == {}


def test_handles(takt, queue):
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="x")
    first, = receive(takt, queue, VisibilityTimeout=0)
    second, = receive(takt, queue)
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    handle = first["ReceiptHandle"]
    words = 'The input receipt handle "{}" is not a valid receipt handle.'
    spoilt = handle[:-1] + ("A" if handle[-1] != "A" else "B")
    for wrong in ["garbage", spoilt, handle + "A", "x" * 200]:
        bad(takt, "DeleteMessage", "ReceiptHandleIsInvalid", words.format(wrong), 404,
            QueueUrl=queue, ReceiptHandle=wrong)
        bad(takt, "ChangeMessageVisibility", "ReceiptHandleIsInvalid", words.format(wrong), 404,
            QueueUrl=queue, ReceiptHandle=wrong, VisibilityTimeout=0)
    bad(takt, "DeleteMessage", "MissingParameter",
        "The request must contain the parameter ReceiptHandle.", QueueUrl=queue)
    bad(takt, "ChangeMessageVisibility", "MissingParameter",
        "The request must contain the parameter VisibilityTimeout.", QueueUrl=queue,
        ReceiptHandle=handle)
    for value in [-1, 43201]:
        bad(takt, "ChangeMessageVisibility", "InvalidParameterValue",
            f"Value {value} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout "
            "must be >= 0 and <= 43200.", QueueUrl=queue, ReceiptHandle=handle,
            VisibilityTimeout=value)
    for _ in range(3):  # an old handle deletes, and again is no error
        good(takt, "DeleteMessage", QueueUrl=queue, ReceiptHandle=handle)
    assert attributes(takt, queue)["ApproximateNumberOfMessagesNotVisible"] == "0"
    gone = (f"Value {second['ReceiptHandle']} for parameter ReceiptHandle is invalid. Reason: "
            "Message does not exist or is not available for visibility timeout change.")
    bad(takt, "ChangeMessageVisibility", "InvalidParameterValue", gone, QueueUrl=queue,
        ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=1)
    answer = good(takt, "ChangeMessageVisibilityBatch", QueueUrl=queue, Entries=[
        {"Id": "a", "ReceiptHandle": second["ReceiptHandle"], "VisibilityTimeout": 1}])
    assert answer == {"Failed": [{"Id": "a", "SenderFault": True, "Code": "InvalidParameterValue",
                                  "Message": gone}]}


def test_the_longest_time_in_flight(takt, queue):
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="x")
    message, = receive(takt, queue)
    time.sleep(0.1)
    bad(takt, "ChangeMessageVisibility", "InvalidParameterValue",
        "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout "
        "for the message is beyond the limit [43200 seconds].", QueueUrl=queue,
        ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=43200)


def test_delays(takt, queue):
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="later", DelaySeconds=1)
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="much later", DelaySeconds=900)
    assert attributes(takt, queue)["ApproximateNumberOfMessagesDelayed"] == "2"
    begin = time.monotonic()
    message, = receive(takt, queue, WaitTimeSeconds=10)
    assert message["Body"] == "later"
    assert 0.8 < time.monotonic() - begin < 5


def test_a_send_wakes_who_waits(takt, queue):
    found = []
    thread = threading.Thread(
        target=lambda: found.extend(receive(takt, queue, WaitTimeSeconds=20)))
    begin = time.monotonic()
    thread.start()
    time.sleep(0.3)
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="here")
    thread.join(30)
    assert time.monotonic() - begin < 10
    assert [message["Body"] for message in found] == ["here"]


def test_a_queue_has_its_own_wait(takt, queue):
    good(takt, "SetQueueAttributes", QueueUrl=queue,
         Attributes={"ReceiveMessageWaitTimeSeconds": "1"})
    begin = time.monotonic()
    assert good(takt, "ReceiveMessage", QueueUrl=queue) == {}
    assert time.monotonic() - begin > 0.8
    begin = time.monotonic()
    assert good(takt, "ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=0) == {}
    assert time.monotonic() - begin < 0.8


def test_who_went_away_gets_nothing(takt, queue):
    """Ten receivers wait and close their connections; the message goes to the one that is there."""
    netloc = urllib.parse.urlsplit(takt.urls["sqs"])
    body = json.dumps({"QueueUrl": queue, "WaitTimeSeconds": 20}).encode()
    head = (f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
            f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    gone = [socket.create_connection((netloc.hostname, netloc.port)) for _ in range(10)]
    for connection in gone:
        connection.sendall(head + body)
    time.sleep(0.2)
    for connection in gone:
        connection.close()
    time.sleep(0.2)
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="x")
    message, = receive(takt, queue, AttributeNames=["ApproximateReceiveCount"])
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_clients_that_leave_at_once_break_nothing(takt, queue):
    netloc = urllib.parse.urlsplit(takt.urls["sqs"])
    for action, fields in [("SendMessage", {"MessageBody": "x"}), ("ReceiveMessage", {}),
                           ("GetQueueAttributes", {"AttributeNames": ["All"]}),
                           ("SendMessageBatch", {"Entries": [{"Id": "a", "MessageBody": "x"}]})]:
        body = json.dumps({"QueueUrl": queue, **fields}).encode()
        head = (f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.{action}\r\n"
                f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        for _ in range(20):
            connection = socket.create_connection((netloc.hostname, netloc.port))
            connection.sendall(head + body)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
    good(takt, "SendMessage", QueueUrl=queue, MessageBody="still here")


def test_purge(takt, queue):
    for delay in [0, 0, 900]:
        good(takt, "SendMessage", QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
    receive(takt, queue)
    good(takt, "PurgeQueue", QueueUrl=queue)
    got = attributes(takt, queue)
    assert {got[name] for name in got if name.startswith("ApproximateNumber")} == {"0"}
    name = queue.rsplit("/", 1)[1]
    bad(takt, "PurgeQueue", "PurgeQueueInProgress",
        f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.", status=403,
        code="AWS.SimpleQueueService.PurgeQueueInProgress", QueueUrl=queue)
    good(takt, "DeleteQueue", QueueUrl=queue)
    good(takt, "CreateQueue", QueueName=name)
    good(takt, "PurgeQueue", QueueUrl=queue)  # it is another queue
