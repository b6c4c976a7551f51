/* SPDX-License-Identifier: Apache-2.0 */
/* The cashier: charges cards into a ledger (SQLite), once for each piece of work.
 *
 *   cashier charge   an `exec` handler. stdin: {"number", "total" (cents), "card"};
 *                    stdout: {"number", "charged", "card"}; exit 65: the card is refused
 *   cashier report   prints the day's report
 *
 * takt may call a handler twice for one message: when a worker dies after its work is done and
 * before takt has heard of it. TAKT_TASK is the same then, and no other work has it: it is the
 * ledger's key, so that a second call finds the first one's entry and charges nothing.
 */
#include "sick.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdint.h>

#define EXIT_REJECT 65
#define ORDER_BYTES_MAX 65536

static int fail(sqlite3 *ledger, const char *what) {
    fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(ledger));
    return EXIT_FAILURE;
}

static sqlite3 *open_ledger(void) {
    const char *path = getenv("BAKERY_LEDGER");
    sqlite3 *ledger = NULL;
    if (sqlite3_open(path == NULL || *path == '\0' ? "ledger.db" : path, &ledger) != SQLITE_OK ||
        sqlite3_busy_timeout(ledger, 8000) != SQLITE_OK ||
        sqlite3_exec(ledger,
                     "PRAGMA journal_mode = WAL;"
                     "PRAGMA synchronous = FULL;"
                     "CREATE TABLE IF NOT EXISTS charge ("
                     " task TEXT PRIMARY KEY, number TEXT, card TEXT, cents INTEGER NOT NULL)",
                     NULL, NULL, NULL) != SQLITE_OK) {
        fail(ledger, "cannot open the ledger");
        sqlite3_close(ledger);
        return NULL;
    }
    return ledger;
}

/* One statement with two texts and a number; returns SQLite's code. */
static int charge_once(sqlite3 *ledger, const char *task, const char *number, const char *card,
                       int64_t cents) {
    sqlite3_stmt *insert = NULL;
    int rc = sqlite3_prepare_v2(
        ledger, "INSERT INTO charge VALUES (?, ?, ?, ?) ON CONFLICT (task) DO NOTHING", -1, &insert,
        NULL);
    if (rc != SQLITE_OK) return rc;
    sqlite3_bind_text(insert, 1, task, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, number, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, card, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, cents);
    rc = sqlite3_step(insert);
    sqlite3_finalize(insert);
    return rc;
}

/* Cards that end in 0000 are refused by their bank. */
static int is_refused(const char *card) {
    size_t count = strlen(card);
    return count < 4 || strcmp(card + count - 4, "0000") == 0;
}

static int charge(sqlite3 *ledger) {
    char text[ORDER_BYTES_MAX];
    size_t count = fread(text, 1, sizeof text - 1, stdin);
    text[count] = '\0';
    cJSON *order = cJSON_Parse(text);
    const char *task = getenv("TAKT_TASK");
    const char *card = cJSON_GetStringValue(cJSON_GetObjectItem(order, "card"));
    const cJSON *number = cJSON_GetObjectItem(order, "number");
    const cJSON *total = cJSON_GetObjectItem(order, "total");
    if (task == NULL || number == NULL || !cJSON_IsNumber(total)) {
        fprintf(stderr, "an order needs a number and a total, and a task\n");
        return EXIT_FAILURE;
    }
    if (card == NULL || is_refused(card)) {
        fprintf(stderr, "the card %s was refused\n", card == NULL ? "(none)" : card);
        return EXIT_REJECT;
    }
    sick_perhaps("cashier"); /* before the money has moved */
    int64_t cents = (int64_t)total->valuedouble;
    char *label = cJSON_PrintUnformatted(number);
    if (charge_once(ledger, task, label, card, cents) != SQLITE_DONE) {
        return fail(ledger, "cannot charge the card");
    }
    sick_perhaps("cashier"); /* after it has */
    printf("{\"number\":%s,\"charged\":%" PRId64 ",\"card\":\"%s\"}\n", label, cents,
           card + strlen(card) - 4);
    free(label);
    cJSON_Delete(order);
    return EXIT_SUCCESS;
}

static int report(sqlite3 *ledger) {
    sqlite3_stmt *sums = NULL;
    if (sqlite3_prepare_v2(ledger,
                           "SELECT COUNT(*), IFNULL(SUM(cents), 0), IFNULL(MIN(cents), 0),"
                           " IFNULL(MAX(cents), 0) FROM charge",
                           -1, &sums, NULL) != SQLITE_OK ||
        sqlite3_step(sums) != SQLITE_ROW) {
        return fail(ledger, "cannot read the ledger");
    }
    int64_t cents = sqlite3_column_int64(sums, 1);
    int64_t least = sqlite3_column_int64(sums, 2);
    int64_t most = sqlite3_column_int64(sums, 3);
    printf("cards charged %10" PRId64 "\n", (int64_t)sqlite3_column_int64(sums, 0));
    printf("smallest      %7" PRId64 ".%02" PRId64 " EUR\n", least / 100, least % 100);
    printf("largest       %7" PRId64 ".%02" PRId64 " EUR\n", most / 100, most % 100);
    printf("taken in all  %7" PRId64 ".%02" PRId64 " EUR\n", cents / 100, cents % 100);
    sqlite3_finalize(sums);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    int is_report = argc == 2 && strcmp(argv[1], "report") == 0;
    if (!is_report && !(argc == 2 && strcmp(argv[1], "charge") == 0)) {
        fprintf(stderr, "usage: cashier charge|report\n");
        return 2;
    }
    sqlite3 *ledger = open_ledger();
    if (ledger == NULL) return EXIT_FAILURE;
    int code = is_report ? report(ledger) : charge(ledger);
    sqlite3_close(ledger);
    return code;
}
