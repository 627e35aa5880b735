// ClientLimits: what the operator allows clients of TGI's protocol, as its launcher has it: how
// many answers, stop sequences and alternatives one request may ask for (--tgi-limits).
// Plain values; any thread. Used by house and the TGI dialect.
#pragma once

#include <cstdint>

namespace quire {

struct ClientLimits {
  std::int64_t best_of_max = 2;
  std::int64_t stop_sequences_max = 4;
  std::int64_t top_n_tokens_max = 5;
  std::int64_t input_tokens_max = 0;   // 0: all but one of the model's context
  std::int64_t total_tokens_max = 0;   // of a prompt and its answer; 0: the model's context
  std::int64_t batch_size_max = 4;     // texts of one request
  std::int64_t concurrent_max = 128;   // requests at once, as /info tells
  bool has_grammars = true;
};

}  // namespace quire
