"""The official SDKs for PHP and Ruby, unmodified: their scripts walk through all resources.

They are run where the interpreter is installed and a checkout of the SDK is named:

    TWILIO_PHP=~/twilio-php TWILIO_RUBY=~/twilio-ruby python3 run.py test tests/sdk -k script

PHP needs Debian's php-cli and php-curl. Ruby needs the gems faraday (2.x), jwt and nokogiri.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from profile_lookup.settings import Settings

HERE = Path(__file__).parent
SECONDS = 300
MAX_STORES = 100  # each step makes one


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_stores": MAX_STORES})


@pytest.mark.parametrize(
    ("interpreter", "script", "checkout"),
    [("php", "php/walk.php", "TWILIO_PHP"), ("ruby", "ruby/walk.rb", "TWILIO_RUBY")],
    ids=["php", "ruby"],
)
def test_a_script_with_the_official_sdk_works_with_all_resources(
    interpreter: str, script: str, checkout: str, service_url: str, synchronous_account: tuple[str, str]
) -> None:
    if shutil.which(interpreter) is None:
        pytest.skip(f"{interpreter} is not installed")
    if checkout not in os.environ:
        pytest.skip(f"set {checkout} to a checkout of the SDK")
    account_sid, auth_token = synchronous_account
    environment = os.environ | {"BASE_URL": service_url, "ACCOUNT_SID": account_sid, "AUTH_TOKEN": auth_token}
    done = subprocess.run(
        [interpreter, HERE / script], env=environment, check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
