// logits_rows MODEL ID...   the raw logits behind each of these tokens, as floats on the standard
//                           output  [tokens, vocabulary]
// Computed by a plan made by hand, without an engine or a server, for tests/holds/triton_client.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "lab/eval.h"
#include "testbed.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: logits_rows MODEL ID...\n");
    return 2;
  }
  std::vector<quire::TokenId> ids;
  for (int i = 2; i < argc; ++i) ids.push_back(std::atoi(argv[i]));
  const auto model = quire::testing::open_test_model(argv[1]);
  const auto executor = model.executor({});
  constexpr std::uint32_t kChunk = 7;
  quire::compute_logits(*executor, ids, kChunk, [](std::size_t, std::span<const float> logits) {
    std::fwrite(logits.data(), sizeof(float), logits.size(), stdout);
  });
}
