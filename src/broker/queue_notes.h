/* SPDX-License-Identifier: Apache-2.0 */
/* queue_notes.h -- what clients hang on a queue and the broker keeps without reading it: policies,
 * tags, settings of encryption.
 *
 * A queue's notes are one piece of bytes: of each note its name and its value, both with a u32
 * count in front, in the order of their names, each name once.
 */
#ifndef TAKT_BROKER_QUEUE_NOTES_H
#define TAKT_BROKER_QUEUE_NOTES_H

#include "broker/command.h"

/* The next note of *rest, which then begins behind it. False: there is none. */
bool queue_notes_next(struct slice *rest, struct queue_note *out);
/* The value of that name; bytes NULL: there is none. */
struct slice queue_notes_find(struct slice notes, struct slice name);

/* Whether they are what queue_notes_write wrote; for bytes from the disk. */
bool queue_notes_are_sound(struct slice notes);
/* Room for `notes` and the changes. */
size_t queue_notes_bytes_max(struct slice notes, const struct queue_note *changes,
                             uint32_t changes_count);
/* `notes` with the changes over them, of which the last one of a name counts. How many bytes.
 * out: of queue_notes_bytes_max. *count: how many notes. */
size_t queue_notes_write(char *out, struct slice notes, const struct queue_note *changes,
                         uint32_t changes_count, uint32_t *count);

#endif
