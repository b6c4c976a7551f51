/* SPDX-License-Identifier: Apache-2.0 */
/* shard_watch.c -- who wants to know when a job has ended, and that durably.
 *
 * A watch is either in the bucket of its job or, once the job has ended, held like an answer.
 */
#include "shard/shard_inside.h"

struct shard_watch {
    struct held held; /* first; its link is in a bucket or in shard.held */
    struct shard *shard;
    struct broker_ref job;
    shard_job_fn *fn;
    void *context;
};

static struct list_link *bucket_of(struct shard *shard, struct broker_ref job) {
    return &shard->watch_buckets[job.number % SHARD_BUCKETS];
}

static bool is_running(const struct shard *shard, struct broker_ref job) {
    struct job_view view;
    return broker_get_job(shard->broker, job, &view) && view.state == JOB_RUNNING;
}

static void end_watch(struct shard *shard, struct held *held, enum held_end end) {
    struct shard_watch *watch = CONTAINER_OF(held, struct shard_watch, held);
    if (end == HELD_FAILED) { /* nothing can be said of it; its owner still may cancel it */
        list_append(bucket_of(shard, watch->job), &watch->held.link);
        return;
    }
    if (end == HELD_DURABLE) watch->fn(watch->context, watch->job);
    env_free(shard->env, watch);
}

struct shard_watch *shard_watch_job(struct shard *shard, struct broker_ref job, shard_job_fn *fn,
                                    void *context) {
    struct shard_watch *watch = env_alloc(shard->env, sizeof *watch);
    if (watch == NULL) return NULL;
    *watch = (struct shard_watch){.shard = shard, .job = job, .fn = fn, .context = context};
    watch->held.end = end_watch;
    if (is_running(shard, job)) {
        list_append(bucket_of(shard, job), &watch->held.link);
    } else {
        shard_hold(shard, &watch->held);
    }
    return watch;
}

void shard_watch_cancel(struct shard_watch *watch) {
    list_remove(&watch->held.link);
    env_free(watch->shard->env, watch);
}

void shard_watch_wake(struct shard *shard, struct broker_ref job) {
    if (is_running(shard, job)) return; /* it was revived */
    struct list_link *bucket = bucket_of(shard, job);
    struct list_link *next;
    for (struct list_link *link = bucket->next; link != bucket; link = next) {
        next = link->next;
        struct shard_watch *watch = CONTAINER_OF(link, struct shard_watch, held.link);
        if (watch->job.number != job.number) continue;
        list_remove(link);
        shard_hold(shard, &watch->held);
    }
}

void shard_watch_open(struct shard *shard) {
    for (uint32_t i = 0; i < SHARD_BUCKETS; i++) list_init(&shard->watch_buckets[i]);
}

void shard_watch_close(struct shard *shard) {
    for (uint32_t i = 0; i < SHARD_BUCKETS; i++) {
        struct list_link *link;
        while ((link = list_first(&shard->watch_buckets[i])) != NULL) {
            list_remove(link);
            env_free(shard->env, CONTAINER_OF(link, struct shard_watch, held.link));
        }
    }
}
