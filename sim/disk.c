/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c -- pages in memory, what is on the platter beside them where it differs. */
#include "disk.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTORS (DISK_PAGE_BYTES / DISK_SECTOR_BYTES)
#define PAGES_MAX ((uint32_t)(DISK_FILE_BYTES_MAX / DISK_PAGE_BYTES))
#define CHANGES_MAX 64u

struct page {
    struct list_link link; /* in file.differing, while `platter` counts */
    bool differs;          /* from what is on the platter */
    bool is_dirty;         /* the next sync writes it; else it was lost by a failed one */
    bool platter_is_zero;
    uint8_t *platter; /* what is there, unless it is zeros */
    uint8_t bytes[DISK_PAGE_BYTES];
};

struct disk_file {
    struct list_link link; /* in disk.files */
    uint64_t size;
    uint64_t size_platter;
    uint32_t names_count; /* names now and on the platter, and open files */
    struct list_link differing;
    uint8_t rot_mask; /* 0: none */
    uint64_t rot_offset;
    struct page *pages[PAGES_MAX]; /* NULL: zeros, now and on the platter */
};

struct name {
    char text[DISK_NAME_BYTES];
    struct disk_file *file; /* NULL: free */
};

/* One change of names that is not on the platter yet. */
struct change {
    char from[DISK_NAME_BYTES]; /* "": a new file */
    char to[DISK_NAME_BYTES];   /* "": removed */
    struct disk_file *file;
};

struct disk {
    struct list_link files;
    struct name names[DISK_NAMES_MAX];
    struct name platter[DISK_NAMES_MAX];
    struct change changes[CHANGES_MAX];
    uint32_t changes_count;
};

struct disk *disk_open(void) {
    struct disk *disk = calloc(1, sizeof *disk);
    if (disk != NULL) list_init(&disk->files);
    return disk;
}

static void free_page(struct page *page) {
    if (page == NULL) return;
    free(page->platter);
    free(page);
}

static void free_file(struct disk_file *file) {
    list_remove(&file->link);
    for (uint32_t i = 0; i < PAGES_MAX; i++) free_page(file->pages[i]);
    free(file);
}

void disk_close(struct disk *disk) {
    if (disk == NULL) return;
    while (!list_is_empty(&disk->files)) {
        free_file(CONTAINER_OF(list_first(&disk->files), struct disk_file, link));
    }
    free(disk);
}

/* ---- names ------------------------------------------------------------------------------------ */

void disk_hold(struct disk_file *file) {
    file->names_count++;
}

void disk_let_go(struct disk *disk, struct disk_file *file) {
    (void)disk;
    CHECK(file->names_count > 0);
    if (--file->names_count == 0) free_file(file);
}

static struct name *find_name(struct name *names, const char *text) {
    for (uint32_t i = 0; i < DISK_NAMES_MAX; i++) {
        if (names[i].file != NULL && strcmp(names[i].text, text) == 0) return &names[i];
    }
    return NULL;
}

/* The name is then this file's and nobody else's. False: there are too many. */
static bool set_name(struct disk *disk, struct name *names, const char *text,
                     struct disk_file *file) {
    struct name *name = find_name(names, text);
    for (uint32_t i = 0; name == NULL && i < DISK_NAMES_MAX; i++) {
        if (names[i].file == NULL) name = &names[i];
    }
    if (name == NULL) return false;
    struct disk_file *before = name->file;
    disk_hold(file);
    name->file = file;
    snprintf(name->text, sizeof name->text, "%s", text);
    if (before != NULL) disk_let_go(disk, before);
    return true;
}

static void remove_name(struct disk *disk, struct name *names, const char *text) {
    struct name *name = find_name(names, text);
    if (name == NULL) return;
    struct disk_file *file = name->file;
    name->file = NULL;
    disk_let_go(disk, file);
}

static void apply_change(struct disk *disk, struct name *names, const struct change *change) {
    if (change->to[0] != '\0') {
        bool is_set = set_name(disk, names, change->to, change->file);
        CHECK(is_set); /* as many as there are now fit there too, and a few more */
    }
    if (change->from[0] != '\0') remove_name(disk, names, change->from);
}

static int change_names(struct disk *disk, const char *from, const char *to,
                        struct disk_file *file) {
    if (disk->changes_count == CHANGES_MAX) disk_sync_names(disk); /* the disk may, at any time */
    struct change *change = &disk->changes[disk->changes_count];
    *change = (struct change){.file = file};
    snprintf(change->from, sizeof change->from, "%s", from);
    snprintf(change->to, sizeof change->to, "%s", to);
    uint32_t names_count = 0;
    for (uint32_t i = 0; i < DISK_NAMES_MAX; i++) names_count += disk->names[i].file != NULL;
    if (names_count + 1 >= DISK_NAMES_MAX / 2) return -ENFILE;
    disk_hold(file);
    disk->changes_count++;
    apply_change(disk, disk->names, change);
    return 0;
}

int disk_find(struct disk *disk, const char *name, bool create, struct disk_file **out) {
    struct name *found = find_name(disk->names, name);
    if (found != NULL) {
        *out = found->file;
        return 0;
    }
    if (!create) return -ENOENT;
    struct disk_file *file = calloc(1, sizeof *file);
    if (file == NULL) return -ENOMEM;
    list_init(&file->differing);
    list_append(&disk->files, &file->link);
    file->names_count = 1;
    int rc = change_names(disk, "", name, file);
    disk_let_go(disk, file); /* its name holds it now, or it is gone */
    *out = rc < 0 ? NULL : file;
    return rc;
}

const char *disk_name_at(const struct disk *disk, uint32_t index) {
    for (uint32_t i = 0; i < DISK_NAMES_MAX; i++) {
        if (disk->names[i].file != NULL && index-- == 0) return disk->names[i].text;
    }
    return NULL;
}

int disk_rename(struct disk *disk, const char *from, const char *to) {
    struct name *found = find_name(disk->names, from);
    return found == NULL ? -ENOENT : change_names(disk, from, to, found->file);
}

int disk_unlink(struct disk *disk, const char *name) {
    struct name *found = find_name(disk->names, name);
    return found == NULL ? -ENOENT : change_names(disk, name, "", found->file);
}

static void settle_names(struct disk *disk, uint32_t count) {
    for (uint32_t i = 0; i < disk->changes_count; i++) {
        if (i < count) apply_change(disk, disk->platter, &disk->changes[i]);
        disk_let_go(disk, disk->changes[i].file);
    }
    disk->changes_count = 0;
}

void disk_sync_names(struct disk *disk) {
    settle_names(disk, disk->changes_count);
}

uint64_t disk_bytes_used(const struct disk *disk) {
    uint64_t bytes = 0;
    for (const struct list_link *link = disk->files.next; link != &disk->files; link = link->next) {
        const struct disk_file *file =
            (const struct disk_file *)(const void *)((const char *)link -
                                                     offsetof(struct disk_file, link));
        bytes += file->size;
    }
    return bytes;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

uint64_t disk_size(const struct disk_file *file) {
    return file->size;
}

size_t disk_read(const struct disk_file *file, uint64_t offset, void *bytes, size_t count) {
    if (offset >= file->size) return 0;
    if (count > file->size - offset) count = (size_t)(file->size - offset);
    for (size_t have = 0; have < count;) {
        uint64_t at = offset + have;
        size_t skip = (size_t)(at % DISK_PAGE_BYTES);
        size_t step = DISK_PAGE_BYTES - skip;
        if (step > count - have) step = count - have;
        const struct page *page = file->pages[at / DISK_PAGE_BYTES];
        if (page == NULL) {
            memset((char *)bytes + have, 0, step);
        } else {
            memcpy((char *)bytes + have, page->bytes + skip, step);
        }
        have += step;
    }
    return count;
}

/* A page that is about to be changed; what is on the platter is kept beside it. */
static struct page *open_page(struct disk_file *file, uint64_t index) {
    struct page *page = file->pages[index];
    if (page == NULL) {
        page = calloc(1, sizeof *page);
        if (page == NULL) return NULL;
        list_init(&page->link);
        page->platter_is_zero = true;
        file->pages[index] = page;
    }
    page->is_dirty = true;
    if (page->differs) return page;
    if (!page->platter_is_zero) {
        page->platter = malloc(DISK_PAGE_BYTES);
        if (page->platter == NULL) return NULL;
        memcpy(page->platter, page->bytes, DISK_PAGE_BYTES);
    }
    page->differs = true;
    list_append(&file->differing, &page->link);
    return page;
}

static bool is_zero(const void *bytes, size_t count) {
    const char *at = bytes;
    return bytes == NULL || (at[0] == 0 && memcmp(at, at + 1, count - 1) == 0);
}

static void turn_bits(struct disk_file *file, uint64_t offset, uint8_t mask) {
    struct page *page = file->pages[offset / DISK_PAGE_BYTES];
    page->bytes[offset % DISK_PAGE_BYTES] ^= mask;
    if (page->platter != NULL) page->platter[offset % DISK_PAGE_BYTES] ^= mask;
}

static void heal(struct disk_file *file) {
    if (file->rot_mask != 0) turn_bits(file, file->rot_offset, file->rot_mask);
    file->rot_mask = 0;
}

/* What is in the page cache only is not on the platter, and does not rot. */
static bool rot_page(struct disk_file *file, uint32_t index, struct dice *dice) {
    const struct page *page = file->pages[index];
    if (page == NULL || page->differs || page->platter_is_zero) return false;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t at = dice_below(dice, DISK_PAGE_BYTES);
        if (page->bytes[at] == 0) continue;
        file->rot_offset = (uint64_t)index * DISK_PAGE_BYTES + at;
        file->rot_mask = (uint8_t)(1u << dice_below(dice, 8));
        turn_bits(file, file->rot_offset, file->rot_mask);
        return true;
    }
    return false;
}

bool disk_rot(struct disk *disk, struct dice *dice) {
    for (uint32_t i = 0; i < 64; i++) {
        struct disk_file *file = disk->names[dice_below(dice, DISK_NAMES_MAX)].file;
        if (file == NULL || file->size == 0 || file->rot_mask != 0) continue;
        uint32_t pages_count = (uint32_t)((file->size + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES);
        /* Most of a segment is zeros: from some place on the next page that is not. */
        uint32_t first = dice_below(dice, pages_count);
        for (uint32_t k = 0; k < pages_count; k++) {
            if (rot_page(file, (first + k) % pages_count, dice)) return true;
        }
    }
    return false;
}

void disk_heal(struct disk *disk) {
    for (struct list_link *link = disk->files.next; link != &disk->files; link = link->next) {
        heal(CONTAINER_OF(link, struct disk_file, link));
    }
}

int disk_write(struct disk_file *file, uint64_t offset, const void *bytes, size_t count) {
    if (offset > DISK_FILE_BYTES_MAX || count > DISK_FILE_BYTES_MAX - offset) return -EFBIG;
    if (file->rot_mask != 0 && offset <= file->rot_offset && file->rot_offset - offset < count) {
        heal(file);
    }
    for (size_t have = 0; have < count;) {
        uint64_t at = offset + have;
        size_t skip = (size_t)(at % DISK_PAGE_BYTES);
        size_t step = DISK_PAGE_BYTES - skip;
        if (step > count - have) step = count - have;
        const char *from = bytes == NULL ? NULL : (const char *)bytes + have;
        have += step;
        if (file->pages[at / DISK_PAGE_BYTES] == NULL && is_zero(from, step)) continue;
        struct page *page = open_page(file, at / DISK_PAGE_BYTES);
        if (page == NULL) return -ENOMEM;
        if (from == NULL) {
            memset(page->bytes + skip, 0, step);
        } else {
            memcpy(page->bytes + skip, from, step);
        }
    }
    if (offset + count > file->size) file->size = offset + count;
    return 0;
}

int disk_truncate(struct disk_file *file, uint64_t bytes_count) {
    if (bytes_count > DISK_FILE_BYTES_MAX) return -EFBIG;
    if (bytes_count < file->size) {
        int rc = disk_write(file, bytes_count, NULL, (size_t)(file->size - bytes_count));
        if (rc < 0) return rc;
    }
    file->size = bytes_count;
    return 0;
}

static void page_is_on_platter(struct page *page) {
    list_remove(&page->link);
    list_init(&page->link);
    free(page->platter);
    page->platter = NULL;
    page->differs = page->is_dirty = false;
    page->platter_is_zero = is_zero(page->bytes, DISK_PAGE_BYTES);
}

void disk_sync(struct disk_file *file) {
    struct list_link *next;
    for (struct list_link *link = file->differing.next; link != &file->differing; link = next) {
        next = link->next;
        struct page *page = CONTAINER_OF(link, struct page, link);
        if (page->is_dirty) page_is_on_platter(page);
    }
    file->size_platter = file->size;
}

void disk_sync_fails(struct disk_file *file) {
    for (struct list_link *link = file->differing.next; link != &file->differing;
         link = link->next) {
        CONTAINER_OF(link, struct page, link)->is_dirty = false;
    }
}

/* ---- power loss ------------------------------------------------------------------------------- */

static bool keeps(enum disk_mercy mercy, struct dice *dice, bool *is_cut) {
    switch (mercy) {
    case DISK_KEEPS_ALL: return true;
    case DISK_KEEPS_SOME: return dice_below(dice, 2) == 0;
    case DISK_KEEPS_FIRST:
        if (dice_below(dice, 16) == 0) *is_cut = true;
        return !*is_cut;
    default: return false;
    }
}

static uint64_t crash_page(struct page *page, enum disk_mercy mercy, struct dice *dice,
                           bool *is_cut) {
    uint64_t lost_count = 0;
    for (size_t i = 0; i < SECTORS; i++) {
        uint8_t *now = page->bytes + i * DISK_SECTOR_BYTES;
        bool is_kept = page->is_dirty && keeps(mercy, dice, is_cut);
        if (is_kept) continue;
        bool was_same = page->platter == NULL ? is_zero(now, DISK_SECTOR_BYTES)
                                              : memcmp(now, page->platter + i * DISK_SECTOR_BYTES,
                                                       DISK_SECTOR_BYTES) == 0;
        lost_count += !was_same;
        if (page->platter == NULL) {
            memset(now, 0, DISK_SECTOR_BYTES);
        } else {
            memcpy(now, page->platter + i * DISK_SECTOR_BYTES, DISK_SECTOR_BYTES);
        }
    }
    page_is_on_platter(page);
    return lost_count;
}

static uint64_t crash_file(struct disk_file *file, enum disk_mercy mercy, struct dice *dice) {
    uint64_t lost_count = 0;
    bool is_cut = false;
    bool keeps_size = mercy != DISK_KEEPS_NOTHING && dice_below(dice, 2) == 0;
    /* In the order of the file: DISK_KEEPS_FIRST means the lower ones. */
    for (uint32_t i = 0; i < PAGES_MAX && !list_is_empty(&file->differing); i++) {
        struct page *page = file->pages[i];
        if (page != NULL && page->differs) lost_count += crash_page(page, mercy, dice, &is_cut);
    }
    if (!keeps_size && file->size_platter < file->size) {
        file->size = file->size_platter;
        lost_count++;
    }
    if (mercy == DISK_KEEPS_ALL && file->size < file->size_platter) file->size_platter = file->size;
    file->size_platter = file->size;
    return lost_count;
}

uint64_t disk_crash(struct disk *disk, enum disk_mercy mercy, struct dice *dice) {
    uint64_t lost_count = 0;
    for (struct list_link *link = disk->files.next; link != &disk->files; link = link->next) {
        lost_count += crash_file(CONTAINER_OF(link, struct disk_file, link), mercy, dice);
    }
    uint32_t kept = disk->changes_count;
    if (mercy == DISK_KEEPS_NOTHING) kept = 0;
    if (mercy == DISK_KEEPS_SOME || mercy == DISK_KEEPS_FIRST) kept = dice_below(dice, kept + 1);
    lost_count += disk->changes_count - kept;
    settle_names(disk, kept);
    for (uint32_t i = 0; i < DISK_NAMES_MAX; i++) {
        struct disk_file *before = disk->names[i].file;
        disk->names[i] = disk->platter[i];
        if (disk->names[i].file != NULL) disk_hold(disk->names[i].file);
        if (before != NULL) disk_let_go(disk, before);
    }
    return lost_count;
}

static int copy_file(const struct disk_file *from, struct disk_file *to) {
    for (uint32_t i = 0; i < PAGES_MAX; i++) {
        const struct page *page = from->pages[i];
        if (page == NULL) continue;
        int rc = disk_write(to, (uint64_t)i * DISK_PAGE_BYTES, page->bytes, DISK_PAGE_BYTES);
        if (rc < 0) return rc;
    }
    int rc = disk_truncate(to, from->size);
    if (rc == 0) disk_sync(to);
    return rc;
}

struct disk *disk_copy(const struct disk *disk) {
    struct disk *copy = disk_open();
    for (uint32_t i = 0; i < DISK_NAMES_MAX && copy != NULL; i++) {
        if (disk->names[i].file == NULL) continue;
        struct disk_file *file;
        int rc = disk_find(copy, disk->names[i].text, true, &file);
        if (rc == 0) rc = copy_file(disk->names[i].file, file);
        disk_sync_names(copy);
        if (rc == 0) continue;
        disk_close(copy);
        return NULL;
    }
    return copy;
}

uint64_t disk_hash(const struct disk *disk) {
    uint64_t hash = 0;
    for (uint32_t i = 0; i < DISK_NAMES_MAX; i++) {
        const struct disk_file *file = disk->names[i].file;
        if (file == NULL) continue;
        uint64_t part = hash64_seeded(slice_from_string(disk->names[i].text), file->size);
        for (uint32_t k = 0; k < PAGES_MAX; k++) {
            const struct page *page = file->pages[k];
            if (page == NULL || is_zero(page->bytes, DISK_PAGE_BYTES)) continue;
            part = hash64_seeded(slice_from((const char *)page->bytes, DISK_PAGE_BYTES), part + k);
        }
        hash = hash * 31 + part;
    }
    return hash;
}
