# SPDX-License-Identifier: Apache-2.0
from api import PREFIX
from messages import ATTRIBUTES, MIB, attribute_md5, counts, md5

BATCHES = [("SendMessageBatch", {"MessageBody": "x"}),
           ("DeleteMessageBatch", {"ReceiptHandle": "x"}),
           ("ChangeMessageVisibilityBatch", {"ReceiptHandle": "x", "VisibilityTimeout": 1})]


def refused(api, queue, kind, words, entries_of, code=None):
    """Each of the three batches is refused whole; nothing was sent."""
    for action, entry in BATCHES:
        api.bad(action, code or PREFIX + kind, words.format(action=action), QueueUrl=queue,
                Entries=entries_of(entry))
    assert counts(api, queue) == (0, 0, 0)


def test_a_batch_has_1_to_10_entries(api, queue):
    for count in [11, 37]:
        refused(api, queue, "TooManyEntriesInBatchRequest",
                f"Maximum number of entries per request are 10. You have sent {count}.",
                lambda entry: [{"Id": f"i{number}", **entry} for number in range(count)])
    for none in [[], None]:
        refused(api, queue, "EmptyBatchRequest",
                "There should be at least one {action}RequestEntry in the request.",
                lambda _: none)
    answer = api.good("SendMessageBatch", QueueUrl=queue, Entries=[
        {"Id": f"i{number}", "MessageBody": "x"} for number in range(10)])
    assert [entry["Id"] for entry in answer["Successful"]] == [f"i{n}" for n in range(10)]


def test_an_entry_s_id_has_1_to_80_letters_digits_hyphens_and_underscores(api, queue):
    words = ("A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
             "It can be at most 80 letters long.")
    for name in ["a b", "ä", "x" * 81, "", "a.b", "a\n"]:
        refused(api, queue, "InvalidBatchEntryId", words, lambda entry: [{"Id": name, **entry}])
    answer = api.good("SendMessageBatch", QueueUrl=queue, Entries=[
        {"Id": name, "MessageBody": "x"} for name in ["x" * 80, "a-B_9"]])
    assert [entry["Id"] for entry in answer["Successful"]] == ["x" * 80, "a-B_9"]


def test_ids_are_distinct(api, queue):
    refused(api, queue, "BatchEntryIdsNotDistinct", "Id same repeated.",
            lambda entry: [{"Id": name, **entry} for name in ["a", "same", "b", "same"]])


def test_an_entry_without_an_id_is_refused_by_the_parameter_s_name(api, queue):
    refused(api, queue, None,
            "The request must contain the parameter {action}RequestEntry.2.Id.",
            lambda entry: [{"Id": "a", **entry}, entry], "MissingParameter")


def test_entries_fail_alone(api, queue):
    answer = api.good("SendMessageBatch", QueueUrl=queue, Entries=[
        {"Id": "good", "MessageBody": "one", "MessageAttributes": ATTRIBUTES},
        {"Id": "control", "MessageBody": "\x01"},
        {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
        {"Id": "typed", "MessageBody": "x", "MessageAttributes": {
            "a": {"DataType": "Text", "StringValue": "x"}}},
        {"Id": "last", "MessageBody": "two"}])
    assert [(entry["Id"], entry["MD5OfMessageBody"]) for entry in answer["Successful"]] == [
        ("good", md5("one")), ("last", md5("two"))]
    assert answer["Successful"][0]["MD5OfMessageAttributes"] == attribute_md5(ATTRIBUTES)
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("control", "InvalidMessageContents", True), ("late", "InvalidParameterValue", True),
        ("typed", "InvalidParameterValue", True)]
    found = api.receive(queue, MaxNumberOfMessages=10)
    assert {message["MessageId"]: message["Body"] for message in found} == {
        answer["Successful"][0]["MessageId"]: "one", answer["Successful"][1]["MessageId"]: "two"}


def test_what_a_single_request_misses_is_in_a_batch_an_entry_s_invalidparametervalue(api, queue):
    good = {"Id": "good", "MessageBody": "x"}
    answer = api.good("SendMessageBatch", QueueUrl=queue,
                      Entries=[good, {"Id": "empty", "MessageBody": ""}, {"Id": "none"}])
    words = "The request must contain the parameter MessageBody."
    assert [(entry["Id"], entry["Code"], entry["Message"]) for entry in answer["Failed"]] == [
        ("empty", "InvalidParameterValue", words), ("none", "InvalidParameterValue", words)]
    for action, entry, missing in [
            ("DeleteMessageBatch", {}, "ReceiptHandle"),
            ("ChangeMessageVisibilityBatch", {"VisibilityTimeout": 1}, "ReceiptHandle"),
            ("ChangeMessageVisibilityBatch", {"ReceiptHandle": "x"}, "VisibilityTimeout")]:
        answer = api.good(action, QueueUrl=queue, Entries=[{"Id": "a", **entry}])
        assert [(entry["Code"], entry["Message"]) for entry in answer["Failed"]] == [
            ("InvalidParameterValue", f"The request must contain the parameter {missing}.")]


def test_the_sum_of_a_batch_is_at_most_1048576_bytes(api, queue):
    half = "x" * (MIB // 2)
    answer = api.good("SendMessageBatch", QueueUrl=queue, Entries=[
        {"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half}])
    assert len(answer["Successful"]) == 2
    api.bad("SendMessageBatch", f"{PREFIX}BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
            QueueUrl=queue,
            Entries=[{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half + "x"}])
    assert counts(api, queue) == (2, 0, 0)


def test_an_entry_that_is_larger_than_the_queue_takes_fails_alone(api, queue):
    api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    answer = api.good("SendMessageBatch", QueueUrl=queue, Entries=[
        {"Id": "small", "MessageBody": "x"}, {"Id": "large", "MessageBody": "x" * 1025}])
    assert [entry["Id"] for entry in answer["Successful"]] == ["small"]
    assert answer["Failed"] == [{
        "Id": "large", "SenderFault": True, "Code": "InvalidParameterValue",
        "Message": "One or more parameters are invalid. Reason: Message must be shorter than 1024 "
                   "bytes."}]


def test_deletes_and_changes_of_visibility_come_in_batches(api, queue):
    api.good("SendMessageBatch", QueueUrl=queue,
             Entries=[{"Id": f"i{number}", "MessageBody": "x"} for number in range(10)])
    handles = [message["ReceiptHandle"] for message in api.receive(queue, MaxNumberOfMessages=10)]
    entries = [{"Id": f"i{number}", "ReceiptHandle": handle, "VisibilityTimeout": 0}
               for number, handle in enumerate(handles)]
    answer = api.good("ChangeMessageVisibilityBatch", QueueUrl=queue, Entries=[
        *entries[:4], {"Id": "none", "ReceiptHandle": "garbage", "VisibilityTimeout": 0},
        {"Id": "far", "ReceiptHandle": handles[5], "VisibilityTimeout": 43201}])
    assert answer["Successful"] == [{"Id": f"i{number}"} for number in range(4)]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [
        ("none", "ReceiptHandleIsInvalid"), ("far", "InvalidParameterValue")]
    assert len(api.receive(queue, MaxNumberOfMessages=10)) == 4
    answer = api.good("DeleteMessageBatch", QueueUrl=queue, Entries=[
        {"Id": entry["Id"], "ReceiptHandle": entry["ReceiptHandle"]} for entry in entries])
    assert answer["Successful"] == [{"Id": f"i{number}"} for number in range(10)]
    assert counts(api, queue) == (0, 0, 0)


def test_json_always_has_both_lists_of_a_batch_s_answer(json, name):
    queue = json.good("CreateQueue", QueueName=name)["QueueUrl"]
    answer = json.good("SendMessageBatch", QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "x"}])
    assert answer["Failed"] == [] and len(answer["Successful"]) == 1
    answer = json.good("SendMessageBatch", QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": ""}])
    assert answer["Successful"] == [] and len(answer["Failed"]) == 1
