"""Stands between a client that is no Python and the server. What passes is shown to openai_schema's
Watch, as what passes through the Python client is.

Bytes are passed on as they come, streams too; an exchange is looked at when it has ended. One
request a connection; loopback only. What it could not watch to the end (a client that leaves a
stream) is passed over.
"""

import contextlib
import http.client
import http.server
import threading
import types
import urllib.parse

PIECE = 1 << 16
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "accept-encoding"}


def handler_for(server_url, watch):
    target = urllib.parse.urlsplit(server_url)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        exchange_limit_s = 120

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: value for name, value in self.headers.items()
                       if name.lower() not in HOP_BY_HOP}
            upstream = http.client.HTTPConnection(target.hostname, target.port,
                                                  timeout=self.exchange_limit_s)
            try:
                upstream.request(self.command, self.path, body or None, headers)
                self.answer(upstream.getresponse(), body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client has left
            finally:
                upstream.close()
                self.close_connection = True

        def answer(self, response, body):
            self.send_response_only(response.status)
            for name, value in response.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            seen = []
            while piece := response.read1(PIECE):
                seen.append(piece)
                self.wfile.write(piece)
                self.wfile.flush()
            self.look(response, body, b"".join(seen))

        def look(self, response, body, answer):
            path = urllib.parse.urlsplit(self.path).path
            if "anthropic-version" in self.headers:
                return  # OpenAI's document says nothing of it
            request = types.SimpleNamespace(
                method=self.command, url=types.SimpleNamespace(path=path), content=body,
                headers={name.lower(): value for name, value in self.headers.items()})
            watch.look(request, response.status, response.getheader("content-type", ""), answer)

        do_GET = do_POST = do_DELETE = pass_on

        def log_message(self, *_):
            pass

    return Handler


@contextlib.contextmanager
def watched(server_url, watch):
    """The address of a proxy for the server at `server_url`."""
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_for(server_url, watch))
    proxy.daemon_threads = False  # server_close() waits for what is being looked at
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
