#!/usr/bin/env bash
# Fetches the default model, SmolLM2-135M-Instruct (Apache-2.0), into the local store, once, and
# prints its path on standard output. The program does the work (docs/models.md); build it first.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
exec "$root/build/release/quire" pull smollm2
