/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h -- the whole of what a `stream` handler needs: one JSON line in, one JSON line out.
 *
 * takt writes {"id", "body", "task", …} to stdin. The handler answers {"id", "output"},
 * {"id", "error"} (try again later) or {"id", "reject"} (a business no), in any order.
 */
#ifndef BAKERY_STREAM_H
#define BAKERY_STREAM_H

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

/* The next message, or NULL when takt has closed the door. Give it back with cJSON_Delete. */
static inline cJSON *stream_next(void) {
    static char *line;
    static size_t capacity;
    for (;;) {
        if (getline(&line, &capacity, stdin) < 0) return NULL;
        cJSON *message = cJSON_Parse(line);
        if (message != NULL) return message;
        fprintf(stderr, "not JSON: %s", line);
    }
}

/* Answers `message`, and ends both. kind: "output", "error" or "reject". */
static inline void stream_answer(cJSON *message, const char *kind, cJSON *value) {
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddItemToObject(answer, "id", cJSON_DetachItemFromObject(message, "id"));
    cJSON_AddItemToObject(answer, kind, value);
    char *text = cJSON_PrintUnformatted(answer);
    if (text == NULL) abort(); /* out of memory: takt gives the message to another worker */
    puts(text);
    fflush(stdout);
    free(text);
    cJSON_Delete(answer);
    cJSON_Delete(message);
}

static inline const char *text_of(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    return text == NULL ? "" : text;
}

static inline double number_of(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItem(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

#endif
