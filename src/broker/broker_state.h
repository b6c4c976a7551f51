/* SPDX-License-Identifier: Apache-2.0 */
/* broker_state.h -- the broker's inside: every table, and what stands in each. Only broker/ itself
 * includes it.
 *
 * A THING is an entry of a table: number (0: the slot is free), slot, and for most kinds a HOME, the
 * LSN of the one record from which replay rebuilds it whole. Its handle is (kind, slot) in 32 bits.
 * Things never move. decide chooses the lowest free slots, so that two brokers with the same things
 * in them choose the same ones.
 *
 * What is DERIVED follows from other fields (heaps, lists, counts of members, maps, deadlines): it is
 * in no record and in no digest, and broker_check compares it.
 *
 * During replay a thing may be missing (its home was written again further on): apply skips the
 * effect on it. A store, job, split or line that another thing must stand in becomes a SHELL: only
 * its number is known, until its carry record completes it.
 */
#ifndef TAKT_BROKER_BROKER_STATE_H
#define TAKT_BROKER_BROKER_STATE_H

#include "base/map.h"
#include "broker/broker.h"
#include "broker/broker_heap.h"
#include "broker/broker_pool.h"
#include "broker/broker_shelf.h"
#include "broker/job_history.h"

#define BROKER_NONE UINT32_MAX /* no slot */
#define BROKER_IN_FLIGHT_MAX 120000u
#define BROKER_LEASE_MS_MAX (12 * 3600 * 1000ll) /* of one receive, with all its extensions */

/* A row here needs a row in each table by kind (broker_table.c). From PIECE on: asides, which belong
 * to a message and have no home of their own. */
/* clang-format off */
#define THING_KINDS(X)                                                                             \
    X(ROOT, root)         /* one: seed, counters of numbers */                                     \
    X(QUEUE, queue)                                                                                \
    X(STORE, store)       /* what holds a queue's messages; without a queue: a grave */            \
    X(MESSAGE, message)                                                                            \
    X(LINE, line)                                                                                  \
    X(JOB, job)                                                                                    \
    X(SPLIT, split)                                                                                \
    X(SESSION, session)                                                                            \
    X(ROLL, roll)                                                                                  \
    X(MOVE, move)         /* a move task */                                                        \
    X(PIECE, piece)       /* of a message of a line */                                             \
    X(TIMING, timing)     /* of a message that was received or is delayed */
/* clang-format on */

enum thing_kind {
    THING_NONE, /* so that handle 0 is none */
#define THING_ENUM(NAME, name) THING_##NAME,
    THING_KINDS(THING_ENUM)
#undef THING_ENUM
        THING_KINDS_COUNT
};

static inline bool kind_is_aside(enum thing_kind kind) {
    return kind >= THING_PIECE;
}

/* (kind, slot): five bits and 27. 0: none. */
#define HANDLE_SLOT_BITS 27u
_Static_assert(THING_KINDS_COUNT <= 32, "a kind fits a handle");
static inline uint32_t handle_make(enum thing_kind kind, uint32_t slot) {
    return ((uint32_t)kind << HANDLE_SLOT_BITS) | slot;
}
static inline enum thing_kind handle_kind(uint32_t handle) {
    return (enum thing_kind)(handle >> HANDLE_SLOT_BITS);
}
static inline uint32_t handle_slot(uint32_t handle) {
    return handle & ((1u << HANDLE_SLOT_BITS) - 1);
}

/* The first member of every thing. */
struct thing {
    uint64_t number;
    uint64_t home;
    uint32_t home_next; /* derived: handles, in the order of homes */
    uint32_t home_previous;
};

/* Derived: a thing's place in the heap of deadlines. */
struct timer {
    int64_t when_ms; /* INT64_MAX: none */
    uint32_t index;  /* in broker.deadlines; BROKER_NONE: not in it */
};

/* Derived: a thing's place in the list of events to be taken. */
struct event_link {
    uint32_t next; /* handles */
    uint32_t previous;
    bool is_listed;
};

struct root { /* slot 0 */
    struct thing thing;
    uint8_t seed[32];
    uint64_t next_number;   /* of everything but queues and lines */
    uint32_t next_queue_id; /* a queue's number is small, so that a message can remember one */
    uint32_t next_line_id;
    int64_t hold_until_ms; /* nothing expires by retention before; 0: it was never asked for */
};

struct queue {
    struct thing thing; /* number: its id, below 2^32 */
    uint32_t store;     /* slot; what the queue holds now */
    uint64_t store_number;
    uint8_t kind;  /* enum queue_kind */
    uint32_t line; /* of a station's queue and of its dead queue; BROKER_NONE */
    uint64_t line_number;
    uint32_t station;
    int64_t visibility_ms;
    int64_t delay_ms;
    int64_t wait_ms;
    int64_t retention_ms;
    uint32_t message_bytes_max;
    uint32_t dead_after; /* 0: no dead-letter queue */
    int64_t created_ms;
    int64_t changed_ms;
    struct queue_counts counts;
    uint8_t name_count;
    uint8_t dead_name_count;
    char name[BROKER_NAME_BYTES_MAX];
    char dead_name[BROKER_NAME_BYTES_MAX];
    char *notes;          /* NULL: none */
    uint32_t notes_count; /* bytes */
    /* derived */
    uint32_t slot;
    struct timer timer;
    struct event_link event;
    uint32_t sessions_count; /* a station's: those open */
    uint32_t waiting_kits;   /* …splits whose join it is and whose kit is to come */
    uint32_t left;           /* the ordered index of names, see broker_names.h: slots */
    uint32_t right;
    uint32_t parent;
};

/* A store is what a purge and the deletion of a queue leave behind as a whole: it then has no queue
 * any more, and advance records sweep it. A message is thereby dead in one step. */
struct store {
    struct thing thing;
    uint32_t queue;        /* slot; BROKER_NONE: it is a grave */
    uint64_t queue_number; /* of a grave: which it was; 0 in records from before that was kept */
    bool is_station;       /* of a station's queue or dead queue: its messages have pieces */
    /* derived */
    uint32_t slot;
    bool is_shell;
    struct shelf visible; /* message slots by number */
    struct heap timed;    /* message slots by (deadline, number): delayed or in flight */
    uint32_t in_flight_count;
    uint32_t delayed_count;
    uint32_t leased_count; /* in the hands of sessions: in no heap */
    uint32_t grave_index;  /* in broker->graves; BROKER_NONE: not in it */
};

/* Where a message is: exactly one. */
enum place {
    PLACE_NONE,      /* only inside one apply */
    PLACE_VISIBLE,   /* store->visible */
    PLACE_DELAYED,   /* store->timed */
    PLACE_IN_FLIGHT, /* store->timed */
    PLACE_LEASED,    /* a session's list (piece); counts for its store */
    PLACE_PART,      /* a split's list (piece); no store */
};

/* 56 bytes, and 4 in its store: of these there are millions. What only some messages have stands in
 * ASIDES: entries of other tables, chained from the message, each kind once at most; message_aside
 * finds one. A new kind needs a row in THING_KINDS and a line in aside_next. */
struct message {
    struct thing thing;
    uint64_t body_position;
    uint64_t sent_ms : 44; /* until the year 2527 */
    uint64_t place : 4;    /* enum place */
    uint64_t is_kit : 1;   /* no body: what its split holds */
    uint64_t unused : 15;
    uint32_t body_checksum32;
    uint32_t body_count;
    uint32_t store; /* slot; BROKER_NONE for a part */
    uint32_t aside; /* handle of the first; 0: none. The order in the chain means nothing */
};
_Static_assert(sizeof(struct message) == 56, "docs/limits.md counts with this");
#define MESSAGE_TIME_MASK ((1ull << 44) - 1)

/* An aside: it is there as long as something in it is not zero or the message is in a heap of
 * deadlines (message_timing.c). Its slot is chosen by apply and stands in no record: it is derived,
 * what is in it is not. Always the last of the chain. */
struct timing {
    uint64_t deadline_ms : 44;       /* PLACE_DELAYED, PLACE_IN_FLIGHT; else 0 */
    uint64_t receive_count : 20;     /* stays at its maximum */
    uint64_t first_received_ms : 44; /* 0: never */
    uint64_t unused : 20;
    uint32_t nonce;      /* of the newest receive; they count up from 1 */
    uint32_t granted_ms; /* PLACE_IN_FLIGHT: deadline less the moment of the receive */
    uint32_t origin;     /* id of the plain queue whose dead letter it is; 0: none */
    uint32_t heap_index; /* derived */
};
_Static_assert(sizeof(struct timing) == 32, "docs/limits.md counts with this");
#define MESSAGE_RECEIVE_COUNT_MAX ((1u << 20) - 1)

/* ---- lines ------------------------------------------------------------------------------------ */

struct line_station_state {
    struct line_station settings; /* slices point into the line's memory */
    uint32_t queue;               /* slots */
    uint32_t dead_queue;
};

struct line {
    struct thing thing;
    char name[BROKER_NAME_BYTES_MAX];
    uint8_t name_count;
    int64_t keep_jobs_ms;
    struct body_ref file;
    uint32_t stations_count;
    struct line_station_state *stations; /* one block of memory, with the names behind them */
    /* derived */
    struct line_station *view; /* the settings alone, for line_view; in the same block */
    struct event_link event;
    bool event_line;         /* BROKER_EVENT_LINE is due */
    uint64_t event_stations; /* BROKER_EVENT_STATION is due for these */
    uint64_t limited;        /* stations with a WIP limit, */
    uint64_t full;           /* and those that have reached it */
};

/* An aside: what a message of a line has beside the message itself. All references are slots,
 * BROKER_NONE: none. A station is named by its queue: indexes change with the line's file, queues
 * stay. */
struct piece {
    uint64_t owner; /* the message's number */
    uint32_t message;
    uint32_t job;
    uint32_t path_split;     /* innermost split of its path */
    uint32_t index;          /* in it */
    uint32_t counting_split; /* in which it counts as living, dead, or is a part */
    uint32_t kit_split;      /* a kit: whose parts it holds */
    uint32_t from;           /* queue of the station it came from */
    uint32_t session;        /* PLACE_LEASED: by whom */
    uint16_t hops;
    uint16_t visit; /* in a cycle: the hops when it came here; else 0 */
    uint32_t attempts;
    bool is_each;
    bool is_suspect;
    bool is_dead;        /* it is a dead letter */
    uint32_t next_aside; /* derived: handle; 0: none */
    int64_t queued_ms;
    int64_t started_ms;    /* of the newest lease; 0: never */
    struct body_ref error; /* of the last attempt */
    /* derived */
    uint32_t next; /* message slots: of the session's leases or the split's parts */
    uint32_t previous;
    uint32_t job_next; /* message slots: all of the job's */
    uint32_t job_previous;
};

/* All steps of a long job at one station since it became one: see job_history.h. In a pool of their
 * own; the slots are derived, what stands in the job's list is not. */
struct tally {
    uint32_t next; /* slots; the list keeps the order in which they were made */
    uint32_t counts[STEP_OUTCOMES_COUNT];
    int64_t first_ms; /* as in struct job_total */
    int64_t last_ms;
    int64_t error_ms;
    struct body_ref error; /* the body of history that tells it; position 0: none */
    uint8_t name_count;
    char name[BROKER_NAME_BYTES_MAX];
};

struct job {
    struct thing thing;
    uint8_t id[16];
    uint32_t line;
    uint64_t line_number;
    uint8_t state; /* enum job_state */
    bool is_lost;  /* something of it is gone for good: it cannot be done any more */
    bool has_once;
    uint8_t once[16]; /* hash of line, station and the client's word */
    uint64_t request_hash;
    int64_t started_ms;
    int64_t ended_ms;  /* 0: running */
    int64_t forget_ms; /* when an ended one is forgotten */
    struct body_ref order;
    struct body_ref result;
    struct body_ref history;
    struct body_ref error;
    struct body_ref early; /* of a long job: the chain that no tally counts */
    uint32_t chain_count;  /* bodies of history, while it is not long */
    uint16_t key_count;
    char *key;              /* NULL: none */
    uint32_t tallies_first; /* slots; BROKER_NONE */
    uint32_t tallies_count;
    /* derived */
    bool is_shell;
    uint32_t living_count; /* messages at stations, rolls, and splits whose kit is to come */
    uint32_t leased_count;
    uint32_t dead_count;
    uint32_t messages_count; /* all of them: parts and dead letters too */
    uint32_t splits_count;
    uint32_t rolls_count;
    uint32_t messages_first;
    uint32_t newer; /* slots: all jobs by number */
    uint32_t older;
    uint32_t key_newer; /* …of the same key */
    uint32_t key_older;
    struct timer timer;
    uint32_t settle_index; /* in broker.settles */
    uint32_t ended_index;  /* in broker.ended, while nothing of it is left but itself */
    struct event_link event;
};

struct split {
    struct thing thing;
    uint32_t job;
    uint32_t parent_split; /* path of the message that opened it */
    uint32_t parent_index;
    uint32_t counting_split; /* where it counts as one living until its kit has emerged */
    uint32_t opener;         /* queues of stations */
    uint32_t join;           /* BROKER_NONE: none */
    uint16_t hops;           /* of the message that opened it */
    uint16_t visit;          /* …likewise */
    uint8_t missing;         /* enum missing_policy */
    bool is_closed;          /* its kit has emerged, or never will */
    bool is_lost;            /* a part of it is gone for good */
    int64_t within_ms;       /* deadline; 0: none */
    /* derived */
    bool is_shell;
    uint32_t living_count;
    uint32_t dead_count;
    uint32_t refs_count; /* messages, splits and rolls that name it */
    uint32_t kits_count; /* its kit message: 0 or 1 */
    uint32_t rolls_count;
    uint32_t parts_count;
    uint32_t parts_first; /* message slots; in the split's order once it is closed */
    uint32_t parts_last;
    struct timer timer;
    uint32_t settle_index;
};

struct session {
    struct thing thing;
    uint32_t line;
    uint64_t line_number;
    uint32_t queue; /* the station's */
    uint64_t queue_number;
    /* derived */
    bool is_shell;
    uint32_t leases_first; /* message slots */
    uint32_t leases_last;
    uint32_t leases_count;
};

struct move {
    struct thing thing;
    uint64_t source_number; /* a queue; the task goes with it */
    uint32_t source;
    uint32_t per_second; /* 0: as fast as it goes */
    uint64_t to_move;
    uint64_t moved_count;
    int64_t started_ms;
    int64_t next_ms; /* of a running one: its next step */
    uint8_t state;   /* enum move_state */
    uint8_t reason;  /* enum move_reason */
    uint8_t target_count;
    char target[BROKER_NAME_BYTES_MAX]; /* a name: a queue that is gone may be made again */
    /* derived */
    struct timer timer;
};

struct roll {
    struct thing thing;
    uint32_t job;
    uint32_t split; /* BROKER_NONE: its outputs inherit no split (cannot be) */
    uint32_t from;  /* queue of the station that handed off */
    uint16_t hops;
    uint32_t chunk;  /* the cursor: which chunk, */
    uint32_t offset; /* from which byte on, */
    uint32_t index;  /* and the number of that output in the split */
    uint64_t turn;   /* LSN of its last deal: the one that waited longest is next */
    uint32_t chunks_count;
    struct body_ref *chunks;
    uint32_t targets_count;
    uint32_t targets[BROKER_STATIONS_MAX]; /* queues */
    uint32_t countings_count;
    uint32_t countings[BROKER_SPLIT_DEPTH_MAX + 1]; /* splits that its outputs may count in */
};

/* ---------------------------------------------------------------------------------------------- */

struct broker {
    const struct allocator *allocator;
    struct pool pools[THING_KINDS_COUNT];
    struct pool tallies;
    uint64_t last_lsn;
    int64_t last_ms; /* the time of the newest record */
    bool is_replaying;
    int replay_result; /* sticky: -ENOMEM, -EBADMSG */
    uint32_t jobs_ended_max;

    /* All derived from here on. */
    uint32_t home_first; /* handles: things in the order of their homes */
    uint32_t home_last;
    uint32_t shells_count;
    uint64_t body_bytes;   /* of all bodies still needed */
    uint64_t notes_bytes;  /* of all queues' notes */
    struct heap deadlines; /* handles of things with a timer */
    struct map *queues_by_name;
    struct map *queues_by_id;
    uint32_t names_root;   /* slot of a queue */
    struct heap graves;    /* slots of stores that are graves and can be swept, by number */
    uint64_t graved_count; /* messages in graves */
    struct shelf_stock shelf_stock;
    uint64_t heap_bytes;   /* memory of all stores' shelves and heaps, but the stock */
    uint32_t events_first; /* handles */
    uint32_t events_last;
    struct map *jobs_by_id;
    struct map *jobs_by_number;
    struct map *jobs_by_key; /* the newest of each key */
    struct map *jobs_by_once;
    uint64_t jobs_running;
    uint32_t jobs_newest; /* slots */
    uint32_t jobs_oldest;
    struct heap ended;   /* slots of jobs that can be forgotten, by the moment of their end */
    struct heap settles; /* handles of jobs and splits for which something follows */
    uint32_t roll_next;  /* slot of a roll that can be dealt; BROKER_NONE */
    bool roll_is_stale;  /* roll_next is to be looked for */
    void *spare;         /* memory for the next apply, see lines_spare */
    size_t spare_bytes;
};

static inline struct thing *thing_at(const struct broker *broker, uint32_t handle) {
    return pool_at(&broker->pools[handle_kind(handle)], handle_slot(handle));
}
/* The thing of that kind in that slot if it has that number, else NULL. */
static inline void *thing_find(const struct broker *broker, enum thing_kind kind,
                               struct broker_ref ref) {
    struct thing *thing = pool_find(&broker->pools[kind], ref.slot);
    return thing != NULL && thing->number == ref.number && ref.number != 0 ? thing : NULL;
}

/* The root may be missing during replay. */
static inline int64_t broker_hold_until_ms(const struct broker *broker) {
    const struct root *root = pool_find(&broker->pools[THING_ROOT], 0);
    return root == NULL ? 0 : root->hold_until_ms;
}

/* queue_at(broker, slot), message_at(…), … : CHECKs that the slot is taken. */
#define THING_AT(NAME, name)                                                                       \
    static inline struct name *name##_at(const struct broker *broker, uint32_t slot) {             \
        return pool_at(&broker->pools[THING_##NAME], slot);                                        \
    }
THING_KINDS(THING_AT)
#undef THING_AT

/* The aside behind that one in its message's chain: a handle, 0: none. */
static inline uint32_t aside_next(const struct broker *broker, uint32_t handle) {
    return handle_kind(handle) == THING_PIECE ? piece_at(broker, handle_slot(handle))->next_aside
                                              : 0;
}
/* The slot of the message's aside of that kind, or BROKER_NONE. */
static inline uint32_t message_aside(const struct broker *broker, const struct message *message,
                                     enum thing_kind kind) {
    uint32_t handle = message->aside;
    while (handle != 0 && handle_kind(handle) != kind) handle = aside_next(broker, handle);
    return handle == 0 ? BROKER_NONE : handle_slot(handle);
}
static inline bool message_has_piece(const struct broker *broker, const struct message *message) {
    return message_aside(broker, message, THING_PIECE) != BROKER_NONE;
}

/* broker_home.h/.c: homes; broker_message.h/.c: places; broker_record.h: records. */

#endif
