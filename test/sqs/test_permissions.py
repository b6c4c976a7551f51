# SPDX-License-Identifier: Apache-2.0
import json as jsons


def add(api, queue, label, accounts=("123456789012",), actions=("ReceiveMessage",)):
    return api.good("AddPermission", QueueUrl=queue, Label=label, AWSAccountIds=list(accounts),
                    Actions=list(actions))


def policy(api, queue):
    text = api.attributes(queue, "Policy").get("Policy")
    return text and jsons.loads(text)


def test_addpermission_writes_a_statement_into_the_policy_as_sqs_does(api, queue):
    arn = api.arn(queue)
    add(api, queue, "one")
    add(api, queue, "two", ["111111111111", "222222222222"], ["SendMessage", "*"])
    assert policy(api, queue) == {
        "Version": "2008-10-17", "Id": f"{arn}/SQSDefaultPolicy", "Statement": [
            {"Sid": "one", "Effect": "Allow", "Resource": arn, "Action": "SQS:ReceiveMessage",
             "Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
            {"Sid": "two", "Effect": "Allow", "Resource": arn,
             "Action": ["SQS:SendMessage", "SQS:*"],
             "Principal": {"AWS": ["arn:aws:iam::111111111111:root",
                                   "arn:aws:iam::222222222222:root"]}}]}


def test_a_label_comes_once_and_removepermission_takes_its_statement_away(api, queue):
    add(api, queue, "one")
    add(api, queue, "two")
    api.bad("AddPermission", "InvalidParameterValue",
            "Value one for parameter Label is invalid. Reason: Already exists.", QueueUrl=queue,
            Label="one", AWSAccountIds=["123456789012"], Actions=["SendMessage"])
    api.good("RemovePermission", QueueUrl=queue, Label="one")
    assert [found["Sid"] for found in policy(api, queue)["Statement"]] == ["two"]
    api.good("RemovePermission", QueueUrl=queue, Label="two")
    assert policy(api, queue) is None
    for label in ["two", "none"]:
        api.bad("RemovePermission", "InvalidParameterValue",
                f"Value {label} for parameter Label is invalid. Reason: can't find label.",
                QueueUrl=queue, Label=label)


def test_statements_that_are_not_meant_stay_as_they_were_written(api, queue):
    first = '{ "Sid":"mine", "Effect":"Deny","Principal":"*", "Action" : "SQS:*", "x": 1.50 }'
    for text in [f'{{"Version":"2012-10-17","Statement":[{first}]}}',
                 f'{{"Statement":{first},"Id":"a\\u0062"}}']:
        api.good("SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": text})
        add(api, queue, "more")
        found = api.attributes(queue)["Policy"]
        assert first in found
        assert [one["Sid"] for one in jsons.loads(found)["Statement"]] == ["mine", "more"]
        api.good("RemovePermission", QueueUrl=queue, Label="more")
        found = api.attributes(queue)["Policy"]
        assert first in found and "more" not in found
    assert '"Id":"a\\u0062"' in found


def test_accounts_actions_and_labels_that_cannot_be_are_refused_by_name(api, queue):
    def refused(words, code="InvalidParameterValue", **fields):
        given = {"Label": "a", "AWSAccountIds": ["123456789012"], "Actions": ["SendMessage"]}
        api.bad("AddPermission", code, words, QueueUrl=queue, **{**given, **fields})
    for account in ["12", "12345678901x", "1234567890123"]:
        refused(f"Value [{account}] for parameter PrincipalId is invalid. Reason: Unable to "
                "verify.", AWSAccountIds=[account])
    for action in ["Fly", "sendmessage", "SQS:SendMessage", "CreateQueue"]:
        refused(f"Value SQS:{action} for parameter ActionName is invalid. Reason: Please refer to "
                "the appropriate WSDL for a list of valid actions.", Actions=[action])
    for label in ["a b", "x" * 81, "a.b", 'a"']:
        refused(f"Value {label} for parameter Label is invalid. Reason: Can only include "
                "alphanumeric characters, hyphens, or underscores. 1 to 80 in length", Label=label)
    for name in ["Label", "AWSAccountIds", "Actions"]:
        refused(f"The request must contain the parameter {name}.", "MissingParameter",
                **{name: None})
    assert policy(api, queue) is None


def test_a_statement_has_7_actions_and_a_policy_20_statements_at_most(api, queue):
    actions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
               "GetQueueAttributes", "GetQueueUrl", "PurgeQueue"]
    api.bad("AddPermission", "OverLimit", "8 Actions were found, maximum allowed is 7.", 403,
            QueueUrl=queue, Label="many", AWSAccountIds=["123456789012"], Actions=[*actions, "*"])
    add(api, queue, "l0", actions=actions)
    for number in range(1, 20):
        add(api, queue, f"l{number}")
    api.bad("AddPermission", "OverLimit", "A queue's policy has at most 20 statements.", 403,
            QueueUrl=queue, Label="l20", AWSAccountIds=["123456789012"], Actions=["*"])
    assert len(policy(api, queue)["Statement"]) == 20
