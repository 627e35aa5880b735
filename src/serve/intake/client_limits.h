// ClientLimits: what the operator allows clients of TGI's protocol, as its launcher has it: how
// many answers, stop sequences and alternatives one request may ask for (--tgi-limits). What he has
// said himself holds for OpenAI's chats and completions, too: wishes/operator_limits.
// Plain values; any thread. Used by house and dialects.
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
  std::int64_t concurrent_max = 0;     // requests being answered at once, of whatever protocol;
                                       // 0: as many as the engines and their queues take
  std::int64_t concurrent_told = 128;  // in /info
  bool has_grammars = true;
  struct Said {  // by the operator; of the others those values are, or say that there is no bound
    bool best_of = false, stop_sequences = false, top_n_tokens = false, batch_size = false;
  };
  Said said = {};
};

}  // namespace quire
