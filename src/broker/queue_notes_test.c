/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/queue_notes.h"

#include "broker_harness.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static const struct slice queue = {"queue", 5};

static struct queue_note note(const char *name, const char *value) {
    return (struct queue_note){slice_from_string(name), slice_from_string(value)};
}

static enum broker_result submit(struct harness *harness, enum command_kind kind,
                                 const struct queue_note *notes, uint32_t count) {
    struct command command = {.kind = kind,
                              .queue = {.name = queue, .notes = notes, .notes_count = count}};
    return harness_submit(harness, &command)->result;
}

/* The notes as one text: "name=value;". */
static const char *told(const struct harness *harness) {
    static char text[512];
    struct queue_view view;
    struct queue_note note;
    size_t count = 0;
    EXPECT(broker_find_queue(harness->broker, queue, &view));
    text[0] = '\0';
    while (queue_notes_next(&view.notes, &note)) {
        count += (size_t)snprintf(text + count, sizeof text - count, "%.*s=%.*s;",
                                  SLICE_ARGS(note.name), SLICE_ARGS(note.value));
    }
    return text;
}

/* Changes lie over what is there, in the order of names; NULL takes away, empty stays. */
TEST(queue_notes_are_changed_one_by_one) {
    struct harness harness;
    harness_open(&harness, 1);
    struct queue_note first[] = {note("m", "1"), note("a", ""), note("z", "26")};
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_CREATE, first, 3), BROKER_OK);
    EXPECT_STRING(told(&harness), "a=;m=1;z=26;");
    struct queue_note second[] = {note("m", "2"), note("b", "x"), note("z", NULL),
                                  note("none", NULL), note("b", "y")};
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_SET, second, 5), BROKER_OK);
    EXPECT_STRING(told(&harness), "a=;b=y;m=2;");
    struct queue_note last[] = {note("a", NULL), note("b", NULL), note("m", NULL)};
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_SET, last, 3), BROKER_OK);
    EXPECT_STRING(told(&harness), "");
    EXPECT_INT(harness.broker->notes_bytes, 0);
    harness_close(&harness);
}

/* They are there after a restart, from the record and from the queue's carried home. */
TEST(queue_notes_survive) {
    struct harness harness;
    harness_open(&harness, 1);
    struct queue_note first[] = {note("a", "1"), note("b", "2")};
    struct queue_note second[] = {note("a", "3"), note("b", NULL), note("c", "")};
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_CREATE, first, 2), BROKER_OK);
    harness_turn(&harness);
    EXPECT_STRING(told(&harness), "a=1;b=2;");
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_SET, second, 3), BROKER_OK);
    harness_turn(&harness);
    harness_turn(&harness);
    EXPECT_STRING(told(&harness), "a=3;c=;");
    harness_trim(&harness, harness.next_lsn);
    harness_turn(&harness);
    harness_turn(&harness);
    EXPECT_STRING(told(&harness), "a=3;c=;");
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_DELETE, NULL, 0), BROKER_OK);
    EXPECT_INT(harness.broker->notes_bytes, 0);
    harness_close(&harness);
}

/* To create a queue again with other notes is refused by the note's name; the same are no change,
 * and write no record. */
TEST(queue_notes_are_compared) {
    struct harness harness;
    harness_open(&harness, 1);
    struct queue_note mine = note("Policy", "a");
    struct queue_note other = note("Policy", "b");
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_CREATE, &mine, 1), BROKER_OK);
    uint64_t lsn = harness.next_lsn;
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_CREATE, &mine, 1), BROKER_OK);
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_CREATE, NULL, 0), BROKER_OK);
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_SET, &mine, 1), BROKER_OK);
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_CREATE, &other, 1), BROKER_QUEUE_EXISTS);
    EXPECT(strstr(harness.decision.answer.detail, "attribute Policy") != NULL);
    EXPECT_INT(harness.next_lsn, lsn);
    harness_close(&harness);
}

/* Too many, or too long, is refused, and nothing has changed. */
TEST(queue_notes_have_maxima) {
    struct harness harness;
    harness_open(&harness, 1);
    static char names[QUEUE_NOTES_MAX + 1][8];
    struct queue_note many[QUEUE_NOTES_MAX + 1];
    for (uint32_t i = 0; i <= QUEUE_NOTES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "n%u", i);
        many[i] = note(names[i], "");
    }
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_CREATE, many, QUEUE_NOTES_MAX), BROKER_OK);
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_SET, many + QUEUE_NOTES_MAX, 1),
               BROKER_VALUE_INVALID);
    static char text[QUEUE_NOTES_BYTES_MAX];
    memset(text, 'x', sizeof text);
    struct queue_note large = {SLICE("n1"), slice_from(text, sizeof text - 2048)};
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_SET, &large, 1), BROKER_OK);
    harness_turn(&harness);
    large = (struct queue_note){SLICE("n1"), slice_from(text, sizeof text)};
    EXPECT_INT(submit(&harness, COMMAND_QUEUE_SET, &large, 1), BROKER_VALUE_INVALID);
    harness_close(&harness);
}

/* Bytes from the disk are believed only in the right order, whole, and within the maxima. */
TEST(queue_notes_are_checked) {
    static const struct slice sound[] = {
        {"", 0},
        {"\1\0\0\0a\0\0\0\0", 9},
        {"\1\0\0\0a\1\0\0\0x\1\0\0\0b\0\0\0\0", 19},
    };
    static const struct slice unsound[] = {
        {"\0\0\0\0\0\0\0\0", 8},                    /* no name */
        {"\1\0\0\0a\0\0\0\0\1\0\0\0a\0\0\0\0", 18}, /* twice */
        {"\1\0\0\0b\0\0\0\0\1\0\0\0a\0\0\0\0", 18}, /* out of order */
        {"\1\0\0\0a\1\0\0\0", 9},                   /* cut */
        {"\1\0\0\0a", 5},
    };
    for (size_t i = 0; i < ARRAY_COUNT(sound); i++) EXPECT(queue_notes_are_sound(sound[i]));
    for (size_t i = 0; i < ARRAY_COUNT(unsound); i++) EXPECT(!queue_notes_are_sound(unsound[i]));
}
