#!/usr/bin/env bash
# Fetches the default model, SmolLM2-135M-Instruct, and the small embedder of the tests, minilm
# (all-MiniLM-L6-v2; both Apache-2.0), into the local store, once, and prints the path of the first
# on standard output. The program does the work (docs/models.md); build it first.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/build/release/quire" pull minilm >&2 || true  # its tests are skipped without it
exec "$root/build/release/quire" pull smollm2
