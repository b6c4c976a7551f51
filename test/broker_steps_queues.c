/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_steps_queues.h"

#include "base/hash.h"
#include "broker/queue_notes.h"
#include "test.h"

#include <stdio.h>

#define QUEUES_COUNT 6u
#define MESSAGES_MAX 200000u       /* of a whole run */
#define MESSAGES_MAX_CHOSEN 20000u /* …of one that bytes choose */
#define LIVING_MAX 400u
#define RECEIPTS_COUNT 64u
#define NOTES_COUNT 3u

enum state { GONE, VISIBLE, DELAYED, IN_FLIGHT };

struct model_message {
    uint64_t number;
    enum state state;
    uint32_t queue;
    uint32_t origin; /* QUEUES_COUNT: none */
    uint64_t origin_life;
    uint32_t receives;
    uint32_t nonce;
    int64_t sent_ms;
    int64_t deadline_ms;
    int64_t received_ms; /* in flight: when */
    uint64_t body;       /* hash */
};

struct model_queue {
    bool exists;
    uint64_t life; /* which making of that name */
    struct queue_settings settings;
    uint32_t dead; /* QUEUES_COUNT: none */
    struct queue_counts counts;
    struct slice notes[NOTES_COUNT]; /* values of note_names; bytes NULL: none */
};

struct queue_steps {
    char names[QUEUES_COUNT][24];
    struct model_queue queues[QUEUES_COUNT];
    struct model_message *messages; /* by number */
    uint32_t messages_count;
    uint32_t messages_max;
    uint32_t first; /* all before it are gone */
    uint32_t living_count;
    struct receipt receipts[RECEIPTS_COUNT];
    uint32_t receipts_queue[RECEIPTS_COUNT];
    uint32_t receipts_count;
    uint64_t lives;
    struct queue_note changes[NOTES_COUNT]; /* of the command at hand */
};

static const char *const note_names[NOTES_COUNT] = {"Policy", "tag:b", "tag:a"};
static const char *const note_values[] = {NULL, "", "one", "another value"};

struct queue_steps *queue_steps_open(struct harness *harness) {
    struct queue_steps *steps = allocator_take(&harness->allocator, sizeof *steps);
    EXPECT(steps != NULL);
    steps->messages_max = harness->choices == NULL ? MESSAGES_MAX : MESSAGES_MAX_CHOSEN;
    steps->messages = allocator_resize_array(&harness->allocator, NULL, steps->messages_max,
                                             sizeof *steps->messages);
    EXPECT(steps->messages != NULL);
    for (uint32_t i = 0; i < QUEUES_COUNT; i++) {
        snprintf(steps->names[i], sizeof steps->names[i], "queue-%u", i * 7 % 10);
    }
    harness->steps = steps;
    return steps;
}

void queue_steps_close(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    allocator_give_back(&harness->allocator, steps->messages);
    allocator_give_back(&harness->allocator, steps);
}

/* ---- the model -------------------------------------------------------------------------------- */

static struct slice name_of(const struct queue_steps *steps, uint32_t queue) {
    return slice_from_string(steps->names[queue]);
}

static struct model_message *find(struct queue_steps *steps, uint64_t number) {
    uint32_t low = 0;
    uint32_t high = steps->messages_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (steps->messages[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_it = low < steps->messages_count && steps->messages[low].number == number;
    return is_it ? &steps->messages[low] : NULL;
}

static struct model_message *add(struct queue_steps *steps, uint64_t number, uint32_t queue) {
    EXPECT(steps->messages_count < steps->messages_max);
    struct model_message *message = &steps->messages[steps->messages_count++];
    *message = (struct model_message){.number = number, .queue = queue, .origin = QUEUES_COUNT};
    EXPECT(steps->messages_count == 1 || number > message[-1].number);
    steps->living_count++;
    return message;
}

static void end(struct queue_steps *steps, struct model_message *message) {
    EXPECT(message->state != GONE);
    message->state = GONE;
    steps->living_count--;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): `message` is declared here, and a name stands bare. */
#define EACH_MESSAGE(steps, message)                                                               \
    (struct model_message *message = (steps)->messages + (steps)->first;                           \
     message < (steps)->messages + (steps)->messages_count; message++)
/* NOLINTEND(bugprone-macro-parentheses) */

static bool is_expired(const struct queue_steps *steps, const struct model_message *message,
                       int64_t now_ms) {
    return message->sent_ms + steps->queues[message->queue].settings.retention_ms <= now_ms;
}

/* Time and graves are settled in the broker, and here. */
static void settle(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    harness_settle(harness);
    for
        EACH_MESSAGE(steps, message) {
            bool is_timed = message->state == DELAYED || message->state == IN_FLIGHT;
            if (is_timed && message->deadline_ms <= harness->now_ms) message->state = VISIBLE;
            if (message->state == VISIBLE && is_expired(steps, message, harness->now_ms)) {
                steps->queues[message->queue].counts.expired++;
                end(steps, message);
            }
        }
    while (steps->first < steps->messages_count && steps->messages[steps->first].state == GONE) {
        steps->first++;
    }
}

static void expect_counts(const struct queue_counts *counts, const struct queue_counts *expected) {
    EXPECT_INT(counts->sent, expected->sent);
    EXPECT_INT(counts->received, expected->received);
    EXPECT_INT(counts->deleted, expected->deleted);
    EXPECT_INT(counts->expired, expected->expired);
    EXPECT_INT(counts->purged, expected->purged);
    EXPECT_INT(counts->dead, expected->dead);
    EXPECT_INT(counts->redriven, expected->redriven);
}

static void compare_notes(struct slice notes, const struct slice expected[NOTES_COUNT]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < NOTES_COUNT; i++) {
        struct slice found = queue_notes_find(notes, slice_from_string(note_names[i]));
        EXPECT((found.bytes == NULL) == (expected[i].bytes == NULL));
        EXPECT(slice_equal(found, expected[i]));
        count += found.bytes != NULL;
    }
    struct queue_note note;
    while (queue_notes_next(&notes, &note)) count--;
    EXPECT_INT(count, 0);
}

static void compare_queue(struct harness *harness, uint32_t queue) {
    struct queue_steps *steps = harness->steps;
    const struct model_queue *model = &steps->queues[queue];
    struct queue_view view;
    uint64_t states[4] = {0};
    EXPECT_INT(broker_find_queue(harness->broker, name_of(steps, queue), &view), model->exists);
    if (!model->exists) return;
    for
        EACH_MESSAGE(steps, message) {
            if (message->queue == queue) states[message->state]++;
        }
    EXPECT_INT(view.visible_count, states[VISIBLE]);
    EXPECT_INT(view.delayed_count, states[DELAYED]);
    EXPECT_INT(view.in_flight_count, states[IN_FLIGHT]);
    EXPECT_INT(view.settings.retention_ms, model->settings.retention_ms);
    EXPECT_INT(view.settings.dead_after, model->settings.dead_after);
    expect_counts(&view.counts, &model->counts);
    compare_notes(view.notes, model->notes);
}

void queue_steps_compare(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    settle(harness);
    for (uint32_t i = 0; i < QUEUES_COUNT; i++) compare_queue(harness, i);
    struct broker_totals totals;
    broker_get_totals(harness->broker, &totals);
    EXPECT_INT(totals.messages_count, steps->living_count);
}

/* ---- queues ----------------------------------------------------------------------------------- */

static struct command_queue random_queue(struct harness *harness, uint32_t queue, uint32_t *dead) {
    struct queue_steps *steps = harness->steps;
    struct command_queue command = {.name = name_of(steps, queue),
                                    .given = harness_below(harness, 64)};
    struct queue_settings *settings = &command.settings;
    settings->visibility_ms = 1000 + harness_below(harness, 20000);
    settings->delay_ms = harness_below(harness, 3) == 0 ? harness_below(harness, 5000) : 0;
    settings->wait_ms = harness_below(harness, 20000);
    settings->retention_ms = 60000 + harness_below(harness, 100000);
    settings->message_bytes_max = 1024 + harness_below(harness, 1024);
    *dead = harness_below(harness, QUEUES_COUNT);
    if (*dead == queue || !steps->queues[*dead].exists) {
        *dead = QUEUES_COUNT;
    } else {
        settings->dead_queue = name_of(steps, *dead);
        settings->dead_after = 1 + harness_below(harness, 3);
    }
    command.notes = steps->changes;
    for (uint32_t i = 0; i < NOTES_COUNT; i++) {
        if (harness_below(harness, 3) > 0) continue;
        const char *value = note_values[harness_below(harness, ARRAY_COUNT(note_values))];
        steps->changes[command.notes_count++] =
            (struct queue_note){slice_from_string(note_names[i]), slice_from_string(value)};
    }
    return command;
}

static void take_notes(struct model_queue *model, const struct command_queue *command) {
    for (uint32_t i = 0; i < command->notes_count; i++) {
        for (uint32_t k = 0; k < NOTES_COUNT; k++) {
            bool is_it = slice_equal_string(command->notes[i].name, note_names[k]);
            if (is_it) model->notes[k] = command->notes[i].value;
        }
    }
}

/* What the model knows of the settings is read back: their rules have tests of their own. */
static void take_settings(struct harness *harness, uint32_t queue) {
    struct queue_steps *steps = harness->steps;
    struct queue_view view;
    EXPECT(broker_find_queue(harness->broker, name_of(steps, queue), &view));
    struct model_queue *model = &steps->queues[queue];
    model->settings = view.settings;
    model->dead = QUEUES_COUNT;
    for (uint32_t i = 0; i < QUEUES_COUNT && view.settings.dead_queue.count > 0; i++) {
        if (slice_equal(name_of(steps, i), view.settings.dead_queue)) model->dead = i;
    }
}

static void step_create(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    uint32_t queue = harness_below(harness, QUEUES_COUNT);
    uint32_t dead;
    struct command command = {.kind = COMMAND_QUEUE_CREATE};
    command.queue = random_queue(harness, queue, &dead);
    const struct broker_answer *answer = harness_submit(harness, &command);
    struct model_queue *model = &steps->queues[queue];
    if (model->exists) {
        EXPECT(answer->result == BROKER_OK || answer->result == BROKER_QUEUE_EXISTS);
        EXPECT(!answer->queue.created);
        return;
    }
    EXPECT_INT(answer->result, BROKER_OK);
    EXPECT(answer->queue.created);
    *model = (struct model_queue){.exists = true, .life = ++steps->lives};
    take_settings(harness, queue);
    take_notes(model, &command.queue);
}

static void step_set(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    uint32_t queue = harness_below(harness, QUEUES_COUNT);
    uint32_t dead;
    struct command command = {.kind = COMMAND_QUEUE_SET};
    command.queue = random_queue(harness, queue, &dead);
    bool exists = steps->queues[queue].exists;
    EXPECT_INT(harness_submit(harness, &command)->result,
               exists ? BROKER_OK : BROKER_QUEUE_NOT_FOUND);
    if (!exists) return;
    take_settings(harness, queue);
    take_notes(&steps->queues[queue], &command.queue);
    settle(harness);
}

static void end_all(struct harness *harness, uint32_t queue) {
    struct queue_steps *steps = harness->steps;
    for
        EACH_MESSAGE(steps, message) {
            if (message->queue != queue || message->state == GONE) continue;
            steps->queues[queue].counts.purged++;
            end(steps, message);
        }
}

static void step_end(struct harness *harness, enum command_kind kind) {
    struct queue_steps *steps = harness->steps;
    uint32_t queue = harness_below(harness, QUEUES_COUNT);
    struct command command = {.kind = kind, .queue = {.name = name_of(steps, queue)}};
    bool exists = steps->queues[queue].exists;
    EXPECT_INT(harness_submit(harness, &command)->result,
               exists ? BROKER_OK : BROKER_QUEUE_NOT_FOUND);
    if (!exists) return;
    end_all(harness, queue);
    if (kind == COMMAND_QUEUE_DELETE) steps->queues[queue].exists = false;
}
static void step_delete_queue(struct harness *harness) {
    step_end(harness, COMMAND_QUEUE_DELETE);
}
static void step_purge(struct harness *harness) {
    step_end(harness, COMMAND_QUEUE_PURGE);
}

/* ---- messages --------------------------------------------------------------------------------- */

static void sent(struct harness *harness, const struct command_send *command, uint32_t queue) {
    struct queue_steps *steps = harness->steps;
    const struct broker_answer *answer = &harness->decision.answer;
    struct model_queue *model = &steps->queues[queue];
    for (uint32_t i = 0; i < command->entries_count; i++) {
        const struct command_send_entry *entry = &command->entries[i];
        bool fits = entry->counted_bytes <= model->settings.message_bytes_max;
        EXPECT_INT(answer->send.results[i], fits ? BROKER_OK : BROKER_TOO_LARGE);
        if (!fits) continue;
        struct model_message *message = add(steps, answer->send.messages[i].number, queue);
        int64_t delay_ms = entry->delay_ms < 0 ? model->settings.delay_ms : entry->delay_ms;
        message->state = delay_ms > 0 ? DELAYED : VISIBLE;
        message->sent_ms = harness->now_ms;
        message->deadline_ms = harness->now_ms + delay_ms;
        message->body = hash64(entry->body);
        model->counts.sent++;
    }
}

static void step_send(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    if (steps->living_count > LIVING_MAX) return;
    uint32_t queue = harness_below(harness, QUEUES_COUNT);
    struct command_send_entry entries[BROKER_BATCH_MAX];
    char bodies[BROKER_BATCH_MAX][32];
    uint32_t count = 1 + harness_below(harness, BROKER_BATCH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int length = snprintf(bodies[i], sizeof bodies[i], "%llx",
                              (unsigned long long)harness_random(harness));
        bool is_big = harness_below(harness, 20) == 0;
        entries[i] = (struct command_send_entry){
            .body = slice_from(bodies[i], (size_t)length),
            .counted_bytes = is_big ? 2000 : (uint32_t)length,
            .delay_ms =
                harness_below(harness, 3) == 0 ? (int64_t)harness_below(harness, 4000) : -1};
    }
    struct command command = {
        .kind = COMMAND_SEND,
        .send = {.queue = name_of(steps, queue), .entries = entries, .entries_count = count}};
    bool exists = steps->queues[queue].exists;
    EXPECT_INT(harness_submit(harness, &command)->result,
               exists ? BROKER_OK : BROKER_QUEUE_NOT_FOUND);
    if (exists) sent(harness, &command.send, queue);
}

/* The next message that a receive must give; dead letters move on the way. */
static struct model_message *next_visible(struct queue_steps *steps, uint32_t queue,
                                          struct model_message *message, int64_t now_ms) {
    struct model_queue *model = &steps->queues[queue];
    bool has_dead = model->dead != QUEUES_COUNT && steps->queues[model->dead].exists;
    for (; message < steps->messages + steps->messages_count; message++) {
        if (message->queue != queue || message->state != VISIBLE) continue;
        if (is_expired(steps, message, now_ms)) continue; /* it was in flight until just now */
        if (!has_dead || message->receives < model->settings.dead_after) return message;
        message->queue = model->dead;
        message->origin = queue;
        message->origin_life = model->life;
        model->counts.dead++;
    }
    return NULL;
}

static void received(struct harness *harness, uint32_t queue, uint32_t max, int64_t lease_ms) {
    struct queue_steps *steps = harness->steps;
    const struct broker_answer *answer = &harness->decision.answer;
    struct model_message *message = steps->messages + steps->first;
    uint32_t count = 0;
    for (; count < max; count++, message++) {
        message = next_visible(steps, queue, message, harness->now_ms);
        if (message == NULL) break;
        EXPECT(count < answer->receive.count);
        const struct answer_message *got = &answer->receive.messages[count];
        EXPECT_INT(got->message.number, message->number);
        EXPECT_INT(got->receive_count, ++message->receives);
        EXPECT_INT(got->sent.ms, message->sent_ms);
        EXPECT_INT(got->nonce, ++message->nonce);
        EXPECT(hash64(harness_body(harness, got->body)) == message->body);
        message->state = lease_ms == 0 ? VISIBLE : IN_FLIGHT;
        message->received_ms = harness->now_ms;
        message->deadline_ms = harness->now_ms + lease_ms;
        uint32_t place = steps->receipts_count++ % RECEIPTS_COUNT;
        steps->receipts[place] = (struct receipt){.number = got->message.number,
                                                  .slot = got->message.slot,
                                                  .nonce = got->nonce,
                                                  .queue_slot = got->queue_slot};
        steps->receipts_queue[place] = queue;
    }
    EXPECT_INT(answer->receive.count, count);
    steps->queues[queue].counts.received += count;
}

static void step_receive(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    uint32_t queue = harness_below(harness, QUEUES_COUNT);
    uint32_t max = 1 + harness_below(harness, BROKER_BATCH_MAX);
    int64_t lease_ms = (int64_t)harness_below(harness, 4) * 3000 - 3000;
    if (lease_ms < 0) lease_ms = -1;
    struct command command = {.kind = COMMAND_RECEIVE,
                              .receive = {.queue = name_of(steps, queue),
                                          .messages_max = max,
                                          .visibility_ms = lease_ms}};
    bool exists = steps->queues[queue].exists;
    EXPECT_INT(harness_submit(harness, &command)->result,
               exists ? BROKER_OK : BROKER_QUEUE_NOT_FOUND);
    if (!exists) return;
    if (lease_ms < 0) lease_ms = steps->queues[queue].settings.visibility_ms;
    received(harness, queue, max, lease_ms);
}

/* What one receipt does in the model; the result that the broker must have given. */
static enum broker_result use_receipt(struct harness *harness, enum command_kind kind,
                                      const struct receipt *receipt, uint32_t queue,
                                      int64_t lease_ms) {
    struct queue_steps *steps = harness->steps;
    struct model_message *message = find(steps, receipt->number);
    bool is_there = message != NULL && message->state != GONE && message->queue == queue;
    bool holds = is_there && message->state == IN_FLIGHT && message->nonce == receipt->nonce;
    if (kind == COMMAND_DELETE) {
        if (!is_there) return BROKER_OK;
        steps->queues[queue].counts.deleted++;
        end(steps, message);
    } else if (kind == COMMAND_GIVE_BACK && holds) {
        message->state = VISIBLE;
        message->receives--;
    } else if (kind == COMMAND_VISIBILITY) {
        if (!is_there || is_expired(steps, message, harness->now_ms)) return BROKER_MESSAGE_GONE;
        if (!holds) return BROKER_OK;
        int64_t granted_ms = harness->now_ms + lease_ms - message->received_ms;
        if (lease_ms > 0 && granted_ms > BROKER_LEASE_MS_MAX) return BROKER_VALUE_INVALID;
        message->state = lease_ms == 0 ? VISIBLE : IN_FLIGHT;
        message->deadline_ms = harness->now_ms + lease_ms;
    }
    return BROKER_OK;
}

static void step_handles(struct harness *harness, enum command_kind kind) {
    struct queue_steps *steps = harness->steps;
    uint32_t known =
        steps->receipts_count < RECEIPTS_COUNT ? steps->receipts_count : RECEIPTS_COUNT;
    if (known == 0) return;
    uint32_t first = harness_below(harness, known);
    uint32_t queue = steps->receipts_queue[first];
    struct receipt receipts[BROKER_BATCH_MAX];
    int64_t leases_ms[BROKER_BATCH_MAX];
    uint32_t count = 0;
    for (uint32_t i = first; i < known && count < 4; i++) {
        if (steps->receipts_queue[i] != queue) continue;
        receipts[count] = steps->receipts[i];
        leases_ms[count++] = (int64_t)harness_below(harness, 3) * 21600000 - (i % 2) * 1000;
        if (leases_ms[count - 1] < 0) leases_ms[count - 1] = 0;
    }
    struct command command = {.kind = kind,
                              .handles = {.queue = name_of(steps, queue),
                                          .receipts = receipts,
                                          .visibility_ms = leases_ms,
                                          .receipts_count = count}};
    const struct broker_answer *answer = harness_submit(harness, &command);
    if (!steps->queues[queue].exists) {
        EXPECT_INT(answer->result, BROKER_QUEUE_NOT_FOUND);
        return;
    }
    struct queue_view view;
    EXPECT(broker_find_queue(harness->broker, name_of(steps, queue), &view));
    for (uint32_t i = 0; i < count; i++) {
        enum broker_result expected = BROKER_HANDLE_INVALID; /* of an earlier queue of that name */
        if (receipts[i].queue_slot == view.ref.slot) {
            expected = use_receipt(harness, kind, &receipts[i], queue, leases_ms[i]);
        }
        EXPECT_INT(answer->send.results[i], expected);
    }
}
static void step_delete(struct harness *harness) {
    step_handles(harness, COMMAND_DELETE);
}
static void step_visibility(struct harness *harness) {
    step_handles(harness, COMMAND_VISIBILITY);
}
static void step_give_back(struct harness *harness) {
    step_handles(harness, COMMAND_GIVE_BACK);
}

static void redriven(struct harness *harness, uint32_t queue, uint32_t max, uint64_t number) {
    struct queue_steps *steps = harness->steps;
    uint32_t end_count = steps->messages_count;
    uint32_t count = 0;
    for (uint32_t i = steps->first; i < end_count && count < max; i++) {
        struct model_message *message = &steps->messages[i];
        bool is_here = message->queue == queue && message->state == VISIBLE;
        if (!is_here || is_expired(steps, message, harness->now_ms)) continue;
        if (message->origin == QUEUES_COUNT || message->origin == queue) continue;
        struct model_queue *origin = &steps->queues[message->origin];
        if (!origin->exists || origin->life != message->origin_life) continue;
        struct model_message *fresh = add(steps, number + count, message->origin);
        fresh->state = VISIBLE;
        fresh->sent_ms = harness->now_ms;
        fresh->body = message->body;
        fresh->nonce = message->nonce;
        end(steps, message);
        steps->queues[queue].counts.redriven++;
        origin->counts.sent++;
        count++;
    }
    EXPECT_INT(harness->decision.answer.step.count, count);
}

static void step_redrive(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    uint32_t queue = harness_below(harness, QUEUES_COUNT);
    uint32_t max = 1 + harness_below(harness, 20);
    struct command command = {.kind = COMMAND_REDRIVE,
                              .redrive = {.queue = name_of(steps, queue), .messages_max = max}};
    if (broker_is_new(harness->broker)) return;
    uint64_t number = root_at(harness->broker, 0)->next_number;
    enum broker_result result = harness_submit(harness, &command)->result;
    if (!steps->queues[queue].exists) {
        EXPECT_INT(result, BROKER_QUEUE_NOT_FOUND);
        return;
    }
    EXPECT_INT(result, harness->decision.answer.step.count > 0 ? BROKER_OK : BROKER_NOTHING);
    redriven(harness, queue, max, number);
}

/* ---- move tasks ------------------------------------------------------------------------------ */

static uint32_t move_goal(const struct queue_steps *steps, uint32_t source, uint32_t target,
                          const struct model_message *message) {
    uint32_t goal = target;
    if (target == QUEUES_COUNT) {
        goal = message->origin;
        if (goal != QUEUES_COUNT && steps->queues[goal].life != message->origin_life)
            return QUEUES_COUNT;
    }
    bool is_good = goal != QUEUES_COUNT && goal != source && steps->queues[goal].exists;
    return is_good ? goal : QUEUES_COUNT;
}

/* One step, of at most `max`; what it comes to. */
static enum move_state moved(struct harness *harness, uint32_t source, uint32_t target,
                             uint64_t max, uint64_t number, uint64_t *count) {
    struct queue_steps *steps = harness->steps;
    uint32_t end_count = steps->messages_count;
    *count = 0;
    for (uint32_t i = steps->first; i < end_count; i++) {
        struct model_message *message = &steps->messages[i];
        bool is_here = message->queue == source && message->state == VISIBLE;
        if (!is_here || is_expired(steps, message, harness->now_ms)) continue;
        if (*count == max) return MOVE_RUNNING;
        uint32_t goal = move_goal(steps, source, target, message);
        if (goal == QUEUES_COUNT) return MOVE_FAILED;
        struct model_message *fresh = add(steps, number + *count, goal);
        fresh->state = VISIBLE;
        fresh->sent_ms = harness->now_ms;
        fresh->body = message->body;
        fresh->nonce = message->nonce;
        end(steps, message);
        steps->queues[source].counts.redriven++;
        steps->queues[goal].counts.sent++;
        ++*count;
    }
    return MOVE_COMPLETED;
}

static bool is_dead_queue(const struct queue_steps *steps, uint32_t queue) {
    for (uint32_t i = 0; i < QUEUES_COUNT; i++) {
        if (steps->queues[i].exists && steps->queues[i].dead == queue) return true;
    }
    return false;
}

static enum broker_result expected_of_move(const struct queue_steps *steps, uint32_t source,
                                           uint32_t target) {
    if (!steps->queues[source].exists) return BROKER_QUEUE_NOT_FOUND;
    if (!is_dead_queue(steps, source) || target == source) return BROKER_VALUE_INVALID;
    if (target != QUEUES_COUNT && !steps->queues[target].exists) return BROKER_QUEUE_NOT_FOUND;
    return BROKER_OK;
}

/* Nothing else is due while it takes its first step; then it is cancelled, if it goes on. */
static void step_move(struct harness *harness) {
    struct queue_steps *steps = harness->steps;
    uint32_t source = harness_below(harness, QUEUES_COUNT);
    uint32_t target = harness_below(harness, 2 * QUEUES_COUNT);
    uint32_t rate = harness_below(harness, 3) == 0 ? 0 : 1 + harness_below(harness, 100);
    if (target > QUEUES_COUNT) target = QUEUES_COUNT;
    if (broker_is_new(harness->broker)) return;
    settle(harness);
    struct command command = {
        .kind = COMMAND_MOVE_START,
        .move = {.source = name_of(steps, source),
                 .target = target == QUEUES_COUNT ? SLICE_EMPTY : name_of(steps, target),
                 .per_second = rate}};
    enum broker_result expected = expected_of_move(steps, source, target);
    EXPECT_INT(harness_submit(harness, &command)->result, expected);
    if (expected != BROKER_OK) return;
    struct broker_ref ref = harness->decision.answer.move.move;
    uint64_t number = root_at(harness->broker, 0)->next_number;
    uint64_t max = rate == 0 ? BROKER_STEP_MAX : rate < 10 ? 1 : rate / 10;
    uint64_t count;
    harness_settle(harness);
    enum move_state state = moved(harness, source, target, max, number, &count);
    struct queue_view queue;
    struct move_view view;
    EXPECT(broker_find_queue(harness->broker, name_of(steps, source), &queue));
    EXPECT(broker_next_move(harness->broker, queue.ref, 0, &view));
    EXPECT(view.ref.number == ref.number && view.state == state && view.moved_count == count);
    command = (struct command){.kind = COMMAND_MOVE_CANCEL, .move = {.move = ref}};
    EXPECT_INT(harness_submit(harness, &command)->result,
               state == MOVE_RUNNING ? BROKER_OK : BROKER_NOTHING);
}

/* ---- time, the log ---------------------------------------------------------------------------- */

static void step_time(struct harness *harness) {
    bool is_long = harness_below(harness, 20) == 0;
    harness->now_ms += harness_below(harness, is_long ? 60000 : 1500);
    settle(harness);
}

static void step_carry(struct harness *harness) {
    (void)harness_carry(harness, harness->next_lsn, harness_below(harness, 20));
}

static void step_trim(struct harness *harness) {
    if (harness->entries_count == 0) return;
    uint64_t first = harness->entries[0].lsn;
    harness_trim(harness, first + harness_below(harness, harness->entries_count));
}

const struct harness_step queue_steps[QUEUE_STEPS_COUNT] = {
    {"create", step_create, 12},
    {"set", step_set, 6},
    {"delete queue", step_delete_queue, 2},
    {"purge", step_purge, 3},
    {"send", step_send, 50},
    {"receive", step_receive, 50},
    {"delete", step_delete, 20},
    {"visibility", step_visibility, 15},
    {"give back", step_give_back, 10},
    {"redrive", step_redrive, 6},
    {"move", step_move, 6},
    {"time", step_time, 25},
    {"carry", step_carry, 5},
    {"trim", step_trim, 3},
};
