# SPDX-License-Identifier: Apache-2.0
"""What is so for every action: requests, answers and refusals in AWS JSON 1.0 and in Query."""
import contextlib
import http.client
import json as jsons
import socket
import urllib.parse

import boto3
import botocore.config
import botocore.exceptions
import pytest

from api import CORAL, FORM, MIB, PREFIX, QueryGet, Refused, json_type
from takt_server import request

XMLNS = "http://queue.amazonaws.com/doc/2012-11-05/"


def form(url, text, method="POST", path="/", headers=None):
    """A request of the Query protocol as it is written here: (status, headers, text)."""
    if method == "GET":
        path, text = f"{path}?{text}", None
    status, heads, answer = request(url, method, path, text,
                                    {"Content-Type": FORM, **(headers or {})})
    return status, heads, answer.decode()


def refused(query, text, code, words, status=400, **more):
    with pytest.raises(Refused) as told:
        got, heads, answer = form(query.url, text, **more)
        query.check(got, heads, answer.encode())
    assert (told.value.code, told.value.words, told.value.status) == (code, words, status)


def test_an_action_may_be_asked_for_in_aws_json_and_in_query_by_post_and_by_get(
        takt, json, query, name):
    url = json.good("CreateQueue", QueueName=name)["QueueUrl"]
    for api in [json, query, QueryGet(takt.urls["sqs"])]:
        assert api.good("CreateQueue", QueueName=name)["QueueUrl"] == url
        sent = api.good("SendMessage", QueueUrl=url, MessageBody=f"from {api.name}")
        message, = api.receive(url)
        assert message["Body"] == f"from {api.name}"
        assert message["MessageId"] == sent["MessageId"]
        api.good("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_debian_s_boto3_speaks_to_takt_unchanged(takt, name):
    client = boto3.client(
        "sqs", endpoint_url=takt.urls["sqs"], region_name="eu-west-1", aws_access_key_id="any",
        aws_secret_access_key="any", config=botocore.config.Config(retries={"max_attempts": 0}))
    url = client.create_queue(QueueName=name, Attributes={"DelaySeconds": "0"})["QueueUrl"]
    assert client.get_queue_url(QueueName=name)["QueueUrl"] == url
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    assert found == {"QueueArn": f"arn:aws:sqs:eu-west-1:000000000000:{name}"}
    values = {"bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
              "text": {"DataType": "String", "StringValue": "ü & <b>"}}
    client.send_message(QueueUrl=url, MessageBody="one", MessageAttributes=values)
    message, = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]) == ("one", values)
    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert "Messages" not in client.receive_message(QueueUrl=url)
    with pytest.raises(client.exceptions.QueueDoesNotExist):
        client.get_queue_url(QueueName="none")
    with pytest.raises(client.exceptions.PurgeQueueInProgress):
        client.purge_queue(QueueUrl=url)
        client.purge_queue(QueueUrl=url)
    with pytest.raises(client.exceptions.TooManyEntriesInBatchRequest):
        client.send_message_batch(QueueUrl=url, Entries=[
            {"Id": str(number), "MessageBody": "x"} for number in range(11)])


def test_json_refusals_have_a_type_a_message_and_the_code_in_x_amzn_query_error(json):
    for action, body, kind, code in [
            ("GetQueueUrl", '{"QueueName":"none"}', "com.amazonaws.sqs#QueueDoesNotExist",
             f"{PREFIX}NonExistentQueue"),
            ("GetQueueUrl", "{}", f"{CORAL}MissingRequiredParameterException", "MissingParameter"),
            ("ListQueues", '{"MaxResults":0}', f"{CORAL}InvalidParameterValueException",
             "InvalidParameterValue")]:
        status, heads, text = json.raw(action, body)
        answer = jsons.loads(text)
        assert (status, answer["__type"]) == (400, kind)
        assert answer["message"] and set(answer) == {"__type", "message"}
        assert heads["x-amzn-query-error"] == f"{code};Sender"
        assert heads["Content-Type"] == "application/x-amz-json-1.0"


def test_query_refusals_are_an_errorresponse_with_type_code_message_and_request_id(query):
    status, heads, text = form(query.url, "Action=ListQueues&MaxResults=0")
    ident = heads["x-amzn-requestid"]
    assert (status, heads["Content-Type"], heads["x-amzn-query-error"]) == (400, "text/xml", None)
    assert text == (
        f'<?xml version="1.0"?><ErrorResponse xmlns="{XMLNS}"><Error><Type>Sender</Type>'
        "<Code>InvalidParameterValue</Code><Message>Value 0 for parameter MaxResults is invalid. "
        "Reason: MaxResults must be an integer between 1 and 1000.</Message><Detail/></Error>"
        f"<RequestId>{ident}</RequestId></ErrorResponse>")


def test_a_missing_queue_has_other_words_in_query_than_in_json(json, query):
    _, _, text = json.raw("GetQueueUrl", '{"QueueName":"none"}')
    assert jsons.loads(text)["message"] == "The specified queue does not exist."
    _, _, text = form(query.url, "Action=GetQueueUrl&QueueName=none")
    assert "<Message>The specified queue does not exist for this wsdl version.</Message>" in text


def test_every_answer_has_a_request_id_of_its_own(json, query):
    seen = set()
    for _ in range(5):
        for _, heads, _ in [json.raw("ListQueues", "{}"), json.raw("Fly", "{}"),
                            form(query.url, "Action=ListQueues"), form(query.url, "Action=Fly")]:
            seen.add(heads["x-amzn-requestid"])
    assert len(seen) == 20 and {len(ident) for ident in seen} == {36}


def test_an_action_that_sqs_does_not_have_is_refused_by_name(json, query):
    _, heads, text = json.raw("Fly", "{}")
    assert jsons.loads(text) == {"__type": json_type("InvalidAction"),
                                 "message": "SQS has no operation Fly."}
    assert heads["x-amzn-query-error"] == "InvalidAction;Sender"
    refused(query, "Action=Fly&Version=2012-11-05", "InvalidAction", "SQS has no operation Fly.")
    refused(query, "Action=%3CFly%3E", "InvalidAction", "SQS has no operation <Fly>.")


def test_json_needs_a_post_its_content_type_and_its_target(json):
    for method, headers, status, code, words in [
            ("PUT", {}, 405, "InvalidHttpMethod", "A request in AWS JSON 1.0 is a POST."),
            ("POST", {}, 400, "InvalidAction",
             "The request has no X-Amz-Target header, which names the operation."),
            ("POST", {"X-Amz-Target": "DynamoDB.Query"}, 400, "InvalidAction",
             "The X-Amz-Target header does not begin with AmazonSQS."),
            ("POST", {"X-Amz-Target": "AmazonSQS.ListQueues"}, 400, "MalformedInput",
             "The Content-Type must be application/x-amz-json-1.0."),
            ("POST", {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "text/plain"}, 400,
             "MalformedInput", "The Content-Type must be application/x-amz-json-1.0.")]:
        with pytest.raises(Refused) as told:
            json.check(*request(json.url, method, "/", "{}", headers))
        assert (told.value.status, told.value.code, told.value.words) == (status, code, words)


def test_query_needs_an_action(query):
    for text in ["", "Version=2012-11-05", "Action=", "&&", "Colour=red"]:
        for method in ["GET", "POST"]:
            refused(query, text, "MissingAction", "The request must contain the parameter Action.",
                    method=method)


def test_query_has_one_version(query, name):
    url = query.good("CreateQueue", QueueName=name)["QueueUrl"]
    for version in ["", "&Version=2012-11-05"]:
        status, _, text = form(query.url, f"Action=GetQueueUrl&QueueName={name}{version}")
        assert status == 200 and f"<QueueUrl>{url}</QueueUrl>" in text
    for version in ["2009-02-01", "latest", ""]:
        refused(query, f"Action=ListQueues&Version={version}", "NoSuchVersion",
                f"The requested version ( {version} ) is not valid: it is 2012-11-05.")


def test_a_parameter_that_is_not_known_is_refused_by_name(api, queue):
    for action, fields in [
            ("ListQueues", {}), ("CreateQueue", {"QueueName": "never"}),
            ("SendMessage", {"QueueUrl": queue, "MessageBody": "x"}),
            ("ReceiveMessage", {"QueueUrl": queue}), ("PurgeQueue", {"QueueUrl": queue}),
            ("DeleteQueue", {"QueueUrl": queue})]:
        api.bad(action, "InvalidParameterValue", "Unknown parameter Colour.", Colour="red",
                **fields)
    assert queue in api.good("ListQueues", QueueNamePrefix=queue.rsplit("/", 1)[1])["QueueUrls"]


def test_broken_percent_encoding_and_bytes_that_are_not_utf_8_are_refused_by_name(query):
    words = "The parameter QueueName is not percent-encoded as a form's are."
    for value in ["%", "a%2", "%zz", "100%25%"]:
        refused(query, f"Action=GetQueueUrl&QueueName={value}", "MalformedQueryString", words)
        refused(query, f"Action=GetQueueUrl&QueueName={value}", "MalformedQueryString", words,
                method="GET")
    for value in ["%ff", "%c3%28", "%ed%a0%80"]:
        refused(query, f"Action=GetQueueUrl&QueueName={value}", "MalformedQueryString",
                "The parameter QueueName is not UTF-8.")


def test_broken_json_is_refused(json):
    for body in ["", "{", '{"a":1,}', b'{"QueueNamePrefix":"\xff"}', '{"a":"\\ud800"}',
                 "[" * 5000, '{"QueueNamePrefix":"\n"}', "{}{}"]:
        status, heads, text = json.raw("ListQueues", body)
        answer = jsons.loads(text)
        assert (status, answer["__type"]) == (400, json_type("MalformedInput"))
        assert answer["message"].startswith("The request is not valid JSON: ")
        assert heads["x-amzn-query-error"] == "MalformedInput;Sender"
    _, _, text = json.raw("ListQueues", "[]")
    assert jsons.loads(text)["message"] == "The request must be a JSON object."


def test_values_of_a_wrong_type_are_refused_by_name(json, query, name):
    url = json.good("CreateQueue", QueueName=name)["QueueUrl"]
    for value in ["5", 1.5, 2147483648, [], True]:
        json.bad("ListQueues", "MalformedInput", "MaxResults must be an integer of 32 bits.",
                 MaxResults=value)
    for member, value, words in [
            ("QueueUrl", 5, "QueueUrl must be a string."),
            ("MessageAttributes", [], "MessageAttributes must be an object."),
            ("MessageAttributes", {"a": 1}, "a must be an object."),
            ("MessageAttributes", {"a": {"DataType": "Binary", "BinaryValue": "?"}},
             "BinaryValue must be base64.")]:
        json.bad("SendMessage", "MalformedInput", words,
                 **{"QueueUrl": url, "MessageBody": "x", member: value})
    json.bad("SendMessageBatch", "MalformedInput", "An entry must be an object.", QueueUrl=url,
             Entries=["a"])
    for value in ["", "x", "1.5", "2147483648", "+5"]:
        refused(query, f"Action=ListQueues&MaxResults={urllib.parse.quote(value)}",
                "MalformedInput", "MaxResults must be an integer of 32 bits.")


def test_members_that_are_null_count_as_missing(json, name):
    url = json.good("CreateQueue", QueueName=name)["QueueUrl"]
    json.call("SendMessage", {"QueueUrl": url, "MessageBody": "a", "DelaySeconds": None,
                              "MessageAttributes": None, "MessageDeduplicationId": None})
    assert len(json.call("ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": None})[
        "Messages"]) == 1
    with pytest.raises(Refused) as told:
        json.call("SendMessage", {"QueueUrl": url, "MessageBody": None})
    assert told.value.code == "MissingParameter"


def test_a_query_parameter_that_comes_twice_is_refused_by_name(query):
    for text, twice in [
            ("Action=GetQueueUrl&QueueName=a&QueueName=b", "QueueName"),
            ("Action=GetQueueUrl&Action=ListQueues&QueueName=a", "Action"),
            ("Action=CreateQueue&QueueName=a&Attribute.1.Name=x&Attribute.1.Name=y",
             "Attribute.1.Name")]:
        refused(query, text, "MalformedQueryString", f"The parameter {twice} comes twice.")


def test_query_lists_may_be_out_of_order_and_lists_of_one_may_have_no_number(query, name):
    status, _, text = form(query.url, "&".join([
        "Action=CreateQueue", f"QueueName={name}", "Attribute.9.Value=7", "Attribute.2.Value=5",
        "Attribute.2.Name=DelaySeconds", "Attribute.9.Name=VisibilityTimeout"]))
    assert status == 200, text
    assert query.attributes(name, "DelaySeconds", "VisibilityTimeout") == {
        "DelaySeconds": "5", "VisibilityTimeout": "7"}
    status, _, text = form(query.url, f"Action=SetQueueAttributes&QueueUrl={name}"
                                      "&Attribute.Name=DelaySeconds&Attribute.Value=0")
    assert status == 200, text
    status, _, text = form(query.url, f"Action=GetQueueAttributes&QueueUrl={name}"
                                      "&AttributeName=DelaySeconds")
    assert "<Attribute><Name>DelaySeconds</Name><Value>0</Value></Attribute>" in text


def test_query_parameters_may_stand_in_the_url_and_in_the_body(query, name):
    url = query.good("CreateQueue", QueueName=name)["QueueUrl"]
    path = urllib.parse.urlsplit(url).path
    status, _, text = form(query.url, "MessageBody=x", path=f"{path}?Action=SendMessage")
    assert status == 200 and "<MD5OfMessageBody>" in text
    status, _, answer = request(query.url, "POST",
                                f"{path}?Action=SendMessage&MessageBody=y", None)
    assert status == 200 and b"<MD5OfMessageBody>" in answer
    assert query.attributes(name)["ApproximateNumberOfMessages"] == "2"


def test_pages_of_other_web_sites_cannot_use_query(query, name):
    words = "Pages of web sites cannot use the Query protocol here."
    for headers in [{"Origin": "http://evil.example"}, {"Origin": "null"},
                    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]:
        for method in ["GET", "POST"]:
            refused(query, f"Action=CreateQueue&QueueName={name}", "AccessDenied", words, 403,
                    method=method, headers=headers)
    query.bad("GetQueueUrl", f"{PREFIX}NonExistentQueue", "The specified queue does not exist.",
              QueueName=name)
    status, _, text = form(query.url, "Action=ListQueues", "GET",
                           headers={"Sec-Fetch-Site": "none"})
    assert status == 200 and "<ListQueuesResult>" in text


def test_too_large_a_request_is_refused_in_its_own_protocol(json, query):
    for api, kind in [(json, "application/x-amz-json-1.0"), (query, FORM)]:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(api.url).netloc, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest("POST", "/")
            if api is json:
                connection.putheader("X-Amz-Target", "AmazonSQS.SendMessage")
            connection.putheader("Content-Type", kind)
            connection.putheader("Content-Length", str(100 * MIB))
            connection.endheaders()
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == 413
        assert "The request is larger than " in text
        assert text.startswith('{"__type":"' if api is json else "<?xml")


def test_what_is_no_http_request_is_refused_in_the_shape_of_sqs(json):
    address = urllib.parse.urlsplit(json.url)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40000 + b"\r\n\r\n"
    for sent, status, words in [(b"hello\r\n\r\n", 400, "This is not an HTTP request"),
                                (head, 431, "The request's headers are too large."),
                                (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505,
                                 "takt speaks HTTP/1.1.")]:
        with socket.create_connection((address.hostname, address.port), timeout=30) as client:
            client.sendall(sent)
            answer = http.client.HTTPResponse(client)
            answer.begin()
            told = jsons.loads(answer.read())
        assert (answer.status, told["__type"]) == (status, json_type("MalformedInput"))
        side = "Sender" if status < 500 else "Receiver"
        assert answer.headers["x-amzn-query-error"] == f"MalformedInput;{side}"
        assert told["message"].startswith(words)


def test_what_xml_would_change_comes_back_as_it_was_sent(api, queue):
    for text in ["<a href=\"x\">&amp;</a>", "]]>", "a\r\nb\rc\n", "\ttab ", "  two  spaces  ",
                 "&#65;", "%41+%2B", "ü€😀\ud7ff\ue000\ufffd\u2028\x7f\x85"]:
        values = {"a": {"DataType": "String", "StringValue": text}}
        api.good("SendMessage", QueueUrl=queue, MessageBody=text, MessageAttributes=values)
        message, = api.receive(queue, MessageAttributeNames=["All"])
        assert (message["Body"], message["MessageAttributes"]) == (text, values)
        api.good("DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
