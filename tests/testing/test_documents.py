"""The statements of docs/seeds.md and docs/double.md are true."""

import re
import subprocess
from pathlib import Path

import httpx

from tests.conftest import PATIENCE, look_up
from tests.program.conftest import environment
from tests.testing.conftest import FIRST_ID, SECOND_ID, STORE_ID, OpenDouble

DOCS = Path(__file__).parents[2] / "docs"
SEEDS, DOUBLE = (DOCS / "seeds.md").read_text(), (DOCS / "double.md").read_text()


async def test_the_shown_seed_gives_what_the_page_says(open_double: OpenDouble, tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", SEEDS, re.DOTALL)
    (tmp_path / "seed.yaml").write_text(shown)
    async with open_double(seed_file=tmp_path / "seed.yaml") as client:
        assert await look_up(client, STORE_ID, "phone", "+13175556789") == [FIRST_ID]
        assert await look_up(client, STORE_ID, "email", "ann@example.com") == [FIRST_ID]
        assert await look_up(client, STORE_ID, "crm", "1001") == [FIRST_ID]
        assert (await client.get(f"/v1/Stores/{STORE_ID}/Profiles/{SECOND_ID}")).headers["Location"].endswith(FIRST_ID)


def test_the_shown_commands_work(tcp_client: httpx.Client) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", DOUBLE, re.DOTALL)
    lookup = f"curl -s -o /dev/null -w '%{{http_code}}\\n' -d '' $BASE/v1/Stores/{STORE_ID}/Profiles/Lookup\n"
    failing, separator, rest = script.partition("# See")
    process = subprocess.run(
        ["sh", "-e"],
        input=failing + lookup * 3 + separator + rest,
        env=environment() | {"BASE": str(tcp_client.base_url).rstrip("/")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert re.findall(r"^\d{3}$|(?<=\})\d{3}$", process.stdout, re.MULTILINE) == ["429", "429", "401"]
    assert '"pathTemplate":"/v1/Stores/{storeId}/Profiles/Lookup"' in process.stdout
    assert tcp_client.get("/testing/requests").json() == {"requests": []}
