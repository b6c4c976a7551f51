// SPDX-License-Identifier: Apache-2.0
// Every action of takt through the unchanged SDK, which checks the MD5 of what it sends and receives
// by itself and fails on a difference. Says each part on a line.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as sqs from "@aws-sdk/client-sqs";
import { endpoint, makeClient } from "./client.mjs";

const client = makeClient();
const call = (name, input) => client.send(new sqs[`${name}Command`](input));
const md5 = (text) => createHash("md5").update(text).digest("hex");
let url;

async function part(name, run) {
  await run();
  console.log(`ok ${name}`);
}

await part("CreateQueue", async () => {
  const made = await call("CreateQueue", {
    QueueName: "sdk",
    Attributes: { VisibilityTimeout: "20", DelaySeconds: "0" },
  });
  url = made.QueueUrl;
  assert.equal(url, `${endpoint}/000000000000/sdk`);
  assert.equal((await call("CreateQueue", { QueueName: "sdk" })).QueueUrl, url);
  assert.match(made.$metadata.requestId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

await part("GetQueueUrl", async () => {
  assert.equal((await call("GetQueueUrl", { QueueName: "sdk" })).QueueUrl, url);
});

await part("ListQueues", async () => {
  for (const name of ["list-a", "list-b", "list-c"]) await call("CreateQueue", { QueueName: name });
  const found = [];
  const pages = sqs.paginateListQueues({ client, pageSize: 2 }, { QueueNamePrefix: "list-" });
  for await (const page of pages) found.push(page.QueueUrls.map((one) => one.split("/").pop()));
  assert.deepEqual(found, [["list-a", "list-b"], ["list-c"]]);
  assert.deepEqual((await call("ListQueues", { QueueNamePrefix: "none" })).QueueUrls, undefined);
});

await part("SetQueueAttributes, GetQueueAttributes", async () => {
  const arn = (await call("GetQueueAttributes", { QueueUrl: url, AttributeNames: ["QueueArn"] }))
    .Attributes.QueueArn;
  assert.equal(arn, "arn:aws:sqs:eu-central-1:000000000000:sdk");
  const dead = (await call("CreateQueue", { QueueName: "sdk-dead" })).QueueUrl;
  const policy = { deadLetterTargetArn: arn.replace(/sdk$/, "sdk-dead"), maxReceiveCount: 5 };
  await call("SetQueueAttributes", {
    QueueUrl: url,
    Attributes: { RedrivePolicy: JSON.stringify(policy), MessageRetentionPeriod: "600" },
  });
  const { Attributes } = await call("GetQueueAttributes", {
    QueueUrl: url,
    AttributeNames: ["All"],
  });
  assert.deepEqual(JSON.parse(Attributes.RedrivePolicy), policy);
  assert.equal(Attributes.MessageRetentionPeriod, "600");
  assert.equal(Attributes.VisibilityTimeout, "20");
  await call("DeleteQueue", { QueueUrl: dead });
  await call("SetQueueAttributes", { QueueUrl: url, Attributes: { RedrivePolicy: "" } });
});

const attributes = {
  text: { DataType: "String", StringValue: "ü 😀 \"quoted\"" },
  number: { DataType: "Number", StringValue: "42.5" },
  picture: { DataType: "Binary.png", BinaryValue: Uint8Array.from({ length: 256 }, (_, i) => i) },
};

await part("SendMessage, ReceiveMessage, DeleteMessage with attributes", async () => {
  const body = "line\nbreak, tab\t, ü €, 😀 and \"quotes\"";
  const sent = await call("SendMessage", {
    QueueUrl: url,
    MessageBody: body,
    MessageAttributes: attributes,
    MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: "Root=1" } },
  });
  assert.equal(sent.MD5OfMessageBody, md5(body));
  const { Messages } = await call("ReceiveMessage", {
    QueueUrl: url,
    MessageAttributeNames: ["All"],
    MessageSystemAttributeNames: ["All"],
    WaitTimeSeconds: 1,
  });
  assert.equal(Messages.length, 1);
  const [message] = Messages;
  assert.equal(message.Body, body);
  assert.equal(message.MessageId, sent.MessageId);
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  assert.equal(message.Attributes.AWSTraceHeader, "Root=1");
  assert.equal(message.MessageAttributes.text.StringValue, attributes.text.StringValue);
  assert.equal(message.MessageAttributes.number.DataType, "Number");
  assert.deepEqual(
    Uint8Array.from(message.MessageAttributes.picture.BinaryValue),
    attributes.picture.BinaryValue,
  );
  await call("DeleteMessage", { QueueUrl: url, ReceiptHandle: message.ReceiptHandle });
  assert.equal((await call("ReceiveMessage", { QueueUrl: url })).Messages, undefined);
});

await part("batches", async () => {
  const sent = await call("SendMessageBatch", {
    QueueUrl: url,
    Entries: Array.from({ length: 10 }, (_, i) => ({
      Id: `e${i}`,
      MessageBody: i === 3 ? "\u0001" : `body ${i}`,
      MessageAttributes: i % 2 === 0 ? attributes : undefined,
    })),
  });
  assert.equal(sent.Successful.length, 9);
  assert.deepEqual(
    sent.Failed.map((one) => [one.Id, one.Code, one.SenderFault]),
    [["e3", "InvalidMessageContents", true]],
  );
  const { Messages } = await call("ReceiveMessage", { QueueUrl: url, MaxNumberOfMessages: 10 });
  assert.equal(Messages.length, 9);
  const entries = Messages.map((message, i) => ({ Id: `m${i}`, ReceiptHandle: message.ReceiptHandle }));
  const changed = await call("ChangeMessageVisibilityBatch", {
    QueueUrl: url,
    Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: 0 })),
  });
  assert.equal(changed.Successful.length, 9);
  const again = await call("ReceiveMessage", { QueueUrl: url, MaxNumberOfMessages: 10 });
  assert.equal(again.Messages.length, 9);
  const deleted = await call("DeleteMessageBatch", {
    QueueUrl: url,
    Entries: [...entries, { Id: "wrong", ReceiptHandle: "wrong" }],
  });
  assert.equal(deleted.Successful.length, 9);
  assert.deepEqual(deleted.Failed.map((one) => [one.Id, one.Code]), [
    ["wrong", "ReceiptHandleIsInvalid"],
  ]);
});

await part("ChangeMessageVisibility", async () => {
  await call("SendMessage", { QueueUrl: url, MessageBody: "again" });
  const [first] = (await call("ReceiveMessage", { QueueUrl: url })).Messages;
  await call("ChangeMessageVisibility", {
    QueueUrl: url,
    ReceiptHandle: first.ReceiptHandle,
    VisibilityTimeout: 0,
  });
  const [second] = (await call("ReceiveMessage", { QueueUrl: url })).Messages;
  assert.equal(second.MessageId, first.MessageId);
  await call("DeleteMessage", { QueueUrl: url, ReceiptHandle: second.ReceiptHandle });
});

await part("long poll", async () => {
  const begin = Date.now();
  const waiting = call("ReceiveMessage", { QueueUrl: url, WaitTimeSeconds: 20 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await call("SendMessage", { QueueUrl: url, MessageBody: "wake up" });
  const { Messages } = await waiting;
  assert.equal(Messages[0].Body, "wake up");
  assert.ok(Date.now() - begin < 10000);
  await call("DeleteMessage", { QueueUrl: url, ReceiptHandle: Messages[0].ReceiptHandle });
});

await part("a long poll that is aborted leaves the message there", async () => {
  const abort = new AbortController();
  const waiting = client.send(new sqs.ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 20 }), {
    abortSignal: abort.signal,
  });
  setTimeout(() => abort.abort(), 200);
  await assert.rejects(waiting, { name: "AbortError" });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await call("SendMessage", { QueueUrl: url, MessageBody: "for another" });
  const { Messages } = await call("ReceiveMessage", { QueueUrl: url });
  assert.equal(Messages[0].Body, "for another");
  await call("DeleteMessage", { QueueUrl: url, ReceiptHandle: Messages[0].ReceiptHandle });
});

const refusals = [
  [sqs.QueueDoesNotExist, "SendMessage", { QueueUrl: `${url}-no`, MessageBody: "x" }],
  [sqs.QueueDoesNotExist, "GetQueueUrl", { QueueName: "no" }],
  [sqs.QueueNameExists, "CreateQueue", { QueueName: "sdk", Attributes: { DelaySeconds: "7" } }],
  [sqs.InvalidAttributeName, "SetQueueAttributes", { QueueUrl: url, Attributes: { Fly: "1" } }],
  [sqs.InvalidAttributeValue, "SetQueueAttributes", { QueueUrl: url, Attributes: { DelaySeconds: "901" } }],
  [sqs.InvalidMessageContents, "SendMessage", { QueueUrl: url, MessageBody: "\u0001" }],
  [sqs.ReceiptHandleIsInvalid, "DeleteMessage", { QueueUrl: url, ReceiptHandle: "x" }],
  [sqs.EmptyBatchRequest, "SendMessageBatch", { QueueUrl: url, Entries: [] }],
  [sqs.TooManyEntriesInBatchRequest, "DeleteMessageBatch",
    { QueueUrl: url, Entries: Array.from({ length: 11 }, (_, i) => ({ Id: `${i}`, ReceiptHandle: "x" })) }],
  [sqs.BatchEntryIdsNotDistinct, "SendMessageBatch",
    { QueueUrl: url, Entries: [{ Id: "a", MessageBody: "x" }, { Id: "a", MessageBody: "y" }] }],
  [sqs.InvalidBatchEntryId, "SendMessageBatch", { QueueUrl: url, Entries: [{ Id: "a b", MessageBody: "x" }] }],
  [sqs.BatchRequestTooLong, "SendMessageBatch",
    { QueueUrl: url, Entries: ["a", "b"].map((Id) => ({ Id, MessageBody: "x".repeat(600000) })) }],
];

await part("errors by class", async () => {
  for (const [kind, name, input] of refusals) {
    await assert.rejects(call(name, input), (error) => {
      assert.ok(error instanceof kind, `${name}: ${error.name}: ${error.message}`);
      const status = kind === sqs.ReceiptHandleIsInvalid ? 404 : 400;
      assert.equal(error.$metadata.httpStatusCode, status);
      return true;
    });
  }
  await assert.rejects(call("ReceiveMessage", { QueueUrl: url, MaxNumberOfMessages: 11 }), {
    name: "InvalidParameterValue",
    message:
      "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
  });
});

await part("TagQueue, UntagQueue, ListQueueTags", async () => {
  await call("TagQueue", { QueueUrl: url, Tags: { team: "bakery", stage: "test" } });
  assert.deepEqual((await call("ListQueueTags", { QueueUrl: url })).Tags, { team: "bakery", stage: "test" });
  await call("UntagQueue", { QueueUrl: url, TagKeys: ["stage"] });
  assert.deepEqual((await call("ListQueueTags", { QueueUrl: url })).Tags, { team: "bakery" });
  const { QueueUrl } = await call("CreateQueue", { QueueName: "tagged", tags: { a: "b" } });
  assert.deepEqual((await call("ListQueueTags", { QueueUrl })).Tags, { a: "b" });
  await call("DeleteQueue", { QueueUrl });
});

await part("PurgeQueue", async () => {
  await call("SendMessage", { QueueUrl: url, MessageBody: "gone" });
  await call("PurgeQueue", { QueueUrl: url });
  assert.equal((await call("ReceiveMessage", { QueueUrl: url })).Messages, undefined);
  await assert.rejects(call("PurgeQueue", { QueueUrl: url }), sqs.PurgeQueueInProgress);
});

await part("DeleteQueue", async () => {
  await call("DeleteQueue", { QueueUrl: url });
  await assert.rejects(call("GetQueueUrl", { QueueName: "sdk" }), sqs.QueueDoesNotExist);
});
client.destroy();
