"""A registry of Ollama's kind on this machine that keeps what it is sent and gives it back."""

import contextlib
import hashlib
import http.server
import itertools
import re
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def route(self):
        state = self.server.state
        path, _, query = self.path.partition("?")
        state.seen.append(f"{self.command} {path}")
        body = self.read()
        fault = state.fault(self.command, path) if state.fault else None
        if fault is not None:
            return self.answer(fault, b'{"errors":[{"code":"DENIED","message":"not today"}]}')
        if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            return self.manifest("/".join(found.groups()), body)
        if re.fullmatch(r"/v2/.+/blobs/uploads/", path):
            upload = str(next(state.numbers))
            state.uploads[upload] = b""
            return self.answer(202, Location=f"/uploads/{upload}")
        if found := re.fullmatch(r"/v2/.+/blobs/(.+)", path):
            return self.blob(found[1])
        if found := re.fullmatch(r"/uploads/(\d+)", path):
            return self.upload(found[1], urllib.parse.parse_qs(query), body)
        return self.answer(404)

    def manifest(self, name, body):
        manifests = self.server.state.manifests
        if self.command == "PUT":
            manifests[name] = body
            return self.answer(201)
        return self.answer(200, manifests[name]) if name in manifests else self.answer(404)

    def blob(self, digest):
        data = self.server.state.blobs.get(digest)
        if data is None:
            return self.answer(404)
        wanted = self.headers.get("Range")
        if not wanted:
            return self.answer(200, data)
        begin, end = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        end = min(end, len(data) - 1)
        return self.answer(206, data[begin:end + 1],
                           Content_Range=f"bytes {begin}-{end}/{len(data)}")

    def upload(self, name, query, body):
        state = self.server.state
        have = state.uploads.get(name)
        if have is None:
            return self.answer(404)
        if self.command == "PATCH":
            begin = int(self.headers["Content-Range"].split("-")[0])
            if begin != len(have):
                return self.answer(416, Range=f"0-{max(len(have) - 1, 0)}")
            state.uploads[name] += body
            return self.answer(202, Location=f"/uploads/{name}")
        if self.command == "GET":
            return self.answer(204, Location=f"/uploads/{name}",
                               Range=f"0-{max(len(have) - 1, 0)}")
        digest = "sha256:" + hashlib.sha256(have).hexdigest()
        if query["digest"] != [digest]:
            return self.answer(400)
        state.blobs[digest] = have
        return self.answer(201, Docker_Content_Digest=digest)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = route

    def log_message(self, *_):
        pass


class Registry:
    """What it has, what it was asked, and a fault: (method, path) -> a status or None."""

    def __init__(self):
        self.blobs, self.manifests, self.uploads = {}, {}, {}
        self.seen, self.fault, self.numbers = [], None, itertools.count(1)
        self.host = ""

    def count(self, method):
        return sum(line.startswith(method + " ") for line in self.seen)


@contextlib.contextmanager
def running_registry():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.state = Registry()
        server.state.host = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.state
        server.shutdown()
