// What all tests need: the client, pointed at the service, and short ways to make stores and profiles.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import twilio from "twilio";

const PATIENCE = 60_000; // milliseconds until a test gives up; long, because the machine may be busy
const { BASE_URL, ACCOUNT_SID, AUTH_TOKEN, FOLLOWS_MERGED } = process.env;

export const followsMerged = FOLLOWS_MERGED === "true";
export const memory = memoryOf(AUTH_TOKEN);

export function memoryOf(authToken) {
  const client = twilio(ACCOUNT_SID, authToken);
  client.memory.baseUrl = BASE_URL; // the one line that differs
  return client.memory.v1;
}

export function operationId(statusUrl) {
  return statusUrl.split("/").pop();
}

export async function finished({ statusUrl }) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const operation = await memory.operations(operationId(statusUrl)).fetch();
    if (!["PENDING", "RUNNING"].includes(operation.status)) return operation;
    await sleep(50);
  }
  assert.fail("the operation does not end");
}

export async function makeStore() {
  const operation = await finished(await memory.stores.create({ displayName: `store-${randomUUID()}` }));
  return operation.result.id;
}

export async function makeProfile(storeId, contact) {
  const created = await memory.profiles(storeId).create({ traits: { Contact: contact } });
  return created.id;
}

// Merges two profiles, and returns the ID of the merged one and the canonical ID.
export async function makeAlias(storeId) {
  const canonical = await makeProfile(storeId, { email: "a@example.com" });
  const alias = await makeProfile(storeId, { phone: "+13175556789" });
  assert.equal(await makeProfile(storeId, { phone: "+13175556789", email: "a@example.com" }), canonical);
  return { alias, canonical };
}

export async function identifiersOf(storeId, profileId) {
  const sets = await memory.identifiers(storeId, profileId).list();
  return Object.fromEntries(sets.map(({ idType, values }) => [idType, values]));
}

export function refused(status, code) {
  return (error) => error.status === status && error.code === code;
}
