// Prints the logits hashes of tiny random models, one line; tests/holds/9 compares builds by it.
// QUIRE_FORCE_ISA names the kernels; exit status 3 where this machine has none of that name.
#include <cstdio>

#include "kernels/select.h"
#include "lab/bench_report.h"
#include "lab/logits_hash.h"

int main() {
  if (const auto table = quire::select_kernels(""); !table.is_ok()) {
    std::fprintf(stderr, "%s\n", table.status().message().c_str());
    return 3;
  }
  const auto hashes = quire::tiny_logits_hashes(2, "");
  if (!hashes.is_ok()) {
    std::fprintf(stderr, "%s\n", hashes.status().message().c_str());
    return 1;
  }
  std::printf("%s\n", quire::hash_text(quire::combined_hash(*hashes)).c_str());
}
