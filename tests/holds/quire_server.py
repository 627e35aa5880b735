"""What the programs of tests/holds share: a `quire serve` process, requests to it, and verdicts.

Standard library only. Each hold prints one line per claim, 'PASS ...' or 'FAIL ...' with its
figure, and exits with 0 only if every line passed, or 77 when its reference data is absent.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
QUIRE = ROOT / "build/release/quire"
SKIPPED = 77


def need(path):
    """Ends the program as skipped when reference data is not at hand."""
    if not pathlib.Path(path).exists():
        print(f"SKIP {path} is not here")
        sys.exit(SKIPPED)
    return str(path)


def quire_json(*arguments):
    """What a command of quire prints with --json. A status other than 0 with a report is the
    report's to tell."""
    run = subprocess.run([str(QUIRE), *map(str, arguments), "--json"], capture_output=True,
                         text=True)
    if not run.stdout.startswith("{"):
        raise RuntimeError(f"quire {arguments}: {run.stdout}{run.stderr}")
    return json.loads(run.stdout)


class Verdict:
    """Prints PASS and FAIL lines and remembers whether any failed."""

    def __init__(self):
        self.failures = 0

    def check(self, ok, text):
        print(("PASS " if ok else "FAIL ") + text, flush=True)
        self.failures += not ok
        return ok

    def exit(self):
        sys.exit(1 if self.failures else 0)


class Server:
    """`quire serve` on a free port of this machine, with its log kept for the error case."""

    def __init__(self, *arguments, env=None, start_limit_s=240):
        self.log = []
        self.process = subprocess.Popen(
            [str(QUIRE), "serve", "--port", "0",
             *([] if "--response-store" in arguments else ["--response-store", "memory"]),
             *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, text=True, errors="replace")
        self.port = None
        ready = threading.Event()
        threading.Thread(target=self._read, args=(ready,), daemon=True).start()
        if not ready.wait(start_limit_s) or self.port is None:
            self.process.kill()
            raise RuntimeError("the server did not start:\n" + "".join(self.log))
        deadline = time.monotonic() + start_limit_s
        while self.get("/ready")[0] != 200:
            if time.monotonic() > deadline:
                raise RuntimeError("the server is not ready:\n" + "".join(self.log))
            time.sleep(0.02)

    def _read(self, ready):
        for line in self.process.stdout:
            self.log.append(line)
            found = re.search(r"http://[^ /]*:(\d+)", line)
            if found and self.port is None:
                self.port = int(found.group(1))
                ready.set()
        ready.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, limit_s=120):
        """SIGTERM, then waits; returns the exit status (None when it had to be killed)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def connection(self, timeout_s=120):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def get(self, path):
        connection = self.connection()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def post(self, path, body, headers=None, timeout_s=120):
        """Returns (status, parsed JSON)."""
        connection = self.connection(timeout_s)
        try:
            connection.request("POST", path, json.dumps(body),
                               {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def stream(self, path, body, timeout_s=120):
        """Yields (seconds since the request, event) of a server-sent stream, without [DONE]."""
        connection = self.connection(timeout_s)
        start = time.monotonic()
        try:
            connection.request("POST", path, json.dumps({**body, "stream": True}),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                raise RuntimeError(f"status {response.status}: {response.read().decode()}")
            for line in response:
                if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
                    yield time.monotonic() - start, json.loads(line[6:])
        finally:
            connection.close()

    def metrics(self):
        """{'name{labels}': value} of /metrics."""
        values = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def metric(self, name):
        """Sum over every label set of one metric."""
        return sum(value for key, value in self.metrics().items() if key.split("{")[0] == name)

    def rss_bytes(self):
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def model(self):
        return json.loads(self.get("/v1/models")[1])["data"][0]["id"]
