/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c -- clock, memory, timers and the loop; the disk's calls are in machine_disk.c. */
#include "machine_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000ll
#define START_MONO_MS 1000ll
#define START_WALL_MS 1700000000000ll
#define TURNS_MAX 100000u

static const char *const all_words[] = {
#define MISHAP_WORDS(name, words) [MISHAP_##name] = (words),
    MISHAPS(MISHAP_WORDS)
#undef MISHAP_WORDS
};

const char *mishap_words(enum mishap mishap) {
    return all_words[mishap];
}

void machine_mix(struct machine *machine, uint64_t value) {
    machine->trace = (machine->trace ^ value) * 0x9E3779B97F4A7C15u;
    machine->trace ^= machine->trace >> 29;
}

bool machine_mishap(struct machine *machine, enum mishap mishap, uint32_t one_in) {
    if (!dice_one_in(&machine->dice, one_in)) return false;
    machine->mishaps[mishap]++;
    machine_mix(machine, (uint64_t)mishap + 1000);
    return true;
}

/* ---- memory ----------------------------------------------------------------------------------- */

struct memory {
    struct list_link link;
    size_t bytes_count;
    _Alignas(16) char bytes[];
};

static void give_back(struct machine *machine, struct memory *memory) {
    list_remove(&memory->link);
    machine->memory_bytes -= memory->bytes_count;
    free(memory);
}

static void *resize(void *context, void *bytes, size_t bytes_count) {
    struct machine *machine = context;
    struct memory *memory = NULL;
    if (bytes != NULL) memory = CONTAINER_OF(bytes, struct memory, bytes);
    if (bytes_count == 0) {
        if (memory != NULL) give_back(machine, memory);
        return NULL;
    }
    if (machine_mishap(machine, MISHAP_NO_MEMORY, machine->luck.memory)) return NULL;
    /* It always moves: who keeps an old address is found out by the sanitizer. */
    struct memory *fresh = malloc(sizeof *fresh + bytes_count);
    CHECK(fresh != NULL);
    fresh->bytes_count = bytes_count;
    list_init(&fresh->link);
    list_append(&machine->memory, &fresh->link);
    machine->memory_bytes += bytes_count;
    if (memory == NULL) return fresh->bytes;
    size_t kept = memory->bytes_count < bytes_count ? memory->bytes_count : bytes_count;
    memcpy(fresh->bytes, memory->bytes, kept);
    give_back(machine, memory);
    return fresh->bytes;
}

struct machine *machine_behind(const struct allocator *allocator) {
    return allocator->resize == resize ? allocator->context : NULL;
}

static void forget_memory(struct machine *machine) {
    struct list_link *next;
    for (struct list_link *link = machine->memory.next; link != &machine->memory; link = next) {
        next = link->next;
        free(CONTAINER_OF(link, struct memory, link));
    }
    list_init(&machine->memory);
    machine->memory_bytes = 0;
}

/* ---- clock, chance ---------------------------------------------------------------------------- */

static struct wall_time now_wall(struct env *env) {
    const struct machine *machine = machine_from(env);
    return (struct wall_time){(machine->mono_ns + machine->wall_lead_ns) / NS_PER_MS};
}

static struct mono_time now_mono(struct env *env) {
    return (struct mono_time){machine_from(env)->mono_ns};
}

static void fill_random(struct env *env, void *bytes, size_t count) {
    struct machine *machine = machine_from(env);
    for (size_t have = 0; have < count;) {
        uint64_t value = dice_next(&machine->dice);
        size_t step = count - have < sizeof value ? count - have : sizeof value;
        memcpy((char *)bytes + have, &value, step);
        have += step;
    }
}

/* ---- timers and the loop ---------------------------------------------------------------------- */

struct env_timer {
    struct list_link link;
    env_fn *fire;
    void *context;
    int64_t when_ns; /* INT64_MAX: not set */
};

static int timer_open(struct env *env, env_fn *fire, void *context, struct env_timer **out) {
    struct env_timer *timer = env_alloc(env, sizeof *timer);
    if (timer == NULL) return -ENOMEM;
    *timer = (struct env_timer){.fire = fire, .context = context, .when_ns = INT64_MAX};
    list_init(&timer->link);
    list_append(&machine_from(env)->timers, &timer->link);
    *out = timer;
    return 0;
}

static void timer_set(struct env *env, struct env_timer *timer, struct mono_time when) {
    (void)env;
    timer->when_ns = when.ns;
}

static void timer_stop(struct env *env, struct env_timer *timer) {
    (void)env;
    timer->when_ns = INT64_MAX;
}

static void timer_close(struct env *env, struct env_timer *timer) {
    if (timer == NULL) return;
    list_remove(&timer->link);
    env_free(env, timer);
}

static int defer(struct env *env, env_fn *fn, void *context) {
    struct machine *machine = machine_from(env);
    if (machine->deferred_count == MACHINE_DEFERRED_MAX) return -ENOBUFS;
    machine->deferred[machine->deferred_count].fn = fn;
    machine->deferred[machine->deferred_count++].context = context;
    return 0;
}

static struct env_timer *earliest_timer(const struct machine *machine) {
    struct env_timer *found = NULL;
    const struct list_link *head = &machine->timers;
    for (struct list_link *link = head->next; link != head; link = link->next) {
        struct env_timer *timer = CONTAINER_OF(link, struct env_timer, link);
        if (found == NULL || timer->when_ns < found->when_ns) found = timer;
    }
    return found;
}

static void run_deferred(struct machine *machine) {
    uint32_t count = machine->deferred_count;
    for (uint32_t i = 0; i < count; i++) machine->deferred[i].fn(machine->deferred[i].context);
    machine->deferred_count -= count;
    memmove(machine->deferred, machine->deferred + count,
            machine->deferred_count * sizeof machine->deferred[0]);
}

static int64_t next_ns(const struct machine *machine) {
    int64_t when_ns = machine_next_timer_ns(machine);
    const struct machine_call *call = machine_call_next(machine);
    if (call != NULL && call->when_ns < when_ns) when_ns = call->when_ns;
    return when_ns;
}

bool machine_is_busy(const struct machine *machine) {
    return machine->deferred_count > 0 || next_ns(machine) <= machine->mono_ns;
}

bool machine_has_calls(const struct machine *machine) {
    return machine_call_next(machine) != NULL;
}

bool machine_turn(struct machine *machine, int64_t until_ns) {
    if (machine->deferred_count > 0) {
        run_deferred(machine);
        return true;
    }
    int64_t when_ns = next_ns(machine);
    if (when_ns > until_ns) {
        if (until_ns > machine->mono_ns) machine->mono_ns = until_ns;
        return false;
    }
    if (when_ns > machine->mono_ns) machine->mono_ns = when_ns;
    machine_mix(machine, (uint64_t)machine->mono_ns);
    struct machine_call *call = machine_call_next(machine);
    struct env_timer *timer = earliest_timer(machine);
    bool is_call = call != NULL && call->when_ns <= machine->mono_ns;
    bool is_timer = timer != NULL && timer->when_ns <= machine->mono_ns;
    if (is_call && is_timer) is_call = dice_below(&machine->dice, 2) == 0;
    if (is_call) {
        machine_call_end(machine, call);
        return true;
    }
    CHECK(timer != NULL); /* something was due */
    timer->when_ns = INT64_MAX;
    machine->timers_fired++;
    timer->fire(timer->context);
    return true;
}

/* ---- by hand ---------------------------------------------------------------------------------- */

uint64_t machine_run(struct machine *machine) {
    uint64_t fired = machine->timers_fired;
    for (uint32_t i = 0; machine_is_busy(machine); i++) {
        CHECK(i < TURNS_MAX); /* else it never ends */
        (void)machine_turn(machine, machine->mono_ns);
    }
    return machine->timers_fired - fired;
}

void machine_end_calls(struct machine *machine) {
    struct machine_call *call;
    for (uint32_t i = 0; (call = machine_call_next(machine)) != NULL; i++) {
        CHECK(i < TURNS_MAX);
        machine_call_end(machine, call);
    }
}

void machine_jump_ns(struct machine *machine, int64_t ns) {
    machine->mono_ns += ns;
}

void machine_pass_ms(struct machine *machine, int64_t ms) {
    for (int64_t i = 0; i < ms; i++) {
        machine_jump_ns(machine, NS_PER_MS);
        (void)machine_run(machine);
    }
}

void machine_set_wall_ms(struct machine *machine, int64_t ms) {
    machine->wall_lead_ns = ms * NS_PER_MS - machine->mono_ns;
}

int64_t machine_next_timer_ns(const struct machine *machine) {
    const struct env_timer *timer = earliest_timer(machine);
    return timer == NULL ? INT64_MAX : timer->when_ns;
}

struct machine *machine_copy(const struct machine *machine) {
    struct machine *copy = machine_open(machine->dice.state, FAULT_NONE);
    if (copy == NULL) return NULL;
    disk_close(copy->disk);
    copy->disk = disk_copy(machine->disk);
    if (copy->disk == NULL) {
        machine_close(copy);
        return NULL;
    }
    return copy;
}

/* ---- lives ------------------------------------------------------------------------------------ */

struct machine *machine_open(uint64_t seed, enum fault fault) {
    struct machine *machine = calloc(1, sizeof *machine);
    if (machine == NULL) return NULL;
    machine->disk = disk_open();
    if (machine->disk == NULL) {
        free(machine);
        return NULL;
    }
    machine->ops = machine_disk_ops;
    machine->ops.now_wall = now_wall;
    machine->ops.now_mono = now_mono;
    machine->ops.random = fill_random;
    machine->ops.timer_open = timer_open;
    machine->ops.timer_set = timer_set;
    machine->ops.timer_stop = timer_stop;
    machine->ops.timer_close = timer_close;
    machine->ops.defer = defer;
    machine->env = (struct env){&machine->ops, {resize, machine}};
    machine->dice.state = seed;
    machine->fault = fault;
    machine->mono_ns = START_MONO_MS * NS_PER_MS;
    machine->wall_lead_ns = START_WALL_MS * NS_PER_MS - machine->mono_ns;
    list_init(&machine->memory);
    list_init(&machine->files);
    list_init(&machine->timers);
    return machine;
}

void machine_close(struct machine *machine) {
    if (machine == NULL) return;
    machine_close_files(machine);
    forget_memory(machine);
    disk_close(machine->disk);
    free(machine);
}

static void forget_life(struct machine *machine) {
    machine_close_files(machine);
    list_init(&machine->timers);
    machine->deferred_count = 0;
    memset(machine->calls, 0, sizeof machine->calls);
    machine->is_locked = false;
    machine->crash_in = 0;
    forget_memory(machine);
}

void machine_after_crash(struct machine *machine, enum disk_mercy mercy) {
    machine->mishaps[MISHAP_CRASH]++;
    machine->mishaps[MISHAP_CRASH_STARTING] += machine->is_starting;
    machine_calls_torn(machine);
    machine->mishaps[MISHAP_SECTORS_LOST] += disk_crash(machine->disk, mercy, &machine->dice);
    machine_mix(machine, disk_hash(machine->disk));
    forget_life(machine);
}

uint64_t machine_after_stop(struct machine *machine) {
    int64_t until_ns = machine->mono_ns + 3600 * 1000 * NS_PER_MS;
    while (machine->deferred_count > 0 || machine_has_calls(machine)) {
        (void)machine_turn(machine, until_ns);
    }
    uint64_t left = machine->memory_bytes;
    forget_life(machine);
    return left;
}
