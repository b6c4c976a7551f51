/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/file/file_backup.h"

#include "base/codec.h"
#include "base/hash.h"

#define CHECKED_BYTES 24u /* of the head */

static uint64_t checksum_of(struct slice head, struct slice bytes, uint64_t chain) {
    uint64_t sum = hash64_seeded(slice_from(head.bytes, CHECKED_BYTES), chain);
    return hash64_seeded(bytes, sum);
}

void file_backup_add(struct buffer *out, uint64_t *chain, enum file_backup_kind kind,
                     uint64_t segment, uint64_t offset, struct slice bytes) {
    CHECK(bytes.count <= FILE_BACKUP_BYTES_MAX);
    char head[FILE_BACKUP_FRAME_BYTES];
    encode_u32_at(head, (uint32_t)kind);
    encode_u32_at(head + 4, (uint32_t)bytes.count);
    encode_u64_at(head + 8, segment);
    encode_u64_at(head + 16, offset);
    *chain = checksum_of(slice_from(head, sizeof head), bytes, *chain);
    encode_u64_at(head + 24, *chain);
    buffer_append(out, slice_from(head, sizeof head));
    buffer_append(out, bytes);
}

bool file_backup_frame_decode(struct slice head, struct file_backup_frame *out) {
    if (head.count < FILE_BACKUP_FRAME_BYTES) return false;
    uint32_t kind = decode_u32_at(head.bytes);
    *out = (struct file_backup_frame){.kind = (enum file_backup_kind)kind,
                                      .bytes_count = decode_u32_at(head.bytes + 4),
                                      .segment = decode_u64_at(head.bytes + 8),
                                      .offset = decode_u64_at(head.bytes + 16),
                                      .checksum = decode_u64_at(head.bytes + 24)};
    return kind >= FILE_BACKUP_BEGIN && kind < FILE_BACKUP_KINDS &&
           out->bytes_count <= FILE_BACKUP_BYTES_MAX;
}

bool file_backup_frame_fits(struct slice head, struct slice bytes, uint64_t *chain) {
    uint64_t checksum = checksum_of(head, bytes, *chain);
    if (decode_u64_at(head.bytes + 24) != checksum) return false;
    *chain = checksum;
    return true;
}
