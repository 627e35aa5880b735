"""Coding agents as they are, against a server that they cannot tell from their own: two turns of a
conversation each, in a network namespace that has nothing but loopback. Shown and checked: no error
of ours, and that the prefill of every turn is what is new in its prompt plus at most one block.

    run_agents.py    as ./test agents calls it: build/venv's Python, build/agents has the packages

Skipped (status 77) where the machine allows no namespace of its own. Output is one line a request.
"""

import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BINARY = os.environ.get("QUIRE_BINARY", str(ROOT / "build/release/quire"))
STORE = pathlib.Path(os.environ.get("QUIRE_HOME", pathlib.Path.home() / ".local/share/quire"))
WORDS = STORE / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
BIN = ROOT / "build/agents/node_modules/.bin"
INSIDE = "QUIRE_INSIDE_NAMESPACE"
BLOCK = 32        # tokens of a KV block
TURN_LIMIT_S = 300
READY_LIMIT_S = 60
SKIPPED = 77


def bring_loopback_up():
    """SIOCSIFFLAGS with IFF_UP | IFF_RUNNING: `ip` may not be installed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))


def get_json(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def wait_for_address(process, log):
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"http://127\.0\.0\.1:([1-9]\d*)", log.read_text())
        if match:
            return match.group()
        time.sleep(0.05)
    sys.exit(f"the server did not come up:\n{log.read_text()}")


def claude_turn(url, home, words, is_first):
    """One turn of Claude Code without a terminal. What it says."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": "none",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1", "DISABLE_AUTOUPDATER": "1", "IS_SANDBOX": "1",
    }
    command = [str(BIN / "claude"), "-p", words, "--output-format", "json",
               *([] if is_first else ["--continue"])]
    run = subprocess.run(command, cwd=home, env=environment, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=TURN_LIMIT_S)
    if run.returncode != 0:
        sys.exit(f"claude: exit status {run.returncode}\n{run.stdout}\n{run.stderr}")
    return json.loads(run.stdout)["result"]


CODEX_CONFIG = """\
model = "tiny"
model_provider = "quire"
check_for_update_on_startup = false
web_search = "disabled"

[model_providers.quire]
name = "Quire"
base_url = "{url}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false

[feedback]
enabled = false

[otel]
exporter = "none"
metrics_exporter = "none"
trace_exporter = "none"
"""


def codex_turn(url, home, words, is_first):
    """One turn of Codex without a terminal, through /v1/responses. What it says."""
    own = home / ".codex"
    own.mkdir(exist_ok=True)
    (own / "config.toml").write_text(CODEX_CONFIG.format(url=url))
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(own),
                   "LANG": "C.UTF-8"}
    command = [str(BIN / "codex"), "exec", *([] if is_first else ["resume", "--last"]),
               "--skip-git-repo-check", "--json", words]
    run = subprocess.run(command, cwd=home, env=environment, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=TURN_LIMIT_S)
    events = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    said = [event["item"]["text"] for event in events if event["type"] == "item.completed" and
            event["item"]["type"] == "agent_message"]
    is_bad = any(event["type"] in ("error", "turn.failed") for event in events)
    if run.returncode != 0 or is_bad or not said:
        sys.exit(f"codex: exit status {run.returncode}\n{run.stdout}\n{run.stderr}")
    return "\n".join(said)


AGENTS = {"claude-code": claude_turn, "codex": codex_turn}


def records(url, known):
    """The requests that came since, oldest first, in full."""
    fresh = [row for row in get_json(f"{url}/debug/requests")["requests"]
             if row["id"] not in known]
    return [get_json(f"{url}/debug/requests/{row['id']}") for row in reversed(fresh)]


def check_request(record, is_same_conversation):
    """Prints the request; what is wrong with it. The prefill of one that goes on from an earlier
    prompt is what is new; of the first one of its kind everything is new."""
    prompt, cached = record["prompt_tokens"], record["cached_tokens"]
    earlier = record["earlier_prompt"]
    equal = earlier["equal_tokens"] if earlier else 0
    new = prompt - equal
    computed = prompt - cached
    print(f"    {record['id']}: {prompt} tokens, {new} new, {computed} computed, "
          f"{record['generated_tokens']} said, "
          f"{'; '.join(line['pattern'] + ' ' + line['done'] for line in record['volatile_lines'])}"
          f" ({earlier['says'][:90] if earlier else 'the first'})")
    if computed > new + BLOCK:
        return f"{record['id']}: {computed} tokens were computed, {new} are new"
    if is_same_conversation and new > prompt / 2:
        return f"{record['id']}: {new} of {prompt} tokens are new in a second turn"
    return None


def converse(name, turn, url):
    problems = []
    known = {row["id"] for row in get_json(f"{url}/debug/requests")["requests"]}  # of other agents
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        for number, words in enumerate(["Say hello.", "And once more, please."]):
            said = turn(url, home, words, number == 0)
            print(f"  {name}, turn {number + 1}: {said.strip()[:60]!r}")
            rows = records(url, known)
            if not rows:
                problems.append(f"{name}: turn {number + 1} asked the server nothing")
            longest = max(rows, key=lambda row: row["prompt_tokens"], default=None)
            for row in rows:
                known.add(row["id"])
                problems.append(check_request(row, number > 0 and row is longest))
    return [problem for problem in problems if problem]


def count_errors(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = dict(re.findall(r'^quire_http_answers_total\{status="(\dxx)"\} (\d+)', text,
                            re.MULTILINE))
    print(f"  answers by class: {found}")
    return int(found.get("4xx", 0)) + int(found.get("5xx", 0))


def run_inside():
    bring_loopback_up()
    with tempfile.TemporaryDirectory() as folder:
        model, log = pathlib.Path(folder) / "tiny.gguf", pathlib.Path(folder) / "log"
        subprocess.run([sys.executable, HERE / "tiny_model.py", WORDS, model], check=True)
        with open(log, "w", encoding="utf-8") as output:
            server = subprocess.Popen(
                [BINARY, "serve", str(model), "--port", "0", "--served-model-name", "tiny", "*",
                 "--chat-template", str(HERE / "template.jinja"), "--log-level", "debug"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            url = wait_for_address(server, log)
            problems = []
            for name, turn in AGENTS.items():
                problems += converse(name, turn, url)
            if count_errors(url) > 0:
                lines = [line for line in log.read_text().splitlines()
                         if re.search(r" [45]\d\d$", line)]
                problems.append("some requests were answered with an error:\n" +
                                "\n".join(lines[:20]))
            server.send_signal(signal.SIGTERM)
            if server.wait(READY_LIMIT_S) != 0:
                problems.append(f"the server ended with {server.returncode}")
        finally:
            server.kill()
            server.wait()
    print("\n".join(problems) if problems else "agents: PASS")
    return 1 if problems else 0


def main():
    if INSIDE in os.environ:
        return run_inside()
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode != 0:
        print("agents: this machine allows no network namespace of its own")
        return SKIPPED
    return subprocess.run([*alone, sys.executable, __file__], check=False,
                          env={**os.environ, INSIDE: "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
