/* SPDX-License-Identifier: Apache-2.0 */
/* failing_allocator.h -- an allocator that runs out of memory when a test wants it.
 *
 *     struct failing_allocator failing = failing_allocator(3); // the fourth call fails
 *     struct allocator allocator = failing_allocator_get(&failing);
 */
#ifndef TAKT_FAILING_ALLOCATOR_H
#define TAKT_FAILING_ALLOCATOR_H

#include "base/allocator.h"

#include <stdlib.h>

struct failing_allocator {
    size_t calls_left; /* that succeed; then every call fails until the test sets it again */
    size_t live;       /* allocations not yet freed */
};

static inline struct failing_allocator failing_allocator(size_t calls_left) {
    return (struct failing_allocator){.calls_left = calls_left};
}

static inline void *failing_allocator_resize(void *context, void *memory, size_t bytes_count) {
    struct failing_allocator *failing = context;
    if (bytes_count == 0) {
        if (memory != NULL) failing->live--;
        free(memory);
        return NULL;
    }
    if (failing->calls_left == 0) return NULL;
    failing->calls_left--;
    void *resized = realloc(memory, bytes_count);
    if (resized != NULL && memory == NULL) failing->live++;
    return resized;
}

/* failing: kept as long as the allocator is used. */
static inline struct allocator failing_allocator_get(struct failing_allocator *failing) {
    return (struct allocator){.resize = failing_allocator_resize, .context = failing};
}

#endif
