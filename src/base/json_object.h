/* SPDX-License-Identifier: Apache-2.0 */
/* json_object.h -- writes an object's members one after the other, with the commas they need.
 *
 *     buffer_append_byte(out, '{');
 *     json_object_text(out, "name", name);
 *     json_object_number(out, "count", 3);
 *     buffer_append_byte(out, '}');
 *
 * Names are the program's own: letters and underscores.
 */
#ifndef TAKT_BASE_JSON_OBJECT_H
#define TAKT_BASE_JSON_OBJECT_H

#include "base/buffer.h"
#include "base/times.h"

/* `,"name":`, without the comma behind '{'. The value follows. */
void json_object_name(struct buffer *out, const char *name);
void json_object_text(struct buffer *out, const char *name, struct slice text);
void json_object_number(struct buffer *out, const char *name, int64_t value);
void json_object_bool(struct buffer *out, const char *name, bool value);
/* Left out if it is 0. */
void json_object_time(struct buffer *out, const char *name, struct wall_time time);
/* A comma between elements: behind anything but '['. */
void json_array_next(struct buffer *out);

#endif
