# SPDX-License-Identifier: Apache-2.0


def test_a_fifo_queue_is_refused_in_words_until_it_is_built(api, queue, name):
    words = "FIFO queues are not built yet in takt..."
    api.bad("CreateQueue", "InvalidParameterValue", words, QueueName=f"{name}.fifo",
            Attributes={"FifoQueue": "true"})
    api.bad("CreateQueue", "InvalidParameterValue", words, QueueName=f"{name}.fifo")
    for parameter in ["MessageGroupId", "MessageDeduplicationId"]:
        api.bad("SendMessage", "InvalidParameterValue",
                f"Value g for parameter {parameter} is invalid. Reason: Message groups, fair "
                "queues and FIFO queues are not built yet in takt.", QueueUrl=queue,
                MessageBody="x", **{parameter: "g"})
    api.bad("ReceiveMessage", "InvalidParameterValue",
            "Value a for parameter ReceiveRequestAttemptId is invalid. Reason: FIFO queues are not "
            "built yet in takt.", QueueUrl=queue, ReceiveRequestAttemptId="a")
