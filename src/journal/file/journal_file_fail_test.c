/* SPDX-License-Identifier: Apache-2.0 */
/* The disk and the memory fail, at each call in turn. */
#include "env/env_fail.h"
#include "journal_kit.h"

/* The kit's journal on an env that fails; the loop stays the real one. */
struct failing {
    struct kit *kit;
    struct env *env;
};

static struct failing failing_make(void) {
    struct failing failing = {.kit = kit_make()};
    EXPECT_INT(env_fail_open(failing.kit->env, &failing.env), 0);
    failing.kit->options.env = failing.env;
    return failing;
}

static void failing_end(struct failing *failing) {
    if (failing->kit->journal != NULL) kit_close(failing->kit);
    kit_settle(failing->kit);
    env_fail_close(failing->env);
    kit_end(failing->kit);
}

/* A failed commit is final: said once, with the last LSN that is durable; then nothing is reserved
 * and what is appended is forgotten. The next life has what was promised. */
TEST(failed_sync_is_final) {
    struct failing failing = failing_make();
    struct kit *kit = failing.kit;
    EXPECT_INT(kit_open(kit), 0);
    kit_commit(kit, 100);
    kit_commit(kit, 100);
    EXPECT_INT(kit->durable, 2);
    env_fail_set(failing.env, ENV_FAIL_WRITE_AND_SYNC, 1, -EIO, false);
    kit_append(kit, 100);
    journal_flush(kit->journal);
    kit_append(kit, 100); /* waits behind it */
    EXPECT_INT(journal_reserve(kit->journal, JOURNAL_FOR_INTAKE, 20), 0);
    kit_settle(kit);
    EXPECT_INT(kit->durable_result, -EIO);
    EXPECT_INT(kit->durable, 2);
    uint64_t calls = kit->durable_calls;
    EXPECT_INT(journal_reserve(kit->journal, JOURNAL_FOR_DRAIN, 1), -EROFS);
    struct body_ref ref;
    struct slice body = SLICE("late");
    EXPECT_INT(journal_append(kit->journal, SLICE("late"), &body, 1, &ref), 5);
    kit_settle(kit);
    struct journal_status status;
    journal_get_status(kit->journal, &status);
    EXPECT_INT(status.failure, -EIO);
    EXPECT_INT(status.lsn_durable, 2);
    kit_close(kit);
    EXPECT_INT(kit->durable_calls, calls);
    EXPECT(!kit->durable_out_of_order);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 2);
    failing_end(&failing);
}

/* A close that cannot write says so through on_durable. */
TEST(failed_close_is_said) {
    struct failing failing = failing_make();
    struct kit *kit = failing.kit;
    EXPECT_INT(kit_open(kit), 0);
    kit_commit(kit, 100);
    kit_append(kit, 100);
    env_fail_set(failing.env, ENV_FAIL_SYNC, 1, -EIO, true);
    journal_close(kit->journal);
    kit->journal = NULL;
    EXPECT_INT(kit->durable_result, -EIO);
    EXPECT_INT(kit->durable, 1);
    env_fail_set(failing.env, ENV_FAIL_SYNC, 0, -EIO, false);
    failing_end(&failing);
}

/* Whichever call of open, replay and start fails, it is returned, nothing leaks, and the next try
 * finds everything. */
TEST(start_fails_cleanly_at_every_call) {
    struct kit *made = kit_make();
    EXPECT_INT(kit_open(made), 0);
    for (int i = 0; i < 12; i++) kit_commit(made, 900 * 1024);
    for (int call = 0; call < ENV_FAIL_CALLS; call++) {
        if (call == ENV_FAIL_FREE_BYTES || call == ENV_FAIL_DEFER) continue; /* see below */
        uint32_t nth = 1;
        bool failed = true;
        for (; failed && nth < 200; nth++) {
            struct kit *crashed = kit_crash(made, call == ENV_FAIL_FILL ? 1 : KIT_SEGMENT_BYTES);
            struct env *env;
            EXPECT_INT(env_fail_open(crashed->env, &env), 0);
            crashed->options.env = env;
            env_fail_set(env, (enum env_fail_call)call, nth, -EIO, false);
            int rc = kit_open(crashed);
            failed = rc < 0;
            EXPECT(!failed || rc == -EIO || rc == -ENOMEM || call == ENV_FAIL_FILL);
            env_fail_set(env, (enum env_fail_call)call, 0, -EIO, false);
            if (crashed->journal != NULL) kit_close(crashed);
            if (call != ENV_FAIL_FILL) {
                EXPECT_INT(kit_open(crashed), 0);
                EXPECT_INT(crashed->replayed_count, 12);
                EXPECT(!crashed->replayed_wrong);
                kit_close(crashed);
            }
            kit_settle(crashed);
            env_fail_close(env);
            kit_end(crashed);
            if (call == ENV_FAIL_FILL) break;
        }
        EXPECT(nth < 200);
    }
    kit_end(made);
}

/* The same in a new folder: a half-made one is finished by the next try. */
TEST(new_folder_is_made_cleanly_at_every_call) {
    static const enum env_fail_call calls[] = {
        ENV_FAIL_ALLOCATE,       ENV_FAIL_OPEN_DIRECTORY, ENV_FAIL_LIST,  ENV_FAIL_RENAME,
        ENV_FAIL_SYNC_DIRECTORY, ENV_FAIL_OPEN,           ENV_FAIL_LOCK,  ENV_FAIL_READ,
        ENV_FAIL_WRITE,          ENV_FAIL_SYNC,           ENV_FAIL_UNLINK};
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        bool failed = true;
        uint32_t nth = 1;
        for (; failed && nth < 200; nth++) {
            struct failing failing = failing_make();
            env_fail_set(failing.env, calls[i], nth, -EIO, false);
            failed = kit_open(failing.kit) < 0;
            env_fail_set(failing.env, calls[i], 0, -EIO, false);
            if (failing.kit->journal != NULL) kit_close(failing.kit);
            EXPECT_INT(kit_open(failing.kit), 0);
            EXPECT_INT(failing.kit->replayed_count, 0);
            kit_commit(failing.kit, 10);
            EXPECT_INT(failing.kit->durable, 1);
            failing_end(&failing);
        }
        EXPECT(nth > 1 && nth < 200);
    }
}

/* A full disk while the next segment is made: nothing is lost, and it goes on when there is room. */
TEST(full_disk_is_waited_out) {
    struct failing failing = failing_make();
    struct kit *kit = failing.kit;
    env_fail_set(failing.env, ENV_FAIL_FILL, 1, -ENOSPC, true);
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 7; i++) kit_append(kit, 900 * 1024); /* more than the first segment */
    uint32_t fills = env_fail_calls_count(failing.env, ENV_FAIL_FILL);
    env_fail_set(failing.env, ENV_FAIL_FILL, 2, -ENOSPC, false); /* and room after that */
    kit_settle(kit);
    EXPECT(env_fail_calls_count(failing.env, ENV_FAIL_FILL) >= fills + 2);
    EXPECT_INT(kit->durable, 7);
    EXPECT_INT(kit->durable_result, 0);
    EXPECT(strstr(kit->said, "No space left") != NULL);
    EXPECT(strstr(kit->said, "room again") != NULL);
    kit_close(kit);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 7);
    failing_end(&failing);
}

/* Each step of preparing and recycling may fail once; records go on and nothing is lost. */
TEST(preparing_survives_every_failure) {
    static const enum env_fail_call calls[] = {ENV_FAIL_FILL,   ENV_FAIL_RENAME,
                                               ENV_FAIL_UNLINK, ENV_FAIL_SYNC_DIRECTORY,
                                               ENV_FAIL_OPEN,   ENV_FAIL_FREE_BYTES};
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        struct failing failing = failing_make();
        struct kit *kit = failing.kit;
        EXPECT_INT(kit_open(kit), 0);
        for (int j = 0; j < 40; j++) {
            kit_commit(kit, 500 * 1024);
            if (j % 10 == 9) {
                env_fail_set(failing.env, calls[i], 1 + (uint32_t)j / 20, -EIO, false);
                journal_trim(kit->journal, kit->durable);
            }
        }
        env_fail_set(failing.env, calls[i], 0, -EIO, false);
        EXPECT_INT(kit->durable, 40);
        EXPECT_INT(kit->durable_result, 0);
        kit_close(kit);
        EXPECT_INT(kit_open(kit), 0);
        EXPECT(!kit->replayed_wrong);
        EXPECT_INT(kit->replayed_last, 40);
        failing_end(&failing);
    }
}

/* A cold body is read by the pool; its failure and the end of the journal reach the reader. */
TEST(cold_reads_fail_as_they_should) {
    struct failing failing = failing_make();
    struct kit *kit = failing.kit;
    EXPECT_INT(kit_open(kit), 0);
    kit_commit(kit, 5000);
    env_fail_set(failing.env, ENV_FAIL_READ_CACHED, 1, -EAGAIN, true);
    EXPECT_INT(kit_read(kit, 1), 0);
    EXPECT_INT(env_fail_calls_count(failing.env, ENV_FAIL_READ_ASYNC), 1);
    env_fail_set(failing.env, ENV_FAIL_READ_ASYNC, 1, -EIO, false);
    EXPECT_INT(kit_read(kit, 1), -EIO);
    struct kit_wanted wanted = {.kit = kit, .lsn = 1, .count = 5000};
    uint64_t calls = kit->body_calls;
    env_fail_set(failing.env, ENV_FAIL_ALLOCATE, 1, -ENOMEM, false);
    EXPECT(journal_read_body(kit->journal, kit->refs[1], kit_body_done, &wanted));
    EXPECT_INT(kit->body_result, -ENOMEM);
    EXPECT(!journal_read_body(kit->journal, kit->refs[1], kit_body_done, &wanted));
    journal_close(kit->journal);
    kit->journal = NULL;
    EXPECT_INT(kit->body_result, -ECANCELED);
    kit_settle(kit);
    EXPECT_INT(kit->body_calls, calls + 2);
    failing_end(&failing);
}

/* Without memory reserve says so, and the journal is as before. */
TEST(reserve_without_memory) {
    struct failing failing = failing_make();
    struct kit *kit = failing.kit;
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    static const uint32_t sizes[] = {3000, 60000, 1000000};
    static const uint32_t nths[] = {1, 2, 2}; /* the batch, its bodies, its records */
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        env_fail_set(failing.env, ENV_FAIL_ALLOCATE, nths[i], -ENOMEM, true);
        EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, sizes[i]), -ENOMEM);
        env_fail_set(failing.env, ENV_FAIL_ALLOCATE, 0, -EIO, false);
    }
    env_fail_set(failing.env, ENV_FAIL_DEFER, 1, -ENOMEM, false);
    kit_commit(kit, 100); /* the end of the turn cannot be waited for: it goes at once */
    EXPECT_INT(kit->durable, 1);
    EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, 3000u << 12), -EMSGSIZE);
    failing_end(&failing);
}
