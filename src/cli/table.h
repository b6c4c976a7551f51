/* SPDX-License-Identifier: Apache-2.0 */
/* table.h -- a JSON array of objects as a table, as JSON or as a line each, as `-o` asks. */
#ifndef TAKT_CLI_TABLE_H
#define TAKT_CLI_TABLE_H

#include "cli/client.h"

#define TABLE_COLUMNS_MAX 16u

struct table_column {
    const char *title;
    const char *member; /* of each object */
    bool is_number;     /* stands to the right */
};

/* rows: a JSON array of objects. output: "table", "json" or "ndjson". CLI_OK, or CLI_USAGE for
 * another word (said on stderr). */
TAKT_MUST_USE int table_print(struct client *client, const char *output, struct slice rows,
                              const struct table_column *columns, size_t columns_count);

#endif
