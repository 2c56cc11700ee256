#!/bin/sh
# The official SDK for Node reports a DELETE as done when the server answered with a redirect and deleted nothing.
#
# Expected: remove() rejects an answer that is neither 2xx nor followed, as update() and patch() of the same SDK do.
# Seen: deletes that return a model go through fetch(), which accepts every status below 400, and redirects are not
# followed. The published contract of the Memory API answers 308 to a DELETE for a merged profile, so such a delete is
# lost, and its caller is told nothing. A PATCH with the same answer is rejected.
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

const received = [];
const server = createServer((request, response) => {
  received.push(`${request.method} ${request.url}`);
  response.writeHead(308, { "Content-Type": "application/json", Location: "/elsewhere" });
  response.end(JSON.stringify({ message: "This resource has moved.", uri: "/elsewhere" }));
}).listen(0, "127.0.0.1");
await once(server, "listening");

const client = twilio("AC00000000000000000000000000000000", "token");
client.memory.baseUrl = `http://127.0.0.1:${server.address().port}`;
const profile = client.memory.v1.profiles("mem_store_00000000000000000000000000", "mem_profile_00000000000000000000000000");

async function outcome(promise) {
  return promise.then((instance) => `fulfilled: ${instance.message}`, (error) => `rejected: ${error.status}`);
}

const removed = await outcome(profile.remove());
const patched = await outcome(profile.patch({ traits: { Contact: { city: "Gary" } } }));
server.closeAllConnections();
server.close();
const { version } = createRequire(import.meta.url)("twilio/package.json");
console.log(`twilio ${version}, Node ${process.versions.node}`);
console.log(`remove() of a resource whose DELETE is answered with 308: ${removed}`);
console.log(`patch() of the same: ${patched}`);
console.log(`requests that the server received: ${received.length}`);
const unchanged = removed === "fulfilled: This resource has moved." && patched === "rejected: 308" && received.length === 2;
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.mjs
