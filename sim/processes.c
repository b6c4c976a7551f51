/* SPDX-License-Identifier: Apache-2.0 */
#include "processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX (1024u * 1024)
#define HANDS 8u
#define TASK_BYTES 160u
#define PROCESSES_MAX 64u

struct hand { /* a message that a `stream` program works on */
    char id[24];
    char task[TASK_BYTES]; /* "": empty */
};

struct process {
    struct list_link link;
    struct processes *all;
    const struct process_events *events;
    void *context;
    bool is_exec; /* one message, on standard input; its work is named in the environment */
    bool is_input_closed;
    bool is_drained;
    int signal; /* that it was sent; 0: none */
    bool hangs;
    size_t input_count;
    char input[INPUT_BYTES_MAX];
    struct hand hands[HANDS];
};

static uint32_t below(struct processes *all, uint32_t end) {
    return dice_below(&all->machine->dice, end);
}

/* ---- what takt calls -------------------------------------------------------------------------- */

static void take_task(struct process *process, const char *id, const char *task);

static const char *find_variable(const char *const *env, const char *name) {
    size_t count = strlen(name);
    for (; *env != NULL; env++) {
        if (strncmp(*env, name, count) == 0 && (*env)[count] == '=') return *env + count + 1;
    }
    return NULL;
}

static int start(void *context, struct env *env, const struct process_options *options,
                 struct process **out) {
    (void)env;
    struct processes *all = context;
    if (all->count >= PROCESSES_MAX) return -EAGAIN;
    if (!all->is_calm && below(all, 30) == 0) return below(all, 2) == 0 ? -EAGAIN : -ENOENT;
    struct process *process = calloc(1, sizeof *process);
    if (process == NULL) return -ENOMEM;
    process->all = all;
    process->events = options->events;
    process->context = options->context;
    process->hangs = !all->is_calm && below(all, 12) == 0;
    list_init(&process->link);
    list_append(&all->list, &process->link);
    all->count++;
    const char *task = find_variable(options->env, "TAKT_TASK");
    process->is_exec = task != NULL;
    if (process->is_exec) take_task(process, "", task);
    *out = process;
    return 0;
}

static enum fault fault_of(const struct process *process) {
    return process->all->machine->fault;
}

static bool holds_work(const struct process *process) {
    if (process->input_count > 0) return true;
    for (uint32_t i = 0; i < HANDS; i++) {
        if (process->hands[i].task[0] != '\0') return true;
    }
    return false;
}

/* Standard input is closed, or it is asked to end: not while it has work, unless takt itself goes. */
static void check_told_to_go(const struct process *process) {
    if (process->is_exec || process->all->is_stopping || !holds_work(process)) return;
    report_fail(process->all->report, "a worker that holds a message is told to go");
}

static int write_input(struct process *process, struct slice bytes) {
    if (process->is_input_closed) return -EPIPE;
    if (bytes.count > sizeof process->input - process->input_count) return -ENOBUFS;
    memcpy(process->input + process->input_count, bytes.bytes, bytes.count);
    process->input_count += bytes.count;
    process->is_drained = false;
    if (fault_of(process) == FAULT_BUSY_CHOSEN && !process->is_exec) check_told_to_go(process);
    return 0;
}

static void close_stdin(struct process *process) {
    check_told_to_go(process);
    process->is_input_closed = true;
}

static void send_signal(struct process *process, int signal) {
    if (signal == SIGTERM) check_told_to_go(process);
    if (fault_of(process) == FAULT_WORKER_SPARED && signal == SIGKILL) return;
    if (process->signal != SIGKILL) process->signal = signal;
}

static uint64_t unread_bytes(const struct process *process) {
    return process->input_count;
}

static const char *variable(void *context, const char *name) {
    (void)context;
    return strcmp(name, "PATH") == 0 ? "/bin" : NULL;
}

static uint32_t processors_count(void *context) {
    (void)context;
    return 2;
}

void processes_init(struct processes *processes, struct machine *machine, struct report *report) {
    *processes = (struct processes){.table = {.start = start,
                                              .write = write_input,
                                              .close_stdin = close_stdin,
                                              .signal = send_signal,
                                              .unread_bytes = unread_bytes,
                                              .variable = variable,
                                              .processors_count = processors_count,
                                              .context = processes},
                                    .machine = machine,
                                    .report = report};
    list_init(&processes->list);
}

static struct process *process_at(struct list_link *link) {
    return CONTAINER_OF(link, struct process, link);
}

void processes_forget(struct processes *processes) {
    while (!list_is_empty(&processes->list)) {
        struct process *process = process_at(list_first(&processes->list));
        list_remove(&process->link);
        free(process);
    }
    processes->count = 0;
}

/* ---- what they do ----------------------------------------------------------------------------- */

static bool has_task(const struct process *process, const char *task) {
    for (uint32_t i = 0; i < HANDS; i++) {
        if (process->hands[i].task[0] != '\0' && strcmp(process->hands[i].task, task) == 0)
            return true;
    }
    return false;
}

static void take_task(struct process *process, const char *id, const char *task) {
    struct processes *all = process->all;
    for (struct list_link *link = all->list.next; link != &all->list; link = link->next) {
        if (!has_task(process_at(link), task)) continue;
        report_fail(all->report, "%s is in the hands of two living workers", task);
    }
    uint32_t i = 0;
    while (i < HANDS && process->hands[i].task[0] != '\0') i++;
    REPORT_EXPECT(all->report, i < HANDS); /* more than its concurrency */
    (void)snprintf(process->hands[i].id, sizeof process->hands[i].id, "%s", id);
    (void)snprintf(process->hands[i].task, sizeof process->hands[i].task, "%s", task);
}

/* The text of `"name":"…"`. */
static void read_field(const char *line, const char *name, char *out, size_t bytes) {
    out[0] = '\0';
    const char *at = strstr(line, name);
    if (at == NULL) return;
    at += strlen(name);
    (void)snprintf(out, bytes, "%.*s", (int)strcspn(at, "\""), at);
}

/* False: no whole line is there. */
static bool read_line(struct process *process) {
    char *end = memchr(process->input, '\n', process->input_count);
    if (end == NULL) return false;
    char id[24];
    char task[TASK_BYTES];
    *end = '\0';
    read_field(process->input, "\"id\":\"", id, sizeof id);
    read_field(process->input, "\"task\":\"", task, sizeof task);
    REPORT_EXPECT(process->all->report, id[0] != '\0' && task[0] != '\0');
    if (process->all->machine->fault == FAULT_WORK_TWICE && below(process->all, 8) == 0) {
        take_task(process, id, task);
    }
    size_t used = (size_t)(end - process->input) + 1;
    memmove(process->input, process->input + used, process->input_count - used);
    process->input_count -= used;
    take_task(process, id, task);
    return true;
}

static void say(struct process *process, int stream, const char *text) {
    process->events->on_output(process->context, stream, slice_from_string(text));
}

static void end_process(struct process *process, int exit_code, int signal) {
    struct processes *all = process->all;
    list_remove(&process->link);
    list_init(&process->link);
    all->count--;
    all->machine->mishaps[MISHAP_WORKER_DIED] += signal != 0;
    machine_mix(all->machine, (uint64_t)exit_code + 900);
    process->events->on_output(process->context, 1, SLICE_EMPTY);
    process->events->on_output(process->context, 2, SLICE_EMPTY);
    bool is_unheard = all->machine->fault == FAULT_DEATH_UNHEARD && below(all, 4) == 0;
    if (is_unheard) return; /* and is never freed: this run fails */
    process->events->on_exit(process->context, exit_code, signal);
    free(process);
}

/* Any station may get it: `items` for an `each`, `again` for the way back. */
static void write_value(struct processes *all, char *out, size_t bytes) {
    static const char *const items[] = {"", "1", "1,2", "1,2,3", "{\"items\":[4]},5"};
    uint32_t kind = below(all, all->is_calm ? 3 : ARRAY_COUNT(items));
    bool comes_again = !all->is_calm && below(all, 4) == 0;
    (void)snprintf(out, bytes, "{\"items\":[%s],\"again\":%s,\"token\":%llu}", items[kind],
                   comes_again ? "true" : "false", (unsigned long long)all->tokens++);
}

static struct hand *hand_of(struct process *process) {
    uint32_t first = below(process->all, HANDS);
    for (uint32_t i = 0; i < HANDS; i++) {
        struct hand *hand = &process->hands[(first + i) % HANDS];
        if (hand->task[0] != '\0') return hand;
    }
    return NULL;
}

static void answer_line(struct process *process, struct hand *hand) {
    struct processes *all = process->all;
    char value[128];
    char line[256];
    uint32_t at = all->is_calm ? 0 : below(all, 24);
    write_value(all, value, sizeof value);
    if (at < 18) {
        (void)snprintf(line, sizeof line, "{\"id\":\"%s\",\"output\":%s}\n", hand->id, value);
    } else if (at < 21) {
        (void)snprintf(line, sizeof line, "{\"id\":\"%s\",\"error\":\"it is broken\"}\n", hand->id);
    } else if (at < 22) {
        (void)snprintf(line, sizeof line, "{\"id\":\"%s\",\"reject\":\"not here\"}\n", hand->id);
    } else {
        (void)snprintf(line, sizeof line, "{\"id\":\"%s\",\"outp\n", hand->id);
    }
    hand->task[0] = '\0';
    say(process, 1, line);
}

/* Of an `exec`: its answer is its end. */
static void answer_exit(struct process *process) {
    struct processes *all = process->all;
    char value[128];
    uint32_t at = all->is_calm ? 0 : below(all, 24);
    write_value(all, value, sizeof value);
    process->input_count = 0;
    say(process, at < 18 ? 1 : 2, at < 18 ? value : "something is wrong\n");
    int exit_code = at < 18 ? 0 : at < 20 ? 65 : 1;
    end_process(process, exit_code, 0);
}

/* False: it has nothing to do. */
static bool act(struct process *process) {
    struct processes *all = process->all;
    if (process->signal != 0 && (process->signal == SIGKILL || !process->hangs)) {
        bool is_killed = process->signal == SIGKILL || process->is_exec;
        end_process(process, 0, is_killed ? process->signal : 0);
        return true;
    }
    if (process->hangs && !all->is_calm) return false;
    if (!all->is_calm && below(all, 60) == 0) {
        end_process(process, 3, below(all, 2) == 0 ? SIGSEGV : 0);
        return true;
    }
    if (!process->is_drained) {
        process->is_drained = true;
        if (process->events->on_drained != NULL) process->events->on_drained(process->context);
        return true;
    }
    if (process->is_exec) {
        if (process->is_input_closed) answer_exit(process);
        return true;
    }
    struct hand *hand = hand_of(process);
    bool reads = hand == NULL || below(all, 2) == 0;
    if (reads && read_line(process)) return true;
    if (hand == NULL && process->is_input_closed) end_process(process, 0, 0);
    if (hand != NULL) answer_line(process, hand);
    return hand != NULL;
}

bool processes_step(struct processes *processes) {
    if (processes->count == 0) return false;
    struct list_link *link = list_first(&processes->list);
    for (uint32_t skip = below(processes, processes->count); skip > 0; skip--) link = link->next;
    return act(process_at(link));
}

void processes_run(struct processes *processes) {
    for (uint32_t i = 0; i < 4 * processes->count; i++) (void)processes_step(processes);
}
