#!/bin/sh
# The automatic retries of the official SDK for Node ignore Retry-After, and are all over before the server allows one.
#
# Expected: after 429 with `Retry-After: 30`, the next request comes 30 seconds later, or the error is reported.
# Seen: with `autoRetry: true`, three more requests follow within at most 1.4 seconds (a random part of 0.2, 0.4 and 0.8
# seconds), each of which a rate limiter counts, and then the error is reported. The header is never read.
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

const RETRY_AFTER = 30; // seconds
const times = [];
const server = createServer((_request, response) => {
  times.push(Date.now());
  response.writeHead(429, { "Content-Type": "application/json", "Retry-After": `${RETRY_AFTER}` });
  response.end(JSON.stringify({ code: 20429, message: "Too many requests", status: 429 }));
}).listen(0, "127.0.0.1");
await once(server, "listening");

const client = twilio("AC00000000000000000000000000000000", "token", { autoRetry: true });
client.memory.baseUrl = `http://127.0.0.1:${server.address().port}`;
const lookup = client.memory.v1.lookup("mem_store_00000000000000000000000000");
const status = await lookup.create({ idType: "phone", value: "+13175556789" }).catch((error) => error.status);
server.closeAllConnections();
server.close();
const { version } = createRequire(import.meta.url)("twilio/package.json");
const seconds = (times.at(-1) - times[0]) / 1000;
console.log(`twilio ${version}, Node ${process.versions.node}`);
console.log(`Retry-After of each answer: ${RETRY_AFTER} seconds`);
console.log(`requests: ${times.length}, the last one ${seconds} seconds after the first; then the error ${status}`);
const unchanged = times.length === 4 && seconds < RETRY_AFTER && status === 429;
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.mjs
