"""Official clients of further languages against a server with the default model and an embedder:
OpenAI's for Go, Anthropic's for Java. Each line that they print is a claim with PASS or FAIL.

    run_clients.py    as ./test clients-more calls it: go, javac and mvn are in PATH

Status 77 where a toolchain is missing or too old for its client, which is said.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build/clients_more"
sys.path.insert(0, str(HERE.parent / "holds"))

from quire_server import Server  # noqa: E402

GO_MIN = (1, 26)  # what openai-go asks for
LIMIT_S = 600
SKIPPED = 77


def go_is_new_enough():
    if shutil.which("go") is None:
        return False
    said = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.search(r"go(\d+)\.(\d+)", said).groups())) >= GO_MIN


def run(command, folder, **environment):
    """Shows what it prints; whether it went well."""
    return subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=False,
                          stdin=subprocess.DEVNULL, timeout=LIMIT_S).returncode == 0


def build_go(target):
    return run(["go", "build", "-o", str(target), "."], HERE / "go", GOFLAGS="-mod=readonly")


def build_java(target):
    """The class path if it could be built, else None."""
    path = target / "classpath"
    is_there = run(["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={path}"],
                   HERE / "java")
    if not is_there:
        return None
    jars = path.read_text()
    is_built = run(["javac", "-cp", jars, "-d", str(target), "Conversation.java"], HERE / "java")
    return f"{jars}:{target}" if is_built else None


def main():
    BUILD.mkdir(parents=True, exist_ok=True)
    missing = [name for name in ("javac", "mvn") if shutil.which(name) is None]
    if not go_is_new_enough():
        missing.append(f"go {GO_MIN[0]}.{GO_MIN[1]}")
    if missing:
        print(f"SKIP these are not here: {', '.join(missing)}")
        return SKIPPED
    classes = build_java(BUILD)
    is_good = build_go(BUILD / "go_client") and classes is not None
    if not is_good:
        print("FAIL a client could not be built")
        return 1
    with tempfile.TemporaryDirectory() as folder, Server("smollm2", "minilm") as server:
        where = {"QUIRE_URL": f"http://127.0.0.1:{server.port}"}
        print("Go, openai-go:", flush=True)
        is_good &= run([str(BUILD / "go_client")], folder, **where)
        print("Java, anthropic-java:", flush=True)
        is_good &= run(["java", "-cp", classes, "Conversation"], folder, **where)
    print("clients-more: PASS" if is_good else "clients-more: FAIL")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
