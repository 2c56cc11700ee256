"""Runs atheris, which is libFuzzer for Python, on one target. libFuzzer ends the process, so each has its own.

    python -m tests.fuzzing.engine TARGET [options and directories of libFuzzer]

It prints the input and ends with another code than 0 if the target raised an exception.
"""

import sys

import atheris

with atheris.instrument_imports(include=["profile_lookup", "itsdangerous", "idna", "phonenumbers.phonenumberutil"]):
    from tests.fuzzing.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
