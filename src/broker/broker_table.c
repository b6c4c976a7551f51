/* SPDX-License-Identifier: Apache-2.0 */
/* broker_table.c -- every command, record and kind of thing has a row here. */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

const struct command_row command_rows[COMMAND_KINDS_COUNT] = {
    [COMMAND_QUEUE_CREATE] = {"queue_create", decide_queue_create, reserve_queue_create,
                              bytes_queue},
    [COMMAND_QUEUE_SET] = {"queue_set", decide_queue_set, reserve_queue_set, bytes_queue},
    [COMMAND_QUEUE_DELETE] = {"queue_delete", decide_queue_delete, reserve_nothing, bytes_queue},
    [COMMAND_QUEUE_PURGE] = {"queue_purge", decide_queue_purge, reserve_queue_purge, bytes_queue},
    [COMMAND_SEND] = {"send", decide_send, reserve_send, bytes_send},
    [COMMAND_RECEIVE] = {"receive", decide_receive, reserve_receive, bytes_receive},
    [COMMAND_DELETE] = {"delete", decide_delete, reserve_handles, bytes_handles},
    [COMMAND_VISIBILITY] = {"visibility", decide_visibility, reserve_nothing, bytes_handles},
    [COMMAND_GIVE_BACK] = {"give_back", decide_give_back, reserve_nothing, bytes_handles},
    [COMMAND_REDRIVE] = {"redrive", decide_redrive, reserve_redrive, bytes_step},
    [COMMAND_MOVE_START] = {"move_start", decide_move_start, reserve_move_start, bytes_move},
    [COMMAND_MOVE_CANCEL] = {"move_cancel", decide_move_cancel, reserve_nothing, bytes_move},
    [COMMAND_ADVANCE] = {"advance", decide_advance, reserve_advance, bytes_step},
    [COMMAND_LIFE_START] = {"life_start", decide_life_start, lines_reserve, lines_bytes},
    [COMMAND_LINE_PUT] = {"line_put", decide_line_put, lines_reserve, lines_bytes},
    [COMMAND_JOB_START] = {"job_start", decide_job_start, lines_reserve, lines_bytes},
    [COMMAND_SESSION_OPEN] = {"session_open", decide_session_open, lines_reserve, lines_bytes},
    [COMMAND_SESSION_END] = {"session_end", decide_session_end, lines_reserve, lines_bytes},
    [COMMAND_LEASE] = {"lease", decide_lease, lines_reserve, lines_bytes},
    [COMMAND_COMPLETE] = {"complete", decide_complete, lines_reserve, lines_bytes},
    [COMMAND_FAIL] = {"fail", decide_fail, lines_reserve, lines_bytes},
    [COMMAND_REJECT] = {"reject", decide_reject, lines_reserve, lines_bytes},
    [COMMAND_RETURN] = {"return", decide_return, lines_reserve, lines_bytes},
    [COMMAND_ROLL_DEAL] = {"roll_deal", decide_roll_deal, lines_reserve, lines_bytes},
    [COMMAND_CARRY] = {"carry", decide_carry, reserve_nothing, bytes_carry},
    [COMMAND_HOLD_RETENTION] = {"hold_retention", decide_hold_retention, reserve_nothing,
                                bytes_hold_retention},
};

/* The kind by its number on disk. 0 is none. */
const struct record_row record_rows[RECORD_KINDS_END] = {
#define RECORD_ROW(number, NAME, name) [number] = {#name, apply_##name},
    RECORD_KINDS(RECORD_ROW)
#undef RECORD_ROW
};

/* A kind without one of these functions does not link. */
const struct thing_row thing_rows[THING_KINDS_COUNT] = {
#define THING_ROW(NAME, type)                                                                      \
    [THING_##NAME] = {.name = #type,                                                               \
                      .bytes_count = sizeof(struct type),                                          \
                      .has_home = THING_##NAME < THING_PIECE,                                      \
                      .carry_encode = type##_carry_encode,                                         \
                      .carry_bodies = type##_carry_bodies,                                         \
                      .carry_apply = type##_carry_apply,                                           \
                      .digest = type##_digest,                                                     \
                      .check = type##_check,                                                       \
                      .close = type##_close},
    THING_KINDS(THING_ROW)
#undef THING_ROW
};
