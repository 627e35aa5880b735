#!/usr/bin/env bash
# Builds targets of one preset:  tools/build.sh PRESET TARGET...
# Configures only when there is no build yet or the presets changed; Ninja does the rest. A terminal
# is shown the progress; a log gets only what failed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=$1
shift
folder=$root/build/$preset
if [[ ! -f $folder/build.ninja || $root/CMakePresets.json -nt $folder/build.ninja ]]; then
  (cd "$root" && cmake --preset "$preset" >"$root/build/configure-$preset.log" 2>&1) || {
    cat "$root/build/configure-$preset.log" >&2
    exit 1
  }
fi
quiet=(--quiet)
if [[ -t 2 ]]; then quiet=(); fi
exec ninja -C "$folder" "${quiet[@]}" "$@" >&2
