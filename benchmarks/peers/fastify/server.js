// The same Lookup as a JavaScript team would write it: Fastify with JSON schemas for requests and answers, and pg with
// a named and therefore prepared statement. It also uses the product's best idea: one statement verifies the caller,
// returns the revision of the store's settings, and finds the profiles. The settings are cached until the revision
// changes.
//
// PEER_PHONES=libphonenumber parses phone numbers with libphonenumber-js. Otherwise only the digits are kept, and ten
// digits are a US number, which is less work than the product does.

import cluster from "node:cluster";
import { createHash } from "node:crypto";
import Fastify from "fastify";
import { parsePhoneNumberFromString } from "libphonenumber-js";
import pg from "pg";

const { PEER_PORT, PEER_DATABASE_HOST, PEER_DATABASE, PEER_POOL_SIZE, PEER_WORKERS, PEER_PHONES } = process.env;
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

if (cluster.isPrimary && Number(PEER_WORKERS) > 1) {
  for (let i = 0; i < Number(PEER_WORKERS); i++) cluster.fork();
} else {
  await serve();
}

async function serve() {
  const pool = new pg.Pool({
    host: PEER_DATABASE_HOST,
    user: "postgres",
    database: PEER_DATABASE,
    max: Number(PEER_POOL_SIZE),
    idleTimeoutMillis: 0,
    options: "-c plan_cache_mode=force_generic_plan -c jit=off",
  });
  const settingsOfStores = new Map();

  async function askForSettings(storeId, sid, digest) {
    const { rows } = await pool.query({
      name: "settings",
      text: `
        select store.id, store.revision, store.settings
        from credential left join store
          on store.account_id = credential.account_id and store.id = $3 and store.status = 'ACTIVE'
        where credential.sid = $1 and credential.secret_sha256 = $2`,
      values: [sid, digest, uuidOf(storeId)],
    });
    if (rows.length === 0) throw refusal(401, "Invalid credentials");
    if (rows[0].id === null) throw refusal(404, "Store not found");
    const normalizations = new Map(rows[0].settings.identifier_configs.map((c) => [c.id_type, c.normalization]));
    const settings = { id: rows[0].id, revision: rows[0].revision, normalizations };
    settingsOfStores.set(storeId, settings);
    return settings;
  }

  async function find(settings, sid, digest, idType, value) {
    const { rows } = await pool.query({
      name: "lookup",
      text: `
        select
          store.revision,
          array(
            select identifier.profile_id::text
            from identifier
            where identifier.store_id = store.id and identifier.id_type = $4 and identifier.value = $5
            order by identifier.profile_id
            limit 100
          ) as profile_ids
        from credential join store on store.account_id = credential.account_id
        where credential.sid = $1 and credential.secret_sha256 = $2 and store.id = $3 and store.status = 'ACTIVE'`,
      values: [sid, digest, settings.id, idType, value],
    });
    return rows.length === 1 && rows[0].revision === settings.revision ? rows[0].profile_ids : null;
  }

  const app = Fastify({ logger: false });
  const schema = {
    params: { type: "object", properties: { storeId: { type: "string", pattern: "^mem_(store|service)_[0-7][0-9a-z]{25}$" } } },
    body: {
      type: "object",
      required: ["idType", "value"],
      properties: {
        idType: { type: "string", minLength: 2, maxLength: 30 },
        value: { type: "string", minLength: 1, maxLength: 255 },
      },
    },
    response: {
      200: {
        type: "object",
        properties: { normalizedValue: { type: "string" }, profiles: { type: "array", items: { type: "string" } } },
      },
    },
  };
  app.post("/v1/Stores/:storeId/Profiles/Lookup", { schema }, async (request) => {
    const { sid, digest } = credentialsOf(request.headers.authorization);
    const { storeId } = request.params;
    const { idType, value } = request.body;
    let settings = settingsOfStores.get(storeId);
    for (let attempt = 0; attempt < 5; attempt++) {
      settings ??= await askForSettings(storeId, sid, digest);
      const normalized = normalize(settings.normalizations.get(idType), value);
      const found = normalized === null ? null : await find(settings, sid, digest, idType, normalized);
      if (found !== null) return { normalizedValue: normalized, profiles: found.map(profileId) };
      if (normalized === null && attempt > 0) throw refusal(400, "Value refused");
      settings = undefined;
    }
    throw refusal(503, "Unavailable");
  });

  process.on("SIGTERM", async () => {
    await app.close();
    await pool.end();
    process.exit(0);
  });
  await app.listen({ host: "127.0.0.1", port: Number(PEER_PORT), backlog: 2048 });
}

function credentialsOf(header) {
  if (!/^basic /i.test(header ?? "")) throw refusal(401, "Invalid credentials");
  const decoded = Buffer.from(header.slice(6), "base64").toString();
  const colon = decoded.indexOf(":");
  if (colon < 0) throw refusal(401, "Invalid credentials");
  return {
    sid: decoded.slice(0, colon),
    digest: createHash("sha256").update(decoded.slice(colon + 1)).digest(),
  };
}

function normalize(normalization, value) {
  switch (normalization) {
    case "phone":
      return PEER_PHONES === "libphonenumber" ? parsedPhone(value) : phoneByDigits(value);
    case "email":
      return value.replace(/\s+/g, "").toLowerCase() || null;
    case "trim":
      return value.trim() || null;
    case "none":
      return value;
    default:
      return null;
  }
}

function parsedPhone(value) {
  const number = parsePhoneNumberFromString(value, "US");
  return number?.isPossible() ? number.number : null;
}

function phoneByDigits(value) {
  const digits = value.replace(/\D/g, "");
  if (digits.length < 8 || digits.length > 15) return null;
  return digits.length === 10 && !value.startsWith("+") ? `+1${digits}` : `+${digits}`;
}

// 26 characters of 5 bits encode the 128 bits of a UUID; the first character has 2 leading zero bits.
function profileId(uuid) {
  const hex = uuid.replaceAll("-", "");
  let id = "mem_profile_" + base32(parseInt(hex.slice(0, 2), 16), 2);
  for (let i = 2; i < 32; i += 5) id += base32(parseInt(hex.slice(i, i + 5), 16), 4);
  return id;
}

function base32(number, digits) {
  let text = "";
  for (let shift = (digits - 1) * 5; shift >= 0; shift -= 5) text += ALPHABET[(number >> shift) & 31];
  return text;
}

function uuidOf(id) {
  let number = 0n;
  for (const character of id.slice(-26)) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) throw refusal(404, "Store not found");
    number = (number << 5n) | BigInt(digit);
  }
  const hex = number.toString(16).padStart(32, "0");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function refusal(statusCode, message) {
  return Object.assign(new Error(message), { statusCode });
}
