# SPDX-License-Identifier: Apache-2.0
"""SQS in two protocols, for tests that are the same in both.

Query is written and read by Debian's botocore, with its own model of the API (to which the
operations are added that it is too old to know); AWS JSON 1.0 by hand. An answer has the same form
in both: a dict in which binary values are bytes.
"""
import base64
import copy
import functools
import json
import os
import urllib.parse

import botocore
import botocore.model
import botocore.parsers
import botocore.serialize

from takt_server import TOP, request  # noqa: F401

MODEL = os.path.join(os.path.dirname(botocore.__file__), "data/sqs/2012-11-05/service-2.json")
JSON = "application/x-amz-json-1.0"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
MIB = 1024 * 1024
CORAL = "com.amazon.coral.service#"
PREFIX = "AWS.SimpleQueueService."

# What an error is called in JSON where that is not its code in Query.
TYPES = {
    "InvalidParameterValue": f"{CORAL}InvalidParameterValueException",
    "MissingParameter": f"{CORAL}MissingRequiredParameterException",
    "InvalidAction": f"{CORAL}UnknownOperationException",
    "MalformedInput": f"{CORAL}SerializationException",
    "QueueAlreadyExists": "com.amazonaws.sqs#QueueNameExists",
    f"{PREFIX}NonExistentQueue": "com.amazonaws.sqs#QueueDoesNotExist",
}


def json_type(code):
    return TYPES.get(code, "com.amazonaws.sqs#" + code.removeprefix(PREFIX))


class Refused(Exception):
    """What a client is told instead of an answer."""

    def __init__(self, status, code, words):
        super().__init__(f"{status} {code}: {words}")
        self.status, self.code, self.words = status, code, words


def string(**more):
    return {"shape": "String", **more}


NEWER = {
    "StartMessageMoveTask": (
        {"SourceArn": string(), "DestinationArn": string(),
         "MaxNumberOfMessagesPerSecond": {"shape": "Integer"}},
        {"TaskHandle": string()}),
    "CancelMessageMoveTask": (
        {"TaskHandle": string()},
        {"ApproximateNumberOfMessagesMoved": {"shape": "NewerLong"}}),
    "ListMessageMoveTasks": (
        {"SourceArn": string(), "MaxResults": {"shape": "Integer"}},
        {"Results": {"shape": "NewerTasks"}}),
}


@functools.lru_cache
def raw_model():
    with open(MODEL, encoding="utf-8") as file:
        return json.load(file)


@functools.lru_cache
def model():
    """botocore's, and what came later."""
    whole = copy.deepcopy(raw_model())
    shapes = whole["shapes"]
    shapes["NewerLong"] = {"type": "long"}
    shapes["NewerTask"] = {"type": "structure", "members": {
        **{name: string() for name in ("TaskHandle", "Status", "SourceArn", "DestinationArn",
                                       "FailureReason")},
        **{name: {"shape": "NewerLong"} for name in (
            "MaxNumberOfMessagesPerSecond", "ApproximateNumberOfMessagesMoved",
            "ApproximateNumberOfMessagesToMove", "StartedTimestamp")}}}
    shapes["NewerTasks"] = {"type": "list", "flattened": True, "member": {
        "shape": "NewerTask", "locationName": "ListMessageMoveTasksResultEntry"}}
    for name, (members, results) in NEWER.items():
        shapes[f"{name}Request"] = {"type": "structure", "members": members}
        shapes[f"{name}Result"] = {"type": "structure", "members": results}
        whole["operations"][name] = {
            "name": name, "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": f"{name}Request"},
            "output": {"shape": f"{name}Result", "resultWrapper": f"{name}Result"}}
    shapes["NewerNames"] = {"type": "list", "flattened": True, "member": {
        "shape": "String", "locationName": "MessageSystemAttributeName"}}
    shapes["ReceiveMessageRequest"]["members"]["MessageSystemAttributeNames"] = {
        "shape": "NewerNames"}
    return botocore.model.ServiceModel(whole, "sqs")


def without_nones(fields):
    return {name: value for name, value in fields.items() if value is not None}


class Api:
    """One protocol at one endpoint."""

    def __init__(self, url):
        self.url = url

    def good(self, action, **fields):
        """The answer."""
        return self.call(action, without_nones(fields))

    def bad(self, action, code, words, status=400, **fields):
        """It is refused with this code, and exactly these words (or such that begin so: ...)."""
        try:
            answer = self.call(action, without_nones(fields))
        except Refused as refused:
            assert refused.code == code, refused
            if words.endswith("..."):
                assert refused.words.startswith(words[:-3])
            else:
                assert refused.words == words
            assert refused.status == status
            return
        raise AssertionError(f"{action} was answered: {answer}")

    def receive(self, queue, **fields):
        return self.good("ReceiveMessage", QueueUrl=queue, **fields).get("Messages", [])

    def attributes(self, queue, *wanted):
        return self.good("GetQueueAttributes", QueueUrl=queue,
                         AttributeNames=list(wanted) or ["All"]).get("Attributes", {})

    def arn(self, queue):
        return self.attributes(queue, "QueueArn")["QueueArn"]


class Json(Api):
    name = "json"

    @staticmethod
    def plain(value):
        return base64.b64encode(value).decode()

    def raw(self, action, body, path="/", headers=None):
        return request(self.url, "POST", path, body,
                       {"X-Amz-Target": f"AmazonSQS.{action}", "Content-Type": JSON,
                        **(headers or {})})

    def call(self, action, fields, path="/", headers=None):
        status, heads, text = self.raw(action, json.dumps(fields, default=self.plain), path, headers)
        return self.check(status, heads, text)

    def check(self, status, heads, text):
        assert heads["Content-Type"] == JSON
        assert len(heads["x-amzn-requestid"]) == 36
        answer = json.loads(text, object_hook=self.decode)
        error = heads["x-amzn-query-error"]
        if status == 200:
            assert error is None
            return answer
        code, fault = error.split(";")
        assert fault == ("Sender" if status < 500 else "Receiver")
        assert answer["__type"] == json_type(code)
        assert set(answer) == {"__type", "message"}
        raise Refused(status, code, answer["message"])

    @staticmethod
    def decode(found):
        if "BinaryValue" in found:
            found["BinaryValue"] = base64.b64decode(found["BinaryValue"])
        return found


class Query(Api):
    name = "query"
    method = "POST"
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    parser = botocore.parsers.create_parser("query")

    def call(self, action, fields, path="/", headers=None):
        operation = model().operation_model(action)
        known = {name: value for name, value in fields.items()
                 if name in operation.input_shape.members}
        form = {**self.serializer.serialize_to_request(known, operation)["body"],
                **{name: fields[name] for name in set(fields) - set(known)}}
        text = urllib.parse.urlencode(form)
        if self.method == "GET":
            answered = request(self.url, "GET", f"{path}?{text}", None, headers or {})
        else:
            answered = request(self.url, "POST", path, text,
                               {"Content-Type": FORM, **(headers or {})})
        return self.check(*answered, operation.output_shape)

    def check(self, status, heads, text, shape=None):
        assert heads["Content-Type"] == "text/xml"
        assert heads["x-amzn-query-error"] is None
        answer = self.parser.parse({"status_code": status, "headers": heads, "body": text}, shape)
        told = answer.pop("ResponseMetadata")
        assert told["RequestId"] == heads["x-amzn-requestid"] and len(told["RequestId"]) == 36
        if status == 200:
            return answer
        error = answer["Error"]
        assert error["Type"] == ("Sender" if status < 500 else "Receiver")
        words = error["Message"]
        assert words.endswith(" for this wsdl version.") == (error["Code"] == f"{PREFIX}NonExistentQueue")
        raise Refused(status, error["Code"], words.replace(" for this wsdl version.", "."))


class QueryGet(Query):
    name = "query by GET"
    method = "GET"


PROTOCOLS = {kind.name: kind for kind in (Json, Query)}
