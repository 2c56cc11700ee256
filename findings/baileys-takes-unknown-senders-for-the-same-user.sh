#!/usr/bin/env bash
# Baileys, a client of WhatsApp, takes two unknown senders for the same user, and a hidden ID for a phone number.
#
# areJidsSameUser() says whether two WhatsApp IDs are of the same user. By its type, both may be undefined, as a sender
# is wherever WhatsApp names none.
# Expected: somebody unknown is not the same user as anybody, and IDs of different kinds are of different users.
# Seen: true for two that are undefined, and for two texts that are no IDs, such as two phone numbers. What stands
# behind the @ is not compared: a hidden ID (@lid), whose digits mean nothing, is the same user as the phone number with
# these digits, and a group is the same as a newsletter. So a program that looks for the messages of one person mixes in
# those of others. The product refuses a hidden ID as a phone number: see docs/values.md.
#
# It unpacks Baileys, without its dependencies, into a temporary directory and exits with 1 if the behaviour has
# changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
tar -xzf "$(npm pack --silent @whiskeysockets/baileys@6.17.16)"
cat > finding.cjs <<'JAVASCRIPT'
const { areJidsSameUser } = require("./package/lib/WABinary/jid-utils.js");

const SEEN = [
  ["13175550100@s.whatsapp.net", "13175550100:12@s.whatsapp.net", true],
  ["13175550100@s.whatsapp.net", "13175550101@s.whatsapp.net", false],
  ["13175550100@s.whatsapp.net", undefined, false],
  [undefined, undefined, true],
  ["+13175550100", "+13175550101", true],
  ["13175550100@s.whatsapp.net", "13175550100@lid", true],
  ["120363000000000001@g.us", "120363000000000001@newsletter", true],
];
console.log(`@whiskeysockets/baileys ${require("./package/package.json").version}, Node ${process.versions.node}`);
let unchanged = true;
for (const [first, second, seen] of SEEN) {
  const isSame = areJidsSameUser(first, second);
  console.log(`${first} and ${second}: ${isSame ? "the same user" : "different users"}`);
  unchanged &&= isSame === seen;
}
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.cjs
