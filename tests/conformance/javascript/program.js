// Asks AWS who it is, once for each line on stdin: with one client, as a service does.
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const client = new STSClient({});

async function call() {
  try {
    return { arn: (await client.send(new GetCallerIdentityCommand({}))).Arn };
  } catch (error) {
    return { error: error.name };
  }
}

for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await call()));
}
