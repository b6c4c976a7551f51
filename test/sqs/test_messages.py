# SPDX-License-Identifier: Apache-2.0
import time

from api import PREFIX
from messages import ATTRIBUTES, MIB, attribute_md5, counts, delete, md5

TEXT = {"DataType": "String", "StringValue": "v"}
INVALID = ("Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to "
           "#xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")


def send(api, queue, body="x", **fields):
    return api.good("SendMessage", QueueUrl=queue, MessageBody=body, **fields)


def refused(api, queue, words, code="InvalidParameterValue", name="a", value=None, **fields):
    given = {"MessageAttributes": {name: value}} if value else {}
    api.bad("SendMessage", code, words, **{
        "QueueUrl": queue, "MessageBody": "x", **given, **fields})


def test_a_body_comes_back_as_it_was_sent_up_to_1048576_bytes(api, queue):
    for text in ["x", "tab\tline\nreturn\r", "\"quotes\\ and /", "ü€😀\ud7ff\ue000\ufffd",
                 "\u2028 </script>", "\x7f\x80\x9f", "a" * MIB]:
        sent = send(api, queue, text)
        assert sent == {"MessageId": sent["MessageId"], "MD5OfMessageBody": md5(text)}
        message, = api.receive(queue)
        assert (message["Body"], message["MD5OfBody"]) == (text, md5(text))
        assert message["MessageId"] == sent["MessageId"]
        delete(api, queue, message)


def test_characters_that_xml_1_0_does_not_have_are_refused(api, queue):
    for char in ["\0", "\x01", "\b", "\x0b", "\x0c", "\x1f", "\ufffe", "\uffff"]:
        for text in [char, f"ok{char}", f"{char}ok", f"{'o' * 40}{char}{'k' * 40}"]:
            refused(api, queue, INVALID, "InvalidMessageContents", MessageBody=text)
    refused(api, queue, INVALID, "InvalidMessageContents",
            value={"DataType": "String", "StringValue": "\x01"})
    refused(api, queue, INVALID, "InvalidMessageContents",
            value={"DataType": "String.\x01", "StringValue": "x"})
    assert api.receive(queue) == []


def test_a_message_has_at_least_one_character(api, queue):
    for body in [None, ""]:
        refused(api, queue, "The request must contain the parameter MessageBody.",
                "MissingParameter", MessageBody=body)


def test_a_message_and_its_attributes_are_no_larger_than_the_queue_takes(api, queue):
    words = "One or more parameters are invalid. Reason: Message must be shorter than {} bytes."
    refused(api, queue, words.format(MIB), MessageBody="x" * (MIB + 1))
    api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    values = {"name": {"DataType": "String", "StringValue": "v" * 14}}  # 4 + 6 + 14
    send(api, queue, "x" * 1000, MessageAttributes=values)
    refused(api, queue, words.format(1024), MessageBody="x" * 1001, MessageAttributes=values)
    values = {"name": {"DataType": "Binary", "BinaryValue": b"v" * 14}}
    send(api, queue, "ü" * 500, MessageAttributes=values)
    refused(api, queue, words.format(1024), MessageBody="ü" * 501, MessageAttributes=values)


def test_a_delay_is_0_to_900_seconds(api, queue):
    for delay in [-1, 901]:
        refused(api, queue, f"Value {delay} for parameter DelaySeconds is invalid. Reason: "
                "DelaySeconds must be >= 0 and <= 900.", DelaySeconds=delay)
    for delay in [0, 900]:
        send(api, queue, DelaySeconds=delay)
    assert counts(api, queue) == (1, 0, 1)


def test_a_delayed_message_comes_when_its_time_has_come_and_0_is_the_queue_s_delay(api, queue):
    send(api, queue, "later", DelaySeconds=1)
    send(api, queue, "much later", DelaySeconds=900)
    begin = time.monotonic()
    message, = api.receive(queue, WaitTimeSeconds=10)
    assert message["Body"] == "later"
    assert 0.8 < time.monotonic() - begin < 5
    api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"DelaySeconds": "900"})
    before = counts(api, queue)
    send(api, queue)
    assert counts(api, queue) == (before[0], before[1], before[2] + 1)


def test_message_attributes_are_text_numbers_or_bytes_with_a_label_of_the_sender_s(api, queue):
    send(api, queue, MessageAttributes=ATTRIBUTES)
    message, = api.receive(queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == ATTRIBUTES
    for kind in ["Text", "string", "Binarys", "Number1", "x.String"]:
        refused(api, queue, "The message attribute 'a' has an invalid message attribute type, the "
                "set of supported type prefixes is Binary, Number, and String.",
                value={"DataType": kind, "StringValue": "1"})
    for number in ["one", "1,5", "--1", "1e", "0x1"]:
        refused(api, queue, "The message attribute 'a' has a value that is not a number.",
                value={"DataType": "Number", "StringValue": number})


def test_the_md5_of_attributes_is_over_name_type_and_value_in_the_order_of_names(api, queue):
    for values in [ATTRIBUTES, {"a": TEXT}, {"b": TEXT, "B": TEXT, "a.b": TEXT}]:
        sent = send(api, queue, MessageAttributes=values)
        assert sent["MD5OfMessageAttributes"] == attribute_md5(values)
    assert "MD5OfMessageAttributes" not in send(api, queue)


def test_a_message_has_at_most_10_attributes(api, queue):
    many = {f"a{number}": TEXT for number in range(11)}
    api.bad("SendMessage", "InvalidParameterValue",
            "Number of message attributes [11] exceeds the allowed maximum [10].", QueueUrl=queue,
            MessageBody="x", MessageAttributes=many)
    many.popitem()
    sent = send(api, queue, MessageAttributes=many)
    assert sent["MD5OfMessageAttributes"] == attribute_md5(many)


def test_attributes_names_have_1_to_256_letters_digits_hyphens_underscores_and_periods(api, queue):
    values = {name: TEXT for name in ["n" * 256, "a-b_c.D9", "9", "_"]}
    assert send(api, queue, MessageAttributes=values)["MD5OfMessageAttributes"] == \
        attribute_md5(values)
    for name in ["", "n" * 257]:
        refused(api, queue, f"The message attribute '{name[:256]}' must have a name of 1 to 256 "
                "characters.", name=name, value=TEXT)
    for name in ["a b", "ä", "a/b", "a\n"]:
        refused(api, queue, f"The message attribute '{name}' has a name with other characters than "
                "A-Z, a-z, 0-9, underscore, hyphen and period.", name=name, value=TEXT)


def test_attributes_names_do_not_begin_with_aws_or_amazon_in_any_case(api, queue):
    for name in ["AWS.a", "aws.a", "Amazon.a", "AMAZON.b"]:
        refused(api, queue, f"The message attribute '{name}' has a name that begins with AWS. or "
                "Amazon.", name=name, value=TEXT)
    values = {name: TEXT for name in ["AWSa", "amazonian.b"]}
    assert send(api, queue, MessageAttributes=values)["MD5OfMessageAttributes"] == \
        attribute_md5(values)


def test_attributes_names_do_not_begin_or_end_with_a_period_or_have_two_in_a_row(api, queue):
    for name in [".a", "a.", "a..b", "."]:
        refused(api, queue, f"The message attribute '{name}' has a name that begins or ends with a "
                "period, or has two in a row.", name=name, value=TEXT)


def test_an_attribute_has_a_type_and_a_value_that_is_not_empty(api, queue):
    words = "Message (user) attribute 'a' must contain a non-empty value of type '{}'."
    refused(api, queue, "The message attribute 'a' must contain a non-empty message attribute "
            "type.", value={"StringValue": "v"})
    refused(api, queue, words.format("String"), value={"DataType": "String"})
    refused(api, queue, words.format("String"), value={"DataType": "String", "StringValue": ""})
    refused(api, queue, words.format("String"), value={"DataType": "Number"})
    refused(api, queue, words.format("Binary"), value={"DataType": "Binary"})
    refused(api, queue, "The message attribute 'a' must contain a non-empty StringValue...",
            value={"DataType": "String", "BinaryValue": b"x"})
    refused(api, queue, "The message attribute 'a' must contain a non-empty BinaryValue...",
            value={"DataType": "Binary", "StringValue": "x"})


def test_list_values_are_not_supported(api, queue):
    for more in [{"StringListValues": ["a"]}, {"BinaryListValues": [b"a"]}]:
        refused(api, queue, "Message attribute list values in SendMessage operation are not "
                "supported.", f"{PREFIX}UnsupportedOperation", value={**TEXT, **more})


def test_awstraceheader_is_the_one_system_attribute_and_free_of_size(api, queue):
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3" * 50}}
    api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    sent = send(api, queue, "x" * 1024, MessageSystemAttributes=trace)
    assert sent["MD5OfMessageSystemAttributes"] == attribute_md5(trace)
    message, = api.receive(queue, AttributeNames=["AWSTraceHeader"])
    assert message["Attributes"] == {"AWSTraceHeader": "Root=1-2-3" * 50}
    api.bad("SendMessage", "InvalidParameterValue", "Message system attribute name 'Fly' is ...",
            QueueUrl=queue, MessageBody="x", MessageSystemAttributes={"Fly": TEXT})
    api.bad("SendMessage", "InvalidParameterValue",
            "The message system attribute 'AWSTraceHeader' must be of type String.",
            QueueUrl=queue, MessageBody="x", MessageSystemAttributes={
                "AWSTraceHeader": {"DataType": "Binary", "BinaryValue": b"x"}})


def test_system_attributes_do_not_change_the_md5_of_attributes(api, queue):
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    plain = send(api, queue, MessageAttributes=ATTRIBUTES)
    traced = send(api, queue, MessageAttributes=ATTRIBUTES, MessageSystemAttributes=trace)
    assert plain["MD5OfMessageAttributes"] == traced["MD5OfMessageAttributes"]
    assert "MD5OfMessageSystemAttributes" not in plain
    assert traced["MD5OfMessageSystemAttributes"] == attribute_md5(trace)
