#!/usr/bin/env bash
# jsforce answers with the first contact of all if the phone number that it is to find is undefined.
#
# Expected: nobody, or an error. null is searched for as null, so a condition on a field is not simply optional.
# Seen: a condition whose value is undefined is left out of the query. If it is the only one, so is WHERE: the server is
# asked for any contact, and findOne() fulfils with it. With a last name beside it, anybody of that name is found. So a
# caller who withholds the number is greeted by a stranger's name, if the number is read from a field that the request
# then lacks. find() gives everybody. The product refuses a lookup without a value.
#
# It installs jsforce into a temporary directory, asks a server of its own, and exits with 1 if the behaviour has
# changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts jsforce@3.10.16
cat > finding.mjs <<'JAVASCRIPT'
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { isDeepStrictEqual } from "node:util";
import jsforce from "jsforce";

// One contact, whom each query without WHERE finds, and no other query.
const queries = [];
const server = createServer((request, response) => {
  const query = new URL(request.url, "http://localhost").searchParams.get("q");
  queries.push(query);
  const records = query.includes("WHERE") ? [] : [{ Id: "003000000000001", Name: "Ann" }];
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ totalSize: records.length, done: true, records }));
}).listen(0, "127.0.0.1");
await once(server, "listening");

const instanceUrl = `http://127.0.0.1:${server.address().port}`;
const contacts = new jsforce.Connection({ instanceUrl, accessToken: "token" }).sobject("Contact");
const call = { id: "1" }; // It has no field `from`, since the number is withheld.
const SEEN = [
  [{ Phone: call.from }, "SELECT Name FROM Contact LIMIT 1", "Ann"],
  [
    { Phone: call.from, LastName: "Mock" },
    "SELECT Name FROM Contact WHERE LastName = 'Mock' LIMIT 1",
    undefined,
  ],
  [{ Phone: null }, "SELECT Name FROM Contact WHERE Phone = null LIMIT 1", undefined],
  [{ Phone: "+13175550100" }, "SELECT Name FROM Contact WHERE Phone = '+13175550100' LIMIT 1", undefined],
];
const { version } = JSON.parse(readFileSync("node_modules/jsforce/package.json"));
console.log(`jsforce ${version}, Node ${process.versions.node}`);
let unchanged = true;
for (const [conditions, query, name] of SEEN) {
  const found = await contacts.findOne(conditions, ["Name"]);
  console.log("findOne(", conditions, `): ${queries.at(-1)}`);
  console.log(`  found: ${found?.Name ?? "nobody"}`);
  unchanged &&= isDeepStrictEqual([queries.at(-1), found?.Name], [query, name]);
}
server.closeAllConnections();
server.close();
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.mjs
