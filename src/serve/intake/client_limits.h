// ClientLimits: what the operator allows clients of TGI's protocol, as its launcher has it: how
// many answers, stop sequences and alternatives one request may ask for (--tgi-limits). What he has
// said himself holds for OpenAI's chats and completions, too: wishes/operator_limits.
// Plain values; any thread. Used by house and dialects.
#pragma once

#include <cstdint>
#include <string_view>

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

// Those that are numbers, by their names in --tgi-limits, and what each may be.
struct ClientLimit {
  std::string_view name;
  std::int64_t ClientLimits::*value;
  std::int64_t min, max;
  bool ClientLimits::Said::*said = nullptr;
};
inline constexpr ClientLimit kClientLimits[] = {
    {"best_of", &ClientLimits::best_of_max, 1, 128, &ClientLimits::Said::best_of},
    {"stop_sequences", &ClientLimits::stop_sequences_max, 0, 64,
     &ClientLimits::Said::stop_sequences},
    {"top_n_tokens", &ClientLimits::top_n_tokens_max, 0, 20, &ClientLimits::Said::top_n_tokens},
    {"input_tokens", &ClientLimits::input_tokens_max, 1, 1 << 24},
    {"client_batch_size", &ClientLimits::batch_size_max, 1, 128, &ClientLimits::Said::batch_size},
    {"concurrent_requests", &ClientLimits::concurrent_max, 1, 1 << 20},
};

}  // namespace quire
