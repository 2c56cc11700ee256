// What a client sees of a rate limit, without and with `autoRetry`, which waits for random times of at most 0.2, 0.4 and
// 0.8 seconds and does not read `Retry-After`.

import assert from "node:assert/strict";
import test from "node:test";
import twilio from "twilio";
import { refused } from "./service.mjs";

const { BASE_URL, LIMITED_ACCOUNT_SID, OFTEN_KEY, SELDOM_KEY } = process.env;
const PAIRS = 10;

function storesOf(key, options) {
  const client = twilio(...key.split(":"), { accountSid: LIMITED_ACCOUNT_SID, ...options });
  client.memory.baseUrl = BASE_URL;
  return client.memory.v1.stores;
}

test("autoRetry succeeds when little is over the limit, because the limit is refilled continuously", async () => {
  const stores = storesOf(OFTEN_KEY, { autoRetry: true });
  for (let pair = 0; pair < PAIRS; pair += 1) {
    await Promise.all([stores.page(), stores.page()]);
  }
});

test("without autoRetry a request over the limit fails, and with it when much is over", async () => {
  await storesOf(SELDOM_KEY).page();
  await assert.rejects(storesOf(SELDOM_KEY).page(), refused(429, 20429));
  await assert.rejects(storesOf(SELDOM_KEY, { autoRetry: true }).page(), refused(429, 20429));
});
