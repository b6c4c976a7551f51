/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_inside.h -- the insides of the runtime: lines, stations, workers, tasks.
 *
 * For runtime*.c, station*.c, worker*.c, task*.c and handler_*.c only; everybody else sees
 * runtime.h.
 *
 *   runtime ── line ── station ── worker ── task (a message in its hands)
 *
 * A task's memory is a worker's, a worker's is its station's list. Whatever the shard or the disk
 * still owes an answer keeps its task and its worker alive: they are freed only when nothing is
 * under way.
 */
#ifndef TAKT_LINE_RUNTIME_INSIDE_H
#define TAKT_LINE_RUNTIME_INSIDE_H

#include "base/list.h"
#include "line/kit_text.h"
#include "line/route.h"
#include "line/runtime.h"
#include "line/stream_line.h"

#define MS_NS ((int64_t)1000000)
#define NEVER ((struct mono_time){INT64_MAX})

#define STATION_WORKERS_MAX 1000u
#define STATION_IDLE_MS 30000      /* an idle worker above what is wanted stays so long */
#define STATION_FAILURES_MAX 5u    /* starts in a row without success until it is jammed */
#define STATION_LOG_LINES_MAX 500u /* a second, of all its workers */
#define WORKER_BACKOFF_MS_MIN 100
#define WORKER_BACKOFF_MS_MAX 30000
#define WORKER_BACKOFF_STEPS_HELD 3u /* above: 0.8 s, for deaths with a message in hand */
#define WORKER_SETTLE_MS 1000     /* after a failed start the next one is given nothing so long */
#define WORKER_START_MS_MAX 60000 /* who dies idle later than this was not kept from starting */
#define WORKER_TERM_MS 3000       /* from SIGTERM to SIGKILL */
#define WORKER_RETRY_MS 500       /* a session that could not be opened or ended */
#define WORKER_NAME_BYTES 48u
#define WORKER_TAIL_BYTES 4096u /* of stderr, kept for reasons */
#define STATION_REASON_BYTES 256u
#define WORKER_REASON_BYTES (WORKER_TAIL_BYTES + 128u)
#define PASS_ON_CONCURRENCY 16u
#define TASK_RETRY_MS_MIN 50
#define TASK_RETRY_MS_MAX 5000
#define TASK_INPUT_BYTES_MAX (32u * 1024 * 1024) /* a kit; a message is at most 1 MiB */
#define TASK_KIT_INLINE_BYTES_MAX (256u * 1024)  /* above: as a file */
#define TASK_OUTPUT_BYTES_MAX ROUTE_OUTPUT_BYTES_MAX
#define TASK_FILE_BYTES 64u
#define JOB_TEXT_BYTES 33u
#define TASK_NAME_BYTES (JOB_TEXT_BYTES + 32u + BROKER_SPLIT_DEPTH_MAX * 8u)

struct station;
struct worker;

/* ---- task*.c: one leased message, from the lease to the record that ends it -----------------
 *
 *   FREE ──lease──► READING ──input is there──► WAITING ──handed over──► HANDLING ──┐
 *     ▲                │ └──────── failed, or worker gone ───────┐          │       │answer
 *     │                                                          ▼          │       │
 *     └──────────────────────── durable ──────────────────── ENDING ◄───────┼───────┘
 *     └───────────── the session's end is durable ─────────── HELD ◄─ died ─┘
 */
enum task_state {
    TASK_FREE,
    TASK_READING,  /* its input comes from the journal, or goes into a file */
    TASK_WAITING,  /* to be handed over as soon as the worker can take it */
    TASK_HANDLING, /* in the handler's hands: has a deadline */
    TASK_ENDING,   /* COMPLETE, FAIL, REJECT or RETURN is on its way, or waits to be tried again */
    TASK_HELD,     /* its worker died with it: the session's end decides */
};

struct task {
    struct worker *worker;
    enum task_state state;
    uint32_t reads_pending; /* of input, order and kit file; must be 0 to be freed */
    bool is_commanded;      /* the shard owes the answer to `end` */
    int read_result;

    struct broker_ref message;
    char job[JOB_TEXT_BYTES];
    char name[TASK_NAME_BYTES]; /* TAKT_TASK */
    uint32_t attempt;
    bool is_kit;
    bool has_order; /* `order` is not `input` */
    struct body_ref body_ref;
    struct body_ref order_ref;
    struct buffer input; /* the text */
    struct buffer order;
    struct env_file *file;           /* being written */
    char file_name[TASK_FILE_BYTES]; /* "": handed over as it is */
    struct env_bytes file_piece;

    uint64_t id;         /* stream: in its lines */
    uint64_t line_start; /* stream: bytes written to the process before it */
    struct mono_time given_at;
    struct mono_time deadline;
    struct mono_time retry_at; /* READING, WAITING, ENDING: to be tried again; else NEVER */
    uint32_t retries;

    enum command_kind end;
    struct arena arena;  /* all of the following */
    struct slice output; /* the whole of it */
    struct slice error;
    bool is_final; /* another attempt would end the same way */
    struct command_output *outputs;
    uint32_t outputs_count;
    struct slice result;
    struct buffer encoded; /* the outputs' bodies */
};

void task_open(struct task *task, struct worker *worker);
void task_begin(struct task *task, const struct answer_lease *lease);
/* Hand over what waits; after a retry time too. */
void task_try_again(struct task *task);
/* Frees what it holds; it may take another message. Nothing may be under way. */
void task_free(struct task *task);
bool task_is_in_hand(const struct task *task); /* counts against the worker's concurrency */
bool task_is_under_way(const struct task *task);
const char *task_file_path(const struct task *task, struct arena *arena); /* NULL: no memory */

/* The handler's answer, taken over from its bytes (copied). */
void task_complete(struct task *task, struct slice output, bool by_station);
void task_fail(struct task *task, struct slice error);
void task_reject(struct task *task, struct slice reason);
void task_return(struct task *task); /* uncounted */

/* ---- worker*.c ------------------------------------------------------------------------------ */

enum worker_state {
    WORKER_DOWN,
    WORKER_STARTING,
    WORKER_IDLE,
    WORKER_BUSY,
    WORKER_DRAINING,
    WORKER_DYING,
    WORKER_BACKING_OFF,
    WORKER_RETIRED,
    WORKER_STATES
};
enum worker_event {
    WORKER_ON_START,  /* the station wants it, or its time has come again */
    WORKER_ON_FAILED, /* it could not be started */
    WORKER_ON_READY,  /* it has a session, and may be given messages */
    WORKER_ON_TAKEN,  /* something is in its hands */
    WORKER_ON_EMPTY,  /* nothing is */
    WORKER_ON_STOP,   /* it shall go */
    WORKER_ON_EXIT,   /* its process has ended */
    WORKER_ON_ENDED,  /* process gone, every task settled, the session's end durable */
    WORKER_EVENTS
};

enum session_step { SESSION_NONE, SESSION_OPENING, SESSION_THERE, SESSION_ENDING };

/* Why takt itself kills a worker's process. */
enum worker_doom {
    DOOM_NONE,
    DOOM_TIMEOUT, /* `guilty` took too long */
    DOOM_OUTPUT,  /* it wrote more than takt takes */
    DOOM_INPUT,   /* it reads no more */
    DOOM_STOP,    /* takt stops: what it holds goes back uncounted */
};

struct worker_log {
    char
        tail[WORKER_TAIL_BYTES]; /* the last of stderr, other control bytes than \n and \t as ' ' */
    size_t tail_count;
    char line[1024]; /* begun, not yet ended */
    size_t line_count;
};

struct worker_kind {
    bool has_process; /* one for the worker's whole life */
    /* Start that process. 0 or a negative errno. NULL without one. */
    int (*start)(struct worker *worker);
    /* Hand over a task that is WAITING; it may stay so. */
    void (*give)(struct worker *worker, struct task *task);
};
extern const struct worker_kind handler_exec;
extern const struct worker_kind handler_stream;
extern const struct worker_kind handler_pass_on;

struct worker {
    struct list_link link; /* in station->workers, by number */
    struct station *station;
    const struct worker_kind *kind;
    enum worker_state state;
    uint32_t number; /* from 1 */
    char name[WORKER_NAME_BYTES];
    struct env_timer *timer; /* the earliest of all times below and of its tasks' */

    enum session_step session_step;
    struct broker_ref session;
    struct mono_time session_retry_at; /* to be opened or ended again */
    struct mono_time lease_retry_at;   /* a LEASE was refused for now */
    bool is_leasing;                   /* the shard owes the answer to a LEASE */
    uint64_t leasing_visible;          /* what waited at the station then */
    struct task *tasks;                /* twice the concurrency: one half may still be ENDING */
    uint32_t tasks_count;

    struct process *process;
    struct mono_time started_at;
    struct mono_time settle_at; /* STARTING */
    struct mono_time kill_at;   /* SIGKILL, if it still runs */
    struct mono_time restart_at;
    struct mono_time idle_since;
    bool has_idled_out; /* since then it is above what is wanted, or was looked at */
    struct mono_time armed_for;
    bool waits_for_station;    /* BACKING_OFF: the station says when */
    bool has_spoken;           /* stdout */
    bool is_proven;            /* it has started: it has answered, or outlived the failed starts */
    struct mono_time proof_at; /* the station's prober: when that is looked at */
    enum worker_doom doom;
    uint32_t deaths_in_row; /* without an answer between */
    uint64_t written_bytes; /* to the process, */
    uint64_t unread_bytes;  /* and what of it a dead one never read */
    uint64_t ids;
    struct buffer out; /* stream: a line begun; exec: stdout */
    struct worker_log log;

    bool is_settling; /* inside worker_settle */
    struct broker_ref guilty;
    char reason[WORKER_REASON_BYTES]; /* of its death */
};

/* NULL: out of memory. */
struct worker *worker_open(struct station *station, uint32_t number);
void worker_close(struct worker *worker); /* nothing may be under way */
void worker_handle(struct worker *worker, enum worker_event event);
/* How many more messages it can take now. */
uint32_t worker_room(const struct worker *worker);
uint32_t worker_hands(const struct worker *worker); /* in hand */
bool worker_may_take(const struct worker *worker);  /* still, what was leased for it */
bool worker_is_under_way(const struct worker *worker);
void worker_lease(struct worker *worker, uint32_t messages_max, uint64_t visible);
void worker_arm(struct worker *worker); /* its timer, after any of its times has changed */
/* A task left its hands, or was freed. */
void worker_task_left(struct worker *worker);
/* It goes on towards its end as far as it can. */
void worker_settle(struct worker *worker);
/* STARTING: READY, if all is there. */
void worker_consider_ready(struct worker *worker);
/* It has started, whatever becomes of it: once in its life. */
void worker_prove(struct worker *worker);
/* Kill it now; its exit tells the rest. */
void worker_doom(struct worker *worker, enum worker_doom doom, const char *reason);
/* takt stops: TERM, or KILL if `hard`; what it holds goes back uncounted. */
void worker_force(struct worker *worker, bool hard);
struct mono_time worker_now(const struct worker *worker);
struct task *worker_find_task(struct worker *worker, uint64_t id); /* HANDLING; or NULL */

/* worker_process.c */
TAKT_MUST_USE int worker_start_process(struct worker *worker, const struct task *task,
                                       const struct process_events *events);
void worker_signal(struct worker *worker, int signal);
/* Close stdin and send TERM; KILL later. */
void worker_let_go(struct worker *worker);
/* Into worker->reason: how its process ended, and its last words. */
void worker_write_reason(struct worker *worker, int exit_code, int signal);
/* Something of what it was given has been read, as far as that is known of a dead one. */
bool worker_has_read(const struct worker *worker);
/* Why its process was not started; a folder that is not there is named. */
void worker_write_start_failure(const struct worker *worker, int rc,
                                char reason[STATION_REASON_BYTES]);
/* It died before it could do anything: the program is at fault, not a message. */
bool worker_is_early_death(const struct worker *worker, int signal);
/* It could not even become the program (takt's own words are on its stderr). */
bool worker_cannot_execute(const struct worker *worker, int exit_code);

/* worker_session.c */
void worker_open_session(struct worker *worker);
void worker_end_session(struct worker *worker);

/* worker_log.c */
void worker_log_take(struct worker *worker, struct slice bytes); /* of stderr */
void worker_log_line(struct worker *worker, struct slice line);
void worker_log_flush(struct worker *worker);              /* a line begun */
struct slice worker_log_tail(const struct worker *worker); /* trimmed */

/* ---- station*.c ----------------------------------------------------------------------------- */

struct station {
    struct runtime_line *line;
    const struct definition_station *definition;
    const struct worker_kind *kind;
    uint32_t index;
    uint32_t concurrency;
    unsigned uses;         /* EXPRESSION_BITs that its routes read */
    struct list_link work; /* in runtime->work: to be scaled */
    struct list_link workers;
    uint32_t workers_count; /* in the list */
    uint32_t workers_min;
    uint32_t workers_max;
    uint32_t wanted;
    int32_t scale; /* by hand; -1: as the file says */

    struct env_timer *timer; /* retry_at */
    uint32_t failures;       /* starts in a row without success */
    int64_t failed_life_ms;  /* the longest of those */
    struct mono_time retry_at;
    struct wall_time retry_at_wall;
    struct worker *prober; /* while failing: the one that tries */
    bool is_jammed;
    bool is_given_up; /* a worker asked not to be started again */
    char reason[STATION_REASON_BYTES];

    uint64_t deaths;
    int64_t handler_us_mean; /* -1: none yet */
    uint64_t files_count;
    struct mono_time log_second;
    uint32_t log_lines;
    uint32_t log_left_out;
};

TAKT_MUST_USE int station_open(struct station *station, struct runtime_line *line, uint32_t index);
void station_close(struct station *station); /* its workers have been closed */
struct runtime *station_runtime(const struct station *station);
/* Lease what waits for whoever has room. */
void station_dispatch(struct station *station);
/* Look again at how many workers there should be, soon. */
void station_want_work(struct station *station);
void station_scale(struct station *station); /* what station_want_work asked for */
bool station_may_start(const struct station *station);
void station_start_failed(struct station *station, struct worker *worker, const char *reason,
                          bool is_final);
void station_start_worked(struct station *station);
void station_prober_left(struct station *station, const struct worker *worker);
void station_give_up(struct station *station, const struct worker *worker);
void station_handled(struct station *station, int64_t handling_ns);
/* min · 2^step, at most max, with jitter of a quarter. */
int64_t station_backoff_ms(struct station *station, uint32_t step);

/* ---- runtime*.c ----------------------------------------------------------------------------- */

struct runtime_line {
    struct runtime *runtime;
    const struct definition *definition;
    struct broker_ref ref;
    struct station *stations;
    uint32_t stations_opened;
};

struct runtime {
    struct runtime_options options;
    struct env *env;
    const struct log *log;
    struct shard *shard;
    const struct worker_processes *processes;
    struct env_file *scratch;
    struct runtime_line *lines; /* those with a name */
    uint32_t lines_count;
    uint32_t lines_put; /* in force */
    bool is_putting;    /* the shard owes the answer to a LINE_PUT */
    bool is_ready;
    bool is_stopping;
    bool is_forced; /* the grace is over */
    bool is_failed; /* the journal: no command means anything any more */
    bool is_closing;
    struct list_link work;    /* stations to be scaled */
    struct env_timer *chores; /* fires at once when there is something to do */
    struct env_timer *grace;
    env_fn *stopped;
    void *stopped_context;
};

void runtime_put_lines(struct runtime *runtime); /* runtime_lines.c */
void runtime_want_chores(struct runtime *runtime);
/* The journal has failed: kill the workers, nothing more. */
void runtime_fail(struct runtime *runtime);
/* Commands mean something and new messages may be taken. */
bool runtime_takes(const struct runtime *runtime);
/* runtime_stop.c */
void runtime_grace_over(void *context); /* the timer's */
void runtime_stop_if_through(struct runtime *runtime);
uint32_t runtime_workers_count(const struct runtime *runtime);

#endif
