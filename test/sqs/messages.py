# SPDX-License-Identifier: Apache-2.0
"""What several themes need: attributes of messages, checksums as AWS describes them."""
import hashlib

MIB = 1024 * 1024
ATTRIBUTES = {
    "zeta": {"DataType": "String", "StringValue": "ü € \n"},
    "Alpha.one": {"DataType": "Number.int", "StringValue": "-12.5e3"},
    "bytes": {"DataType": "Binary.png", "BinaryValue": bytes(range(256))},
    "alpha-two": {"DataType": "String", "StringValue": "x" * 300},
    "alphabet": {"DataType": "String", "StringValue": "abc"},
}


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def attribute_md5(values):
    digest = hashlib.md5()
    for name in sorted(values):
        kind = values[name]["DataType"]
        is_binary = kind.startswith("Binary")
        raw = values[name]["BinaryValue"] if is_binary else values[name]["StringValue"].encode()
        for part in [name.encode(), kind.encode()]:
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\2" if is_binary else b"\1") + len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


def delete(api, queue, message):
    api.good("DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def counts(api, queue):
    """(visible, in flight, delayed)"""
    found = api.attributes(queue)
    return tuple(int(found[f"ApproximateNumberOfMessages{which}"])
                 for which in ("", "NotVisible", "Delayed"))
