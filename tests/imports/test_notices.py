"""The answer about an import tells which values stood in very many rows, without the values."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.identity.person_names import NOTICE_FROM
from profile_lookup.imports.import_job import import_handler
from profile_lookup.imports.notices.notice import MAX_NOTICES
from profile_lookup.imports.row_reader import ROWS_PER_STEP
from profile_lookup.operations.job import Handler
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE, WAITING, look_up, make_profile
from tests.database.contents import contents
from tests.database.stores import lock_profiles_of
from tests.imports.conftest import create, mappings, path_of, upload

FILES = Path(__file__).parent / "files"
COLUMNS = {"Email": "email", "Phone": "phone", "First Name": "firstName", "Last Name": "lastName"}
HEADER = ",".join(COLUMNS)
OFFICE = "office@acme.example"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The application runs no worker; the tests do the work."""
    return settings.model_copy(update={"run_operations": False})


async def _uploaded(client: httpx.AsyncClient, store_id: str, content: bytes) -> str:
    """Upload a file, and return the path of the import."""
    created = await create(client, store_id, len(content), mappings(**COLUMNS))
    assert (await upload(client, created["url"], content)).status_code == 200
    return path_of(store_id, created)


async def _work(database: Database, directory: Path) -> None:
    handlers: dict[str, Handler] = {OperationKind.IMPORT_PROFILES: import_handler(directory, None)}
    await run_until_idle(database, handlers)


async def _imported(
    client: httpx.AsyncClient, store_id: str, database: Database, directory: Path, content: bytes
) -> dict[str, Any]:
    path = await _uploaded(client, store_id, content)
    await _work(database, directory)
    answer: dict[str, Any] = (await client.get(path)).json()
    assert answer["status"] == "COMPLETED"
    return answer


def _rows(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows]).encode()


def _colleagues(count: int, first: int = 0) -> list[str]:
    return [f"{OFFICE},+1415555{number:04},Ann,No{number}" for number in range(first, first + count)]


async def test_customers_with_a_placeholder_stay_apart_and_a_notice_counts_their_rows(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    content = (FILES / "placeholder-email.csv").read_bytes()
    answer = await _imported(client, store_id, database, tmp_path, content)
    assert answer["progress"] == {
        "rowsDone": 150, "rowsTotal": 150, "created": 150, "updated": 0, "merged": 0, "refused": 0,
        "cellsIgnored": 150, "evicted": 0,
    }  # fmt: skip
    assert answer["notices"] == [{"kind": "sharedValue", "idType": "email", "rows": 150, "firstLines": [2, 3, 4]}]
    phones = [line.split(",")[1] for line in content.decode().splitlines()[1:]]
    found = [tuple(await look_up(client, store_id, "phone", phone)) for phone in phones]
    assert len(set(found)) == len(phones)
    assert {len(each) for each in found} == {1}


async def test_an_office_address_joins_its_colleagues_and_a_notice_says_so(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    answer = await _imported(client, store_id, database, tmp_path, (FILES / "shared-office.csv").read_bytes())
    assert answer["progress"] == {
        "rowsDone": 150, "rowsTotal": 150, "created": 1, "updated": 149, "merged": 0, "refused": 0,
        "cellsIgnored": 0, "evicted": 50,
    }  # fmt: skip
    assert answer["notices"] == [
        {"kind": "sharedValue", "idType": "email", "rows": 150, "firstLines": [2, 3, 4]},
        {"kind": "evicted", "idType": "phone", "rows": 50, "firstLines": [102, 103, 104]},
    ]
    assert OFFICE not in str(answer)
    stored = await contents(database)
    assert OFFICE not in "".join(stored["profile_import"] + stored["operation"])


async def test_with_a_limit_of_names_the_notice_is_the_same(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    path = f"/v1/ControlPlane/Stores/{store_id}/BlockedValues"
    assert (await client.put(path, json={"builtIn": True, "maxProfilesPerValue": 50})).status_code == 202
    answer = await _imported(client, store_id, database, tmp_path, (FILES / "shared-office.csv").read_bytes())
    assert answer["progress"]["created"] == 1 + 100
    assert answer["notices"] == [{"kind": "sharedValue", "idType": "email", "rows": 150, "firstLines": [2, 3, 4]}]


async def test_an_import_without_such_values_has_no_notices(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    few = NOTICE_FROM - 1
    rows = [f"n/a,+1415556{number:04},Bob,No{number}" for number in range(few)]
    answer = await _imported(client, store_id, database, tmp_path, _rows(*rows, *_colleagues(few)))
    assert answer["progress"]["cellsIgnored"] == few
    assert "notices" not in answer


async def test_a_value_that_had_its_names_before_is_noticed_in_a_file_with_one_row_of_it(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    before = await _imported(client, store_id, database, tmp_path, _rows(*_colleagues(NOTICE_FROM)))
    assert [each["rows"] for each in before["notices"]] == [NOTICE_FROM]
    answer = await _imported(client, store_id, database, tmp_path, _rows("bo@example.com,,Bo,Bay", *_colleagues(1, 7)))
    assert answer["notices"] == [{"kind": "sharedValue", "idType": "email", "rows": 1, "firstLines": [3]}]


async def test_refused_rows_with_a_placeholder_count_and_columns_are_apart(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    rows = [*["N/A,-,Ann,Bay"] * NOTICE_FROM, *["n/a ,unknown,Ann,Bay"] * 2]
    answer = await _imported(client, store_id, database, tmp_path, _rows("", "too,few", *rows))
    assert answer["progress"]["refused"] == NOTICE_FROM + 3
    assert answer["notices"] == [
        {"kind": "sharedValue", "idType": "email", "rows": NOTICE_FROM + 2, "firstLines": [4, 5, 6]},
        {"kind": "sharedValue", "idType": "phone", "rows": NOTICE_FROM, "firstLines": [4, 5, 6]},
    ]


async def test_at_most_a_hundred_values_are_noticed(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    rows = [f"{value}@x.example,,Ann,No{name}" for name in range(NOTICE_FROM) for value in range(MAX_NOTICES + 5)]
    answer = await _imported(client, store_id, database, tmp_path, _rows(*rows))
    assert [each["rows"] for each in answer["notices"]] == [NOTICE_FROM] * MAX_NOTICES


async def test_notices_survive_the_process_that_saw_the_values(
    client: httpx.AsyncClient, store_id: str, database: Database, tmp_path: Path
) -> None:
    await make_profile(client, store_id, email="last@example.com")
    colleagues = ROWS_PER_STEP // 2  # those of one step, as each has two identifiers
    others = [f"{number}@example.com,,Bob,Bay" for number in range(ROWS_PER_STEP)]
    content = _rows(*_colleagues(colleagues), *others, *others, "last@example.com,,Zoe,Zun")
    path = await _uploaded(client, store_id, content)
    async with database.transaction() as connection:
        await lock_profiles_of(connection, store_id)  # so that the import stops where a row is about the only profile
        first = asyncio.create_task(_work(database, tmp_path))
        async with asyncio.timeout(PATIENCE):
            while not await _is_waiting(database):
                await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    rows = colleagues + 2 * ROWS_PER_STEP + 1
    assert colleagues <= (await client.get(path)).json()["progress"]["rowsDone"] < rows
    await _work(database, tmp_path)
    answer = (await client.get(path)).json()
    assert (answer["status"], answer["progress"]["rowsDone"]) == ("COMPLETED", rows)
    assert answer["notices"] == [
        {"kind": "sharedValue", "idType": "email", "rows": colleagues, "firstLines": [2, 3, 4]},
        {"kind": "evicted", "idType": "phone", "rows": colleagues - 100, "firstLines": [102, 103, 104]},
    ]


async def _is_waiting(database: Database) -> bool:
    async with database.statements() as connection:
        return bool(await connection.scalar(text(WAITING)))
