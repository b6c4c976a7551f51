# SPDX-License-Identifier: Apache-2.0
from api import PREFIX

NONE = f"{PREFIX}NonExistentQueue"
NONE_WORDS = "The specified queue does not exist."


def test_a_queue_s_url_follows_the_request_s_host_header(api, name):
    for host in ["queues.example:99", "sqs.eu-west-1.localhost:4566", "[::1]:7"]:
        answer = api.call("CreateQueue", {"QueueName": name}, headers={"Host": host})
        assert answer["QueueUrl"] == f"http://{host}/000000000000/{name}"
        answer = api.call("GetQueueUrl", {"QueueName": name}, headers={"Host": host})
        assert answer["QueueUrl"] == f"http://{host}/000000000000/{name}"
        answer = api.call("ListQueues", {"QueueNamePrefix": name}, headers={"Host": host})
        assert answer["QueueUrls"] == [f"http://{host}/000000000000/{name}"]


def test_the_common_forms_of_a_queue_s_url_are_taken(api, queue, name):
    urls = [queue, name, f"/000000000000/{name}", f"https://elsewhere/000000000000/{name}",
            f"http://sqs.eu-west-1.amazonaws.com/000000000000/{name}", f"http://h/{name}",
            f"http://eu-west-1.queue.localhost:4566/000000000000/{name}",
            f"http://h/queue/{name}", f"http://h/queue/eu-west-1/000000000000/{name}"]
    for url in urls:
        api.good("SendMessage", QueueUrl=url, MessageBody="x")
    for path in [f"/000000000000/{name}", f"/{name}", f"/queue/eu-west-1/000000000000/{name}"]:
        api.call("SendMessage", {"MessageBody": "x"}, path=path)
    assert api.attributes(queue)["ApproximateNumberOfMessages"] == str(len(urls) + 3)
    for url in ["http://host", "http://host/", "http://h//q", f"http://h/a/b/c/{name}",
                f"http://h/a/b/{name}", f"http://h/000000000000/{name}/"]:
        api.bad("SendMessage", "InvalidAddress", "The address ...", 404, QueueUrl=url,
                MessageBody="x")
    api.bad("SendMessage", "MissingParameter", "The request must contain the parameter QueueUrl.",
            MessageBody="x")


def test_a_queue_of_another_account_is_not_there(api, queue, name):
    assert api.good("GetQueueUrl", QueueName=name,
                    QueueOwnerAWSAccountId="000000000000")["QueueUrl"] == queue
    api.bad("GetQueueUrl", NONE, NONE_WORDS, QueueName=name, QueueOwnerAWSAccountId="123456789012")
    for url in [f"http://h/123456789012/{name}", f"http://h/queue/eu-west-1/123456789012/{name}"]:
        api.bad("SendMessage", NONE, NONE_WORDS, QueueUrl=url, MessageBody="x")


def test_a_queue_s_name_has_1_to_80_letters_digits_hyphens_and_underscores(api, name):
    words = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    for wrong in ["a b", "ä", "a.b", "x" * 81, "a/b", "a\0"]:
        api.bad("CreateQueue", "InvalidParameterValue", words, QueueName=wrong)
    api.bad("CreateQueue", "MissingParameter", "The request must contain the parameter QueueName.",
            QueueName="")
    longest = (name + "-_Z9" + "x" * 80)[:80]
    url = api.good("CreateQueue", QueueName=longest)["QueueUrl"]
    assert url.endswith(longest)
    assert api.good("GetQueueUrl", QueueName=longest)["QueueUrl"] == url


def test_to_create_a_queue_again_with_the_same_attributes_gives_its_url(api, name):
    values = {"VisibilityTimeout": "7", "KmsMasterKeyId": "key"}
    url = api.good("CreateQueue", QueueName=name, Attributes=values, tags={"a": "b"})["QueueUrl"]
    for attributes in [None, values, {"VisibilityTimeout": "7"}, {"DelaySeconds": "0"}]:
        assert api.good("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"] == url
    assert api.attributes(name, "VisibilityTimeout") == {"VisibilityTimeout": "7"}


def test_to_create_a_queue_again_with_another_value_is_refused_by_the_attribute_s_name(api, name):
    api.good("CreateQueue", QueueName=name, Attributes={"Policy": '{"Statement":[]}'})
    for attribute, value in [
            ("VisibilityTimeout", "8"), ("DelaySeconds", "1"), ("MaximumMessageSize", "2048"),
            ("MessageRetentionPeriod", "60"), ("ReceiveMessageWaitTimeSeconds", "1"),
            ("KmsMasterKeyId", "k"), ("Policy", '{"Statement":[{}]}'),
            ("RedriveAllowPolicy", '{"redrivePermission":"denyAll"}')]:
        api.bad("CreateQueue", "QueueAlreadyExists",
                "A queue already exists with the same name and a different value for attribute "
                f"{attribute}", QueueName=name, Attributes={attribute: value})


def test_queues_are_listed_by_prefix_and_in_pages(api, name):
    wanted = [f"{name}-{number:02d}" for number in range(25)]
    for one in reversed(wanted):
        api.good("CreateQueue", QueueName=one)
    urls = api.good("ListQueues", QueueNamePrefix=f"{name}-")["QueueUrls"]
    assert [url.rsplit("/", 1)[1] for url in urls] == wanted
    found, sizes, token = [], [], None
    while not sizes or token:
        answer = api.good("ListQueues", QueueNamePrefix=f"{name}-", MaxResults=10, NextToken=token)
        found += [url.rsplit("/", 1)[1] for url in answer["QueueUrls"]]
        sizes.append(len(answer["QueueUrls"]))
        token = answer.get("NextToken")
    assert (found, sizes) == (wanted, [10, 10, 5])
    assert "QueueUrls" not in api.good("ListQueues", QueueNamePrefix=f"{name}-none")
    for number in [0, 1001]:
        api.bad("ListQueues", "InvalidParameterValue",
                f"Value {number} for parameter MaxResults is invalid. Reason: MaxResults must be "
                "an integer between 1 and 1000.", MaxResults=number)
    api.bad("ListQueues", "InvalidParameterValue", "Invalid NextToken.", NextToken="%")


def test_a_next_token_comes_with_maxresults_only(api, name):
    for number in range(3):
        api.good("CreateQueue", QueueName=f"{name}-{number}")
    assert "NextToken" not in api.good("ListQueues", QueueNamePrefix=name)
    assert "NextToken" not in api.good("ListQueues", QueueNamePrefix=name, MaxResults=3)
    assert api.good("ListQueues", QueueNamePrefix=name, MaxResults=2)["NextToken"]


HANDLE = "AgAAAAAAAAAAAAAAAQAAAAAAAADEYJgAeEVENIcaxI-AVKjr"
ENTRY = {"Id": "a", "ReceiptHandle": HANDLE}
OF_A_QUEUE = [
    ("DeleteQueue", {}), ("PurgeQueue", {}), ("GetQueueAttributes", {}), ("ListQueueTags", {}),
    ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "1"}}),
    ("ListDeadLetterSourceQueues", {}), ("TagQueue", {"Tags": {"a": "b"}}),
    ("UntagQueue", {"TagKeys": ["a"]}), ("RemovePermission", {"Label": "a"}),
    ("AddPermission", {"Label": "a", "AWSAccountIds": ["123456789012"],
                       "Actions": ["SendMessage"]}),
    ("SendMessage", {"MessageBody": "x"}), ("ReceiveMessage", {}),
    ("ReceiveMessage", {"WaitTimeSeconds": 20}), ("DeleteMessage", {"ReceiptHandle": HANDLE}),
    ("ChangeMessageVisibility", {"ReceiptHandle": HANDLE, "VisibilityTimeout": 1}),
    ("SendMessageBatch", {"Entries": [{"Id": "a", "MessageBody": "x"}]}),
    ("SendMessageBatch", {"Entries": [{"Id": "a", "MessageBody": ""}]}),
    ("DeleteMessageBatch", {"Entries": [ENTRY]}),
    ("ChangeMessageVisibilityBatch", {"Entries": [{**ENTRY, "VisibilityTimeout": 1}]})]


def test_a_queue_that_is_not_there_is_refused_by_every_action(api):
    for action, fields in OF_A_QUEUE:
        for url in ["nowhere", "http://h/000000000000/nowhere"]:
            api.bad(action, NONE, NONE_WORDS, QueueUrl=url, **fields)
    api.bad("GetQueueUrl", NONE, NONE_WORDS, QueueName="nowhere")


def test_a_deleted_queue_is_gone_and_its_name_is_free(api, queue, name):
    api.good("SendMessage", QueueUrl=queue, MessageBody="x")
    api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"DelaySeconds": "5"})
    api.good("DeleteQueue", QueueUrl=queue)
    api.bad("GetQueueUrl", NONE, NONE_WORDS, QueueName=name)
    api.bad("DeleteQueue", NONE, NONE_WORDS, QueueUrl=queue)
    assert "QueueUrls" not in api.good("ListQueues", QueueNamePrefix=name)
    api.good("CreateQueue", QueueName=name)
    found = api.attributes(queue)
    assert (found["DelaySeconds"], found["ApproximateNumberOfMessages"]) == ("0", "0")


def test_a_purge_takes_what_is_visible_in_flight_and_delayed(api, queue):
    for delay in [0, 0, 900]:
        api.good("SendMessage", QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
    assert len(api.receive(queue)) == 1
    api.good("PurgeQueue", QueueUrl=queue)
    found = api.attributes(queue)
    assert [found[name] for name in found if name.startswith("ApproximateNumber")] == ["0"] * 3
    assert api.receive(queue) == []


def test_a_second_purge_within_60_seconds_is_refused_with_403(api, queue, name):
    api.good("PurgeQueue", QueueUrl=queue)
    api.bad("PurgeQueue", f"{PREFIX}PurgeQueueInProgress",
            f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.", 403,
            QueueUrl=queue)
    api.good("DeleteQueue", QueueUrl=queue)
    api.good("CreateQueue", QueueName=name)
    api.good("PurgeQueue", QueueUrl=queue)  # it is another queue


def test_the_arn_has_the_region_that_was_signed_for(api, queue, name):
    def arn(credential):
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, Signature=00"
                   .encode()}
        fields = {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}
        return api.call("GetQueueAttributes", fields, headers=headers)["Attributes"]["QueueArn"]
    assert arn("AKID/20260101/eu-west-3/sqs/aws4_request") == \
        f"arn:aws:sqs:eu-west-3:000000000000:{name}"
    for spoilt in ["AKID/1/ü/sqs", "AKID", f"a/b/{'r' * 99}/", "a/b//"]:
        assert arn(spoilt) == f"arn:aws:sqs:us-east-1:000000000000:{name}"
