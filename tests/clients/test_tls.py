"""A server with a certificate of its own, a key file and an allowed page: OpenAI's client, Python's
ssl and the commands of quire itself reach it over HTTPS."""

import gzip
import http.client
import json
import os
import ssl
import subprocess

import httpx
import openai
import pytest

from conftest import BINARY, running_server

PAGE = "https://chat.example.com"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Paths of a self-signed certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", key, "-out",
                    certificate, "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return str(certificate), str(key)


@pytest.fixture(scope="module")
def secure_server(pair, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    keys.write_text("# for the tests\nsesame name=tests share=2\n")
    with running_server("--ssl-certfile", pair[0], "--ssl-keyfile", pair[1], "--api-key-file",
                        str(keys), "--allowed-origins", PAGE) as running:
        yield running


@pytest.fixture(scope="module")
def trust(pair):
    return ssl.create_default_context(cafile=pair[0])


@pytest.fixture(scope="module")
def secure_client(secure_server, trust):
    return secure_server.client("sesame", http_client=httpx.Client(verify=trust))


def exchange(server, trust, method, path, body=None, headers=None):
    """(status, headers, body) by Python's own client."""
    port = int(server.url.rsplit(":", 1)[1])
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=trust)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_the_official_client_streams_over_https(secure_client):
    model = secure_client.models.list().data[0].id
    fields = {"model": model, "prompt": "The capital of France is", "temperature": 0,
              "max_tokens": 8}
    whole = secure_client.completions.create(**fields).choices[0].text
    stream = secure_client.completions.create(**fields, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == whole


def test_other_keys_and_plain_http_are_refused(secure_server, trust):
    stranger = secure_server.client("other", http_client=httpx.Client(verify=trust))
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    answer = httpx.get(secure_server.url.replace("https:", "http:") + "/health")
    assert answer.status_code == 400
    assert "HTTPS" in answer.text


def test_commands_reach_it(secure_server, pair):
    run = subprocess.run([BINARY, "ps", "--endpoint", secure_server.url, "--api-key", "sesame"],
                         env={**os.environ, "SSL_CERT_FILE": pair[0]}, capture_output=True,
                         text=True)
    assert run.returncode == 0, run.stderr
    assert "SmolLM2" in run.stdout


def test_a_compressed_body(secure_server, trust):
    body = gzip.compress(json.dumps({"prompt": "Once upon a time"}).encode())
    status, _, answer = exchange(secure_server, trust, "POST", "/tokenize", body,
                                 {"Content-Type": "application/json", "Content-Encoding": "gzip",
                                  "Authorization": "Bearer sesame"})
    assert status == 200
    assert json.loads(answer)["count"] == 4


def test_a_page_asks_first(secure_server, trust):
    status, headers, _ = exchange(secure_server, trust, "OPTIONS", "/v1/chat/completions",
                                  headers={"Origin": PAGE, "Access-Control-Request-Method": "POST",
                                           "Access-Control-Request-Headers": "authorization"})
    assert status == 204
    assert headers["access-control-allow-origin"] == PAGE
    status, headers, _ = exchange(secure_server, trust, "OPTIONS", "/v1/chat/completions",
                                  headers={"Origin": "https://other.example",
                                           "Access-Control-Request-Method": "POST"})
    assert status == 403
    assert "access-control-allow-origin" not in headers
