/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "test.h"

struct seen {
    int lines;
    enum log_level level;
    char text[5000];
    size_t count;
};

static void remember(void *context, enum log_level level, struct slice text) {
    struct seen *seen = context;
    seen->lines++;
    seen->level = level;
    seen->count = text.count;
    memcpy(seen->text, text.bytes, text.count);
    seen->text[text.count] = '\0';
}

/* A line comes at its level and above; below it, or without a log, nothing happens. */
TEST(log_writes_from_its_level_up) {
    struct seen seen = {0};
    struct log log = {.write = remember, .context = &seen, .level_min = LOG_INFO};
    log_printf(&log, LOG_INFO, "queue %s has %d", "a", 3);
    EXPECT_STRING(seen.text, "queue a has 3");
    EXPECT_INT(seen.level, LOG_INFO);
    log_printf(&log, LOG_DEBUG, "no");
    EXPECT_INT(seen.lines, 1);
    log_printf(&log, LOG_ERROR, "yes");
    EXPECT_INT(seen.lines, 2);
    EXPECT_INT(seen.level, LOG_ERROR);
    log_printf(NULL, LOG_ERROR, "nobody hears it");
}

/* A text with a newline inside stays one line. */
TEST(log_stays_one_line) {
    struct seen seen = {0};
    struct log log = {.write = remember, .context = &seen};
    log_printf(&log, LOG_WARNING, "name %s", "x\nERROR forged\r\x1b[2J\x7f");
    EXPECT_STRING(seen.text, "name x ERROR forged  [2J ");
}

/* A long text is cut at 4 KiB, and not within a character. */
TEST(log_cuts_long_texts) {
    struct seen seen = {0};
    struct log log = {.write = remember, .context = &seen};
    log_printf(&log, LOG_WARNING, "%4096d", 1);
    EXPECT_INT(seen.count, 4096);
    log_printf(&log, LOG_WARNING, "%9000d", 1);
    EXPECT_INT(seen.count, 4096);
    log_printf(&log, LOG_WARNING, "%4094d\u20ac", 1); /* three bytes, of which two would fit */
    EXPECT_INT(seen.count, 4094);
    log_printf(&log, LOG_WARNING, "%4093d\u20acx", 1);
    EXPECT_INT(seen.count, 4096);
    log_printf(&log, LOG_WARNING, "%4095d\xc3\xa9", 1);
    EXPECT_INT(seen.count, 4095);
}
