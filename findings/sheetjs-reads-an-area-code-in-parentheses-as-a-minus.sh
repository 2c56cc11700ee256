#!/usr/bin/env bash
# SheetJS reads a phone number of a CSV file as a negative number if its area code stands in parentheses.
#
# Expected: text, or a minus only where parentheses enclose the whole number, as accountants write "(42)".
# Seen: parentheses anywhere in a cell make it negative, if only digits are left without them. "(317)5550100" becomes
# -3175550100. The optional zero of "+44(0)2079460100" becomes one of its digits, and the plus is lost.
# "(030)55501000" of Berlin loses its zero, and is then the number of somebody in Miami. With a space behind the
# parenthesis a number stays text, so a column can hold both. Only `raw: true` keeps them all. The product reads such
# numbers without the minus, and warns if their rows name another country: see docs/imports.md.
#
# It installs xlsx into a temporary directory and exits with 1 if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts xlsx@0.18.5
cat > finding.mjs <<'JAVASCRIPT'
import { isDeepStrictEqual } from "node:util";
import xlsx from "xlsx";

const phones = ["(317)5550100", "(317) 5550100", "+44(0)2079460100", "(030)55501000"];
const file = ["Phone", ...phones].join("\n");

function read(options) {
  const workbook = xlsx.read(file, { type: "string", ...options });
  return xlsx.utils.sheet_to_json(workbook.Sheets.Sheet1).map((row) => row.Phone);
}

const seen = read({});
console.log(`xlsx ${xlsx.version}, Node ${process.versions.node}`);
phones.forEach((phone, index) => console.log(`${phone} is ${JSON.stringify(seen[index])}`));
const isKept = isDeepStrictEqual(read({ raw: true }), phones);
console.log(`raw: true keeps the text of all: ${isKept}`);
const expected = [-3175550100, "(317) 5550100", -4402079460100, -3055501000];
const unchanged = isKept && isDeepStrictEqual(seen, expected);
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.mjs
