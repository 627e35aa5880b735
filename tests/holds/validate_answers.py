"""Whether answers are of their schemas, as the Python package jsonschema sees it, which
tests/clients/requirements.txt names."""

import pathlib
import subprocess
import sys

from quire_server import ROOT

# Reads lines {"schema", "answer"}. Decimals, so that 0.3 is a multiple of 0.1; a schema that is
# none of its own draft is read as one of an older one.
VALIDATE = """
import json, sys
from decimal import Decimal
from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator, validators

def validator(schema):
    named = validators.validator_for(schema, default=Draft202012Validator)
    for candidate in (named, Draft202012Validator, Draft7Validator, Draft4Validator):
        try:
            candidate.check_schema(schema)
            return candidate
        except Exception:
            pass
    return named

checked = invalid = unread = 0
for line in open(sys.argv[1]):
    case = json.loads(line, parse_float=Decimal)
    plain = json.loads(line)["schema"]
    checked += 1
    try:
        answer = json.loads(case["answer"], parse_float=Decimal)
        wrong = next(validator(plain)(case["schema"]).iter_errors(answer), None)
    except json.JSONDecodeError as error:
        wrong = error
    except Exception:  # a pattern that Python's re does not read
        unread += 1
        continue
    if wrong is not None:
        invalid += 1
        print("WRONG", getattr(wrong, "message", wrong), case["answer"][:200])
print(f"     texts checked by jsonschema {checked}, of no verdict {unread}, invalid {invalid}")
sys.exit(1 if invalid or not checked else 0)
"""


def validate(answers):
    """0 where every text is of its schema, 1 where one is not or nobody can tell."""
    for program in (ROOT / "build/venv/bin/python", sys.executable):
        found = pathlib.Path(program).exists() and subprocess.run(
            [program, "-c", "import jsonschema"], capture_output=True).returncode == 0
        if found:
            outcome = subprocess.run([program, "-c", VALIDATE, answers]).returncode
            print(f"{'FAIL' if outcome else 'PASS'} every text is of its schema",
                  flush=True)
            return outcome
    print("FAIL no Python with jsonschema (tests/clients/requirements.txt)")
    return 1
