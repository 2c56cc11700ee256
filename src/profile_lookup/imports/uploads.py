"""The address that an import's file is uploaded to, and the file on disk before it is stored in the database."""

import errno
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from profile_lookup.errors import Unavailable, UploadRefused

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def upload_url(base_url: str, secrets: Sequence[bytes], store_id: UUID, import_id: UUID) -> str:
    """Return the address by which anybody may upload the file: once, and until the time in the database."""
    token = _serializer(secrets).dumps([store_id.hex, import_id.hex])
    assert isinstance(token, str)
    return f"{base_url}/v1/Uploads/{token}"


def read_token(secrets: Sequence[bytes], token: str) -> tuple[UUID, UUID]:
    """Return the IDs of the store and the import. Raises `UploadRefused`."""
    try:
        store_id, import_id = _serializer(secrets).loads(token)
    except BadData:
        raise UploadRefused from None
    return UUID(store_id), UUID(import_id)


def _serializer(secrets: Sequence[bytes]) -> URLSafeSerializer:
    return URLSafeSerializer(list(secrets), salt="upload", signer_kwargs={"digest_method": hashlib.sha256})


@contextmanager
def scratch_file(directory: Path) -> Iterator[BinaryIO]:
    """Open a file without a name, which is deleted when this process ends, however it ends.

    Raises `Unavailable` if the disk has no room for what is written to it. Any other `OSError` is a defect of the
    installation, and is not translated.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=directory) as file:
            yield file
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise Unavailable("there is no room for the file") from error
