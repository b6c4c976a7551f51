/* SPDX-License-Identifier: Apache-2.0 */
/* definition.h -- a line file, read and checked: what its author meant, with nothing left to guess.
 *
 * definition_read takes the bytes of one or more files and gives every line and plain queue in
 * them, or every mistake in them. Everything that can be concluded from a file is concluded here,
 * once: names are indexes, units are milliseconds and bytes, relative paths are absolute, and each
 * station knows which joins, gates and kit parts concern it. Nothing here changes afterwards.
 */
#ifndef TAKT_LINE_DEFINITION_H
#define TAKT_LINE_DEFINITION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "env/env.h"
#include "line/expression.h"

#include <stdint.h>

#define DEFINITION_FILE_BYTES_MAX (256u * 1024)
#define DEFINITION_FILES_MAX 32u
#define DEFINITION_LINES_MAX 64u
#define DEFINITION_STATIONS_MAX 64u /* of one line: a set of stations is one u64 */
#define DEFINITION_ROUTES_MAX 64u   /* of one line's gateway */
#define DEFINITION_NEXT_MAX 64u     /* entries of one `next` */
#define DEFINITION_QUEUES_MAX 1000u /* plain queues of one document */
#define DEFINITION_PARAMS_MAX 8u    /* {params} of one path */
#define DEFINITION_ERRORS_MAX 100u
#define DEFINITION_ARENA_BYTES_MAX (64u * 1024 * 1024)
#define DEFINITION_MESSAGE_BYTES_MAX (1024u * 1024) /* SQS's own limit */
#define DEFINITION_NONE (-1)                        /* instead of a station's index */

/* A set of stations: bit i is station i of the line. */
typedef uint64_t definition_set_of_stations;
#define DEFINITION_BIT(station_index) (UINT64_C(1) << (station_index))

struct definition_place {
    uint32_t file;   /* index into definition_files.paths */
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1, in characters */
};

/* Settings of one queue; a plain one or a station's. */
struct definition_queue {
    struct definition_place place;
    const char *name;      /* as SQS clients see it */
    int64_t visibility_ms; /* plain queues only; 30 s unless given */
    int64_t retention_ms;  /* 4 days; of a station: 14 days, and then to its dead letters */
    int64_t delay_ms;
    uint32_t message_bytes_max;
    const char *dead_name; /* NULL: none. A station's always has one: NAME_dead */
    uint32_t dead_after;   /* plain queues: receives before a message goes there */
};

struct definition_next {
    struct definition_place place;
    int32_t station;               /* DEFINITION_NONE: `end` */
    bool is_else;                  /* taken if no other entry was; always the last */
    const struct expression *each; /* NULL: one output, not one for each element */
    const struct expression *when; /* NULL: always */
    const struct expression *with; /* NULL: the value as it came */
};

enum definition_next_mode {
    DEFINITION_NEXT_ALL,   /* every entry whose `when` is true */
    DEFINITION_NEXT_FIRST, /* only the first such entry */
};

enum definition_handler {
    DEFINITION_HANDLER_NONE, /* hands its input on (through `with`, if given) */
    DEFINITION_HANDLER_EXEC,
    DEFINITION_HANDLER_STREAM,
};

enum definition_missing {
    DEFINITION_MISSING_FAIL,
    DEFINITION_MISSING_PARTIAL,
    DEFINITION_MISSING_DEAD
};

/* What a kit holds of one of the last stations before the join, under that station's name. */
struct definition_part {
    int32_t station;
    bool is_array; /* in the order of the split: an `each` lies on the way, or more than one message
                      can come. Otherwise the value itself, or null if this way was not taken */
};

struct definition_env {
    const char *name;
    const char *value; /* NULL: passed through from takt's own environment */
};

#define DEFINITION_WORKERS_BUDGET UINT32_MAX /* workers_max where the file gives none */

struct definition_station {
    struct definition_place place;
    const char *name;

    /* The handler. PATH HOME LANG TZ TMPDIR are inherited besides `env`. */
    enum definition_handler handler;
    const char *const *argv; /* NULL-terminated; argv[0] absolute if it was given with a slash,
                                otherwise to be looked up in PATH (it was found there). NULL: none */
    uint32_t argv_count;
    const char *cwd; /* absolute; the file's folder unless given */
    const struct definition_env *env;
    uint32_t env_count;

    /* Where its output goes. No entries: the branch ends, its output belongs to the result. */
    const struct definition_next *next;
    uint32_t next_count;
    enum definition_next_mode next_mode;
    const struct expression *with; /* only without a handler: makes the output from the input */

    /* As a join: `.` is a kit. */
    int32_t join_opener; /* the station that split; DEFINITION_NONE: this is no join */
    int64_t within_ms;
    enum definition_missing missing;
    const struct definition_part *parts; /* in station order */
    uint32_t parts_count;

    /* Splits. */
    int32_t split_join;                         /* the join that names this station, or NONE: its
                                                   hand-offs open a split if this is not NONE */
    definition_set_of_stations joins_reachable; /* the joins at which a message that is now here may
                                                   still arrive as a part: it counts as living in
                                                   an open split of exactly these joins */
    definition_set_of_stations reachable;       /* every station that `next` leads to from here */

    /* Limits. */
    uint32_t wip_limit;               /* 0: none. Else this many may wait or run here */
    definition_set_of_stations gates; /* stations whose full wip_limit stops this one from starting
                                         more; never one that leads back here */

    uint32_t retry_attempts; /* the first one counts; 5 */
    int64_t backoff_min_ms;  /* 1 s */
    int64_t backoff_max_ms;  /* 1 min */
    int64_t timeout_ms;      /* 1 min */
    uint32_t workers_min;    /* `workers: 4` is 4..4; not given: 0..DEFINITION_WORKERS_BUDGET */
    uint32_t workers_max;
    uint32_t concurrency;    /* messages a worker at once; 1; always 1 for exec */
    int64_t max_wait_ms;     /* for the autoscaler; 0: not given */
    int64_t idle_timeout_ms; /* for the autoscaler; 0: not given */

    struct definition_queue queue;
};

struct definition_require {
    const char *text; /* the file's own words: what the client is told */
    const struct expression *condition;
};

struct definition_segment {
    const char *text; /* decoded; of a parameter: its name */
    bool is_param;
};

struct definition_route {
    struct definition_place place;
    const char *method;  /* upper case */
    const char *pattern; /* as in the file: /payrolls/{company}/{month} */
    const struct definition_segment *segments;
    uint32_t segments_count;
    uint32_t params_count;
    int32_t station;
    const char *const *accept; /* lower case, `type/subtype`, or with a star for either part */
    uint32_t accept_count;     /* 0: any */
    uint32_t body_bytes_max;   /* 1 MiB unless given */
    const struct definition_require *require; /* in the file's order; checked after `with` */
    uint32_t require_count;
    const struct expression *with;
    const struct expression *key;
    const struct expression *once;
    bool uses_request; /* an expression here reads $request: see route_write_request */
};

/* One document of a file. */
struct definition {
    struct definition_place place;
    const char *name;    /* NULL: a document of plain queues alone; it has nothing else */
    struct slice source; /* the document's own bytes, as they stand in the file: reading them
                                 with the same folder and environment gives this again */
    const char *folder;  /* absolute: where relative paths start */
    const struct definition_station *stations;
    uint32_t stations_count;
    const struct definition_route *routes;
    uint32_t routes_count;
    const struct definition_queue *queues;
    uint32_t queues_count;
    int32_t result;       /* the station whose output is the job's result, or NONE */
    int64_t keep_jobs_ms; /* 7 days */
    uint32_t hops_max;    /* hand-offs of one message before a loop is cut; 100, at most */
};

struct definition_error {
    struct definition_place place;
    const char *text; /* one line, without the place */
};

struct definition_errors {
    struct definition_error list[DEFINITION_ERRORS_MAX]; /* by file, line and column */
    uint32_t count;
    bool more; /* there were more than fit */
};

/* Everything that was read; the whole of it lives in `arena`. */
struct definition_files {
    struct arena arena;
    const char *const *paths; /* as given */
    uint32_t paths_count;
    const struct definition *definitions; /* in the order of the files */
    uint32_t definitions_count;
    struct definition_errors errors;
};

struct definition_source {
    const char *path;   /* borrowed; as error messages show it */
    const char *folder; /* borrowed; absolute */
    struct slice bytes; /* borrowed; copied */
};

enum definition_program {
    DEFINITION_PROGRAM_FOUND,
    DEFINITION_PROGRAM_MISSING,
    DEFINITION_PROGRAM_NOT_EXECUTABLE
};

struct definition_options {
    const struct allocator *allocator; /* kept until definition_close */
    /* The environment: for ${NAME}, and PATH to find handlers in. The value, or NULL. */
    const char *(*variable)(void *context, const char *name);
    /* Whether `path`, which is absolute, can be executed. NULL: handlers are not looked for (a file
     * that was checked when it came into force, read again). */
    enum definition_program (*program)(void *context, const char *path);
    /* Whether a folder is at `path`, which is absolute. NULL: not looked for, as above. */
    bool (*folder)(void *context, const char *path);
    void *context;
};

/* Returns 0: files->definitions is what was read; -EINVAL: files->errors says what is wrong;
 * -ENOMEM. In each case end it with definition_close. */
TAKT_MUST_USE int definition_read(const struct definition_source *sources, uint32_t sources_count,
                                  const struct definition_options *options,
                                  struct definition_files *files);
void definition_close(struct definition_files *files);

/* definition_read of files on disk, with the process's own environment. A file that cannot be read
 * is one of the errors. `files` is ended with definition_close. Blocking. */
TAKT_MUST_USE int definition_load(struct env *env, const char *const *paths, uint32_t paths_count,
                                  struct definition_files *files);

/* One line each: `FILE:LINE:COLUMN: text`. */
void definition_print_errors(const struct definition_files *files, struct buffer *out);

/* What `takt check --explain` prints: stations, where each one's output goes, the form of each
 * kit, limits and what they stop, routes, queues. */
void definition_explain(const struct definition *definition, struct buffer *out);

/* The station of that name, or DEFINITION_NONE. */
int32_t definition_find_station(const struct definition *definition, struct slice name);

#endif
