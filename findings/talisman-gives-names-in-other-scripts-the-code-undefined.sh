#!/usr/bin/env bash
# talisman, a library of phonetic codes, gives people whose names are not in Latin letters the code "undefined".
#
# Records are sought for duplicates in blocks: those of people whose names have the same code.
# Expected: an empty code, as the package's Metaphone gives for a name that it cannot read, or an error.
# Seen: fuzzy Soundex keeps no letters but A to Z, and then makes a text of the first letter, which is not there. Its
# code is the word "undefined", and the codes of Lein and of Statistics Canada are the first four letters of this word.
# So 李娜, Иван and محمد have one code, and a check for empty codes lets it pass. All these people are in one block. If
# an equal code counts as a match, they are one person.
#
# It installs talisman into a temporary directory and exits with 1 if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts talisman@1.1.4
cat > finding.cjs <<'JAVASCRIPT'
const { isDeepStrictEqual } = require("node:util");

const NAMES = ["李娜", "Иван", "محمد", "Ann", "Müller"];
const SEEN = {
  "fuzzy-soundex": ["undefined", "undefined", "undefined", "A5", "M46"],
  lein: ["unde", "unde", "unde", "A200", "M330"],
  statcan: ["unde", "unde", "unde", "AN", "MLR"],
  metaphone: ["", "", "", "AN", "MLR"],
};
console.log(`talisman ${require("talisman/package.json").version}, Node ${process.versions.node}`);
console.log(`names: ${NAMES.join(", ")}`);
let unchanged = true;
for (const [algorithm, seen] of Object.entries(SEEN)) {
  const code = require(`talisman/phonetics/${algorithm}`);
  const codes = NAMES.map((name) => code(name));
  console.log(`${algorithm}: ${JSON.stringify(codes)}`);
  unchanged &&= isDeepStrictEqual(codes, seen);
}
console.log(unchanged ? "as found" : "the behaviour has changed");
process.exitCode = unchanged ? 0 : 1;
JAVASCRIPT
node finding.cjs
