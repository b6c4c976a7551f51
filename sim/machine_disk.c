/* SPDX-License-Identifier: Apache-2.0 */
/* machine_disk.c -- the calls that touch the disk, blocking and asynchronous. */
#include "machine_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_US 1000ll
#define SLOW_US 80000u
#define START_READS 12u /* a start that is to read one bit wrongly does so in about the n-th read */

struct env_file {
    struct list_link link;  /* in machine.files */
    struct disk_file *file; /* NULL: the directory */
    bool holds_lock;
};

/* The power may go at any of them. */
static void touch(struct machine *machine, uint64_t what) {
    machine_mix(machine, what);
    if (machine->crash_in > 0 && --machine->crash_in == 0) longjmp(machine->crash, 1);
}

static bool call_fails(struct machine *machine) {
    return machine_mishap(machine, MISHAP_CALL_FAILED, machine->luck.call);
}

static bool open_fails(struct machine *machine) {
    return machine_mishap(machine, MISHAP_NO_FILES, machine->luck.files);
}

/* ---- directories and names -------------------------------------------------------------------- */

static int open_directory(struct env *env, const char *path, bool create, struct env_file **out) {
    (void)path;
    (void)create;
    struct machine *machine = machine_from(env);
    touch(machine, 1);
    if (open_fails(machine)) return -EMFILE;
    struct env_file *file = env_alloc(env, sizeof *file);
    if (file == NULL) return -ENOMEM;
    list_init(&file->link);
    list_append(&machine->files, &file->link);
    *out = file;
    return 0;
}

static int list(struct env *env, struct env_file *directory, env_name_fn *each, void *context) {
    (void)directory;
    struct machine *machine = machine_from(env);
    touch(machine, 2);
    if (call_fails(machine)) return -EIO;
    const char *name;
    for (uint32_t i = 0; (name = disk_name_at(machine->disk, i)) != NULL; i++) {
        if (!each(context, name)) break;
    }
    return 0;
}

static void note_gone(struct machine *machine, const char *name) {
    const char *dot = strrchr(name, '.');
    if (dot != NULL && strcmp(dot, ".segment") == 0) machine->mishaps[MISHAP_RECYCLED]++;
}

static int rename_file(struct env *env, struct env_file *directory, const char *from,
                       const char *to) {
    (void)directory;
    struct machine *machine = machine_from(env);
    touch(machine, 3);
    if (call_fails(machine)) return -EIO;
    int rc = disk_rename(machine->disk, from, to);
    if (rc == 0) note_gone(machine, from);
    touch(machine, 4);
    return rc;
}

static int unlink_file(struct env *env, struct env_file *directory, const char *name) {
    (void)directory;
    struct machine *machine = machine_from(env);
    touch(machine, 5);
    if (call_fails(machine)) return -EIO;
    int rc = disk_unlink(machine->disk, name);
    if (rc == 0) note_gone(machine, name);
    touch(machine, 6);
    return rc;
}

static int sync_directory(struct env *env, struct env_file *directory) {
    (void)directory;
    struct machine *machine = machine_from(env);
    touch(machine, 7);
    if (machine->fault == FAULT_DIRECTORY_UNSYNCED) return 0;
    if (machine_mishap(machine, MISHAP_SYNC_FAILED, machine->luck.sync)) return -EIO;
    disk_sync_names(machine->disk);
    touch(machine, 8);
    return 0;
}

static uint64_t room(const struct machine *machine) {
    if (machine->luck.room_bytes == 0) return 1ull << 40;
    uint64_t used = disk_bytes_used(machine->disk);
    return used < machine->luck.room_bytes ? machine->luck.room_bytes - used : 0;
}

static int free_bytes(struct env *env, struct env_file *directory, uint64_t *out) {
    (void)directory;
    struct machine *machine = machine_from(env);
    if (call_fails(machine)) return -EIO;
    *out = room(machine);
    return 0;
}

/* ---- files ------------------------------------------------------------------------------------ */

static int open_file(struct env *env, struct env_file *directory, const char *name, bool create,
                     struct env_file **out) {
    (void)directory;
    struct machine *machine = machine_from(env);
    touch(machine, 9);
    if (open_fails(machine)) return -EMFILE;
    if (call_fails(machine)) return -EIO;
    struct disk_file *found = NULL;
    int rc = disk_find(machine->disk, name, create, &found);
    if (rc < 0) return rc;
    struct env_file *file = env_alloc(env, sizeof *file);
    if (file == NULL) return -ENOMEM;
    *file = (struct env_file){.file = found};
    disk_hold(found);
    list_init(&file->link);
    list_append(&machine->files, &file->link);
    *out = file;
    return 0;
}

static void close_file(struct env *env, struct env_file *file) {
    if (file == NULL) return;
    struct machine *machine = machine_from(env);
    list_remove(&file->link);
    if (file->holds_lock) machine->is_locked = false;
    if (file->file != NULL) disk_let_go(machine->disk, file->file);
    env_free(env, file);
}

void machine_close_files(struct machine *machine) {
    while (!list_is_empty(&machine->files)) {
        close_file(&machine->env, CONTAINER_OF(list_first(&machine->files), struct env_file, link));
    }
}

static int lock(struct env *env, struct env_file *file) {
    struct machine *machine = machine_from(env);
    if (call_fails(machine)) return -EIO;
    if (machine->is_locked) return -EWOULDBLOCK;
    machine->is_locked = file->holds_lock = true;
    return 0;
}

static int size(struct env *env, struct env_file *file, uint64_t *out) {
    if (call_fails(machine_from(env))) return -EIO;
    *out = disk_size(file->file);
    return 0;
}

static int truncate_file(struct env *env, struct env_file *file, uint64_t bytes_count) {
    touch(machine_from(env), 10);
    if (call_fails(machine_from(env))) return -EIO;
    return disk_truncate(file->file, bytes_count);
}

static int64_t read_now(struct machine *machine, struct env_file *file, uint64_t offset,
                        void *bytes, size_t count) {
    if (machine_mishap(machine, MISHAP_READ_FAILED, machine->luck.read)) return -EIO;
    return (int64_t)disk_read(file->file, offset, bytes, count);
}

static void flip(struct machine *machine, void *bytes, int64_t count) {
    uint64_t bit = dice_next(&machine->dice) % ((uint64_t)count * 8);
    ((uint8_t *)bytes)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    machine->mishaps[MISHAP_BIT_FLIPPED]++;
    machine_mix(machine, bit);
}

/* On the way from the disk, or in the page cache, a bit may flip. */
static int64_t read_flipped(struct machine *machine, struct env_file *file, uint64_t offset,
                            void *bytes, size_t count) {
    int64_t done = read_now(machine, file, offset, bytes, count);
    if (done > 0 && dice_one_in(&machine->dice, machine->luck.flip)) flip(machine, bytes, done);
    return done;
}

static int64_t read_file(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                         size_t count) {
    struct machine *machine = machine_from(env);
    touch(machine, 11 + offset);
    int64_t done = read_now(machine, file, offset, bytes, count);
    if (done > 0 && machine->flips_left > 0 && dice_one_in(&machine->dice, START_READS)) {
        machine->flips_left--;
        flip(machine, bytes, done);
    }
    return done;
}

/* Up to `count` bytes of the pieces. */
static int write_some(struct machine *machine, struct env_file *file, uint64_t offset,
                      const struct env_bytes *pieces, size_t pieces_count, uint64_t count) {
    int rc = 0;
    for (size_t i = 0; i < pieces_count && rc == 0 && count > 0; i++) {
        size_t step = pieces[i].count < count ? pieces[i].count : (size_t)count;
        if (step == 0) continue;
        rc = disk_write(file->file, offset, pieces[i].bytes, step);
        offset += step;
        count -= step;
    }
    machine_mix(machine, offset);
    return rc;
}

static uint64_t bytes_in(const struct env_bytes *pieces, size_t pieces_count) {
    uint64_t count = 0;
    for (size_t i = 0; i < pieces_count; i++) count += pieces[i].count;
    return count;
}

static int write_pieces(struct machine *machine, struct env_file *file, uint64_t offset,
                        const struct env_bytes *pieces, size_t pieces_count) {
    uint64_t count = bytes_in(pieces, pieces_count);
    uint64_t end = offset + count;
    uint64_t size_now = disk_size(file->file);
    int rc = 0;
    if (end > size_now && end - size_now > room(machine)) {
        machine->mishaps[MISHAP_NO_SPACE]++;
        rc = -ENOSPC;
    } else if (machine_mishap(machine, MISHAP_WRITE_FAILED, machine->luck.write)) {
        rc = dice_below(&machine->dice, 2) == 0 ? -EIO : -ENOSPC;
    }
    if (rc == 0) return write_some(machine, file, offset, pieces, pieces_count, count);
    if (count > 1 && dice_below(&machine->dice, 2) == 0) {
        machine->mishaps[MISHAP_WRITE_SHORT]++;
        uint64_t part = dice_next(&machine->dice) % count;
        int part_rc = write_some(machine, file, offset, pieces, pieces_count, part);
        if (part_rc < 0) return part_rc;
    }
    return machine->fault == FAULT_WRITE_FAILURE_HIDDEN ? 0 : rc;
}

static int write_file(struct env *env, struct env_file *file, uint64_t offset, const void *bytes,
                      size_t count) {
    struct machine *machine = machine_from(env);
    struct env_bytes piece = {bytes, count};
    if (machine->crash_in == 1) {
        uint64_t part = dice_next(&machine->dice) % (count + 1);
        (void)write_some(machine, file, offset, &piece, 1, part);
    }
    touch(machine, 12 + offset);
    return write_pieces(machine, file, offset, &piece, 1);
}

static int sync_now(struct machine *machine, struct env_file *file) {
    if (machine_mishap(machine, MISHAP_SYNC_FAILED, machine->luck.sync)) {
        disk_sync_fails(file->file);
        return machine->fault == FAULT_SYNC_FAILURE_HIDDEN ? 0 : -EIO;
    }
    disk_sync(file->file);
    return 0;
}

static int sync_file(struct env *env, struct env_file *file) {
    struct machine *machine = machine_from(env);
    touch(machine, 13);
    if (machine->fault == FAULT_START_UNSYNCED && machine->is_starting) return 0;
    int rc = sync_now(machine, file);
    touch(machine, 14);
    return rc;
}

/* ---- asynchronous calls ----------------------------------------------------------------------- */

static struct machine_call *take_call(struct machine *machine, struct env_file *file,
                                      env_io_fn *done, void *context) {
    struct machine_call *call = NULL;
    for (uint32_t i = 0; i < MACHINE_CALLS_MAX && call == NULL; i++) {
        if (machine->calls[i].done == NULL) call = &machine->calls[i];
    }
    CHECK(call != NULL);
    uint32_t delay_us = machine->is_prompt ? 0 : 20 + dice_below(&machine->dice, 3000);
    if (machine_mishap(machine, MISHAP_SLOW, machine->luck.slow)) delay_us += SLOW_US;
    *call = (struct machine_call){.when_ns = machine->mono_ns + delay_us * NS_PER_US,
                                  .order = machine->calls_order++,
                                  .file = file,
                                  .done = done,
                                  .context = context};
    return call;
}

struct machine_call *machine_call_next(const struct machine *machine) {
    const struct machine_call *found = NULL;
    for (uint32_t i = 0; i < MACHINE_CALLS_MAX; i++) {
        const struct machine_call *call = &machine->calls[i];
        if (call->done == NULL) continue;
        if (found == NULL || call->when_ns < found->when_ns ||
            (call->when_ns == found->when_ns && call->order < found->order)) {
            found = call;
        }
    }
    return (struct machine_call *)(uintptr_t)found;
}

static int64_t end_write(struct machine *machine, struct machine_call *call) {
    bool is_batch = call->pieces_count > 1;
    if (is_batch && machine->fault == FAULT_WRITE_SHORT && dice_one_in(&machine->dice, 8)) {
        struct env_bytes *last = &call->pieces[2];
        last->count = last->count > 40 ? last->count - 40 : last->count;
        call->pieces_count = 3;
    }
    int rc = write_pieces(machine, call->file, call->offset, call->pieces, call->pieces_count);
    if (rc < 0 || !call->is_sync) return rc;
    if (is_batch && machine->fault == FAULT_BATCH_UNSYNCED) return 0;
    return sync_now(machine, call->file);
}

static int64_t end_fill(struct machine *machine, const struct machine_call *call) {
    uint64_t size_now = disk_size(call->file->file);
    uint64_t end = call->offset + call->count;
    if (end > size_now && end - size_now > room(machine)) {
        machine->mishaps[MISHAP_NO_SPACE]++;
        return -ENOSPC;
    }
    if (machine_mishap(machine, MISHAP_WRITE_FAILED, machine->luck.write)) return -EIO;
    int rc = disk_write(call->file->file, call->offset, NULL, call->count);
    return rc < 0 ? rc : sync_now(machine, call->file);
}

void machine_call_end(struct machine *machine, struct machine_call *call) {
    touch(machine, 20 + call->offset);
    int64_t result;
    if (call->pieces_count > 0) {
        result = end_write(machine, call);
    } else if (call->bytes != NULL) {
        result = read_flipped(machine, call->file, call->offset, call->bytes, call->count);
    } else {
        result = end_fill(machine, call);
    }
    machine_mix(machine, (uint64_t)result);
    touch(machine, 21); /* done, and nobody has heard of it */
    env_io_fn *done = call->done;
    call->done = NULL;
    done(call->context, result);
}

void machine_calls_torn(struct machine *machine) {
    for (uint32_t i = 0; i < MACHINE_CALLS_MAX; i++) {
        const struct machine_call *call = &machine->calls[i];
        if (call->done == NULL || call->pieces_count == 0) continue;
        uint64_t count = bytes_in(call->pieces, call->pieces_count);
        uint64_t part = dice_next(&machine->dice) % (count + 1);
        if (dice_below(&machine->dice, 3) == 0) part = count;
        (void)write_some(machine, call->file, call->offset, call->pieces, call->pieces_count, part);
    }
}

static void write_and_sync(struct env *env, struct env_file *file, uint64_t offset,
                           const struct env_bytes *pieces, size_t pieces_count, bool sync,
                           env_io_fn *done, void *context) {
    struct machine *machine = machine_from(env);
    touch(machine, 15 + offset);
    struct machine_call *call = take_call(machine, file, done, context);
    CHECK(pieces_count <= ARRAY_COUNT(call->pieces));
    memcpy(call->pieces, pieces, pieces_count * sizeof pieces[0]);
    call->pieces_count = (uint32_t)pieces_count;
    call->offset = offset;
    call->is_sync = sync;
}

static void read_async(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                       size_t count, env_io_fn *done, void *context) {
    struct machine *machine = machine_from(env);
    touch(machine, 16 + offset);
    struct machine_call *call = take_call(machine, file, done, context);
    call->offset = offset;
    call->bytes = bytes;
    call->count = count;
}

static int64_t read_cached(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                           size_t count) {
    struct machine *machine = machine_from(env);
    if (!machine->is_prompt && dice_below(&machine->dice, 3) == 0) return -EAGAIN;
    return read_flipped(machine, file, offset, bytes, count);
}

static void fill(struct env *env, struct env_file *file, uint64_t offset, uint64_t bytes_count,
                 env_io_fn *done, void *context) {
    struct machine *machine = machine_from(env);
    touch(machine, 17 + offset);
    struct machine_call *call = take_call(machine, file, done, context);
    call->offset = offset;
    call->count = (size_t)bytes_count;
}

const struct env_ops machine_disk_ops = {
    .open_directory = open_directory,
    .list = list,
    .rename = rename_file,
    .unlink = unlink_file,
    .sync_directory = sync_directory,
    .free_bytes = free_bytes,
    .open = open_file,
    .close = close_file,
    .lock = lock,
    .size = size,
    .truncate = truncate_file,
    .read = read_file,
    .write = write_file,
    .sync = sync_file,
    .write_and_sync = write_and_sync,
    .read_async = read_async,
    .read_cached = read_cached,
    .fill = fill,
};
