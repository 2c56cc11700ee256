// The unmodified official SDK works with all resources.

import assert from "node:assert/strict";
import test from "node:test";
import { finished, identifiersOf, makeProfile, makeStore, memory, memoryOf, operationId, refused } from "./service.mjs";

const PHONE = { idType: "phone", value: "(317) 555-6789" };

test("a store is created and filled, and a lookup finds the merged profile", async () => {
  const storeId = await makeStore();
  const first = await makeProfile(storeId, { email: "a@example.com" });
  const second = await makeProfile(storeId, { phone: "+13175556789" });
  assert.equal(await makeProfile(storeId, { phone: "+13175556789", email: "a@example.com" }), first);
  assert.notEqual(second, first);
  const found = await memory.lookup(storeId).create(PHONE);
  assert.deepEqual([found.normalizedValue, found.profiles], ["+13175556789", [first]]);
});

test("a batch is written, and its operation completes", async () => {
  const storeId = await makeStore();
  const profiles = [0, 1, 2].map((number) => ({ traits: { Contact: { email: `${number}@example.com` } } }));
  const accepted = await memory.bulk(storeId).update({ profiles });
  assert.equal(accepted.message, "Profile batch accepted for processing.");
  const operation = await finished(accepted);
  assert.deepEqual([operation.status, operation.result.id], ["COMPLETED", storeId]);
  assert.equal((await memory.profiles(storeId).list()).length, 3);
});

test("a file is imported, and its results are fetched", async () => {
  const storeId = await makeStore();
  const content = "E-mail,City\na@example.com,Gary\n,Rome\n";
  const columnMappings = [
    { columnName: "E-mail", traitGroup: "Contact", traitName: "email" },
    { columnName: "City", traitGroup: "Contact", traitName: "city" },
  ];
  const request = { filename: "people.csv", fileSize: content.length, columnMappings };
  const created = await memory.imports(storeId).create(request);
  assert.equal((await memory.imports(storeId, created.importId).fetch()).status, "PENDING");
  assert.equal((await fetch(created.url, { method: "PUT", body: content })).status, 200);
  assert.equal((await finished(created)).status, "COMPLETED");
  const fetched = await memory.imports(storeId, created.importId).fetch();
  assert.deepEqual([fetched.status, fetched.summary.errors], ["COMPLETED", 1]);
  assert.deepEqual(await memory.imports(storeId).list(), [created.importId]);
});

test("a wrong token and an unknown identifier type raise their codes", async () => {
  const storeId = await makeStore();
  await assert.rejects(memoryOf("a wrong token").lookup(storeId).create(PHONE), refused(401, 20003));
  await assert.rejects(memory.lookup(storeId).create({ idType: "fax", value: "1" }), refused(400, 520046));
});

test("an accepted request contains the URL of its operation", async () => {
  const accepted = await memory.stores.createWithHttpInfo({ displayName: "accepted", description: "All of them" });
  assert.equal(accepted.statusCode, 202);
  assert.equal(accepted.headers.location, accepted.body.statusUrl);
  assert.equal(accepted.headers["operation-id"], operationId(accepted.body.statusUrl));
  const store = await memory.stores((await finished(accepted.body)).result.id).fetch();
  assert.deepEqual([store.displayName, store.description, store.version], ["accepted", "All of them", 1]);
});

test("a store is changed only with its current ETag", async () => {
  const storeId = await makeStore();
  const { etag } = (await memory.stores(storeId).fetchWithHttpInfo()).headers;
  await finished(await memory.stores(storeId).patch({ displayName: "renamed" }, { "If-Match": etag }));
  const stale = memory.stores(storeId).patch({ displayName: "others" }, { "If-Match": etag });
  await assert.rejects(stale, refused(412, 520043));
  assert.equal((await memory.stores(storeId).fetch()).displayName, "renamed");
});

test("settings are changed with data in the store, and stored values follow", async () => {
  const storeId = await makeStore();
  const profileId = await makeProfile(storeId, { chat: "MiXeD@x" });
  const { identifierConfigs, matchingRules } = await memory.identityResolutionSettings(storeId).fetch();
  identifierConfigs.find(({ idType }) => idType === "chat").normalization = "email";
  const accepted = await memory.identityResolutionSettings(storeId).update({ identifierConfigs, matchingRules });
  assert.equal((await finished(accepted)).status, "COMPLETED");
  assert.deepEqual(await identifiersOf(storeId, profileId), { chat: ["mixed@x"] });
});

test("a trait group is created, changed only with its current ETag, and deleted with its values", async () => {
  const storeId = await makeStore();
  const plan = { plan: { dataType: "STRING", validationRule: { ruleType: "STRING", maxLength: 5 } } };
  const created = await memory.traitGroups(storeId).create({ displayName: "Billing", traits: plan });
  assert.equal((await finished(created)).result.id, "Billing");
  const billing = memory.traitGroups(storeId, "Billing");
  const fetched = await billing.fetchWithHttpInfo();
  assert.deepEqual(fetched.body.traitGroup.traits, plan);
  const profile = { traits: { Contact: { chat: "c" }, Billing: { plan: "free" } } };
  const { id } = await memory.profiles(storeId).create(profile);
  const tooLong = memory.profiles(storeId, id).patch({ traits: { Billing: { plan: "too long" } } });
  await assert.rejects(tooLong, ({ status }) => status === 400);
  const ifMatch = { "If-Match": fetched.headers.etag };
  await finished(await billing.patch({ traits: { seats: { dataType: "NUMBER" } } }, ifMatch));
  await assert.rejects(billing.patch({ description: "stale" }, ifMatch), refused(412, 520043));
  await finished(await billing.remove());
  assert.deepEqual((await memory.profiles(storeId, id).fetch()).traits, { Contact: { chat: "c" } });
});

test("traits are changed, fetched by group, and removed with null", async () => {
  const storeId = await makeStore();
  const profileId = await makeProfile(storeId, { email: "a@example.com", city: "Gary", firstName: "Al" });
  const profile = memory.profiles(storeId, profileId);
  const changed = await profile.patch({ traits: { Contact: { firstName: "Alice", city: null } } });
  assert.equal(changed.message, "Trait modifications accepted for processing.");
  const fetched = await profile.fetch({ traitGroups: "Contact" });
  assert.deepEqual(fetched.traits, { Contact: { email: "a@example.com", firstName: "Alice" } });
  assert.ok(fetched.createdAt instanceof Date);
});

test("lists of traits and trait groups are read to their end", async () => {
  const storeId = await makeStore();
  const profileId = await makeProfile(storeId, { email: "a@example.com", city: "Gary", firstName: "Al" });
  const traits = await memory.traits(storeId, profileId).list({ pageSize: 2 });
  assert.deepEqual(traits.map(({ name }) => name).sort(), ["city", "email", "firstName"]);
  for (const displayName of ["One", "Two", "Three"]) await memory.traitGroups(storeId).create({ displayName });
  const groups = await memory.traitGroups(storeId).list({ pageSize: 2 });
  assert.deepEqual(groups.map(({ displayName }) => displayName), ["Three", "Two", "One", "Contact"]);
});

test("stores, profiles and imports are read page by page with the token", async () => {
  const storeId = await makeStore();
  const created = [];
  for (let number = 0; number < 5; number++) created.push(await makeProfile(storeId, { chat: `c-${number}` }));
  const listed = [];
  let pageToken;
  do {
    const page = await memory.profiles(storeId).page({ pageSize: 2, orderBy: "ASC", pageToken });
    listed.push(...page.instances);
    pageToken = page.nextToken;
  } while (pageToken);
  assert.deepEqual(listed, created);
  const first = await memory.profiles(storeId).page({ pageSize: 2 });
  assert.equal((await first.nextPage()).instances[0], created[2]);
});

test("identifiers are added, listed, replaced and removed", async () => {
  const storeId = await makeStore();
  const profileId = await makeProfile(storeId, { email: "a@example.com" });
  const identifiers = memory.identifiers(storeId, profileId);
  for (const value of ["(317) 555-6789", "+44 20 7946 0958"]) await identifiers.create({ idType: "phone", value });
  const email = ["a@example.com"];
  assert.deepEqual(await identifiersOf(storeId, profileId), { email, phone: ["+13175556789", "+442079460958"] });
  const phone = memory.identifiers(storeId, profileId, "phone");
  await phone.patch({ idType: "phone", oldValue: "+13175556789", newValue: "1-317-555-6798" });
  assert.deepEqual((await phone.fetch()).values, ["+442079460958", "+13175556798"]);
  await phone.remove();
  assert.deepEqual((await phone.fetch()).values, ["+13175556798"]);
  await phone.remove({ removeAll: true });
  await assert.rejects(phone.fetch(), refused(404, 20404));
});

test("profiles and stores are deleted", async () => {
  const storeId = await makeStore();
  const profileId = await makeProfile(storeId, { email: "a@example.com" });
  assert.equal((await memory.profiles(storeId, profileId).remove()).message, "Profile accepted for deletion.");
  await assert.rejects(memory.profiles(storeId, profileId).fetch(), refused(404, 20404));
  await finished(await memory.stores(storeId).remove());
  await assert.rejects(memory.stores(storeId).fetch(), refused(404, 520041));
});
