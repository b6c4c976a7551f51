/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <string.h>

static const char *const names[] = {
#define FAULT_NAME(name, words) [FAULT_##name] = #name,
    FAULTS(FAULT_NAME)
#undef FAULT_NAME
};
static const char *const all_words[] = {
#define FAULT_WORDS(name, words) [FAULT_##name] = (words),
    FAULTS(FAULT_WORDS)
#undef FAULT_WORDS
};

const char *fault_name(enum fault fault) {
    return names[fault];
}

const char *fault_words(enum fault fault) {
    return all_words[fault];
}

enum fault fault_find(const char *name) {
    enum fault fault = FAULT_NONE;
    while (fault < FAULTS_COUNT && strcmp(names[fault], name) != 0) fault++;
    return fault;
}
