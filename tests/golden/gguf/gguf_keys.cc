#include "gguf_keys.h"

#include <utility>

namespace quire::testing {

void add_rope(Keys& keys) {
  const Json* parameters = keys.find({"rope_parameters"});
  if (parameters == nullptr) return;
  const Json* full = parameters->find("full_attention");
  if (full == nullptr) full = parameters;
  const auto value = [&](const char* name) { return full->find(name); };
  const std::string type = value("rope_type")->as_string();
  if (type == "linear" || type == "yarn") {
    keys.set("rope.scaling.type", type);
    keys.real("rope.scaling.factor", value("factor")->as_double());
  }
  if (type == "yarn") {
    keys.whole("rope.scaling.original_context_length",
               value("original_max_position_embeddings")->as_uint());
    for (const auto& [key, name] : {std::pair{"yarn_attn_factor", "attention_factor"},
                                    std::pair{"yarn_beta_fast", "beta_fast"},
                                    std::pair{"yarn_beta_slow", "beta_slow"}}) {
      if (value(name) == nullptr) continue;
      keys.real(std::string("rope.scaling.") + key, value(name)->as_double());
    }
  }
  if (value("rope_theta") != nullptr) {
    keys.real("rope.freq_base", value("rope_theta")->as_double());
  }
  if (const Json* sliding = parameters->find("sliding_attention")) {
    keys.real("rope.freq_base_swa", sliding->find("rope_theta")->as_double());
  }
}

void add_common(Keys& keys) {
  keys.copy_whole("block_count", {"num_hidden_layers"});
  keys.copy_whole("context_length", {"max_position_embeddings"});
  keys.copy_whole("embedding_length", {"hidden_size"});
  keys.copy_whole("feed_forward_length", {"intermediate_size"});
  keys.copy_whole("attention.head_count", {"num_attention_heads"});
  keys.copy_whole("attention.head_count_kv", {"num_key_value_heads"});
  add_rope(keys);
  keys.copy_real("attention.layer_norm_rms_epsilon", {"rms_norm_eps"});
  keys.copy_real("attention.layer_norm_epsilon", {"layer_norm_eps"});
  keys.copy_whole("expert_count", {"num_local_experts", "num_experts"});
  keys.copy_whole("expert_used_count", {"num_experts_per_tok"});
  keys.copy_whole("expert_group_count", {"n_group"});
  keys.copy_whole("expert_group_used_count", {"topk_group"});
  keys.copy_whole("attention.key_length", {"head_dim"});
  keys.copy_whole("attention.value_length", {"head_dim"});
}

void add_llama(Keys& keys) {
  add_common(keys);
  keys.copy_whole("vocab_size", {"vocab_size"});
  const Json* head_dim = keys.find({"head_dim"});
  keys.whole("rope.dimension_count",
             head_dim != nullptr ? head_dim->as_uint()
                                 : keys.number("hidden_size") / keys.number("num_attention_heads"));
}

}  // namespace quire::testing
