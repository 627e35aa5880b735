"""What OpenAI's own document says about the shape of an answer, as far as this machine has it.

The document (components of openapi.json) is no part of this repository: where it is not beside it,
fits() says nothing and the test that asks for the fixture `schema` is skipped with a clear line.
"""

import gzip
import json
import pathlib

import jsonschema

DOCUMENT = (pathlib.Path(__file__).resolve().parents[3] /
            "shared/testdata/openai-openapi/openapi.json.gz")


def is_there():
    return DOCUMENT.exists()


def with_nulls(node):
    """OpenAPI 3.0 writes `nullable`, which JSON Schema does not know."""
    if isinstance(node, list):
        return [with_nulls(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: with_nulls(value) for name, value in node.items()}
    if node.pop("nullable", False):
        return {"anyOf": [node, {"type": "null"}]}
    return node


class Schema:
    def __init__(self):
        document = json.loads(gzip.open(DOCUMENT).read())
        self.components = with_nulls(document["components"])
        self.validators = {}

    def check(self, name, answer):
        """Fails with the places that do not fit the component of that name."""
        if name not in self.validators:
            self.validators[name] = jsonschema.Draft202012Validator(
                {"$ref": f"#/components/schemas/{name}", "components": self.components})
        errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                  for error in self.validators[name].iter_errors(answer)]
        assert not errors, f"{name}: " + "\n".join(errors[:5])
