# SPDX-License-Identifier: Apache-2.0
"""Every action, member, enum and error of the API model in Debian's botocore is known to takt."""
import re

import pytest

from api import TOP, Refused, raw_model

MODEL = raw_model()
SHAPES = MODEL["shapes"]
# Errors of the model that takt never answers, and why.
NOT_ANSWERED = {
    "InvalidIdFormat": "the service says ReceiptHandleIsInvalid",
    "AWS.SimpleQueueService.QueueDeletedRecently": "a deleted queue's name is free at once",
}


def refusal(api, action, fields):
    """The words of a refusal; "" if it is answered."""
    try:
        api.call(action, fields)
    except Refused as refused:
        return refused.words
    return ""


def members(name):
    """(path, shape) of a structure, with those of the entries of its lists."""
    for member, about in SHAPES[name]["members"].items():
        shape = SHAPES[about["shape"]]
        yield member, None, shape
        inner = SHAPES.get(shape.get("member", {}).get("shape"), {})
        if shape["type"] == "list" and inner.get("type") == "structure":
            for entry_member, entry_about in inner["members"].items():
                yield member, entry_member, SHAPES[entry_about["shape"]]


def sample(shape):
    """A value of the shape's type."""
    return {"string": "x", "integer": 1, "list": [], "map": {}, "structure": {},
            "boolean": True, "blob": b""}[shape["type"]]


@pytest.mark.parametrize("action", MODEL["operations"])
def test_an_action_is_known_in_both_protocols(api, action):
    words = refusal(api, action, {"Colour": "red"})
    assert words == "Unknown parameter Colour.", words


@pytest.mark.parametrize("action", MODEL["operations"])
def test_an_action_s_members_are_known(json, action):
    for member, inner, shape in members(MODEL["operations"][action]["input"]["shape"]):
        value = sample(shape) if inner is None else [{inner: sample(shape), "Colour": "red"}]
        words = refusal(json, action, {member: value, "Colour": "red"})
        assert words == "Unknown parameter Colour.", (member, inner, words)


def test_attributes_of_messages_have_all_their_members(json, name):
    queue = json.good("CreateQueue", QueueName=name)["QueueUrl"]
    for shape in ["MessageAttributeValue", "MessageSystemAttributeValue"]:
        for member, about in SHAPES[shape]["members"].items():
            words = refusal(json, "SendMessage", {
                "QueueUrl": queue, "MessageBody": "x",
                "MessageAttributes": {"a": {member: sample(SHAPES[about["shape"]])}}})
            assert "has no member" not in words, words


def test_queue_attributes_are_known(api, name):
    queue = api.good("CreateQueue", QueueName=name)["QueueUrl"]
    for attribute in SHAPES["QueueAttributeName"]["enum"]:
        assert refusal(api, "GetQueueAttributes",
                       {"QueueUrl": queue, "AttributeNames": [attribute]}) == ""
    assert refusal(api, "GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": ["Fly"]}) == \
        "Unknown Attribute Fly."


def test_system_attributes_are_known(api, name):
    queue = api.good("CreateQueue", QueueName=name)["QueueUrl"]
    for attribute in SHAPES["MessageSystemAttributeName"]["enum"]:
        assert refusal(api, "ReceiveMessage",
                       {"QueueUrl": queue, "AttributeNames": [attribute]}) == ""
    for attribute in SHAPES["MessageSystemAttributeNameForSends"]["enum"]:
        assert refusal(api, "SendMessage", {
            "QueueUrl": queue, "MessageBody": "x", "MessageSystemAttributes": {
                attribute: {"DataType": "String", "StringValue": "x"}}}) == ""


def test_errors_are_known():
    """Their codes stand in one of the two lists that all refusals come from."""
    known = set()
    for path in ["src/sqs/sqs_error.h", "src/broker/result.h"]:
        with open(f"{TOP}/{path}", encoding="utf-8") as file:
            text = re.sub(r"\s*\\\n\s*", " ", file.read())
        known |= {code for code in re.findall(r'X\(\w+, (?:\w+ )?"[^"]*", "([^"]*)", \d+', text)}
    of_model = {shape.get("error", {}).get("code", name)
                for name, shape in SHAPES.items() if shape.get("exception")}
    assert len(of_model) >= 16
    assert of_model - known == set(NOT_ANSWERED)
