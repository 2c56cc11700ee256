#!/usr/bin/env bash
# libphonenumber-js overlooks a fullwidth plus and makes a valid number of another country of what follows it.
#
# East Asian keyboards write "＋" (U+FF0B) for "+". Google's library takes both for a plus, and so does phonenumbers.
# Expected: the number with the country code that it has, or none.
# Seen: the fullwidth plus passes the check of what may be a number, and is then dropped like punctuation. What follows
# is read as a national number of the default country. A US number becomes a Chinese mobile number, and a number of
# Singapore becomes one of the USA, and isValid() is true for both. Fullwidth digits beside a usual plus are understood.
# The product reads it as a plus: see docs/values.md.
#
# It installs both libraries into a temporary directory and exits with 1 if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts libphonenumber-js@1.13.16 google-libphonenumber@3.2.47
cat > finding.mjs <<'JAVASCRIPT'
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import google from "google-libphonenumber";
import { parsePhoneNumberFromString } from "libphonenumber-js/max";

const util = google.PhoneNumberUtil.getInstance();
const version = (name) => createRequire(import.meta.url)(`${name}/package.json`).version;
for (const name of ["libphonenumber-js", "google-libphonenumber"]) console.log(name, version(name));

function byGoogle(text, country) {
  const number = util.parse(text, country);
  return [util.format(number, google.PhoneNumberFormat.E164), util.isValidNumber(number)];
}

function byPort(text, country) {
  const number = parsePhoneNumberFromString(text, country);
  return [number.number, number.isValid()];
}

const SEEN = [
  ["＋1 650 555 0123", "CN", ["+16505550123", true], ["+8616505550123", true]],
  ["＋65 6555 0123", "US", ["+6565550123", true], ["+16565550123", true]],
  ["+６５ ６５５５ ０１２３", "US", ["+6565550123", true], ["+6565550123", true]],
];
let unchanged = true;
for (const [text, country, google, port] of SEEN) {
  const [first, second] = [byGoogle(text, country), byPort(text, country)];
  console.log(`${text}, default country ${country}: google-libphonenumber ${first[0]}, valid: ${first[1]}`);
  console.log(`  libphonenumber-js ${second[0]}, valid: ${second[1]}`);
  unchanged &&= isDeepStrictEqual([first, second], [google, port]);
}
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.mjs
