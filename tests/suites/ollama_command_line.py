"""Ollama's own command line, built from its Go module as it is, against our server: what a person
types who has it installed already. Used by run_suites.py."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

from fake_registry import running_registry  # noqa: E402
from quire_server import Server  # noqa: E402

BUILD_LIMIT_S = 3600  # it has llama.cpp inside
LIMIT_S = 120
ATTEMPTS = 50
INCLUDE = pathlib.Path("/usr/include")
PACKAGES = {"nlohmann": "nlohmann-json3-dev", "stb": "libstb-dev"}

# Go modules leave out folders called vendor, and with it three libraries of headers. Of the one
# that Debian does not have, no more than its names are needed: nobody decodes sound here.
MINIAUDIO = """#pragma once
typedef int ma_result;
typedef unsigned long long ma_uint64;
enum { MA_SUCCESS = 0, ma_format_f32 = 5 };
typedef struct { int format; } ma_decoder_config;
typedef struct { int nothing; } ma_decoder;
static ma_decoder_config ma_decoder_config_init(int format, int, int) { return {format}; }
static ma_result ma_decoder_init_memory(const void*, unsigned long, const ma_decoder_config*,
                                        ma_decoder*) { return -1; }
static ma_result ma_decoder_get_length_in_pcm_frames(ma_decoder*, ma_uint64*) { return -1; }
static ma_result ma_decoder_read_pcm_frames(ma_decoder*, void*, ma_uint64, ma_uint64*) {
  return -1;
}
static void ma_decoder_uninit(ma_decoder*) {}
"""


def build_command_line(source, program):
    """`source` is a copy of the module that may be written to."""
    vendor = source / "llama/llama.cpp/vendor"
    for name, package in PACKAGES.items():
        if not (INCLUDE / name).is_dir():
            raise RuntimeError(f"{package} is not installed: tools/setup.sh suites")
        (vendor / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(INCLUDE / name, vendor / name)
    (vendor / "miniaudio").mkdir()
    (vendor / "miniaudio/miniaudio.h").write_text(MINIAUDIO)
    made = subprocess.run(["go", "build", "-o", str(program), "."], cwd=source, check=False,
                          capture_output=True, text=True, errors="replace",
                          env={**os.environ, "CGO_ENABLED": "1"}, timeout=BUILD_LIMIT_S)
    if made.returncode != 0:
        raise RuntimeError(f"Ollama's command line cannot be built: {made.stderr[-2000:]}")


MODELFILE = """FROM smollm2
SYSTEM You are a helpful assistant.
PARAMETER temperature 0
PARAMETER num_predict 24
"""


def steps_of(registry, modelfile):
    """(words, what the output has, what it has not)"""
    there = f"{registry.host}/me/mario"
    return [
        (["list"], [r"NAME +ID +SIZE +MODIFIED", r"smollm2:latest +[0-9a-f]{12} +\d+ MB"], []),
        (["show", "smollm2"], [r"architecture +llama", r"parameters +134\.52M",
                               r"quantization +Q4_1", r"completion"], []),
        (["create", "mario", "-f", str(modelfile)], [r"success"], []),
        (["show", "--modelfile", "mario"], [r"SYSTEM .*You are a helpful assistant\."], []),
        (["show", "--parameters", "mario"], [r"temperature +0"], []),
        (["run", "mario", "What is the capital of France?"], [r"Paris"], []),
        (["ps"], [r"mario:latest +[0-9a-f]{12} .*(from now|Forever)"], []),
        (["stop", "mario"], [], []),
        (["ps"], [r"NAME"], [r"mario"]),
        (["cp", "mario", there], [r"copied 'mario' to"], []),
        (["push", there, "--insecure"], [r"pushing manifest", r"You can find your model at",
                                         re.escape(there)], []),
        (["rm", "mario", there], [r"deleted 'mario'", r"deleted '" + re.escape(there)], []),
        (["list"], [r"smollm2"], [r"mario"]),
        (["pull", there, "--insecure"], [r"pulling manifest", r"success"], []),
        (["run", there, "What is the capital of France?"], [r"Paris"], []),
        (["list"], [re.escape(there)], []),
    ]


def failures_of():
    """(words, what the complaint has)"""
    return [
        (["show", "nobody"], r"not found"),
        (["rm", "nobody"], r"not found"),
        (["cp", "nobody", "other"], r"not found"),
        (["push", "127.0.0.1:1/me/nobody", "--insecure"], r"not found"),
        (["pull", "127.0.0.1:1/me/nobody", "--insecure"], r"127\.0\.0\.1"),
    ]


def run_command_line(verdict, program, store):
    """`store`: a copy of the default models that goes with the test."""
    with tempfile.TemporaryDirectory() as home, running_registry() as registry, \
            Server("smollm2", env={"QUIRE_HOME": str(store)}) as server:
        modelfile = pathlib.Path(home) / "Modelfile"
        modelfile.write_text(MODELFILE)

        def ask(words):
            ran = subprocess.run([program, *words], capture_output=True, text=True, check=False,
                                 errors="replace", stdin=subprocess.DEVNULL, timeout=LIMIT_S,
                                 env={**os.environ, "HOME": home,
                                      "OLLAMA_HOST": f"127.0.0.1:{server.port}"})
            return ran.returncode, ran.stdout + ran.stderr

        for words, wanted, unwanted in steps_of(registry, modelfile):
            for _ in range(ATTEMPTS):  # what goes out of memory takes a moment
                status, output = ask(words)
                if words != ["ps"] or not any(re.search(text, output) for text in unwanted):
                    break
            missing = [text for text in wanted if not re.search(text, output)]
            surplus = [text for text in unwanted if re.search(text, output)]
            verdict.check(status == 0 and not missing and not surplus,
                          f"ollama {' '.join(words[:2])}")
            if status != 0 or missing or surplus:
                print(f"missing {missing}, surplus {surplus}\n{output[-1500:]}")
        for words, complaint in failures_of():
            status, output = ask(words)
            verdict.check(status != 0 and re.search(complaint, output) is not None,
                          f"ollama {' '.join(words[:2])}: a complaint")
            if status == 0 or not re.search(complaint, output):
                print(f"status {status}\n{output[-1500:]}")
