#include "serve/intake/skills.h"

#include <fmt/format.h>

namespace quire {
namespace {

std::string can(const HostedModel& model) {
  const PooledInfo& pooled = model.info.pooled;
  if (model.info.generates) return "it generates text";
  if (pooled.labels == 0) return fmt::format("it makes embeddings of {} values", pooled.width);
  if (pooled.reads_pairs) return "it scores how well two texts fit each other";
  return fmt::format("it sorts texts by {} label{}", pooled.labels, pooled.labels == 1 ? "" : "s");
}

std::string_view cannot(Skill skill) {
  switch (skill) {
    case Skill::kGenerate:
      return "generates no text";
    case Skill::kPool:
      return "makes no vectors of texts";
    case Skill::kEmbed:
      return "makes no embeddings";
    case Skill::kScore:
      return "scores no pairs of texts";
    case Skill::kClassify:
      return "classifies no texts";
  }
  return "cannot do that";
}

}  // namespace

bool has_skill(const ModelInfo& info, Skill skill) {
  const PooledInfo& pooled = info.pooled;
  switch (skill) {
    case Skill::kGenerate:
      return info.generates;
    case Skill::kPool:
      return pooled.width > 0;
    case Skill::kEmbed:
      return pooled.width > 0 && pooled.labels == 0;
    case Skill::kScore:
      return pooled.reads_pairs || has_skill(info, Skill::kEmbed);
    case Skill::kClassify:
      return pooled.labels > 0;
  }
  return false;
}

std::optional<ApiError> refuse_without(const HostedModel& model, Skill skill) {
  if (has_skill(model.info, skill)) return std::nullopt;
  return ApiError{.message = fmt::format("The model `{}` {}: {}.", model.name(), cannot(skill),
                                         can(model)),
                  .param = "model",
                  .code = "model_not_capable"};
}

std::vector<std::string_view> skill_names(const ModelInfo& info) {
  std::vector<std::string_view> names;
  if (info.generates) names.push_back("completion");
  if (info.generates && info.chats) names.push_back("chat");
  if (has_skill(info, Skill::kEmbed)) names.push_back("embedding");
  if (has_skill(info, Skill::kScore)) names.push_back("score");
  if (has_skill(info, Skill::kClassify)) names.push_back("classify");
  return names;
}

}  // namespace quire
