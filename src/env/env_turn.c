/* SPDX-License-Identifier: Apache-2.0 */
/* env_turn.c -- how long the loop's turns take: from the end of one to the end of the next, without
 * the wait for events. libuv tells how long it has waited in all; the rest is work, or a core that
 * somebody else had. What the thread's own CPU time says beside it tells the two apart.
 */
#include "env/env_real.h"

#include <time.h>

#define NS_PER_S 1000000000ll
#define RECENT_NS (10 * NS_PER_S)

static int64_t thread_cpu_ns(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static struct env_turn_mark mark_now(struct env_real *real) {
    return (struct env_turn_mark){
        .wall_ns = (int64_t)uv_hrtime(),
        .idle_ns = (int64_t)uv_metrics_idle_time(&real->loop),
        .cpu_ns = thread_cpu_ns(),
    };
}

void env_turn_begin(struct env_real *real) {
    real->turn_mark = mark_now(real);
    real->turn_recent_since_ns = real->turn_mark.wall_ns;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

void env_turn_end(struct env_real *real) {
    struct env_turn_mark before = real->turn_mark;
    struct env_turn_mark now = mark_now(real);
    struct env_turns *turns = &real->turns;
    int64_t work_ns = (now.wall_ns - before.wall_ns) - (now.idle_ns - before.idle_ns);
    real->turn_mark = now;
    if (now.wall_ns - real->turn_recent_since_ns > RECENT_NS) {
        real->turn_recent_since_ns = now.wall_ns;
        real->turn_longest_before_ns = real->turn_longest_now_ns;
        real->turn_longest_now_ns = 0;
    }
    turns->count++;
    turns->above_5_ms_count += work_ns > 5 * 1000 * 1000;
    turns->longest_ns = larger(turns->longest_ns, work_ns);
    real->turn_longest_now_ns = larger(real->turn_longest_now_ns, work_ns);
    turns->recent_longest_ns = larger(real->turn_longest_now_ns, real->turn_longest_before_ns);
    int64_t cpu_ns = now.cpu_ns - before.cpu_ns;
    turns->cpu_above_5_ms_count += cpu_ns > 5 * 1000 * 1000;
    turns->cpu_longest_ns = larger(turns->cpu_longest_ns, cpu_ns);
}

bool env_get_turns(struct env *env, struct env_turns *out) {
    const struct env_real *real = env_real_if(env);
    if (real == NULL) return false;
    *out = real->turns;
    return true;
}
