/* SPDX-License-Identifier: Apache-2.0 */
/* allocator.h -- where memory comes from, so that a test can make any allocation fail. */
#ifndef TAKT_BASE_ALLOCATOR_H
#define TAKT_BASE_ALLOCATOR_H

#include "base/check.h"

#include <stddef.h>

struct allocator {
    /* As realloc: memory NULL allocates, bytes_count 0 frees and returns NULL. NULL when out of
     * memory; the old memory is then untouched. */
    void *(*resize)(void *context, void *memory, size_t bytes_count);
    void *context;
};

/* The C library's. */
struct allocator allocator_system(void);

/* Zeroed memory, or NULL when out of memory (bytes_count 0 takes one byte). */
TAKT_MUST_USE void *allocator_take(const struct allocator *allocator, size_t bytes_count);
/* count * size, overflow gives NULL. Contents beyond the old size are undefined. */
TAKT_MUST_USE void *allocator_resize_array(const struct allocator *allocator, void *memory,
                                           size_t count, size_t size);
void allocator_give_back(const struct allocator *allocator, void *memory); /* NULL is allowed */

#endif
