// SPDX-License-Identifier: Apache-2.0
// What the scripts here share: a client of @aws-sdk/client-sqs as anybody would make it. Arguments
// of a script: the endpoint, then its own.
import { SQSClient } from "@aws-sdk/client-sqs";

export const [endpoint, ...words] = process.argv.slice(2);

export const makeClient = (options = {}) =>
  new SQSClient({
    endpoint,
    region: "eu-central-1",
    credentials: { accessKeyId: "any", secretAccessKey: "key" },
    ...options,
  });
