// SPDX-License-Identifier: Apache-2.0
// Sends, receives and deletes until its standard input ends, whatever happens to the server. One
// line for each thing that was answered: "sent BODY", "deleted BODY"; and before a delete
// "deleting BODY", since one that is not answered may be done.
import * as sqs from "@aws-sdk/client-sqs";
import { makeClient, words } from "./client.mjs";

const [QueueUrl] = words;
let isOver = false;
process.stdin.on("end", () => (isOver = true)).resume();
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

async function send(name) {
  const client = makeClient({ maxAttempts: 1 });
  for (let i = 0; !isOver; i++) {
    const MessageBody = `${name}-${i}`;
    try {
      await client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody }));
      console.log(`sent ${MessageBody}`);
    } catch {
      await pause(); /* unanswered: it may be there or not */
    }
  }
  client.destroy();
}

async function consume() {
  const client = makeClient({ maxAttempts: 1 });
  while (!isOver) {
    try {
      const { Messages = [] } = await client.send(
        new sqs.ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1, MaxNumberOfMessages: 2 }),
      );
      for (const { Body, ReceiptHandle } of Messages) {
        console.log(`deleting ${Body}`);
        await client.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
        console.log(`deleted ${Body}`);
      }
    } catch {
      await pause();
    }
  }
  client.destroy();
}

await Promise.all([send("a"), send("b"), send("c"), send("d"), consume()]);
