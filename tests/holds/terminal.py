"""A person at a terminal, for holds: a program behind a pseudo-terminal, keys sent to it, and what
it writes read back with and without escape sequences. Standard library only."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """A program that believes a person sits before it."""

    def __init__(self, command, env=None, rows=24, columns=80):
        self.raw = ""
        self.seen = 0  # how much of the plain text was waited for already
        self.status = None
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            environment = {**os.environ, "TERM": "xterm-256color", **(env or {})}
            os.execvpe(str(command[0]), [str(word) for word in command], environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    @property
    def text(self):
        return ESCAPES.sub("", self.raw)

    def send(self, keys):
        data = keys.encode()
        while data:  # a terminal takes no more than 4 KiB that nobody has read
            self._read(0)
            data = data[os.write(self.descriptor, data[:1024]):]

    def paste(self, text):
        self.send(f"\x1b[200~{text}\x1b[201~")

    def expect(self, pattern, limit_s=240):
        """Waits until what came since the last match matches. When it does not in time, shows what
        came instead and returns None."""
        deadline = time.monotonic() + limit_s
        while True:
            found = re.search(pattern, self.text[self.seen:])
            if found:
                self.seen += found.end()
                return found
            if time.monotonic() > deadline or not self._read(0.1):
                print(f"     no {pattern!r} in {self.text[self.seen:][-600:]!r}", flush=True)
                return None

    def wait(self, limit_s=120):
        """The exit status; None when the program does not end in time."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
        return None

    def _read(self, wait_s):
        """Takes what has been written; False at the end."""
        ready, _, _ = select.select([self.descriptor], [], [], wait_s)
        if ready:
            try:
                data = os.read(self.descriptor, 65536)
            except OSError:  # the other side is closed
                return False
            self.raw += data.decode(errors="replace")
            return bool(data)
        return True
