/* SPDX-License-Identifier: Apache-2.0 */
#include "sqs/query_protocol.h"
#include "test.h"

#include <stdio.h>

static struct allocator allocator;

static struct sqs_writer open_writer(struct buffer *out, bool has_result) {
    allocator = allocator_system();
    buffer_open(out, &allocator, 1 << 20);
    struct sqs_writer writer = {.protocol = &sqs_protocol_query,
                                .out = out,
                                .action = SLICE("Test"),
                                .request_id = SLICE("id-1"),
                                .has_result = has_result};
    writer.protocol->begin(&writer);
    return writer;
}

static void expect_answer(struct sqs_writer *writer, const char *members) {
    char wanted[2048];
    const char *open = writer->has_result ? "<TestResult>" : "";
    const char *close = writer->has_result ? "</TestResult>" : "";
    writer->protocol->end(writer);
    buffer_append_byte(writer->out, '\0');
    (void)snprintf(wanted, sizeof wanted,
                   "<?xml version=\"1.0\"?><TestResponse "
                   "xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">%s%s%s"
                   "<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata>"
                   "</TestResponse>",
                   open, members, close);
    EXPECT_STRING(writer->out->bytes, wanted);
    buffer_close(writer->out);
}

/* An action whose answer has members says so also when there are none; the others have no result. */
TEST(query_write_has_a_result_or_none) {
    struct buffer out;
    struct sqs_writer writer = open_writer(&out, true);
    expect_answer(&writer, "");
    writer = open_writer(&out, false);
    expect_answer(&writer, "");
}

/* Lists and maps are flat; tags have a key where the others have a name. */
TEST(query_write_has_flat_lists) {
    struct buffer out;
    struct sqs_writer writer = open_writer(&out, true);
    const struct sqs_protocol *protocol = writer.protocol;
    protocol->text(&writer, SLICE("A"), SLICE("x"));
    protocol->number(&writer, SLICE("B"), -5);
    protocol->boolean(&writer, SLICE("C"), true);
    protocol->bytes(&writer, SLICE("D"), SLICE("foo"));
    protocol->list_begin(&writer, SLICE("Es"));
    protocol->list_text(&writer, SLICE("E"), SLICE("e"));
    protocol->item_begin(&writer, SLICE("I"));
    protocol->text(&writer, SLICE("J"), SLICE("j"));
    protocol->item_end(&writer, SLICE("I"));
    protocol->list_end(&writer);
    protocol->map_begin(&writer, SLICE("Ms"));
    protocol->map_text(&writer, SLICE("Attribute"), SLICE("k"), SLICE("v"));
    protocol->map_text(&writer, SLICE("Tag"), SLICE("k"), SLICE(""));
    protocol->map_item_begin(&writer, SLICE("M"), SLICE("n"));
    protocol->text(&writer, SLICE("S"), SLICE("s"));
    protocol->map_item_end(&writer, SLICE("M"));
    protocol->map_end(&writer);
    expect_answer(&writer, "<A>x</A><B>-5</B><C>true</C><D>Zm9v</D><E>e</E><I><J>j</J></I>"
                           "<Attribute><Name>k</Name><Value>v</Value></Attribute>"
                           "<Tag><Key>k</Key><Value></Value></Tag>"
                           "<M><Name>n</Name><Value><S>s</S></Value></M>");
}

/* What XML reads in another way is escaped; what it does not have is replaced. */
TEST(query_write_escapes) {
    struct buffer out;
    struct sqs_writer writer = open_writer(&out, true);
    writer.protocol->text(&writer, SLICE("A"), SLICE("a<b>&\"c\"\r\n\t\xC3\xA9\xF0\x9F\x98\x80"));
    writer.protocol->text(&writer, SLICE("B"), SLICE("\x01\xFF\xEF\xBF\xBE\xEF\xBF\xBD]]>"));
    expect_answer(&writer, "<A>a&lt;b&gt;&amp;&quot;c&quot;&#xD;\n\t\xC3\xA9\xF0\x9F\x98\x80</A>"
                           "<B>&#xFFFD;&#xFFFD;&#xFFFD;&#xFFFD;&#xFFFD;\xEF\xBF\xBD]]&gt;</B>");
}

/* A refusal has its code in Query, and Query's own words where there are some. */
TEST(query_write_refuses_in_its_own_words) {
    struct buffer out;
    struct arena arena;
    allocator = allocator_system();
    arena_open(&arena, &allocator, 1 << 16);
    buffer_open(&out, &allocator, 1 << 16);
    struct sqs_fault fault = sqs_fault_none(&arena);
    (void)sqs_fail_result(&fault, BROKER_QUEUE_NOT_FOUND, SLICE_EMPTY);
    sqs_protocol_query.write_fault(&out, &fault, SLICE("id-2"));
    buffer_append_byte(&out, '\0');
    EXPECT_STRING(out.bytes,
                  "<?xml version=\"1.0\"?><ErrorResponse "
                  "xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error><Type>Sender</Type>"
                  "<Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>The specified "
                  "queue does not exist for this wsdl version.</Message><Detail/></Error>"
                  "<RequestId>id-2</RequestId></ErrorResponse>");
    buffer_close(&out);
    arena_close(&arena);
}
