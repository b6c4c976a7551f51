/* SPDX-License-Identifier: Apache-2.0 */
/* route.h -- the decisions that a line's expressions make: at the door, and after each station.
 *
 * All bodies are raw bytes. One that no expression looks at need not be JSON and is handed on as it
 * is; otherwise outputs are slices of it, and only `with` makes a new one. Nothing here keeps
 * anything: results live in the caller's arena and in the bodies given.
 */
#ifndef TAKT_LINE_ROUTE_H
#define TAKT_LINE_ROUTE_H

#include "line/definition.h"

#define ROUTE_OUTPUTS_MAX 1000000u
#define ROUTE_OUTPUT_BYTES_MAX (32u * 1024 * 1024) /* all outputs of one message together */
#define ROUTE_KEY_BYTES_MAX 256u
/* An arena of this size is enough for the largest result of one-level `with`s; what needs more
 * fails in words. */
#define ROUTE_ARENA_BYTES_MAX (160u * 1024 * 1024)
#define ROUTE_EACH_NONE UINT32_MAX

/* ---- After a station: where its output goes ---- */

struct route_message {
    const struct definition *definition; /* borrowed */
    uint32_t station;                    /* that has done its work */
    struct slice input;                  /* $in */
    struct slice order;                  /* $order */
    struct slice output;                 /* `.` and $out */
    struct slice job;                    /* $job: the id, as text */
    bool by_station; /* the handler answered "outputs": `output` is an object from station names
                        (or `end`) to values. An entry is taken only if its target is named there,
                        with `.` as that value; the handler's choice replaces `else` and "nothing
                        matched" (an empty object is no output at all) */
};

struct route_output {
    struct slice body;   /* a slice of `output`, or in the arena */
    uint32_t each_index; /* of the element in the array that `each` gave, or ROUTE_EACH_NONE */
    int16_t station;     /* DEFINITION_NONE: `end`: nothing is sent, the branch ends here */
    uint16_t next_index; /* the entry in the station's `next` */
};

struct route_result {
    struct route_output *outputs; /* in the order of `next`, then of the elements */
    uint32_t outputs_count;       /* 0 is fine: an empty `each`, or a filter that let nothing by */
    uint64_t bytes_count;         /* of all bodies together */
    const char *failure;          /* why it failed: "the output of counter is not JSON: …" */
};

/* Decide the outputs of one completed message. A station without `next` has none.
 *
 * An entry with `each` and `when` is a filter: if it lets nothing by, `else` (if given) is taken,
 * but it is no failure. If otherwise no entry is taken, that is a failure, and so is an output that
 * its target's queue would not take.
 * Returns 0; -EBADMSG: the message fails, result->failure says why in one sentence; -ENOMEM. */
TAKT_MUST_USE int route_outputs(const struct route_message *message, struct arena *arena,
                                struct route_result *result);

/* The output of a station without a handler: its input, or what `with` makes of it. `output` of
 * the message is not read. Returns as route_outputs. */
TAKT_MUST_USE int route_pass_on(const struct route_message *message, struct arena *arena,
                                struct slice *output, const char **failure);

/* ---- At the door: what a request becomes ---- */

struct route_match {
    const struct definition *definition;
    const struct definition_route *route;
    struct slice params[DEFINITION_PARAMS_MAX]; /* decoded; in the order of the pattern */
};

/* Find the route of a request. A literal segment goes before a parameter; the first file wins
 * nothing: two routes that would fit equally are refused when the files are read.
 *
 * path:      without the query; still percent-encoded.
 * Returns 0; -ENOENT: no route has this path; -EPERM: one has, with another method (match->route is
 * then such a one); -EINVAL: bad percent-encoding; -ENOMEM. */
TAKT_MUST_USE int route_find(const struct definition_files *files, struct slice method,
                             struct slice path, struct arena *arena, struct route_match *match);

/* Whether the route takes this Content-Type (parameters behind `;` are ignored; none given is
 * taken as application/octet-stream). */
bool route_accepts(const struct definition_route *route, struct slice content_type);

struct route_header {
    struct slice name; /* any case; becomes lower case */
    struct slice value;
};

/* Write $request: {"method":…,"path":{…},"query":{…},"headers":{…}}; only needed if
 * route->uses_request. Of a query name or header that comes twice the first counts. Bytes that are
 * not UTF-8 become U+FFFD.
 *
 * query:     what stands behind `?`, still encoded; may be empty. */
TAKT_MUST_USE int route_write_request(const struct route_match *match, struct slice method,
                                      struct slice query, const struct route_header *headers,
                                      size_t headers_count, struct arena *arena,
                                      struct buffer *out);

struct route_order {
    struct slice body;   /* the order: what came, or what `with` made of it */
    struct slice key;    /* text, 1 to ROUTE_KEY_BYTES_MAX bytes; count 0: none */
    struct slice once;   /* likewise */
    const char *refusal; /* what the client is told with a 400 */
};

/* `with`, then each `require`, then `key` and `once`.
 *
 * request:   $request as written above; empty if the route does not use it.
 * Returns 0; -EBADMSG: order->refusal says why, a failed `require` in the file's own words (all of
 * those that failed, separated by "; "); -ENOMEM. */
TAKT_MUST_USE int route_take_order(const struct definition_route *route, struct slice body,
                                   struct slice request, struct arena *arena,
                                   struct route_order *order);

#endif
