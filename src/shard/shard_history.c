/* SPDX-License-Identifier: Apache-2.0 */
/* shard_history.c -- a job's history, a chain of bodies, written again as one body: the newest steps
 * of it, and how many older ones are no longer kept.
 */
#include "shard/shard_inside.h"

#include <errno.h>

#define HEAD_BYTES_MAX 64u

static uint32_t steps_count(struct job_history_reader reader) {
    uint32_t count = 0;
    struct job_step step;
    while (job_history_next(&reader, &step)) count++;
    return count;
}

int shard_history_add(struct shard_carry *carry, struct slice bytes) {
    struct job_history_reader reader;
    int rc = job_history_open(bytes, &reader);
    if (rc < 0) return rc;
    carry->chain_next = reader.previous;
    carry->chain_left_out += reader.left_out;
    /* Once one was too much, all older ones are: what is kept has no gaps. */
    bool is_first = carry->chain_count == 0;
    bool fits = carry->history.count + bytes.count <= JOB_HISTORY_BYTES_MAX;
    if (carry->chain_kept < carry->chain_count || (!is_first && !fits)) {
        carry->chain_left_out += steps_count(reader);
    } else {
        buffer_append(&carry->history, bytes);
        if (carry->history.failed) return -ENOMEM;
        carry->chain_ends[carry->chain_kept++] = carry->history.count;
    }
    carry->chain_count++;
    return 0;
}

static struct slice body_at(const struct shard_carry *carry, uint32_t index) {
    size_t begin = index == 0 ? 0 : carry->chain_ends[index - 1];
    return slice_from(carry->history.bytes + begin, carry->chain_ends[index] - begin);
}

int shard_history_join(struct shard_carry *carry) {
    CHECK(carry->chain_kept > 0);
    struct job_history_reader reader;
    struct job_step step;
    /* A first body that is too long alone loses its oldest steps. */
    uint32_t oldest = carry->chain_kept - 1;
    int rc = job_history_open(body_at(carry, oldest), &reader);
    if (rc < 0) return rc;
    size_t limit = JOB_HISTORY_BYTES_MAX - HEAD_BYTES_MAX;
    while (oldest == 0 && reader.rest.count > limit && job_history_next(&reader, &step)) {
        carry->chain_left_out++;
    }
    buffer_clear(&carry->joined);
    job_history_encode_head(&carry->joined, (struct body_ref){0}, carry->chain_left_out);
    for (uint32_t i = carry->chain_kept; i > 0; i--) {
        if (i <= oldest) {
            rc = job_history_open(body_at(carry, i - 1), &reader);
            if (rc < 0) return rc;
        }
        while (job_history_next(&reader, &step)) job_step_encode(&carry->joined, &step);
    }
    return carry->joined.failed ? -ENOMEM : 0;
}
