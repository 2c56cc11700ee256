#!/bin/sh
# The asynchronous client of the official SDK for Python sends form data and declares it as JSON.
#
# Expected: AsyncTwilioHttpClient sends the same body as TwilioHttpClient, which sends JSON if the resource says so.
# Seen: the synchronous client passes the data of such a request as `json`, the asynchronous one always as `data`. aiohttp
# encodes this as a form, while the header says `Content-Type: application/json`. No resource of the Memory API can be
# written with it: a server that reads the body as JSON has to refuse it.
#
# It installs twilio into a temporary virtual environment, asks a server of its own, and exits with 1 if the behaviour
# has changed.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install twilio==9.13.0
"$directory/venv/bin/python" - <<'PYTHON'
import asyncio
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client
from twilio.rest.memory.v1.lookup import LookupList

STORE = "mem_store_00000000000000000000000000"
received = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        received.append((self.headers["Content-Type"], body))
        answer = b'{"normalizedValue": "1", "profiles": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments):
        pass


def lookup_of(client):
    client.memory.base_url = f"http://127.0.0.1:{server.server_port}"
    return client.memory.v1.lookup(STORE)


async def look_up_asynchronously():
    async with AsyncTwilioHttpClient() as http_client:
        await lookup_of(Client("AC0", "token", http_client=http_client)).create_async(identifier)


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
identifier = LookupList.Identifier({"idType": "phone", "value": "1"})
lookup_of(Client("AC0", "token")).create(identifier)
asyncio.run(look_up_asynchronously())
server.shutdown()
print(f"twilio {version('twilio')}, Python {sys.version.split()[0]}")
for name, (content_type, body) in zip(["synchronous", "asynchronous"], received):
    print(f"{name}: {content_type}: {body}")
unchanged = received == [
    ("application/json", '{"idType": "phone", "value": "1"}'),
    ("application/json", "idType=phone&value=1"),
]
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
