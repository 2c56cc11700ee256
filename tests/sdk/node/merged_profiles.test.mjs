// What becomes of requests for a merged profile: they are redirected, unless the service follows merged profiles.

import assert from "node:assert/strict";
import test from "node:test";
import { followsMerged, identifiersOf, makeAlias, makeProfile, makeStore, memory, refused } from "./service.mjs";

const redirects = { skip: followsMerged && "the service follows merged profiles" };
const follows = { skip: !followsMerged && "the service redirects" };
const CITY = { traits: { Contact: { city: "Gary" } } };

test("an alias is read as a redirect, whose headers contain the canonical ID", redirects, async () => {
  const storeId = await makeStore();
  const { alias, canonical } = await makeAlias(storeId);
  const moved = await memory.profiles(storeId, alias).fetchWithHttpInfo();
  assert.deepEqual([moved.statusCode, moved.body.message], [301, "This resource has moved."]);
  assert.equal(moved.headers["canonical-profile-id"], canonical);
});

// The limitations of the SDK with any server. If one of these fails, a newer SDK no longer has the limitation.

test("the SDK takes the redirect of a delete for success, and nothing is deleted", redirects, async () => {
  const storeId = await makeStore();
  const { alias, canonical } = await makeAlias(storeId);
  await memory.profiles(storeId, alias).remove();
  await memory.identifiers(storeId, alias, "phone").remove({ removeAll: true });
  const identifiers = { email: ["a@example.com"], phone: ["+13175556789"] };
  assert.deepEqual(await identifiersOf(storeId, canonical), identifiers);
});

test("a patch and a post to an alias raise 308, and nothing is written", redirects, async () => {
  const storeId = await makeStore();
  const { alias, canonical } = await makeAlias(storeId);
  const phone = { idType: "phone", value: "+442079460958" };
  await assert.rejects(memory.profiles(storeId, alias).patch(CITY), ({ status }) => status === 308);
  await assert.rejects(memory.identifiers(storeId, alias).create(phone), ({ status }) => status === 308);
  assert.equal((await memory.profiles(storeId, canonical).fetch()).traits.Contact.city, undefined);
});

test("list() of profiles is one page", async () => {
  const storeId = await makeStore();
  for (let number = 0; number < 3; number++) await makeProfile(storeId, { chat: `c-${number}` });
  assert.equal((await memory.profiles(storeId).list({ pageSize: 2 })).length, 2);
});

// With PROFILE_LOOKUP_FOLLOW_MERGED=true, no write is lost.

test("an alias is read as the canonical profile", follows, async () => {
  const storeId = await makeStore();
  const { alias, canonical } = await makeAlias(storeId);
  const fetched = await memory.profiles(storeId, alias).fetchWithHttpInfo();
  assert.deepEqual([fetched.statusCode, fetched.body.id], [200, canonical]);
  assert.equal(fetched.headers["canonical-profile-id"], canonical);
});

test("a patch of an alias is written to the canonical profile", follows, async () => {
  const storeId = await makeStore();
  const { alias, canonical } = await makeAlias(storeId);
  await memory.profiles(storeId, alias).patch(CITY);
  assert.equal((await memory.profiles(storeId, canonical).fetch()).traits.Contact.city, "Gary");
});

test("an identifier of an alias is removed from the canonical profile", follows, async () => {
  const storeId = await makeStore();
  const { alias, canonical } = await makeAlias(storeId);
  await memory.identifiers(storeId, alias, "phone").remove();
  assert.deepEqual(await identifiersOf(storeId, canonical), { email: ["a@example.com"] });
});

test("a delete of an alias deletes the canonical profile", follows, async () => {
  const storeId = await makeStore();
  const { alias, canonical } = await makeAlias(storeId);
  await memory.profiles(storeId, alias).remove();
  await assert.rejects(memory.profiles(storeId, canonical).fetch(), refused(404, 20404));
});
