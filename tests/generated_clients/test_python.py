"""The client that openapi-python-client generates from the served document works with the service."""

import compileall
import sys
from base64 import b64encode
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from time import sleep
from typing import Any

import pytest

from tests.generated_clients.conftest import install, run

# It runs in an environment of its own, because it excludes the version of typer that the service uses.
GENERATOR = "openapi-python-client==0.29.1"
PACKAGE = "profile_lookup_client"


@pytest.fixture
def generated(document: Path, tmp_path: Path) -> Iterator[Path]:
    """The directory of the generated package, from which it can be imported during the test."""
    uv = Path(sys.executable).with_name("uv")
    generator = [str(uv), "tool", "run", "--system-certs", "--from", GENERATOR, "openapi-python-client"]
    install([*generator, "--version"], tmp_path)
    (tmp_path / "configuration.yml").write_text("post_hooks: []\n")  # nobody reads the code, so nothing formats it
    options = ["--path", str(document), "--output-path", "generated", "--config", "configuration.yml"]
    run([*generator, "generate", *options], tmp_path)
    sys.path.insert(0, str(tmp_path / "generated"))
    yield tmp_path / "generated"
    sys.path.pop(0)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_the_generated_client_compiles_and_walks_from_a_store_to_an_erased_profile(
    generated: Path, service_url: str, synchronous_account: tuple[str, str]
) -> None:
    assert compileall.compile_dir(generated, quiet=1)
    package = import_module(PACKAGE)
    for module in walk_packages(package.__path__, f"{PACKAGE}."):
        import_module(module.name)
    models: Any = import_module(f"{PACKAGE}.models")
    basic = b64encode(":".join(synchronous_account).encode()).decode()
    with package.AuthenticatedClient(service_url, token=basic, prefix="Basic") as client:
        _walk(client, models, service_url)


def _walk(client: Any, models: Any, service_url: str) -> None:
    def call(operation: str, *arguments: object, **more: object) -> Any:
        return import_module(f"{PACKAGE}.api.{operation}").sync(*arguments, client=client, **more)

    def profile_data(**contact: object) -> Any:
        traits = models.ProfileDataTraits(contact=models.ProfileDataTraitsContact(**contact))
        return models.ProfileData(traits=traits)

    accepted = call("store.create_store", body=models.StoreRequest(display_name="customers"))
    operation_id = accepted.status_url.rpartition("/")[2]
    while (operation := call("operations.fetch_operation", operation_id)).status in ("PENDING", "RUNNING"):
        sleep(0.05)
    store_id = operation.result.id

    created = call(
        "profile.create_profile", store_id, body=profile_data(phone="+13175556789", city="Gary", first_name="Ann")
    )
    identifier = models.IdentifierBody(id_type="phone", value="(317) 555-6789")
    found = call("retrieval.create_profiles_lookup", store_id, body=identifier)
    assert (found.normalized_value, found.profiles) == ("+13175556789", [created.id])
    listed = call("profile.list_profiles", store_id, page_size=1)
    assert (listed.profiles, listed.meta.key) == ([created.id], "profiles")

    changes = profile_data(city=None, first_name="Anna")
    assert type(call("profile.patch_profile_traits", store_id, created.id, body=changes)) is models.Accepted
    contact = call("profile.fetch_profile", store_id, created.id).traits.contact
    assert contact.to_dict() == {"firstName": "Anna", "phone": "+13175556789"}

    assert type(call("profile.delete_profile", store_id, created.id)) is models.Accepted
    error = call("profile.fetch_profile", store_id, created.id)
    assert (type(error), error.code) == (models.Error, 20404)
    assert error.more_info == f"{service_url}/docs/errors/20404"
