#!/bin/sh
# In the official SDK for Node, list() of profiles, stores and imports returns the first page as if it were everything.
#
# Expected: list() reads page after page until there is no nextToken, as its documentation says and as list() of traits
# and of trait groups does.
# Seen: where the items are plain IDs, the generated list() looks for page.nextPageUrl. Pages with tokens have no such
# property, so it stops after the first page, without an error. A caller with 51 profiles sees 50.
#
# It installs twilio into a temporary directory, asks a server of its own, and exits with 1 if the behaviour has changed.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts twilio@6.3.1
cat > finding.mjs <<'JAVASCRIPT'
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import twilio from "twilio";

const STORE = "mem_store_00000000000000000000000000";
const PROFILE = "mem_profile_0000000000000000000000000";

// Two pages of two profiles, and two pages of two traits.
const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const isFirst = !url.searchParams.has("pageToken");
  const key = url.pathname.endsWith("/Traits") ? "traits" : "profiles";
  const numbers = isFirst ? [1, 2] : [3, 4];
  const items = numbers.map((number) => (key === "traits" ? { name: `t${number}` } : `${PROFILE}${number}`));
  const meta = { key, pageSize: 2, ...(isFirst ? { nextToken: "second" } : {}) };
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ [key]: items, meta }));
}).listen(0, "127.0.0.1");
await once(server, "listening");

const client = twilio("AC00000000000000000000000000000000", "token");
client.memory.baseUrl = `http://127.0.0.1:${server.address().port}`;
const profiles = await client.memory.v1.profiles(STORE).list({ pageSize: 2 });
const traits = await client.memory.v1.traits(STORE, `${PROFILE}1`).list({ pageSize: 2 });
server.closeAllConnections();
server.close();
const { version } = createRequire(import.meta.url)("twilio/package.json");
console.log(`twilio ${version}, Node ${process.versions.node}`);
console.log(`profiles on the server: 4, of list(): ${profiles.length}`);
console.log(`traits on the server: 4, of list(): ${traits.length}`);
const unchanged = profiles.length === 2 && traits.length === 4;
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.mjs
