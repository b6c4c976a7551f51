# SPDX-License-Identifier: Apache-2.0


def tags(api, queue):
    return api.good("ListQueueTags", QueueUrl=queue).get("Tags", {})


def test_tags_are_added_replaced_and_taken_away_one_by_one(api, queue):
    assert tags(api, queue) == {}
    api.good("TagQueue", QueueUrl=queue, Tags={"one": "1", "two": "2 <&> ü", "three": "3"})
    assert tags(api, queue) == {"one": "1", "two": "2 <&> ü", "three": "3"}
    api.good("TagQueue", QueueUrl=queue, Tags={"two": "II", "four": "4"})
    api.good("UntagQueue", QueueUrl=queue, TagKeys=["one", "three"])
    assert tags(api, queue) == {"two": "II", "four": "4"}
    api.bad("TagQueue", "MissingParameter", "The request must contain the parameter Tags.",
            QueueUrl=queue)
    api.bad("UntagQueue", "MissingParameter", "The request must contain the parameter TagKeys.",
            QueueUrl=queue)


def test_a_queue_can_be_created_with_tags(api, name):
    given = {"team": "kitchen", "cost centre": ""}
    url = api.good("CreateQueue", QueueName=name, tags=given)["QueueUrl"]
    assert tags(api, url) == given
    assert api.good("CreateQueue", QueueName=name, tags=given)["QueueUrl"] == url
    assert not [key for key in api.attributes(url) if key.startswith("tag")]


def test_a_tag_s_key_has_1_to_128_characters_its_value_at_most_256(api, queue, name):
    longest = {"ü" * 128: "😀" * 256}
    api.good("TagQueue", QueueUrl=queue, Tags=longest)
    assert tags(api, queue) == longest
    for key, value, words in [
            ("k" * 129, "", "Tag keys must be between 1 and 128 characters in length."),
            ("", "v", "Tag keys must be between 1 and 128 characters in length."),
            ("k", "v" * 257, "Tag values must be between 0 and 256 characters in length."),
            ("aws:k", "v", 'Tag keys cannot start with the prefix "aws:".'),
            ("a\x01", "v", "A tag key has a character that is invalid."),
            ("k", "\x0b", "A tag value has a character that is invalid.")]:
        api.bad("TagQueue", "InvalidParameterValue", words, QueueUrl=queue, Tags={key: value})
        api.bad("CreateQueue", "InvalidParameterValue", words, QueueName=f"{name}-never",
                tags={key: value})
    assert tags(api, queue) == longest


def test_a_queue_has_at_most_50_tags(api, queue, name):
    api.good("TagQueue", QueueUrl=queue, Tags={f"k{number}": "v" for number in range(50)})
    api.bad("TagQueue", "InvalidParameterValue", f"Too many tags added for queue {name}.",
            QueueUrl=queue, Tags={"one more": ""})
    api.good("TagQueue", QueueUrl=queue, Tags={"k0": "changed"})
    api.good("UntagQueue", QueueUrl=queue, TagKeys=["k1"])
    api.good("TagQueue", QueueUrl=queue, Tags={"one more": ""})
    found = tags(api, queue)
    assert (len(found), found["k0"], found["one more"]) == (50, "changed", "")


def test_an_empty_value_is_a_value_and_a_key_that_is_not_there_can_be_taken_away(api, queue):
    api.good("TagQueue", QueueUrl=queue, Tags={"empty": ""})
    assert tags(api, queue) == {"empty": ""}
    api.good("UntagQueue", QueueUrl=queue, TagKeys=["none", "Empty"])
    assert tags(api, queue) == {"empty": ""}


def test_tags_survive_a_restart(api, other, name):
    api.url = other.urls["sqs"]
    api.good("CreateQueue", QueueName=name, tags={"a": "1", "b": "2"})
    api.good("TagQueue", QueueUrl=name, Tags={"b": "3", "c": ""})
    api.good("UntagQueue", QueueUrl=name, TagKeys=["a"])
    other.kill()
    other.start()
    assert tags(api, name) == {"b": "3", "c": ""}
