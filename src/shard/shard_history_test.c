/* SPDX-License-Identifier: Apache-2.0 */
#include "shard/shard_inside.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct shard_carry *open_carry(struct allocator *allocator) {
    *allocator = allocator_system();
    struct shard_carry *carry = calloc(1, sizeof *carry);
    EXPECT(carry != NULL);
    buffer_open(&carry->history, allocator, 1u << 20);
    buffer_open(&carry->joined, allocator, 1u << 20);
    return carry;
}

static void close_carry(struct shard_carry *carry) {
    buffer_close(&carry->history);
    buffer_close(&carry->joined);
    free(carry);
}

/* A body with the steps first … last (their attempts), each with an error of that many bytes. */
static int add(struct shard_carry *carry, struct allocator *allocator, uint32_t first,
               uint32_t last, uint64_t previous, size_t error_bytes) {
    char error[5000];
    memset(error, 'e', sizeof error);
    struct buffer body;
    buffer_open(&body, allocator, 1u << 20);
    job_history_encode_head(&body, (struct body_ref){previous, 7, previous == 0 ? 0 : 9}, 0);
    for (uint32_t i = first; i <= last; i++) {
        struct job_step step = {.attempt = i, .error = {error, error_bytes}};
        job_step_encode(&body, &step);
    }
    int rc = shard_history_add(carry, buffer_slice(&body));
    buffer_close(&body);
    return rc;
}

static uint32_t expect_steps(struct shard_carry *carry, uint32_t first, uint32_t last) {
    struct job_history_reader reader;
    struct job_step step;
    EXPECT_INT(job_history_open(buffer_slice(&carry->joined), &reader), 0);
    EXPECT_INT(reader.previous.position, 0);
    for (uint32_t i = first; i <= last; i++) {
        EXPECT(job_history_next(&reader, &step));
        EXPECT_INT(step.attempt, i);
    }
    EXPECT(!job_history_next(&reader, &step));
    return reader.left_out;
}

/* Read newest first, written oldest first. */
TEST(a_chain_becomes_one_body) {
    struct allocator allocator;
    struct shard_carry *carry = open_carry(&allocator);
    EXPECT_INT(add(carry, &allocator, 5, 6, 20, 10), 0);
    EXPECT_INT(carry->chain_next.position, 20);
    EXPECT_INT(add(carry, &allocator, 2, 4, 10, 10), 0);
    EXPECT_INT(add(carry, &allocator, 1, 1, 0, 10), 0);
    EXPECT_INT(carry->chain_next.position, 0);
    EXPECT_INT(shard_history_join(carry), 0);
    EXPECT_INT(expect_steps(carry, 1, 6), 0);
    close_carry(carry);
}

/* 64 KiB of the newest steps are kept, without gaps; the others are counted. */
TEST(the_oldest_steps_of_a_long_chain_are_left_out) {
    struct allocator allocator;
    struct shard_carry *carry = open_carry(&allocator);
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t previous = i == 39 ? 0 : 39 - i;
        EXPECT_INT(add(carry, &allocator, 40 - i, 40 - i, previous, i == 30 ? 10 : 4000), 0);
    }
    EXPECT_INT(shard_history_join(carry), 0);
    EXPECT(carry->joined.count <= JOB_HISTORY_BYTES_MAX);
    uint32_t kept = carry->chain_kept;
    EXPECT(kept >= 14 && kept < 30);
    EXPECT_INT(expect_steps(carry, 40 - kept + 1, 40), 40 - kept);
    close_carry(carry);
}

/* One body alone that is too long. */
TEST(a_body_that_is_too_long_loses_its_oldest_steps) {
    struct allocator allocator;
    struct shard_carry *carry = open_carry(&allocator);
    EXPECT_INT(add(carry, &allocator, 1, 30, 5, 4000), 0);
    EXPECT_INT(add(carry, &allocator, 0, 0, 0, 0), 0);
    EXPECT_INT(shard_history_join(carry), 0);
    EXPECT(carry->joined.count <= JOB_HISTORY_BYTES_MAX);
    uint32_t left_out = carry->chain_left_out;
    EXPECT(left_out > 10 && left_out < 20);
    EXPECT_INT(expect_steps(carry, left_out, 30), left_out);
    close_carry(carry);
}

TEST(what_is_no_history_is_refused) {
    struct allocator allocator;
    struct shard_carry *carry = open_carry(&allocator);
    EXPECT_INT(shard_history_add(carry, SLICE("nonsense")), -EBADMSG);
    close_carry(carry);
}
