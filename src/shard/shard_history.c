/* SPDX-License-Identifier: Apache-2.0 */
/* shard_history.c -- a chain of a job's history, written again as one body: the totals of what is left
 * out, and the newest steps.
 */
#include "shard/shard_inside.h"

#include <errno.h>

#define HEAD_BYTES_MAX 64u
#define TOTAL_BYTES_MAX (BROKER_NAME_BYTES_MAX + JOB_TOTAL_ERROR_BYTES_MAX + 96u)
#define TOTALS_ARENA_BYTES_MAX (16u * 1024 * 1024)

void shard_history_open(struct carry_chain *chain, const struct allocator *allocator) {
    buffer_open(&chain->kept, allocator, JOURNAL_BODIES_BYTES_MAX);
    arena_open(&chain->arena, allocator, TOTALS_ARENA_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(chain->joined); i++) {
        buffer_open(&chain->joined[i], allocator,
                    2 * JOB_HISTORY_BYTES_MAX + JOB_TOTALS_MAX * TOTAL_BYTES_MAX);
    }
}

void shard_history_close(struct carry_chain *chain) {
    buffer_close(&chain->kept);
    arena_close(&chain->arena);
    for (size_t i = 0; i < ARRAY_COUNT(chain->joined); i++) buffer_close(&chain->joined[i]);
}

void shard_history_begin(struct carry_chain *chain, uint32_t body, bool keeps, bool counts) {
    chain->body = body;
    chain->keeps = keeps;
    chain->counts = counts;
    chain->is_full = !keeps;
    chain->next = (struct body_ref){0};
    chain->kept_count = 0;
    chain->left_out = 0;
    buffer_clear(&chain->kept);
    arena_reset(&chain->arena);
    chain->totals = (struct job_totals){.arena = &chain->arena};
}

/* The body that is too much is still kept: it is the oldest, and loses its oldest steps in the end. */
static void keep(struct carry_chain *chain, struct slice bytes) {
    buffer_append(&chain->kept, bytes);
    chain->kept_ends[chain->kept_count++] = chain->kept.count;
    chain->is_full =
        chain->kept.count > JOB_HISTORY_BYTES_MAX || chain->kept_count == JOB_HISTORY_CHAIN_MAX;
}

int shard_history_add(struct carry_chain *chain, struct slice bytes) {
    struct job_history_reader reader;
    int rc = job_history_open(bytes, &reader);
    if (rc < 0) return rc;
    chain->next = reader.previous;
    chain->left_out += reader.left_out;
    if (!chain->is_full) {
        keep(chain, bytes);
        reader.rest = SLICE_EMPTY; /* its steps are told one by one */
    }
    if (chain->counts) {
        job_totals_add_body(&chain->totals, &reader);
    } else if (chain->is_full) {
        chain->next = (struct body_ref){0}; /* older ones are neither kept nor counted */
    }
    return chain->kept.failed || chain->totals.failed ? -ENOMEM : 0;
}

static struct slice kept_at(const struct carry_chain *chain, uint32_t index) {
    size_t begin = index == 0 ? 0 : chain->kept_ends[index - 1];
    return slice_from(chain->kept.bytes + begin, chain->kept_ends[index] - begin);
}

/* The oldest body loses its oldest steps until all that is kept fits. */
static void shorten(struct carry_chain *chain, struct job_history_reader *reader) {
    struct job_step step;
    uint32_t oldest = chain->kept_count - 1;
    size_t others = chain->kept.count - kept_at(chain, oldest).count;
    while (others + reader->rest.count > JOB_HISTORY_BYTES_MAX - HEAD_BYTES_MAX &&
           job_history_next(reader, &step)) {
        struct job_total total = job_step_total(&step);
        if (chain->counts) job_totals_add(&chain->totals, &total);
    }
}

int shard_history_join(struct carry_chain *chain, struct buffer *out) {
    struct job_history_reader reader = {.rest = SLICE_EMPTY};
    uint32_t oldest = chain->kept_count;
    if (oldest > 0) {
        int rc = job_history_open(kept_at(chain, oldest - 1), &reader);
        if (rc < 0) return rc;
        shorten(chain, &reader);
    }
    uint32_t left_out = chain->left_out < UINT32_MAX ? (uint32_t)chain->left_out : UINT32_MAX;
    buffer_clear(out);
    size_t began = job_history_begin(out, (struct body_ref){0}, left_out);
    for (uint32_t i = 0; i < chain->totals.count; i++) {
        job_total_encode(out, &chain->totals.list[i]);
    }
    job_history_end_totals(out, began);
    struct job_step step;
    for (uint32_t i = oldest; i > 0; i--) {
        if (i < oldest) {
            int rc = job_history_open(kept_at(chain, i - 1), &reader);
            if (rc < 0) return rc;
        }
        while (job_history_next(&reader, &step)) job_step_encode(out, &step);
    }
    return out->failed || chain->totals.failed ? -ENOMEM : 0;
}
