/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/result.h"

#include "test.h"

#include <string.h>

/* A refusal has a name for each protocol, words and an error status; the others have none. */
TEST(result_rows_are_whole) {
    for (int i = 0; i < BROKER_RESULTS_COUNT; i++) {
        enum broker_result result = (enum broker_result)i;
        bool is_refusal = result != BROKER_OK && result != BROKER_NOTHING;
        EXPECT((broker_result_status(result) >= 400) == is_refusal);
        EXPECT((strlen(broker_result_type(result)) > 0) == is_refusal);
        EXPECT((strlen(broker_result_query_code(result)) > 0) == is_refusal);
        EXPECT((strlen(broker_result_words(result)) > 0) == (result != BROKER_OK));
    }
    EXPECT_STRING(broker_result_type(BROKER_QUEUE_NOT_FOUND), "QueueDoesNotExist");
    EXPECT_INT(broker_result_status(BROKER_LINE_FULL), 429);
    EXPECT_ABORT((void)broker_result_type(BROKER_RESULTS_COUNT));
}
