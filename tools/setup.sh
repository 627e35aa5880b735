#!/usr/bin/env bash
# Installs what Quire needs on Debian 12, and only what is missing; run again, it does nothing.
#
#   tools/setup.sh run     the compilers and libraries that building and serving need, and Node,
#                          which builds the web page
#   tools/setup.sh test    the same, and what the tests need: the official API clients, a browser
#   tools/setup.sh aarch64 the same as run, and the cross compiler and emulator for 64-bit Arm
#   tools/setup.sh agents  the same as run, and the coding agents of tests/agents
#   tools/setup.sh fuzz    the same as run, and libFuzzer's library for tests/fuzz; GCC compiles
#   tools/setup.sh suites  the same as run, a library that perf_analyzer of tests/suites needs, and
#                          headers of Ollama's command line; Debian's Go is too old for that and
#                          for its suite, so that is not installed
#   tools/setup.sh clients-more  the same as run, and Java for tests/clients_more, where it is not
#                          there; Debian's Go is too old for its client, so that is not installed
#
# System packages come from Debian (as root or through sudo). Python packages live in build/venv,
# Node packages in build/node and web/node_modules: nothing is installed for the user or for the
# machine.
# It writes build/env, which `run` and `test` read, so that the right cargo comes first in PATH.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scope=${1:-run}

build_packages=(
  g++ cmake ninja-build ccache mold pkg-config git ca-certificates
  libboost1.81-dev libboost-url1.81-dev libssl-dev
  libspdlog-dev libfmt-dev libcli11-dev
  prometheus-cpp-dev libcurl4-openssl-dev              # its CMake file looks for curl and zlib
  zlib1g-dev libzstd-dev                               # bodies that come compressed
  libedit-dev                                          # typed lines of `quire run`
  libzip-dev                                           # the default model arrives in a wheel
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc  # KServe's and Triton's gRPC
  libsqlite3-dev                                       # answers, files and batches are kept in it
  libgtest-dev libgmock-dev libbenchmark-dev
)
test_packages=(curl procps python3 python3-venv chromium fonts-inter fonts-dejavu-core)
aarch64_packages=(g++-aarch64-linux-gnu qemu-user-static googletest)
fuzz_packages=(libclang-rt-14-dev)
suites_packages=(python3 python3-venv libb64-0d nlohmann-json3-dev libstb-dev)
more_packages=(default-jdk-headless maven)           # and a Go that openai-go takes (1.26)
cargo_minor_min=88   # of 1.x; what the crates under text-rs ask for
node_major_min=18

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "these Debian packages are missing, and there is neither root nor sudo: $missing
setup: as root, run: apt-get install --no-install-recommends $missing"
  fi
}

# Installs or upgrades the named packages.
apt_install() {
  missing="$*"
  command -v apt-get >/dev/null || fail "this is not Debian; please install the likes of: $missing"
  say "installing $missing"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 ||
    say "apt-get update failed; trying with the package lists that are here"
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" >&2 ||
    fail "apt-get could not install: $missing"
}

# Installs those of the named packages that are missing; one dpkg query for all of them.
install_missing() {
  local present name absent=()
  present=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
            awk '$2 == "installed" {print $1}' || true)
  for name in "$@"; do
    grep -qxF -- "$name" <<<"$present" || absent+=("$name")
  done
  if ((${#absent[@]})); then apt_install "${absent[@]}"; fi
}

cargo_is_new_enough() {
  local version
  version=$(cd / && PATH="$(dirname "$1"):$PATH" "$1" --version 2>/dev/null) || return 1
  [[ $version =~ ^cargo\ 1\.([0-9]+)\. ]] && ((BASH_REMATCH[1] >= cargo_minor_min))
}

# Sets cargo_path to a cargo that is new enough, if the machine has one.
find_cargo() {
  local candidate
  for candidate in "$(command -v cargo || true)" "${CARGO_HOME:-${HOME:-/}/.cargo}/bin/cargo" \
                   /usr/bin/cargo; do
    if [[ -x $candidate ]] && cargo_is_new_enough "$candidate"; then
      cargo_path=$candidate
      return 0
    fi
  done
  return 1
}

install_rust() {
  find_cargo && return
  apt_install cargo-web rustc-web
  find_cargo || fail "no cargo 1.$cargo_minor_min or newer. Debian has one as cargo-web among its
setup: security updates (bookworm-security in the apt sources); or install a newer Rust"
}

install_node() {
  local major
  major=$(node --version 2>/dev/null | sed -nE 's/^v([0-9]+)\..*/\1/p') || true
  # Debian's npm conflicts with a node from elsewhere, so it is asked for only without one.
  if ((${major:-0} >= node_major_min)) && command -v npm >/dev/null; then return; fi
  apt_install nodejs npm
}

# Debian's own Python first: another python3 that is early in PATH may lack venv.
make_venv() {
  local python
  [[ -x $root/build/venv/bin/pip ]] && return
  for python in /usr/bin/python3 python3; do
    rm -rf "$root/build/venv"
    if "$python" -m venv "$root/build/venv" >/dev/null 2>&1; then return; fi
  done
  fail "no python3 here can make a virtual environment"
}

# installed_from STAMP FILE: is STAMP a copy of FILE, the list that was installed last?
installed_from() { cmp -s "$1" "$2"; }

install_python_clients() {
  local folder=$root/tests/clients stamp=$root/build/venv/installed.txt
  local wanted=$folder/requirements.txt alone=$folder/requirements_alone.txt
  cat "$wanted" "$alone" | cmp -s - "$stamp" && return
  say "Python clients -> build/venv"
  "$root/build/venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2 ||
    fail "pip could not install tests/clients/requirements.txt"
  "$root/build/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    -r "$alone" >&2 || fail "pip could not install tests/clients/requirements_alone.txt"
  cat "$wanted" "$alone" >"$stamp"
}

# install_node_packages FOLDER TARGET: what FOLDER/package-lock.json names -> build/TARGET
install_node_packages() {
  local from=$root/$1 to=$root/build/$2
  installed_from "$to/installed.json" "$from/package-lock.json" && return
  say "Node packages of $1 -> build/$2"
  mkdir -p "$to"
  cp "$from/package.json" "$from/package-lock.json" "$to/"
  (cd "$to" && npm ci --silent --no-audit --no-fund >&2) ||
    fail "npm could not install $1/package.json"
  cp "$from/package-lock.json" "$to/installed.json"
}

[[ $scope =~ ^(run|test|aarch64|agents|fuzz|clients-more|suites)$ ]] ||
  fail "usage: tools/setup.sh [run|test|aarch64|agents|fuzz|clients-more|suites]"
mkdir -p "$root/build"
packages=("${build_packages[@]}")
[[ $scope == test ]] && packages+=("${test_packages[@]}")
[[ $scope == aarch64 ]] && packages+=("${aarch64_packages[@]}")
[[ $scope == fuzz ]] && packages+=("${fuzz_packages[@]}")
[[ $scope == suites ]] && packages+=("${suites_packages[@]}")
[[ $scope == clients-more ]] && ! command -v mvn >/dev/null && packages+=("${more_packages[@]}")
install_missing "${packages[@]}"
install_rust
# shellcheck disable=SC2016  # PATH is expanded by who reads the file
printf 'export PATH=%q:"$PATH"\n' "$(dirname "$cargo_path")" >"$root/build/env"
install_node
if [[ $scope == test ]]; then
  make_venv
  install_python_clients
  install_node_packages tests/clients node
fi
if [[ $scope == suites ]]; then make_venv; fi
if [[ $scope == agents ]]; then install_node_packages tests/agents agents; fi
