"""What OpenAI's own document says about the shape of requests and answers.

Watched is a transport of the official client: whatever passes through it, requests, answers,
errors and every event of a stream, is compared with the operation of the document that it belongs
to. What does not fit is remembered, and conftest fails the test that caused it.
The document is no part of this repository: where it is not beside it, nothing is compared, and the
test that asks for the fixture `schema` is skipped with a clear line.
"""

import base64
import collections
import gzip
import json
import pathlib
import re
import struct

import httpx2
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
        self.operations = [
            (method.upper(), re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)), path, operation)
            for path, methods in with_nulls(document["paths"]).items()
            for method, operation in methods.items() if method in ("get", "post", "delete")]

    def check(self, name, answer):
        """Fails with the places that do not fit the component of that name."""
        if name not in self.validators:
            self.validators[name] = jsonschema.Draft202012Validator(
                {"$ref": f"#/components/schemas/{name}", "components": self.components})
        errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                  for error in self.validators[name].iter_errors(answer)]
        assert not errors, f"{name}: " + "\n".join(errors[:5])

    def operation(self, method, path):
        """(path in the document, operation); a path without parameters comes first."""
        fitting = [(known, operation) for verb, pattern, known, operation in self.operations
                   if verb == method and pattern.fullmatch(path)]
        return min(fitting, key=lambda found: found[0].count("{"), default=(None, None))

    def faults(self, key, schema, value):
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(
                {**schema, "components": self.components})
        return [f"{key} {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                for error in self.validators[key].iter_errors(value)]


def as_documented(known, answer):
    """Where OpenAI's service answers otherwise than its document's schemas say, and we as it does:
    base64 in place of numbers, no logprob of the first token of an echoed prompt, and stored
    messages that are the user's (as the document's own example shows)."""
    if known == "/embeddings":
        for row in answer["data"]:
            if isinstance(row["embedding"], str):
                raw = base64.b64decode(row["embedding"])
                row["embedding"] = list(struct.unpack(f"<{len(raw) // 4}f", raw))
    if known == "/completions":
        for choice in answer["choices"]:
            logprobs = choice.get("logprobs") or {}
            for name in ("token_logprobs", "top_logprobs"):
                if logprobs.get(name) and logprobs[name][0] is None:
                    del logprobs[name][0]
    if known == "/chat/completions/{completion_id}/messages":
        for message in answer["data"]:
            message["role"] = "assistant"
            message.setdefault("refusal", None)
    return answer


def event_as_documented(known, event):
    """Of a stream of completions only the last event says why it ended; the document has no schema
    of these events but that of the whole answer."""
    if known == "/completions":
        for choice in event["choices"]:
            if choice["finish_reason"] is None:
                choice["finish_reason"] = "stop"
    return event


class Watch:
    """Compares exchanges with the document and counts them by operation."""

    def __init__(self, schema):
        self.schema = schema
        self.problems = []
        self.checked = collections.Counter()

    def look(self, request, status, content_type, body):
        path = request.url.path.removeprefix("/v1")
        known, operation = self.schema.operation(request.method, path)
        if operation is None:
            return  # vLLM's, or a path that the test has made up
        key = f"{request.method} {known}"
        if status >= 400:
            error = {"$ref": "#/components/schemas/ErrorResponse"}
            self.problems += self.schema.faults("error", error, json.loads(body))
            self.checked["errors"] += 1
            return
        self.checked[key] += 1
        self.look_at_request(key, operation, request)
        types = operation["responses"].get("200", {}).get("content", {})
        kind = content_type.split(";")[0]
        if kind == "text/event-stream":
            schema = types.get(kind, {}).get("schema") or {
                "/responses/{response_id}": {"$ref": "#/components/schemas/ResponseStreamEvent"},
                "/completions": types["application/json"]["schema"]}[known]
            for data in re.findall(rb"^data: (.*)$", body, re.MULTILINE):
                if data != b"[DONE]":
                    self.checked["events"] += 1
                    event = event_as_documented(known, json.loads(data))
                    self.problems += self.schema.faults(key + " event", schema, event)
        elif kind == "application/json" and "schema" in types.get(kind, {}):
            self.problems += self.schema.faults(key, types[kind]["schema"],
                                                as_documented(known, json.loads(body)))

    def look_at_request(self, key, operation, request):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if not content or request.headers.get("content-type") != "application/json":
            return
        self.checked["requests"] += 1
        self.problems += self.schema.faults(key + " request", content["schema"],
                                            json.loads(request.content))


class Tee:
    """The bytes of an answer on their way to the client; looked at when they have all passed."""

    def __init__(self, stream, done):
        self.stream, self.done, self.seen = stream, done, []

    def pass_on(self, chunk):
        self.seen.append(chunk)
        return chunk

    def end(self):
        self.done(b"".join(self.seen))


class SyncTee(Tee, httpx2.SyncByteStream):
    def __iter__(self):
        for chunk in self.stream:
            yield self.pass_on(chunk)
        self.end()

    def close(self):
        self.stream.close()


class AsyncTee(Tee, httpx2.AsyncByteStream):
    async def __aiter__(self):
        async for chunk in self.stream:
            yield self.pass_on(chunk)
        self.end()

    async def aclose(self):
        await self.stream.aclose()


def done_with(watch, request, response):
    return lambda body: watch.look(request, response.status_code,
                                   response.headers.get("content-type", ""), body)


class Watched(httpx2.HTTPTransport):
    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    def handle_request(self, request):
        request.read()
        response = super().handle_request(request)
        response.stream = SyncTee(response.stream, done_with(self.watch, request, response))
        return response


class AsyncWatched(httpx2.AsyncHTTPTransport):
    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    async def handle_async_request(self, request):
        await request.aread()
        response = await super().handle_async_request(request)
        response.stream = AsyncTee(response.stream, done_with(self.watch, request, response))
        return response
