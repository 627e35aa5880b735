// Prints one line: the hash of the raw logits of tiny random models (lab/logits_hash.h).
// Hold 9 compares it between the release, debug and sanitizer builds. QUIRE_FORCE_ISA names the
// kernels; a name that this machine does not support is an error that says so.
#include <cstdio>

#include "kernels/select.h"
#include "lab/logits_hash.h"

namespace {

int fail(const quire::Status& status) {
  std::fprintf(stderr, "logits_hash: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main() {
  if (const auto table = quire::select_kernels(""); !table.is_ok()) return fail(table.status());
  const auto hashes = quire::tiny_logits_hashes(2, "");
  if (!hashes.is_ok()) return fail(hashes.status());
  std::printf("%016llx\n", static_cast<unsigned long long>(quire::combined_hash(*hashes)));
}
