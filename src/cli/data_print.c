/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/json.h"
#include "base/json_object.h"
#include "cli/cli.h"
#include "cli/data_look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define JSON_BYTES_MAX ((size_t)1024 * 1024 * 1024)

static void print_owner(const struct data_finding *finding) {
    const struct broker_owner *owner = &finding->owner;
    char id[33] = "";
    if (!finding->is_owned) {
        printf("; nothing that is there needs it, but perhaps an older step of a job's history");
        return;
    }
    if (owner->has_message_id) {
        hex_write(owner->message_id, 16, id);
    } else if (owner->has_job_id) {
        hex_write(owner->job_id, 16, id);
    }
    printf(": the %s of %s %s", owner->part, owner->kind, id);
    if (owner->queue.count > 0) printf(" of queue %.*s", SLICE_ARGS(owner->queue));
    if (owner->line.count > 0) printf(" of line %.*s", SLICE_ARGS(owner->line));
}

static void print_records(const struct journal_finding *found) {
    if (found->lsn_first == 0 && found->lsn_last == 0) return;
    if (found->lsn_first == 0) {
        printf(": all records up to %" PRIu64, found->lsn_last);
    } else if (found->lsn_last < found->lsn_first) {
        printf(": record %" PRIu64 " and what follows", found->lsn_first);
    } else {
        printf(": records %" PRIu64 " to %" PRIu64, found->lsn_first, found->lsn_last);
    }
}

void data_print_finding(const struct data_finding *finding) {
    const struct journal_finding *found = &finding->found;
    printf("%016" PRIx64 ".segment, offset %" PRIu64 ": ", found->segment, found->offset);
    switch (found->damage) {
    case JOURNAL_DAMAGE_BODY:
        printf("a body of record %" PRIu64 " is damaged, %" PRIu64 " bytes", found->lsn_first,
               found->bytes_count);
        if (!found->is_beyond) print_owner(finding);
        break;
    case JOURNAL_DAMAGE_SEGMENT_HEADER:
        printf("the file's own header is damaged; nothing is lost with it");
        break;
    case JOURNAL_DAMAGE_SEGMENT_SHORT:
        printf("the file has lost its last %" PRIu64 " bytes", found->bytes_count);
        break;
    case JOURNAL_DAMAGE_SEGMENT_MISSING:
        printf("the file is missing");
        print_records(found);
        break;
    case JOURNAL_DAMAGE_BATCH_HEADER:
        printf("no batch can be read here");
        print_records(found);
        break;
    case JOURNAL_DAMAGE_RECORDS:
        printf("the records of a batch are damaged");
        print_records(found);
        break;
    default: CHECK_UNREACHABLE();
    }
    if (found->ends_log && !found->is_beyond) printf("; a takt cannot read on behind it");
    if (found->is_beyond) printf("; it lies behind what ends the log");
    printf("\n");
}

void data_print_summary(const struct data_look *look, const struct journal_report *report) {
    if (look->state[0] != '\0') printf("the state that the journal gives: %s\n", look->state);
    printf("%s: format %" PRIu64 ", %u %s, ", look->path, report->format, report->segments_count,
           report->segments_count == 1 ? "segment" : "segments");
    if (report->lsn_first == 0) {
        printf("no records");
    } else {
        printf("records %" PRIu64 " to %" PRIu64, report->lsn_first, report->lsn_last);
    }
    printf(" with %" PRIu64 " bodies, %.1f MiB", report->bodies_count,
           (double)report->bytes_count / (1024.0 * 1024.0));
    if (report->bodies_given_up > 0) printf(", %" PRIu64 " given up", report->bodies_given_up);
    if (report->has_tail) printf(", an unsynced tail that nobody was promised");
    if (report->findings_count == 0 && look->state[0] == '\0') {
        printf(": whole\n");
        return;
    }
    printf(": damaged in %" PRIu64 " %s", report->findings_count,
           report->findings_count == 1 ? "place" : "places");
    if (report->is_cut) {
        printf(", %" PRIu64 " more records can be read behind the first that ends it",
               report->records_beyond);
    }
    printf("\n");
}

static void write_id(struct buffer *out, const char *name, const uint8_t id[16]) {
    char text[32];
    hex_write(id, 16, text);
    json_object_text(out, name, slice_from(text, sizeof text));
}

static void write_finding(struct buffer *out, const struct data_finding *finding) {
    const struct journal_finding *found = &finding->found;
    char segment[17];
    (void)snprintf(segment, sizeof segment, "%016" PRIx64, found->segment);
    json_array_next(out);
    buffer_append_byte(out, '{');
    json_object_text(out, "kind", slice_from_string(journal_damage_name(found->damage)));
    json_object_text(out, "segment", slice_from_string(segment));
    json_object_number(out, "offset", (int64_t)found->offset);
    if (found->bytes_count > 0) json_object_number(out, "bytes", (int64_t)found->bytes_count);
    if (found->lsn_first > 0) json_object_number(out, "lsn_first", (int64_t)found->lsn_first);
    if (found->lsn_last > 0) json_object_number(out, "lsn_last", (int64_t)found->lsn_last);
    json_object_bool(out, "ends_log", found->ends_log);
    json_object_bool(out, "beyond", found->is_beyond);
    if (finding->is_owned) {
        const struct broker_owner *owner = &finding->owner;
        json_object_text(out, "thing", slice_from_string(owner->kind));
        json_object_text(out, "part", slice_from_string(owner->part));
        if (owner->queue.count > 0) json_object_text(out, "queue", owner->queue);
        if (owner->line.count > 0) json_object_text(out, "line", owner->line);
        if (owner->has_message_id) write_id(out, "message", owner->message_id);
        if (owner->has_job_id) write_id(out, "job", owner->job_id);
    }
    buffer_append_byte(out, '}');
}

void data_print_json(const struct data_look *look, const struct journal_report *report) {
    struct buffer out;
    buffer_open(&out, &look->env->allocator, JSON_BYTES_MAX);
    buffer_append_byte(&out, '{');
    json_object_text(&out, "folder", slice_from_string(look->path));
    json_object_bool(&out, "whole", report->findings_count == 0 && look->state[0] == '\0');
    json_object_number(&out, "format", (int64_t)report->format);
    json_object_number(&out, "segments", report->segments_count);
    json_object_number(&out, "bytes", (int64_t)report->bytes_count);
    json_object_number(&out, "batches", (int64_t)report->batches_count);
    json_object_number(&out, "records", (int64_t)report->records_count);
    json_object_number(&out, "lsn_first", (int64_t)report->lsn_first);
    json_object_number(&out, "lsn_last", (int64_t)report->lsn_last);
    json_object_number(&out, "bodies", (int64_t)report->bodies_count);
    json_object_number(&out, "bodies_given_up", (int64_t)report->bodies_given_up);
    json_object_number(&out, "records_beyond", (int64_t)report->records_beyond);
    json_object_bool(&out, "unsynced_tail", report->has_tail);
    if (look->state[0] != '\0') {
        json_object_text(&out, "state", slice_from_string(look->state));
    }
    json_object_name(&out, "findings");
    buffer_append_byte(&out, '[');
    for (uint32_t i = 0; i < look->findings_count; i++) write_finding(&out, &look->findings[i]);
    buffer_append_string(&out, "]}\n");
    (void)fwrite(out.bytes, 1, out.count, stdout);
    if (out.failed) fprintf(stderr, "takt: there is more than memory for an answer\n");
    buffer_close(&out);
}

int data_refuse(const char *command, const char *path, int rc,
                const struct journal_report *report) {
    switch (rc) {
    case -ENOENT:
        fprintf(stderr, "takt %s: there is no journal in %s\n", command, path);
        return CLI_BAD_INPUT;
    case -EWOULDBLOCK:
        fprintf(stderr, "takt %s: a takt runs on %s; it has to be stopped first\n", command, path);
        return CLI_FAILED;
    case -EPROTONOSUPPORT:
        fprintf(stderr, "takt %s: %s was written by a newer takt (format %" PRIu64 ")\n", command,
                path, report->format);
        return CLI_BAD_INPUT;
    case -EBADMSG:
        fprintf(stderr,
                "takt %s: the file `format` in %s is missing or damaged, or there are no segments: "
                "nothing can be read without it\n",
                command, path);
        return CLI_FAILED;
    case -EUCLEAN:
        fprintf(
            stderr,
            "takt %s: a repair of %s was begun and not finished; run `takt data repair` again\n",
            command, path);
        return CLI_FAILED;
    default:
        fprintf(stderr, "takt %s: cannot read %s: %s\n", command, path, strerror(-rc));
        return CLI_FAILED;
    }
}
