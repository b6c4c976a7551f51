# SPDX-License-Identifier: Apache-2.0
"""Finds its way in a journal's files (src/journal/file/file_layout.h), to damage them."""
import os
import struct

HEADER_BYTES = 4096
BATCH_BYTES = 80
ALIGN = 64


class Batch:
    def __init__(self, segment, offset, fields):
        (self.records_count, self.number, _, self.epoch, self.lsn, self.durable, self.bodies_bytes,
         self.records_bytes, _) = fields
        self.segment = segment
        self.offset = offset
        self.bodies_at = offset + BATCH_BYTES
        self.records_at = self.bodies_at + self.bodies_bytes
        bytes_count = BATCH_BYTES + self.bodies_bytes + self.records_bytes
        self.end = offset + (bytes_count + ALIGN - 1) // ALIGN * ALIGN

    @property
    def lsn_last(self):
        return self.lsn + self.records_count - 1


def folder(data):
    return os.path.join(data, "journal")


def segments(data):
    return sorted(name for name in os.listdir(folder(data)) if name.endswith(".segment"))


def path(data, name):
    return os.path.join(folder(data), name)


def batches(data):
    """All of them, in order, of a journal that is whole."""
    found = []
    for name in segments(data):
        number = int(name.split(".")[0], 16)
        with open(path(data, name), "rb") as file:
            data_bytes = file.read()
        offset = HEADER_BYTES
        while data_bytes[offset:offset + 4] == b"TBch":
            fields = struct.unpack_from("<IQQQQQQII", data_bytes, offset + 4)
            if fields[1] != number or fields[2] != offset:
                break
            found.append(Batch(name, offset, fields))
            offset = found[-1].end
    return found


def flip(data, name, offset, bit=4):
    with open(path(data, name), "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ bit]))


def contents(data):
    """Of every file that must not be lost."""
    found = {}
    for name in os.listdir(folder(data)):
        with open(path(data, name), "rb") as file:
            found[name] = file.read()
    return found
