/* SPDX-License-Identifier: Apache-2.0 */
/* file_format.c -- text, for people too:
 *
 *   takt-journal 1
 *   segment_bytes 67108864
 *   seed 1f0e…
 *   check 90ab…            XXH3 of the lines above
 */
#include "journal/file/file_format.h"

#include "base/hash.h"
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define FORMAT_BYTES_MAX 512u

/* The value of `name` in lines of "name value". */
static struct slice value_of(struct slice text, struct slice name) {
    struct slice line;
    while (text.count > 0) {
        slice_cut(text, '\n', &line, &text);
        struct slice key;
        struct slice value;
        if (slice_cut(line, ' ', &key, &value) && slice_equal(key, name)) return value;
    }
    return SLICE_EMPTY;
}

static bool hex_to_u64(struct slice text, uint64_t *out) {
    uint8_t bytes[8];
    if (!hex_read(text, bytes, sizeof bytes)) return false;
    *out = 0;
    for (size_t i = 0; i < sizeof bytes; i++) *out = *out << 8 | bytes[i];
    return true;
}

static int parse(struct slice text, struct file_format *out) {
    if (!slice_to_u64(value_of(text, SLICE("takt-journal")), UINT32_MAX, &out->number)) {
        return -EBADMSG;
    }
    if (out->number > FILE_FORMAT) return -EPROTONOSUPPORT;
    uint64_t check;
    struct slice value = value_of(text, SLICE("check"));
    bool valid = hex_to_u64(value, &check) && value.bytes - text.bytes > 6;
    if (valid) {
        struct slice checked = slice_from(text.bytes, (size_t)(value.bytes - text.bytes) - 6);
        valid = hash64(checked) == check;
    }
    valid = valid && hex_to_u64(value_of(text, SLICE("seed")), &out->seed) &&
            slice_to_u64(value_of(text, SLICE("segment_bytes")), FILE_SEGMENT_BYTES_MAX,
                         &out->segment_bytes) &&
            out->segment_bytes >= FILE_SEGMENT_BYTES_MIN;
    return valid ? 0 : -EBADMSG;
}

int file_format_read(struct env *env, struct env_file *directory, struct file_format *out) {
    struct env_file *file = NULL;
    int rc = env->ops->open(env, directory, FILE_NAME_FORMAT, false, &file);
    if (rc < 0) return rc;
    char text[FORMAT_BYTES_MAX];
    int64_t count = env->ops->read(env, file, 0, text, sizeof text);
    env->ops->close(env, file);
    if (count < 0) return (int)count;
    return parse(slice_from(text, (size_t)count), out);
}

int file_format_write(struct env *env, struct env_file *directory,
                      const struct file_format *format) {
    const struct env_ops *ops = env->ops;
    char text[FORMAT_BYTES_MAX];
    int count =
        snprintf(text, sizeof text,
                 "takt-journal %" PRIu64 "\nsegment_bytes %" PRIu64 "\nseed %016" PRIx64 "\n",
                 format->number, format->segment_bytes, format->seed);
    CHECK(count > 0 && (size_t)count < sizeof text);
    uint64_t check = hash64(slice_from(text, (size_t)count));
    count += snprintf(text + count, sizeof text - (size_t)count, "check %016" PRIx64 "\n", check);
    CHECK((size_t)count < sizeof text);

    struct env_file *file = NULL;
    int rc = ops->open(env, directory, FILE_NAME_FORMAT_NEW, true, &file);
    if (rc < 0) return rc;
    rc = ops->write(env, file, 0, text, (size_t)count);
    if (rc == 0) rc = ops->sync(env, file);
    ops->close(env, file);
    if (rc < 0) return rc;
    rc = ops->rename(env, directory, FILE_NAME_FORMAT_NEW, FILE_NAME_FORMAT);
    return rc < 0 ? rc : ops->sync_directory(env, directory);
}
