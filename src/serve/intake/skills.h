// Skills: what a model can be asked for, and the sentence that refuses what it cannot do by saying
// what it can.
// Pure; any thread. Used by dialects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/hosted_model.h"
#include "serve/intake/api_error.h"

namespace quire {

enum class Skill : std::uint8_t {
  kGenerate,  // text
  kPool,      // a vector of any kind
  kEmbed,     // a vector that can be compared with others
  kScore,     // pairs of texts: a ranker, or by comparing embeddings
  kClassify,  // texts into labels
};

bool has_skill(const ModelInfo& info, Skill skill);
std::optional<ApiError> refuse_without(const HostedModel& model, Skill skill);

// As lists of models show them: "completion", "chat", "embedding", "score", "classify".
std::vector<std::string_view> skill_names(const ModelInfo& info);

}  // namespace quire
