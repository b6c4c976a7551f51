/* SPDX-License-Identifier: Apache-2.0 */
#include "shard/shard_inside.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct carry_chain *open_chain(struct allocator *allocator, bool keeps, bool counts) {
    *allocator = allocator_system();
    struct carry_chain *chain = calloc(1, sizeof *chain);
    EXPECT(chain != NULL);
    shard_history_open(chain, allocator);
    shard_history_begin(chain, 0, keeps, counts);
    return chain;
}

static void close_chain(struct carry_chain *chain) {
    shard_history_close(chain);
    free(chain);
}

static struct slice station(uint32_t attempt) {
    return attempt % 2 == 0 ? SLICE("even") : SLICE("odd");
}

/* A body with the steps first … last (their attempts and times), each with an error of that many
 * bytes; the one with attempt 0 succeeded. */
static void write_body(struct buffer *body, uint32_t first, uint32_t last, uint64_t previous,
                       size_t error_bytes) {
    char error[5000];
    memset(error, 'e', sizeof error);
    struct body_ref ref = {previous, 7, previous == 0 ? 0 : 9};
    job_history_end_totals(body, job_history_begin(body, ref, 0));
    for (uint32_t i = first; i <= last; i++) {
        struct job_step step = {.attempt = i,
                                .station_name = station(i),
                                .outcome = STEP_FAILED,
                                .started.ms = 1000 + i,
                                .ended.ms = 2000 + i,
                                .error = {error, error_bytes}};
        job_step_encode(body, &step);
    }
}

static int add(struct carry_chain *chain, struct allocator *allocator, uint32_t first,
               uint32_t last, uint64_t previous, size_t error_bytes) {
    struct buffer body;
    buffer_open(&body, allocator, 1u << 20);
    write_body(&body, first, last, previous, error_bytes);
    int rc = shard_history_add(chain, buffer_slice(&body));
    buffer_close(&body);
    return rc;
}

/* The steps first … last are there, and all from 1 on are counted, once. */
static void expect_steps(struct carry_chain *chain, uint32_t first, uint32_t last) {
    struct job_history_reader reader;
    struct job_step step;
    struct job_total total;
    EXPECT_INT(shard_history_join(chain, &chain->joined[0]), 0);
    EXPECT_INT(job_history_open(buffer_slice(&chain->joined[0]), &reader), 0);
    EXPECT_INT(reader.previous.position, 0);
    EXPECT(reader.rest.count <= JOB_HISTORY_BYTES_MAX);
    for (uint32_t i = first; i <= last; i++) {
        EXPECT(job_history_next(&reader, &step));
        EXPECT_INT(step.attempt, i);
    }
    EXPECT(!job_history_next(&reader, &step));
    uint32_t left_out = 0;
    while (job_history_next_total(&reader, &total)) {
        left_out += total.counts[STEP_FAILED];
        uint32_t oldest = slice_equal(total.station_name, SLICE("odd")) ? 1 : 2;
        EXPECT_INT(total.first.ms, 1000 + oldest);
        EXPECT(total.last.ms < 2000 + first && total.last.ms + 2 >= 2000 + first);
        EXPECT(total.error.count > 0 && total.error.count <= JOB_TOTAL_ERROR_BYTES_MAX);
        EXPECT_INT(total.error_at.ms, total.last.ms);
    }
    EXPECT_INT(left_out, chain->counts ? first - 1 : 0);
}

/* Read newest first, written oldest first. */
TEST(a_chain_becomes_one_body) {
    struct allocator allocator;
    struct carry_chain *chain = open_chain(&allocator, true, true);
    EXPECT_INT(add(chain, &allocator, 5, 6, 20, 10), 0);
    EXPECT_INT(chain->next.position, 20);
    EXPECT_INT(add(chain, &allocator, 2, 4, 10, 10), 0);
    EXPECT_INT(add(chain, &allocator, 1, 1, 0, 10), 0);
    EXPECT_INT(chain->next.position, 0);
    expect_steps(chain, 1, 6);
    close_chain(chain);
}

/* 64 KiB of the newest steps are kept, without gaps; the others are counted, a total a station. */
TEST(the_oldest_steps_of_a_long_chain_are_counted) {
    struct allocator allocator;
    struct carry_chain *chain = open_chain(&allocator, true, true);
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t previous = i == 39 ? 0 : 39 - i;
        EXPECT_INT(add(chain, &allocator, 40 - i, 40 - i, previous, i == 30 ? 10 : 4000), 0);
    }
    expect_steps(chain, 25, 40);
    close_chain(chain);
}

/* One body alone that is too long. What was joined is joined again: nothing is counted twice. */
TEST(a_body_that_is_too_long_loses_its_oldest_steps) {
    struct allocator allocator;
    struct carry_chain *chain = open_chain(&allocator, true, true);
    EXPECT_INT(add(chain, &allocator, 1, 30, 0, 4000), 0);
    expect_steps(chain, 15, 30);
    struct buffer joined = chain->joined[0];
    buffer_open(&chain->joined[0], &allocator, 1u << 20);
    shard_history_begin(chain, 0, true, true);
    EXPECT_INT(add(chain, &allocator, 31, 31, 1, 4000), 0);
    EXPECT_INT(shard_history_add(chain, buffer_slice(&joined)), 0);
    buffer_close(&joined);
    expect_steps(chain, 16, 31);
    close_chain(chain);
}

/* A long job's early chain: no step is told, all are counted. */
TEST(an_early_chain_becomes_totals) {
    struct allocator allocator;
    struct carry_chain *chain = open_chain(&allocator, false, true);
    EXPECT_INT(add(chain, &allocator, 5, 6, 20, 10), 0);
    EXPECT_INT(add(chain, &allocator, 1, 4, 0, 1000), 0);
    expect_steps(chain, 7, 6);
    close_chain(chain);
}

/* The history of a long job: steps that are not kept are not even read. */
TEST(a_long_job_s_history_is_not_counted) {
    struct allocator allocator;
    struct carry_chain *chain = open_chain(&allocator, true, false);
    EXPECT_INT(add(chain, &allocator, 21, 40, 20, 2000), 0);
    EXPECT_INT(chain->next.position, 20);
    EXPECT_INT(add(chain, &allocator, 1, 20, 10, 2000), 0);
    EXPECT_INT(chain->next.position, 0);
    expect_steps(chain, 10, 40);
    close_chain(chain);
}

TEST(what_is_no_history_is_refused) {
    struct allocator allocator;
    struct carry_chain *chain = open_chain(&allocator, true, true);
    EXPECT_INT(shard_history_add(chain, SLICE("nonsense")), -EBADMSG);
    close_chain(chain);
}
