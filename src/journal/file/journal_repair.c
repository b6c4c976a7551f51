/* SPDX-License-Identifier: Apache-2.0 */
/* journal_repair.c -- first what is to be, then what was goes aside.
 *
 *   walk       all findings
 *   go_on      the caller has shown them, and agrees
 *   prepare    %016x.repaired: each file that changes, as it shall be; synced
 *   plan       `repair`: which files go aside and which take their places; synced. From here on
 *              takt does not start
 *   carry out  each step can be done again: what it would move is there, or has been moved
 *   end        `repair` is removed
 *
 * A kill before the plan leaves files that nobody looks at, and the next repair makes them anew;
 * after it, the next repair carries the same plan out before it looks at anything.
 */
#include "journal/file/journal_repair.h"

#include "base/buffer.h"
#include "base/codec.h"
#include "base/hash.h"
#include "journal/file/file_house.h"
#include "journal/file/file_walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define COPY_STEP_BYTES ((size_t)1024 * 1024)
#define FILE_NAME_REPAIR_NEW "repair.tmp"
#define FILE_NAME_REPAIRED "repaired"
#define PLAN_BYTES_MAX (16u * 1024 * 1024)

struct repair {
    const struct journal_repair_options *options;
    struct journal_repair_report *report;
    struct file_folder folder;
    struct journal_finding *findings; /* those that a replay meets, in the order of the log */
    uint32_t findings_count;
    uint32_t findings_capacity;
    int rc;
};

static const struct env_ops *ops_of(const struct repair *repair) {
    return repair->folder.env->ops;
}

/* ---- walk ------------------------------------------------------------------------------------- */

static void note_finding(void *context, const struct journal_finding *finding) {
    struct repair *repair = context;
    const struct journal_check_options *check = &repair->options->check;
    if (check->on_finding != NULL) check->on_finding(check->context, finding);
    if (finding->is_beyond || repair->rc < 0) return;
    if (repair->findings_count == repair->findings_capacity) {
        uint32_t capacity = repair->findings_capacity == 0 ? 64 : repair->findings_capacity * 2;
        struct journal_finding *findings = allocator_resize_array(
            &repair->folder.env->allocator, repair->findings, capacity, sizeof repair->findings[0]);
        if (findings == NULL) {
            repair->rc = -ENOMEM;
            return;
        }
        repair->findings = findings;
        repair->findings_capacity = capacity;
    }
    repair->findings[repair->findings_count++] = *finding;
}

static int on_record(void *context, const struct journal_record *record) {
    const struct journal_check_options *check = &((struct repair *)context)->options->check;
    return check->on_record == NULL ? 0 : check->on_record(check->context, record);
}

static int on_beyond(void *context, const struct journal_record *record) {
    const struct journal_check_options *check = &((struct repair *)context)->options->check;
    return check->on_beyond == NULL ? 0 : check->on_beyond(check->context, record);
}

static void on_progress(void *context, uint64_t bytes_done, uint64_t bytes_all) {
    const struct journal_check_options *check = &((struct repair *)context)->options->check;
    if (check->on_progress != NULL) check->on_progress(check->context, bytes_done, bytes_all);
}

static int walk(struct repair *repair) {
    struct journal_check_options options = {.on_record = on_record,
                                            .on_beyond = on_beyond,
                                            .on_finding = note_finding,
                                            .on_progress = on_progress,
                                            .context = repair};
    struct journal_report *found = &repair->report->found;
    *found = (struct journal_report){.format = repair->folder.format.number,
                                     .segments_count = repair->folder.segments_count};
    int rc = file_walk(&repair->folder, &options, found);
    return rc < 0 ? rc : repair->rc;
}

/* ---- prepare ---------------------------------------------------------------------------------- */

static void name_repaired(uint64_t number, char name[64]) {
    (void)snprintf(name, 64, "%016" PRIx64 "." FILE_NAME_REPAIRED, number);
}

/* The log ends in this segment, by damage. */
static bool is_cut_here(const struct repair *repair, uint64_t number) {
    const struct journal_report *found = &repair->report->found;
    return found->is_cut && number == found->end_segment;
}

static bool changes(const struct repair *repair, uint64_t number) {
    if (is_cut_here(repair, number)) return true;
    for (uint32_t i = 0; i < repair->findings_count; i++) {
        const struct journal_finding *finding = &repair->findings[i];
        if (finding->segment == number && !finding->ends_log) return true;
    }
    return false;
}

/* Nothing of a journal that was trimmed can be read: there is no end before which anything lies. */
static bool is_all_gone(const struct repair *repair) {
    const struct journal_report *found = &repair->report->found;
    return found->is_cut && found->lsn_first == 0 && repair->folder.segments[0].number > 1;
}

static bool goes_aside(const struct repair *repair, uint64_t number) {
    const struct journal_report *found = &repair->report->found;
    return is_all_gone(repair) || (found->is_cut && number > found->end_segment);
}

/* The segment's bytes up to `end`, zeros from there to its capacity. */
static int copy(const struct repair *repair, const struct folder_segment *segment,
                struct env_file *file, uint64_t end) {
    const struct env_ops *ops = ops_of(repair);
    struct env *env = repair->folder.env;
    char *room = allocator_resize_array(&env->allocator, NULL, COPY_STEP_BYTES, 1);
    if (room == NULL) return -ENOMEM;
    int rc = 0;
    for (uint64_t offset = 0; rc == 0 && offset < segment->capacity; offset += COPY_STEP_BYTES) {
        uint64_t rest = segment->capacity - offset;
        size_t step = rest < COPY_STEP_BYTES ? (size_t)rest : COPY_STEP_BYTES;
        size_t got = 0;
        if (offset < end) {
            size_t wanted = end - offset < step ? (size_t)(end - offset) : step;
            rc = file_folder_read(&repair->folder, segment, offset, room, wanted, &got);
        }
        memset(room + got, 0, step - got);
        if (rc == 0) rc = ops->write(env, file, offset, room, step);
    }
    allocator_give_back(&env->allocator, room);
    return rc;
}

/* How far batches lie in it is not known any more, so it says: anywhere. */
static int write_header(const struct repair *repair, const struct folder_segment *segment,
                        struct env_file *file) {
    struct env *env = repair->folder.env;
    char header[FILE_SEGMENT_HEADER_BYTES];
    struct file_segment_header fields = {.capacity = segment->capacity, .reach = segment->capacity};
    file_segment_header_encode(header, repair->folder.format.seed, segment->number, &fields);
    return env->ops->write(env, file, 0, header, sizeof header);
}

/* Where the checksum of a body stands in the records of a batch; NULL: there is none. */
static char *find_checksum(struct slice records, uint64_t lsn_first,
                           const struct journal_finding *finding) {
    struct file_frame frame;
    uint64_t lsn = lsn_first;
    while (file_frame_next(&records, &frame)) {
        if (lsn++ != finding->lsn_first) continue;
        if (finding->body_index >= frame.bodies_count) return NULL;
        size_t skip = (size_t)finding->body_index * FILE_FRAME_BODY_BYTES + 4;
        return (char *)(uintptr_t)(frame.bodies.bytes + skip);
    }
    return NULL;
}

/* All findings of one batch, the first of them at `index`: their checksums become 0, and those of
 * the records and of the header are made anew. bytes: the whole batch. */
static int give_up_bodies(const struct repair *repair, uint32_t index, struct slice bytes) {
    const struct journal_finding *first = &repair->findings[index];
    uint64_t seed = repair->folder.format.seed;
    struct file_batch_header header;
    if (!file_batch_header_decode(bytes, seed, first->segment, first->batch_offset, &header)) {
        return -EBADMSG;
    }
    size_t skip = FILE_BATCH_HEADER_BYTES + (size_t)header.bodies_bytes;
    struct slice records = slice_from(bytes.bytes + skip, header.records_bytes);
    for (uint32_t i = index; i < repair->findings_count; i++) {
        const struct journal_finding *finding = &repair->findings[i];
        bool is_of_batch = finding->damage == JOURNAL_DAMAGE_BODY &&
                           finding->segment == first->segment &&
                           finding->batch_offset == first->batch_offset;
        if (!is_of_batch) continue;
        char *checksum = find_checksum(records, header.lsn_first, finding);
        if (checksum == NULL) return -EBADMSG;
        encode_u64_at(checksum, 0);
    }
    header.records_checksum = hash64_seeded(records, seed);
    file_batch_header_encode((char *)(uintptr_t)bytes.bytes, seed, &header);
    return 0;
}

static int rewrite_batch(const struct repair *repair, uint32_t index, struct env_file *file) {
    struct env *env = repair->folder.env;
    const struct journal_finding *first = &repair->findings[index];
    char fields[FILE_BATCH_HEADER_BYTES];
    struct file_batch_header header;
    int64_t got = env->ops->read(env, file, first->batch_offset, fields, sizeof fields);
    if (got < 0) return (int)got;
    if (!file_batch_header_decode(slice_from(fields, (size_t)got), repair->folder.format.seed,
                                  first->segment, first->batch_offset, &header)) {
        return -EBADMSG;
    }
    size_t count = (size_t)(FILE_BATCH_HEADER_BYTES + header.bodies_bytes + header.records_bytes);
    char *bytes = allocator_resize_array(&env->allocator, NULL, count, 1);
    if (bytes == NULL) return -ENOMEM;
    got = env->ops->read(env, file, first->batch_offset, bytes, count);
    int rc = got < 0 ? (int)got : got < (int64_t)count ? -EBADMSG : 0;
    if (rc == 0) rc = give_up_bodies(repair, index, slice_from(bytes, count));
    if (rc == 0) rc = env->ops->write(env, file, first->batch_offset, bytes, count);
    allocator_give_back(&env->allocator, bytes);
    return rc;
}

/* The findings of a batch stand side by side. */
static int rewrite_batches(const struct repair *repair, uint64_t number, struct env_file *file) {
    uint64_t done = 0;
    for (uint32_t i = 0; i < repair->findings_count; i++) {
        const struct journal_finding *finding = &repair->findings[i];
        if (finding->segment != number || finding->damage != JOURNAL_DAMAGE_BODY) continue;
        if (finding->batch_offset == done) continue;
        int rc = rewrite_batch(repair, i, file);
        if (rc < 0) return rc;
        done = finding->batch_offset;
    }
    return 0;
}

static int prepare(const struct repair *repair, const struct folder_segment *segment) {
    const struct env_ops *ops = ops_of(repair);
    struct env *env = repair->folder.env;
    const struct journal_report *found = &repair->report->found;
    uint64_t end = is_cut_here(repair, segment->number) ? found->end_offset : segment->capacity;
    char name[64];
    name_repaired(segment->number, name);
    struct env_file *file = NULL;
    int rc = ops->open(env, repair->folder.directory, name, true, &file);
    if (rc == 0) rc = ops->truncate(env, file, 0);
    if (rc == 0) rc = copy(repair, segment, file, end);
    if (rc == 0 && !segment->header_valid) rc = write_header(repair, segment, file);
    if (rc == 0) rc = rewrite_batches(repair, segment->number, file);
    if (rc == 0) rc = ops->sync(env, file);
    ops->close(env, file);
    return rc;
}

/* ---- plan ------------------------------------------------------------------------------------- */

/* A line each: "aside NUMBER", "replace NUMBER", "format"; then "check" and the checksum of it. */
static int write_plan(const struct repair *repair, struct buffer *plan) {
    const struct env_ops *ops = ops_of(repair);
    struct env *env = repair->folder.env;
    struct env_file *directory = repair->folder.directory;
    buffer_printf(plan, "check %016" PRIx64 "\n", hash64(buffer_slice(plan)));
    if (plan->failed) return -ENOMEM;
    struct env_file *file = NULL;
    int rc = ops->open(env, directory, FILE_NAME_REPAIR_NEW, true, &file);
    if (rc == 0) rc = ops->truncate(env, file, 0);
    if (rc == 0) rc = ops->write(env, file, 0, plan->bytes, plan->count);
    if (rc == 0) rc = ops->sync(env, file);
    ops->close(env, file);
    if (rc == 0) rc = ops->rename(env, directory, FILE_NAME_REPAIR_NEW, FILE_NAME_REPAIR);
    return rc < 0 ? rc : ops->sync_directory(env, directory);
}

static int make_plan(const struct repair *repair, struct buffer *plan) {
    const struct file_folder *folder = &repair->folder;
    /* From the newest on: a gap must not appear before the files behind it are gone. */
    for (uint32_t i = folder->segments_count; i > 0; i--) {
        uint64_t number = folder->segments[i - 1].number;
        if (goes_aside(repair, number)) buffer_printf(plan, "aside %016" PRIx64 "\n", number);
    }
    if (is_all_gone(repair)) buffer_append_string(plan, "format\n");
    for (uint32_t i = 0; i < folder->segments_count; i++) {
        const struct folder_segment *segment = &folder->segments[i];
        if (goes_aside(repair, segment->number) || !changes(repair, segment->number)) continue;
        int rc = prepare(repair, segment);
        if (rc < 0) return rc;
        buffer_printf(plan, "replace %016" PRIx64 "\n", segment->number);
    }
    int rc = ops_of(repair)->sync_directory(folder->env, folder->directory);
    return rc < 0 ? rc : write_plan(repair, plan);
}

/* ---- carry out -------------------------------------------------------------------------------- */

static int keep_aside(const struct repair *repair, uint64_t number) {
    const struct file_folder *folder = &repair->folder;
    char name[FILE_NAME_BYTES];
    char kept[FILE_NAME_KEPT_BYTES];
    file_name_write(number, name);
    int rc = file_folder_has(folder, name);
    if (rc <= 0) return rc;
    /* First its summary: it tells what will no longer be so. */
    char summary[FILE_NAME_BYTES];
    file_summary_name_write(number, summary);
    rc = ops_of(repair)->unlink(folder->env, folder->directory, summary);
    if (rc < 0 && rc != -ENOENT) return rc;
    rc = file_keep_aside(folder->env, folder->directory, number, kept);
    /* The old name is gone for good before a new file can take it. */
    if (rc == 0) rc = ops_of(repair)->sync_directory(folder->env, folder->directory);
    if (rc < 0) return rc;
    repair->report->kept_count++;
    const struct journal_repair_options *options = repair->options;
    if (options->on_kept != NULL) options->on_kept(options->check.context, kept);
    return 0;
}

static int replace(const struct repair *repair, uint64_t number) {
    const struct file_folder *folder = &repair->folder;
    char repaired[64];
    char name[FILE_NAME_BYTES];
    name_repaired(number, repaired);
    file_name_write(number, name);
    int rc = file_folder_has(folder, repaired);
    if (rc <= 0) return rc;
    rc = keep_aside(repair, number);
    return rc < 0 ? rc : ops_of(repair)->rename(folder->env, folder->directory, repaired, name);
}

static int keep_format(const struct repair *repair) {
    const struct file_folder *folder = &repair->folder;
    int rc = file_folder_has(folder, FILE_NAME_FORMAT);
    if (rc <= 0) return rc;
    return ops_of(repair)->rename(folder->env, folder->directory, FILE_NAME_FORMAT,
                                  FILE_NAME_FORMAT "." FILE_NAME_DAMAGED);
}

static bool read_number(struct slice text, uint64_t *out) {
    uint8_t bytes[8];
    if (!hex_read(text, bytes, sizeof bytes)) return false;
    *out = 0;
    for (size_t i = 0; i < sizeof bytes; i++) *out = *out << 8 | bytes[i];
    return true;
}

static int carry_out(const struct repair *repair, struct slice plan) {
    struct slice line;
    struct slice rest = plan;
    struct slice word;
    struct slice value;
    uint64_t number = 0;
    while (slice_cut(rest, '\n', &line, &rest)) {
        int rc = 0;
        (void)slice_cut(line, ' ', &word, &value);
        bool is_number = read_number(value, &number);
        if (is_number && slice_equal(word, SLICE("aside"))) {
            rc = keep_aside(repair, number);
        } else if (is_number && slice_equal(word, SLICE("replace"))) {
            rc = replace(repair, number);
        } else if (slice_equal(line, SLICE("format"))) {
            rc = keep_format(repair);
        }
        if (rc < 0) return rc;
    }
    const struct file_folder *folder = &repair->folder;
    int rc = ops_of(repair)->sync_directory(folder->env, folder->directory);
    if (rc == 0) rc = ops_of(repair)->unlink(folder->env, folder->directory, FILE_NAME_REPAIR);
    return rc < 0 ? rc : ops_of(repair)->sync_directory(folder->env, folder->directory);
}

/* A plan got its name when it was whole, so one that is not was damaged since. */
static bool plan_is_whole(struct slice plan) {
    static const size_t check_bytes = 6 + 16 + 1;
    uint64_t check = 0;
    if (plan.count < check_bytes) return false;
    struct slice checked = slice_from(plan.bytes, plan.count - check_bytes);
    return read_number(slice_from(plan.bytes + checked.count + 6, 16), &check) &&
           check == hash64(checked);
}

/* 1: there was one, and it is carried out; 0: there is none. */
static int finish_earlier(const struct repair *repair) {
    const struct env_ops *ops = ops_of(repair);
    struct env *env = repair->folder.env;
    struct env_file *file = NULL;
    uint64_t count = 0;
    char *bytes = NULL;
    int rc = ops->open(env, repair->folder.directory, FILE_NAME_REPAIR, false, &file);
    if (rc == -ENOENT) return 0;
    if (rc == 0) rc = ops->size(env, file, &count);
    if (rc == 0 && count > PLAN_BYTES_MAX) rc = -EBADMSG;
    if (rc == 0) {
        bytes = allocator_resize_array(&env->allocator, NULL, (size_t)count + 1, 1);
        rc = bytes == NULL ? -ENOMEM : 0;
    }
    if (rc == 0) {
        int64_t got = ops->read(env, file, 0, bytes, (size_t)count);
        rc = got < 0 ? (int)got : 0;
        if (got >= 0) count = (uint64_t)got;
    }
    ops->close(env, file);
    struct slice plan = slice_from(bytes, (size_t)count);
    if (rc == 0 && !plan_is_whole(plan)) rc = -EBADMSG;
    if (rc == 0) rc = carry_out(repair, plan);
    allocator_give_back(&env->allocator, bytes);
    return rc < 0 ? rc : 1;
}

static int repair_now(struct repair *repair) {
    const struct journal_check_options *check = &repair->options->check;
    int rc = walk(repair);
    if (rc < 0 || repair->findings_count == 0) return rc;
    if (!repair->options->go_on(check->context, &repair->report->found)) return -ECANCELED;
    struct buffer plan;
    buffer_open(&plan, &repair->folder.env->allocator, PLAN_BYTES_MAX);
    rc = make_plan(repair, &plan);
    if (rc == 0) rc = carry_out(repair, buffer_slice(&plan));
    buffer_close(&plan);
    return rc;
}

int journal_file_repair(const struct journal_repair_options *options,
                        struct journal_repair_report *report) {
    *report = (struct journal_repair_report){.kept_count = 0};
    struct repair repair = {.options = options, .report = report};
    const struct journal_check_options *check = &options->check;
    int rc = file_folder_lock(check->env, check->path, &repair.folder);
    if (rc == 0) {
        rc = finish_earlier(&repair);
        report->was_unfinished = rc == 1;
    }
    if (rc >= 0) rc = file_folder_load(&repair.folder);
    report->found.format = repair.folder.format.number;
    /* Nothing could be read of it, and all of it is aside. */
    bool is_begun_anew = rc == -ENOENT && report->was_unfinished;
    if (rc == 0) rc = repair_now(&repair);
    allocator_give_back(&check->env->allocator, repair.findings);
    file_folder_close(&repair.folder);
    return is_begun_anew ? 0 : rc;
}
