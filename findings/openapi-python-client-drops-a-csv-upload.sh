#!/bin/sh
# openapi-python-client makes no function for an operation whose only request body is text/csv, and still succeeds.
#
# Expected: a function that sends the file, as for application/octet-stream, or an exit code that says that none was made.
# Seen: "Unsupported content type text/csv" as a warning, exit code 0, and a client that lacks the operation. With
# application/octet-stream beside text/csv the function is there. So whoever generates a client of an API that takes
# contact files finds out when the import is to be written; a description should offer both media types.
#
# It installs openapi-python-client into a temporary virtual environment and exits with 1 if the behaviour has changed.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install openapi-python-client==0.29.1
"$directory/venv/bin/python" - "$directory" <<'PYTHON'
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

directory = Path(sys.argv[1])
print(f"openapi-python-client {version('openapi-python-client')}, Python {sys.version.split()[0]}")


def generated(*media_types):
    """Return the exit code, whether a warning names text/csv, and whether the client has the operation."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}
    operation = {
        "operationId": "uploadContacts",
        "requestBody": {"required": True, "content": content},
        "responses": {"204": {"description": "It was stored."}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "contacts", "version": "1"},
        "paths": {"/contacts": {"put": operation}},
    }
    name = "-".join(media_type.split("/")[1] for media_type in media_types)
    source, output = directory / f"{name}.json", directory / name
    source.write_text(json.dumps(document))
    command = Path(sys.executable).with_name("openapi-python-client")
    options = ["generate", "--meta", "none", "--path", source, "--output-path", output]
    process = subprocess.run([command, *options], capture_output=True, text=True, cwd=directory)
    is_named = "text/csv" in process.stdout + process.stderr
    return [process.returncode, is_named, any(output.rglob("upload_contacts.py"))]


alone = generated("text/csv")
beside = generated("text/csv", "application/octet-stream")
print(f"text/csv alone: exit code, warning names it, function made: {alone}")
print(f"beside application/octet-stream: {beside}")
unchanged = alone == [0, True, False] and beside[0] == 0 and beside[2]
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
