#!/usr/bin/env bash
# vcard-json reads the first line of a folded e-mail address as the whole, and overlooks a phone number without a type.
#
# A vCard's line may be folded anywhere: what begins with a space continues the line before. Address books fold lines of
# more than 75 bytes, and the parameters of an address fill half of that. A phone number needs no parameters.
# Expected: all of the address, and both numbers.
# Seen: the part before the fold. If what is left is an address as well, nobody notices: "example.co" instead of
# "example.com" is a domain of somebody else. A number or address without parameters, "TEL:+1…", is not in the result.
# Nothing is raised. The package vcf reads the same card in full.
#
# It installs vcard-json and vcf into a temporary directory and exits with 1 if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts vcard-json@0.5.2 vcf@2.1.2
cat > finding.cjs <<'JAVASCRIPT'
const { isDeepStrictEqual } = require("node:util");
const vCard = require("vcf");
const { parseVcardStringSync } = require("vcard-json");

const LINES = [
  "BEGIN:VCARD",
  "VERSION:3.0",
  "N:Mock;Alyssa;;;",
  "FN:Alyssa Mock",
  "EMAIL;type=INTERNET;type=WORK;type=pref:alyssa.mock.of.the.office@example.co",
  " m",
  "TEL;type=WORK:+13175550100",
  "TEL:+13175550101",
  "END:VCARD",
];
const card = LINES.join("\r\n");
for (const name of ["vcard-json", "vcf"]) console.log(name, require(`${name}/package.json`).version);

const [{ email, phone }] = parseVcardStringSync(card);
const cut = [...email, ...phone].map(({ value }) => value);
const read = vCard.parse(card)[0];
const whole = [read.get("email"), ...read.get("tel")].map((property) => property.valueOf());
console.log("vcard-json:", ...cut);
console.log("vcf:", ...whole);
const unchanged =
  isDeepStrictEqual(cut, ["alyssa.mock.of.the.office@example.co", "+13175550100"]) &&
  isDeepStrictEqual(whole, ["alyssa.mock.of.the.office@example.com", "+13175550100", "+13175550101"]);
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.cjs
