/* SPDX-License-Identifier: Apache-2.0 */
/* trivial.c -- a `stream` handler that does nothing: each message's body is its output, at once.
 *
 * What is left of an order's way through bench/line.yaml is takt's own time and the disk's.
 */
#include "base/json.h"

#include <stdio.h>

static void put(struct slice bytes) {
    fwrite(bytes.bytes, 1, bytes.count, stdout);
}

int main(void) {
    char *line = NULL;
    size_t capacity = 0;
    for (;;) {
        ssize_t count = getline(&line, &capacity, stdin);
        if (count < 0) return 0;
        struct slice message = slice_from(line, (size_t)count);
        if (!json_validate(message, NULL)) return 1; /* its exit is takt's to report */
        put(SLICE("{\"id\":"));
        put(json_member(message, SLICE("id")));
        put(SLICE(",\"output\":"));
        put(json_member(message, SLICE("body")));
        put(SLICE("}\n"));
        if (fflush(stdout) != 0) return 1;
    }
}
