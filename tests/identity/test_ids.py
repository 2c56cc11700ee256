"""IDs on the wire, and the order in which they are generated."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.database.ids import new_id
from profile_lookup.web.ids import (
    OPERATION_ID_PATTERN,
    PROFILE_ID_PATTERN,
    STORE_ID_PATTERN,
    decoded,
    is_well_formed,
    operation_id,
    profile_id,
    store_id,
)

FORMS = [
    pytest.param(store_id, STORE_ID_PATTERN, "mem_store_", id="store"),
    pytest.param(profile_id, PROFILE_ID_PATTERN, "mem_profile_", id="profile"),
    pytest.param(operation_id, OPERATION_ID_PATTERN, "mem_operation_", id="operation"),
]
PATTERNS = [STORE_ID_PATTERN, PROFILE_ID_PATTERN, OPERATION_ID_PATTERN]
SUFFIX = "01h455vb4pex5vsknk084sn02q"  # of the TypeID specification, with the UUID below
EXAMPLE = UUID("01890a5d-ac96-774b-bcce-b302099a8057")

uuids = st.uuids() | st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number))


@pytest.mark.parametrize(("written", "pattern", "prefix"), FORMS)
@given(uuid=uuids)
def test_an_encoded_id_decodes_to_its_uuid(
    written: Callable[[UUID], str], pattern: str, prefix: str, uuid: UUID
) -> None:
    assert decoded(written(uuid)) == uuid


@pytest.mark.parametrize(("written", "pattern", "prefix"), FORMS)
@given(uuid=uuids)
def test_an_encoded_id_is_well_formed(written: Callable[[UUID], str], pattern: str, prefix: str, uuid: UUID) -> None:
    assert is_well_formed(pattern, written(uuid))
    assert re.fullmatch(f"{prefix}[0-7][0-9a-z]{{25}}", written(uuid))


@given(uuids, uuids)
def test_ids_sort_like_their_uuids(one: UUID, other: UUID) -> None:
    assert (profile_id(one) < profile_id(other)) == (one.int < other.int)


@pytest.mark.parametrize(("written", "pattern", "prefix"), FORMS)
def test_an_id_is_a_typeid(written: Callable[[UUID], str], pattern: str, prefix: str) -> None:
    assert written(EXAMPLE) == prefix + SUFFIX


@pytest.mark.parametrize(
    ("uuid", "suffix"),
    [(UUID(int=0), "0" * 26), (UUID(int=2**128 - 1), "7" + "z" * 25), (UUID(int=31), "0" * 25 + "z")],
)
def test_the_smallest_and_largest_uuid_have_26_characters(uuid: UUID, suffix: str) -> None:
    assert profile_id(uuid) == f"mem_profile_{suffix}"
    assert decoded(f"mem_profile_{suffix}") == uuid


def test_mem_service_names_the_same_store_as_mem_store() -> None:
    assert is_well_formed(STORE_ID_PATTERN, f"mem_service_{SUFFIX}")
    assert decoded(f"mem_service_{SUFFIX}") == decoded(f"mem_store_{SUFFIX}") == EXAMPLE


@pytest.mark.parametrize("letter", "ilou")
@pytest.mark.parametrize("position", [1, 13, 25])
def test_an_id_with_a_letter_outside_the_alphabet_is_well_formed_but_names_nothing(letter: str, position: int) -> None:
    wire_id = f"mem_profile_{SUFFIX[:position]}{letter}{SUFFIX[position + 1 :]}"
    assert is_well_formed(PROFILE_ID_PATTERN, wire_id)
    assert decoded(wire_id) is None


@given(st.from_regex("mem_profile_[0-7][0-9a-z]{25}", fullmatch=True))
def test_a_well_formed_id_names_nothing_or_encodes_to_itself(wire_id: str) -> None:
    uuid = decoded(wire_id)
    assert (uuid is None) == any(letter in wire_id[-26:] for letter in "ilou")
    assert uuid is None or profile_id(uuid) == wire_id


@pytest.mark.parametrize(
    "wire_id",
    [
        *("", SUFFIX, f"mem_{SUFFIX}", f"profile_{SUFFIX}", f"mem_import_{SUFFIX}", str(EXAMPLE)),
        *(
            f"mem_store_{SUFFIX}\n",
            f"mem_profile_{SUFFIX}\n",
            f"mem_operation_{SUFFIX}\n",
            f"\nmem_store_{SUFFIX}",
        ),
        *(f"mem_store_8{SUFFIX[1:]}", f"mem_profile_9{SUFFIX[1:]}", f"mem_operation_a{SUFFIX[1:]}"),
        *(
            f"mem_store_{SUFFIX[1:]}",
            f"mem_store_0{SUFFIX}",
            f"mem_profile_{SUFFIX} ",
            f" mem_profile_{SUFFIX}",
        ),
        *(f"mem_store_{SUFFIX.upper()}", f"MEM_STORE_{SUFFIX}", f"mem_profile_{SUFFIX[:-1]}\0"),
        *(f"mem_profile_{SUFFIX[:-1]}٣", f"mem_profile_{SUFFIX[:-1]}\ud800", f"mem_profile_{SUFFIX[:-1]}-"),
    ],
)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_any_other_text_is_not_well_formed(pattern: str, wire_id: str) -> None:
    assert not is_well_formed(pattern, wire_id)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_id_fits_only_the_pattern_of_its_own_kind(pattern: str) -> None:
    written = [store_id(EXAMPLE), profile_id(EXAMPLE), operation_id(EXAMPLE)]
    assert sum(is_well_formed(pattern, wire_id) for wire_id in written) == 1


def test_the_ids_of_a_process_never_go_backwards() -> None:
    made = [new_id() for _ in range(100_000)]
    assert made == sorted(set(made))


def test_a_new_id_is_a_uuid_of_version_7() -> None:
    assert (new_id().version, new_id().variant) == (7, "specified in RFC 4122")
