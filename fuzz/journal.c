/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c -- recovery from a folder of any content, on the simulated disk.
 *
 * Bytes alone would all end at the first checksum: so an input tells how the folder is made, batch by
 * batch, what is wrong with each, and then which bytes are changed afterwards. Zeros make a sound
 * log; the checksums are made after the wrong, unless they are what is wrong.
 *
 * The journal opens or refuses in words. A sound log gives every record. What was given out once, and
 * taken over, is there at the next start, with what was appended since, and without being told again
 * to accept the damage.
 */
#include "fuzz/fuzz.h"
#include "fuzz/with/choices.h"

#include "base/codec.h"
#include "base/hash.h"
#include "journal/file/file_house.h"
#include "machine.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENTS_MAX 5u
#define BATCHES_MAX 8u
#define RECORDS_MAX 5u
#define BODIES_MAX 4u
#define BODY_BYTES_MAX 256u
#define BATCH_BYTES_MAX 16384u
#define REFS_MAX 512u
#define TURNS_MAX 10000u
#define SEGMENT_BYTES (2ull * FILE_SEGMENT_BYTES_MIN)

struct seen { /* by one replay */
    uint64_t count;
    uint64_t lsn_last;
    uint64_t hash;
    struct body_ref refs[REFS_MAX];
    uint32_t refs_count;
};

struct run {
    struct machine *machine;
    struct choices choices;
    struct log log;
    uint64_t said; /* lines in the log */
    bool is_told;  /* to whoever looks for the cause of a finding: FUZZ_TOLD=1 */
    struct journal *journal;
    uint64_t seed;
    bool is_sound;
    bool has_summaries;
    bool is_unsynced;
    /* The log that is being made. */
    uint64_t number;
    uint64_t capacity;
    uint64_t offset;
    uint64_t reach; /* what its header says of it */
    uint64_t epoch;
    uint64_t lsn;
    bool has_gap; /* a segment without batches stands before this one */
    struct disk_file *file;
    struct buffer summary; /* of this segment */
    struct seen made;
    struct seen seen;
    struct seen again;
    uint32_t bodies_waiting;
    uint64_t durable;
    int failure;
};

static void note_word(void *context, enum log_level level, struct slice text) {
    struct run *run = context;
    EXPECT(text.count > 0);
    run->said++;
    if (run->is_told) fprintf(stderr, "log %d: %.*s\n", (int)level, SLICE_ARGS(text));
}

/* ---- what a replay sees ---- */

static void see(struct seen *seen, uint64_t lsn, struct slice bytes, const struct body_ref *refs,
                uint32_t refs_count) {
    if (seen->count > 0) EXPECT_INT(lsn, seen->lsn_last + 1);
    seen->count++;
    seen->lsn_last = lsn;
    seen->hash = hash64_seeded(bytes, seen->hash + lsn);
    for (uint32_t i = 0; i < refs_count; i++) {
        seen->hash += (uint64_t)refs[i].checksum32 * (i + 1) + refs[i].count;
        if (seen->refs_count < REFS_MAX) seen->refs[seen->refs_count++] = refs[i];
    }
}

static void expect_same(const struct seen *a, const struct seen *b) {
    EXPECT_INT(a->count, b->count);
    EXPECT_INT(a->lsn_last, b->lsn_last);
    EXPECT(a->hash == b->hash);
}

static int note_record(void *context, const struct journal_record *record) {
    see(context, record->lsn, record->bytes, record->bodies, record->bodies_count);
    return 0;
}

/* ---- the folder ---- */

static int open_journal(struct run *run, bool accept_damage) {
    struct journal_file_options options = {.env = &run->machine->env,
                                           .log = &run->log,
                                           .path = "j",
                                           .segment_bytes = SEGMENT_BYTES,
                                           .bytes_kept_free = 4096,
                                           .no_sync = run->is_unsynced,
                                           .accept_damage = accept_damage};
    return journal_file_open(&options, &run->journal);
}

static void close_journal(struct run *run) {
    journal_close(run->journal);
    run->journal = NULL;
    EXPECT_INT(machine_after_stop(run->machine), 0); /* bytes that were not given back */
}

/* An empty folder, as takt makes it; then its one segment goes. */
static void make_folder(struct run *run) {
    EXPECT_INT(open_journal(run, false), 0);
    run->seed = file_journal_from(run->journal)->seed;
    close_journal(run);
    char name[FILE_NAME_BYTES];
    file_name_write(1, name);
    EXPECT_INT(disk_unlink(run->machine->disk, name), 0);
}

/* ---- batches ---- */

struct batch {
    struct file_batch_header header;
    struct buffer bodies;
    struct buffer records;
    uint32_t wrong; /* which of the things below */
};

enum wrong { /* the first one is right */
             RIGHT,
             WRONG_EPOCH,
             WRONG_LSN,
             WRONG_DURABLE,
             WRONG_FOLLOWS,
             WRONG_COUNT,
             WRONG_RECORDS_BYTES,
             WRONG_BODIES_BYTES,
             WRONG_PLACE,
             WRONG_RECORDS,
             WRONG_BODIES,
             WRONG_HEADER,
             MISSING,
             WRONGS_COUNT
};

static struct body_ref add_body(struct run *run, struct batch *batch) {
    char bytes[BODY_BYTES_MAX];
    uint32_t count = choose(&run->choices);
    memset(bytes, (int)(run->lsn + count), count);
    struct slice body = slice_from(bytes, count);
    buffer_append(&batch->bodies, body);
    encode_u32(&batch->records, count);
    encode_u64(&batch->records, body_checksum(body));
    return body_ref_of(body, 0);
}

static void add_record(struct run *run, struct batch *batch) {
    char bytes[256];
    struct body_ref refs[BODIES_MAX];
    uint32_t count = choose(&run->choices);
    uint32_t refs_count = choose_below(&run->choices, BODIES_MAX + 1);
    memset(bytes, 'r', count);
    encode_u32(&batch->records, count);
    encode_u32(&batch->records, refs_count);
    for (uint32_t i = 0; i < refs_count; i++) refs[i] = add_body(run, batch);
    buffer_append(&batch->records, slice_from(bytes, count));
    see(&run->made, run->lsn++, slice_from(bytes, count), refs, refs_count);
}

static void poke(struct run *run, struct buffer *bytes) {
    if (bytes->count == 0) return;
    uint64_t at = choose_number(&run->choices, 2) % bytes->count;
    bytes->bytes[at] = (char)choose(&run->choices);
}

static void spoil_header(struct run *run, struct batch *batch) {
    struct file_batch_header *header = &batch->header;
    uint64_t value = choose_number(&run->choices, 1 + choose_below(&run->choices, 8));
    switch (batch->wrong) {
    case WRONG_EPOCH: header->epoch = value; break;
    case WRONG_LSN: header->lsn_first = value; break;
    case WRONG_DURABLE: header->durable = value; break;
    case WRONG_FOLLOWS: header->follows_durable = !header->follows_durable; break;
    case WRONG_COUNT: header->records_count = (uint32_t)value; break;
    case WRONG_RECORDS_BYTES: header->records_bytes = (uint32_t)value; break;
    case WRONG_BODIES_BYTES: header->bodies_bytes = value; break;
    case WRONG_PLACE: header->offset ^= value; break;
    default: break;
    }
}

static void write_at(struct run *run, uint64_t offset, const void *bytes, size_t count) {
    EXPECT_INT(disk_write(run->file, offset, bytes, count), 0);
}

static void write_batch(struct run *run, struct batch *batch) {
    char header[FILE_BATCH_HEADER_BYTES];
    if (batch->wrong == WRONG_RECORDS) poke(run, &batch->records);
    batch->header.records_checksum = hash64_seeded(buffer_slice(&batch->records), run->seed);
    spoil_header(run, batch);
    file_batch_header_encode(header, run->seed, &batch->header);
    if (batch->wrong == WRONG_HEADER) {
        header[choose_below(&run->choices, sizeof header)] ^= (char)(1 + choose(&run->choices));
    }
    buffer_append(&run->summary, slice_from(header, sizeof header));
    buffer_append(&run->summary, buffer_slice(&batch->records));
    if (batch->wrong == WRONG_BODIES) poke(run, &batch->bodies);
    if (batch->wrong == MISSING) return;
    uint64_t offset = run->offset;
    write_at(run, offset, header, sizeof header);
    if (batch->bodies.count > 0)
        write_at(run, offset + sizeof header, batch->bodies.bytes, batch->bodies.count);
    if (batch->records.count > 0)
        write_at(run, offset + sizeof header + batch->bodies.count, batch->records.bytes,
                 batch->records.count);
}

static void add_batch(struct run *run) {
    struct allocator allocator = allocator_system();
    struct batch batch = {.wrong = RIGHT};
    buffer_open(&batch.bodies, &allocator, BATCH_BYTES_MAX);
    buffer_open(&batch.records, &allocator, BATCH_BYTES_MAX);
    uint8_t kind = choose(&run->choices);
    if (kind >= 0xC0) batch.wrong = kind % WRONGS_COUNT;
    if (batch.wrong != RIGHT) run->is_sound = false;
    if (choose_below(&run->choices, 4) == 3) run->epoch++;
    batch.header = (struct file_batch_header){.number = run->number,
                                              .offset = run->offset,
                                              .epoch = run->epoch,
                                              .lsn_first = run->lsn,
                                              .durable = run->lsn - 1,
                                              .follows_durable = true};
    uint32_t count = choose_below(&run->choices, RECORDS_MAX + 1);
    for (uint32_t i = 0; i < count; i++) add_record(run, &batch);
    EXPECT(!batch.bodies.failed && !batch.records.failed);
    batch.header.records_count = count;
    batch.header.bodies_bytes = batch.bodies.count;
    batch.header.records_bytes = (uint32_t)batch.records.count;
    write_batch(run, &batch);
    run->offset += file_batch_bytes(batch.bodies.count, batch.records.count);
    buffer_close(&batch.bodies);
    buffer_close(&batch.records);
}

/* ---- segments ---- */

/* How far the segment is said to have been written: a sound one says no less than it was. */
static uint64_t choose_reach(struct run *run) {
    uint8_t kind = choose(&run->choices);
    if (kind < 0x80) return run->capacity;
    return choose_number(&run->choices, 2 + kind % 2);
}

static void write_segment_header(struct run *run) {
    char header[FILE_SEGMENT_HEADER_BYTES];
    uint8_t kind = choose(&run->choices);
    uint64_t number = run->number;
    run->reach = choose_reach(run);
    struct file_segment_header fields = {.capacity = run->capacity, .reach = run->reach};
    if (kind >= 0xE0) {
        run->is_sound = false;
        if (kind % 3 == 0) number += 1 + choose(&run->choices);
        if (kind % 3 == 1) fields.capacity = choose_number(&run->choices, 1 + kind % 8);
    }
    file_segment_header_encode(header, run->seed, number, &fields);
    if (kind >= 0xE0 && kind % 3 == 2) {
        header[choose_below(&run->choices, 48)] ^= (char)(1 + choose(&run->choices));
    }
    write_at(run, 0, header, sizeof header);
    if (kind % 4 != 3) return;
    char reach[FILE_REACH_BYTES];
    run->reach = choose_reach(run);
    file_reach_encode(reach, run->seed, number, run->reach);
    write_at(run, file_reach_offset(1), reach, sizeof reach);
}

static void set_length(struct run *run) {
    uint8_t kind = choose(&run->choices);
    uint64_t bytes_count = run->capacity;
    if (kind >= 0xE8) {
        bytes_count = choose_number(&run->choices, 3);
        run->is_sound = run->is_sound && bytes_count >= run->capacity;
    }
    EXPECT_INT(disk_truncate(run->file, bytes_count), 0);
}

/* Some segments have one. It may be spoilt in any way: nothing rests on it, so a log that is sound
 * stays so. */
static void add_summary(struct run *run) {
    uint8_t kind = choose(&run->choices);
    if (kind < 0x80) return;
    run->has_summaries = true;
    for (uint32_t i = 0; i < kind % 4; i++) poke(run, &run->summary);
    size_t count = run->summary.count;
    if (kind >= 0xE0) count = choose_number(&run->choices, 2) % (count + 1);
    char name[FILE_NAME_BYTES];
    struct disk_file *file;
    file_summary_name_write(run->number, name);
    EXPECT_INT(disk_find(run->machine->disk, name, true, &file), 0);
    EXPECT_INT(disk_write(file, 0, run->summary.bytes, count), 0);
}

static void add_segment(struct run *run) {
    uint8_t step = choose(&run->choices);
    if (step >= 0xF0) {
        run->number += step - 0xEFu;
        run->is_sound = false;
    }
    run->number++;
    run->capacity = run->number == 1 ? FILE_SEGMENT_BYTES_FIRST : SEGMENT_BYTES;
    run->offset = FILE_SEGMENT_HEADER_BYTES;
    char name[FILE_NAME_BYTES];
    file_name_write(run->number, name);
    EXPECT_INT(disk_find(run->machine->disk, name, true, &run->file), 0);
    write_segment_header(run);
    if (run->has_gap) run->is_sound = false;
    buffer_clear(&run->summary);
    uint32_t batches_count = choose_below(&run->choices, BATCHES_MAX + 1);
    run->has_gap = batches_count == 0;
    for (uint32_t i = 0; i < batches_count; i++) {
        if (run->offset + BATCH_BYTES_MAX > run->capacity) break;
        add_batch(run);
    }
    if (run->reach < run->offset) run->is_sound = false;
    set_length(run);
    add_summary(run);
    uint32_t pokes_count = choose(&run->choices);
    for (uint32_t i = 0; pokes_count >= 0xF0 && i < pokes_count - 0xEF; i++) {
        uint64_t at = choose_number(&run->choices, 2) % run->capacity;
        char byte = (char)choose(&run->choices);
        write_at(run, at, &byte, 1);
        run->is_sound = false;
    }
}

static void spoil_format(struct run *run) {
    uint8_t kind = choose(&run->choices);
    if (kind < 0xE0) return;
    struct disk_file *file;
    EXPECT_INT(disk_find(run->machine->disk, FILE_NAME_FORMAT, false, &file), 0);
    run->is_sound = false;
    if (kind >= 0xF8) {
        EXPECT_INT(disk_unlink(run->machine->disk, FILE_NAME_FORMAT), 0);
        return;
    }
    for (uint32_t i = 0; i < kind - 0xDFu; i++) {
        char byte = (char)choose(&run->choices);
        EXPECT_INT(disk_write(file, choose_below(&run->choices, 128), &byte, 1), 0);
    }
}

static void add_leftovers(struct run *run) {
    static const char *const names[] = {FILE_NAME_PREPARED,         FILE_NAME_SUMMARY,
                                        FILE_NAME_FORMAT_NEW,       "x.segment",
                                        "00000000000000gg.segment", "0000000000000000.segment"};
    uint8_t which = choose(&run->choices);
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct disk_file *file;
        if ((which >> i & 1) == 0) continue;
        EXPECT_INT(disk_find(run->machine->disk, names[i], true, &file), 0);
    }
}

static void make_log(struct run *run) {
    uint8_t first = choose(&run->choices);
    run->number = first >= 0xC0 ? first : 0; /* one that was trimmed begins later */
    run->lsn = first >= 0xC0 ? 1000 : 1;
    run->epoch = 1 + choose_below(&run->choices, 3);
    uint32_t segments_count = 1 + choose_below(&run->choices, SEGMENTS_MAX);
    for (uint32_t i = 0; i < segments_count; i++) add_segment(run);
    spoil_format(run);
    add_leftovers(run);
    if (first >= 0xC0 && run->made.count == 0) run->is_sound = false;
}

/* ---- the journal on it ---- */

static void on_durable(void *context, uint64_t lsn, int result) {
    struct run *run = context;
    EXPECT(lsn >= run->durable);
    run->durable = lsn;
    run->failure = result;
}

static void settle(struct run *run) {
    int64_t until_ns = run->machine->mono_ns + 10000000000ll;
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        bool is_busy = machine_is_busy(run->machine) || machine_has_calls(run->machine);
        if (!is_busy || !machine_turn(run->machine, until_ns)) return;
    }
    EXPECT(false); /* it never ends */
}

static void on_body(void *context, int result, struct slice bytes) {
    struct run *run = context;
    EXPECT(result <= 0 && (result == 0 || bytes.count == 0));
    run->bodies_waiting--;
}

static void read_bodies(struct run *run) {
    for (uint32_t i = 0; i < run->seen.refs_count; i++) {
        run->bodies_waiting++;
        (void)journal_read_body(run->journal, run->seen.refs[i], on_body, run);
        settle(run);
    }
    EXPECT_INT(run->bodies_waiting, 0);
}

static void append_some(struct run *run) {
    static const char bytes[] = "appended";
    static char body[5000];
    for (uint32_t i = 0; i < 4; i++) {
        struct slice bodies[2] = {slice_from(body, i * 1500), slice_from(body, 100)};
        struct body_ref refs[2];
        int rc = journal_reserve(run->journal, JOURNAL_FOR_DRAIN, sizeof bytes + i * 1500 + 100);
        EXPECT_INT(rc, 0);
        uint64_t lsn =
            journal_append(run->journal, slice_from(bytes, sizeof bytes), bodies, 2, refs);
        see(&run->seen, lsn, slice_from(bytes, sizeof bytes), refs, 2);
        if (i % 2 == 1) settle(run);
    }
    settle(run);
    EXPECT_INT(run->failure, 0);
    struct journal_status status;
    journal_get_status(run->journal, &status);
    EXPECT_INT(status.lsn_durable, status.lsn_appended);
    EXPECT_INT(run->durable, status.lsn_appended);
}

/* True: it was opened, replayed and taken over. */
static bool take_over(struct run *run, bool accept_damage) {
    uint64_t said = run->said;
    int rc = open_journal(run, accept_damage);
    if (rc == 0) {
        rc = journal_replay(run->journal, note_record, &run->seen);
        if (rc == 0) rc = journal_start(run->journal, on_durable, run);
        if (rc < 0) close_journal(run);
    } else {
        EXPECT_INT(machine_after_stop(run->machine), 0);
    }
    if (rc == 0) return true;
    EXPECT(rc == -EBADMSG || rc == -EPROTONOSUPPORT);
    EXPECT(run->said > said);
    EXPECT(!run->is_sound);
    return false;
}

/* A summary tells what stands in its segment also when that is damaged. It goes when the log has ended
 * there, and the next start sees the damage. */
static bool may_be_hidden(const struct run *run) {
    return run->has_summaries && !run->is_sound;
}

static void check_again(struct run *run) {
    EXPECT_INT(open_journal(run, false), 0);
    int rc = journal_replay(run->journal, note_record, &run->again);
    if (rc == 0) expect_same(&run->again, &run->seen);
    if (rc != 0) EXPECT(rc == -EBADMSG && may_be_hidden(run));
    close_journal(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct run *run = calloc(1, sizeof *run);
    EXPECT(run != NULL);
    run->machine = machine_open(1, FAULT_NONE);
    EXPECT(run->machine != NULL);
    run->choices = (struct choices){bytes, count};
    run->log = (struct log){.write = note_word, .context = run, .level_min = LOG_DEBUG};
    struct allocator allocator = allocator_system();
    buffer_open(&run->summary, &allocator, BATCHES_MAX * BATCH_BYTES_MAX);
    run->is_told = getenv("FUZZ_TOLD") != NULL;
    run->is_sound = true;
    uint8_t options = choose(&run->choices);
    run->is_unsynced = options % 8 == 7;
    make_folder(run);
    make_log(run);
    if (take_over(run, options % 2 == 1)) {
        if (run->is_sound) expect_same(&run->seen, &run->made);
        read_bodies(run);
        append_some(run);
        close_journal(run);
        check_again(run);
    }
    machine_close(run->machine);
    EXPECT(!run->summary.failed);
    buffer_close(&run->summary);
    free(run);
    return 0;
}
