#!/usr/bin/env bash
# Builds the page and writes the C++ source that embeds it:  web/build.sh FOLDER
# FOLDER/page is the page as files, FOLDER/page_assets.cc the source. Packages come from npm, as
# package-lock.json pins them, into web/node_modules; they are installed only when the list changed.
set -euo pipefail
output=$(realpath -m "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v npm >/dev/null || { echo "web: npm is missing: run tools/setup.sh" >&2; exit 1; }

if ! cmp -s package-lock.json node_modules/installed.json; then
  echo "web: npm packages -> web/node_modules" >&2
  npm ci --silent --no-audit --no-fund >&2 || {
    echo "web: npm could not install the packages of web/package-lock.json" >&2
    exit 1
  }
  cp package-lock.json node_modules/installed.json
fi
mkdir -p "$output"
node_modules/.bin/vite build --outDir "$output/page" --emptyOutDir --logLevel warn
node embed.mjs "$output/page" "$output/page_assets.cc"
