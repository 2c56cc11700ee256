#!/usr/bin/env bash
# Two clients of Freshdesk, for Python and for Node, search for a phone number in E.164 with a space for its plus.
#
# Expected: the server reads the query that the caller wrote, as it does for the filters of both clients' contact lists.
# Seen: for a search, which finds contacts by a query, both clients write the query into the address as it is. A plus in
# an address means a space, so the server searches for " 13175550100", and for "ann x@example.com" instead of
# "ann+x@example.com". It finds nobody or somebody else, and nothing is raised. A program that creates whom it does not
# find then has the person twice. Whoever writes %2B for the plus is understood with the client for Python alone: that
# for Node encodes the percent sign.
#
# It installs python-freshdesk and freshdesk-api into a temporary directory, asks a server of its own, and exits with 1
# if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm install --silent --no-audit --no-fund --ignore-scripts freshdesk-api@3.1.0
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install python-freshdesk==1.3.9
cat > finding.cjs <<'JAVASCRIPT'
const Freshdesk = require("freshdesk-api");

const client = new Freshdesk(process.argv[2], "key");
const done = (error) => {
  if (error) throw error;
};
client.filterContacts(process.argv[3], done);
client.listAllContacts({ phone: "+13175550100" }, done);
JAVASCRIPT
venv/bin/python - <<'PYTHON'
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from freshdesk.v2.api import API

QUERY = "phone:'+13175550100'"
received = {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        fields = parse_qs(url.query)
        received[url.path] = fields.get("query", fields.get("phone"))[0]
        is_search = "search" in url.path
        answer = json.dumps({"total": 0, "results": []} if is_search else []).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments):
        pass


def received_from(ask):
    received.clear()
    ask()
    return [received["/api/v2/search/contacts"], received["/api/v2/contacts"]]


def ask_in_python():
    client = API("example.freshdesk.com", "key")
    client._api_prefix = f"{server_url}/api/v2/"  # instead of an address of Freshdesk
    client.contacts.filter_contacts(query=QUERY)
    client.contacts.list_contacts(phone="+13175550100")


def ask_in_node():
    subprocess.run(["node", "finding.cjs", server_url, QUERY], check=True)


server = HTTPServer(("127.0.0.1", 0), Handler)
server_url = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
package = json.loads(Path("node_modules/freshdesk-api/package.json").read_text())
clients = {
    f"python-freshdesk {version('python-freshdesk')}": ask_in_python,
    f"freshdesk-api {package['version']}": ask_in_node,
}
unchanged = True
for name, ask in clients.items():
    search, listed = received_from(ask)
    print(f"{name}: the query is {QUERY}, and the server reads {search}")
    print(f"  the list's filter is +13175550100, and the server reads {listed}")
    unchanged &= search == "\"phone:' 13175550100'\"" and listed == "+13175550100"
server.shutdown()
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
