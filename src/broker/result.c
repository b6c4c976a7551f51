/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/result.h"

#include "base/check.h"

struct row {
    const char *type;
    const char *query_code;
    int status;
    const char *words;
};

static const struct row rows[BROKER_RESULTS_COUNT] = {
#define RESULT_ROW(name, type, code, status, words) [BROKER_##name] = {type, code, status, words},
    BROKER_RESULTS(RESULT_ROW)
#undef RESULT_ROW
};

static const struct row *row_of(enum broker_result result) {
    CHECK((unsigned)result < BROKER_RESULTS_COUNT);
    return &rows[result];
}

const char *broker_result_type(enum broker_result result) {
    return row_of(result)->type;
}
const char *broker_result_query_code(enum broker_result result) {
    return row_of(result)->query_code;
}
int broker_result_status(enum broker_result result) {
    return row_of(result)->status;
}
const char *broker_result_words(enum broker_result result) {
    return row_of(result)->words;
}
