// logits_hash           one line: the hash of the raw logits of tiny random models
// logits_hash --table   a line 'ISA SHAPE WEIGHTS SCHEME KV HASH' for each frozen case on every
//                       instruction set of this machine, as tests/golden/logits_hashes.txt has them
// tests/holds/equal_builds compares the one hash between the release, debug and sanitizer builds.
// QUIRE_FORCE_ISA names its kernels; a name that this machine does not support is an error that
// says so.
#include <cstdio>
#include <cstring>

#include "kernels/select.h"
#include "lab/logits_hash.h"

namespace {

constexpr int kThreads = 2;

int fail(const quire::Status& status) {
  std::fprintf(stderr, "logits_hash: %s\n", status.message().c_str());
  return 1;
}

int print_table() {
  for (const quire::KernelTable* table : quire::all_supported()) {
    const std::string isa(table->name);
    for (const quire::HashCase& one : quire::frozen_cases()) {
      const auto hash = quire::case_hash(one, kThreads, isa);
      if (!hash.is_ok()) return fail(hash.status());
      std::printf("%s %s %016llx\n", isa.c_str(), one.name().c_str(),
                  static_cast<unsigned long long>(*hash));
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--table") == 0) return print_table();
  if (const auto table = quire::select_kernels(""); !table.is_ok()) return fail(table.status());
  const auto hashes = quire::tiny_logits_hashes(kThreads, "");
  if (!hashes.is_ok()) return fail(hashes.status());
  std::printf("%016llx\n", static_cast<unsigned long long>(quire::combined_hash(*hashes)));
}
