/* SPDX-License-Identifier: Apache-2.0 */
#include "base/allocator.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *system_resize(void *context, void *memory, size_t bytes_count) {
    (void)context;
    if (bytes_count == 0) { /* what realloc does with 0 is not the same everywhere */
        free(memory);
        return NULL;
    }
    return realloc(memory, bytes_count);
}

struct allocator allocator_system(void) {
    return (struct allocator){.resize = system_resize, .context = NULL};
}

void *allocator_take(const struct allocator *allocator, size_t bytes_count) {
    if (bytes_count == 0) bytes_count = 1; /* so that NULL means out of memory, always */
    void *memory = allocator->resize(allocator->context, NULL, bytes_count);
    if (memory != NULL) memset(memory, 0, bytes_count);
    return memory;
}

void *allocator_resize_array(const struct allocator *allocator, void *memory, size_t count,
                             size_t size) {
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    return allocator->resize(allocator->context, memory, count * size);
}

void allocator_give_back(const struct allocator *allocator, void *memory) {
    if (memory == NULL) return;
    allocator->resize(allocator->context, memory, 0);
}
