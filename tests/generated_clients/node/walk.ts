// Walks from a new store to an erased profile with the types that openapi-typescript generates.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const { BASE, SID, SECRET } = process.env;
assert(BASE && SID && SECRET);
const authorization = `Basic ${Buffer.from(`${SID}:${SECRET}`).toString("base64")}`;
const client = createClient<paths>({ baseUrl: BASE, headers: { Authorization: authorization } });

/** Return the data of a successful answer. */
function ok<Data>(answer: { data?: Data; error?: unknown }): NonNullable<Data> {
  assert.equal(answer.error, undefined);
  assert(answer.data != null);
  return answer.data;
}

const accepted = ok(await client.POST("/v1/ControlPlane/Stores", { body: { displayName: "customers" } }));
const operationId = accepted.statusUrl.split("/").at(-1);
assert(operationId);
let operation: components["schemas"]["Operation"];
do {
  await sleep(50);
  operation = ok(await client.GET("/v1/ControlPlane/Operations/{operationId}", { params: { path: { operationId } } }));
} while (operation.status === "PENDING" || operation.status === "RUNNING");
assert(operation.result);
const storeId = operation.result.id;
const params = { path: { storeId } };

const traits = { Contact: { phone: "+13175556789", city: "Gary", firstName: "Ann" } };
const profileId = ok(await client.POST("/v1/Stores/{storeId}/Profiles", { params, body: { traits } })).id;
const found = ok(
  await client.POST("/v1/Stores/{storeId}/Profiles/Lookup", {
    params,
    body: { idType: "phone", value: "(317) 555-6789" },
  }),
);
assert.deepEqual(found, { normalizedValue: "+13175556789", profiles: [profileId] });
const listed = ok(
  await client.GET("/v1/Stores/{storeId}/Profiles", { params: { ...params, query: { pageSize: 1 } } }),
);
assert.deepEqual(listed.profiles, [profileId]);

const profile = { params: { path: { storeId, profileId } } };
const changes = { Contact: { city: null, firstName: "Anna" } };
ok(await client.PATCH("/v1/Stores/{storeId}/Profiles/{profileId}", { ...profile, body: { traits: changes } }));
const fetched = ok(await client.GET("/v1/Stores/{storeId}/Profiles/{profileId}", profile));
const firstName: string | undefined = fetched.traits.Contact?.firstName;
assert.equal(firstName, "Anna");
assert.deepEqual(fetched.traits, { Contact: { firstName: "Anna", phone: "+13175556789" } });

ok(await client.DELETE("/v1/Stores/{storeId}/Profiles/{profileId}", profile));
const { error } = await client.GET("/v1/Stores/{storeId}/Profiles/{profileId}", profile);
assert.equal(error?.code, 20404);
assert.equal(error.more_info, `${BASE}/docs/errors/20404`);
