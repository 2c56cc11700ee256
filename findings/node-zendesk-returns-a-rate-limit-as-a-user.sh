#!/usr/bin/env bash
# node-zendesk fulfils its promises although the server refused the request with 429, and lists the error as a user.
#
# Expected: list() and create() reject, as they do for a 429 without Retry-After.
# Seen: for an answer with Retry-After, which Zendesk sends with each 429, the client makes an Error and returns it
# instead of throwing it. list() looks in it for the next page, finds none, and ends: it fulfils with the users of the
# pages before and the Error as the last "user". create() fulfils as well, and has created nobody. So an export of
# contacts that runs into the limit lacks people, and nobody is told: see docs/imports.md.
#
# It installs node-zendesk into a temporary directory, asks a server of its own, and exits with 1 if the behaviour has
# changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts node-zendesk@6.0.1
cat > finding.mjs <<'JAVASCRIPT'
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { isDeepStrictEqual } from "node:util";
import zendesk from "node-zendesk";

// The first of three pages is answered, and everything else is refused.
let headers;
const server = createServer((request, response) => {
  const isFirst = request.method === "GET" && !request.url.includes("second");
  const next = `http://${request.headers.host}/api/v2/users.json?page[after]=second`;
  const page = { users: [{ id: 1 }, { id: 2 }], meta: { has_more: true }, links: { next } };
  response.writeHead(isFirst ? 200 : 429, { "Content-Type": "application/json", ...(isFirst ? {} : headers) });
  response.end(JSON.stringify(isFirst ? page : { error: "APIRateLimitExceeded" }));
}).listen(0, "127.0.0.1");
await once(server, "listening");

const endpointUri = `http://127.0.0.1:${server.address().port}/api/v2`;
const client = zendesk.createClient({ username: "ann@example.com", token: "token", endpointUri });
const named = (item) => (item instanceof Error ? `Error ${item.statusCode}` : item.id);

async function outcomes() {
  const list = client.users.list().then((users) => users.map(named), () => "rejected");
  const create = client.users.create({ user: { name: "Ann" } }).then(({ result }) => named(result), () => "rejected");
  return Promise.all([list, create]);
}

headers = { "Retry-After": "30" };
const refused = await outcomes();
headers = {};
const refusedWithoutHeader = await outcomes();
server.closeAllConnections();
server.close();
const { version } = JSON.parse(readFileSync("node_modules/node-zendesk/package.json"));
console.log(`node-zendesk ${version}, Node ${process.versions.node}`);
console.log(`429 with Retry-After: list() and create() fulfil with ${JSON.stringify(refused)}`);
console.log(`429 without it: ${JSON.stringify(refusedWithoutHeader)}`);
const unchanged =
  isDeepStrictEqual(refused, [[1, 2, "Error 429"], "Error 429"]) &&
  isDeepStrictEqual(refusedWithoutHeader, ["rejected", "rejected"]);
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.mjs
