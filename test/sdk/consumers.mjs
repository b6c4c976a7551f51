// SPDX-License-Identifier: Apache-2.0
// Two consumers with long polls in parallel while a producer sends: each message is seen once.
import assert from "node:assert/strict";
import * as sqs from "@aws-sdk/client-sqs";
import { makeClient } from "./client.mjs";

const COUNT = 600;
const producer = makeClient();
const { QueueUrl } = await producer.send(
  new sqs.CreateQueueCommand({ QueueName: "consumers", Attributes: { VisibilityTimeout: "300" } }),
);
const seen = new Map();
let remaining = COUNT;

async function consume(name) {
  const client = makeClient();
  let taken = 0;
  while (remaining > 0) {
    const { Messages = [] } = await client.send(
      new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 4, WaitTimeSeconds: 1 }),
    );
    for (const message of Messages) {
      assert.ok(!seen.has(message.Body), `${message.Body} was seen by ${seen.get(message.Body)}`);
      seen.set(message.Body, name);
      remaining--;
      taken++;
    }
    if (Messages.length === 0) continue;
    const Entries = Messages.map((message, i) => ({ Id: `${i}`, ReceiptHandle: message.ReceiptHandle }));
    const { Successful } = await client.send(new sqs.DeleteMessageBatchCommand({ QueueUrl, Entries }));
    assert.equal(Successful.length, Messages.length);
  }
  client.destroy();
  return taken;
}

async function produce() {
  for (let i = 0; i < COUNT; i += 10) {
    const Entries = Array.from({ length: 10 }, (_, k) => ({ Id: `${k}`, MessageBody: `body ${i + k}` }));
    await producer.send(new sqs.SendMessageBatchCommand({ QueueUrl, Entries }));
  }
}

const [first, second] = await Promise.all([consume("first"), consume("second"), produce()]);
assert.equal(first + second, COUNT);
assert.ok(first > 0 && second > 0, `${first} and ${second}`);
const { Attributes } = await producer.send(
  new sqs.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
);
assert.equal(Attributes.ApproximateNumberOfMessages, "0");
assert.equal(Attributes.ApproximateNumberOfMessagesNotVisible, "0");
console.log(`ok ${COUNT} messages, ${first} and ${second}`);
producer.destroy();
