#include "serve/intake/generation.h"

#include <algorithm>
#include <random>

#include "serve/intake/prompt.h"
#include "serve/intake/skills.h"

namespace quire {
namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

SamplingParams default_sampling(const HostedModel* model) {
  SamplingParams params;
  params.seed = random_seed();
  if (model == nullptr) return params;
  const GenerationDefaults& own = model->info.sampling;  // negative: it has none
  const auto take = [](float of_model, float& param) {
    if (of_model >= 0) param = of_model;
  };
  take(own.temperature, params.temperature);
  take(own.top_p, params.top_p);
  take(own.repetition_penalty, params.repetition_penalty);
  params.top_k = static_cast<int>(std::max(own.top_k, decltype(own.top_k){0}));
  if (model->dress == nullptr) return params;
  const Json* stops = model->dress->parameters.find("stop");
  if (stops == nullptr || !stops->is_array()) return params;
  for (const Json& stop : stops->items()) {
    if (stop.is_string() && !stop.as_string().empty()) {
      params.stop_strings.push_back(stop.as_string());
    }
  }
  return params;
}

Parsed<int> settle_tokens_max(const Generation& generation, std::size_t prompt_tokens,
                              std::int64_t fallback, const std::string& prompt_field) {
  if (auto refusal = refuse_without(*generation.model, Skill::kGenerate)) return *refusal;
  const ModelInfo& info = generation.model->info;
  if (info.has_encoder) {  // which reads the prompt; what its decoder begins with is short
    if (auto refusal = refuse_encoded(info, prompt_tokens, prompt_field)) return *refusal;
    prompt_tokens = info.decoder_start.size();
  }
  auto tokens_max = fit_tokens_max(info, prompt_tokens, generation.tokens_max, fallback,
                                   prompt_field);
  if (tokens_max.is_ok() && generation.params.tokens_min > *tokens_max) {
    return invalid_value("min_tokens", "min_tokens must be less than or equal to max_tokens.");
  }
  return tokens_max;
}

Request make_request(const Generation& generation, const Tenant& tenant,
                     std::vector<TokenId> prompt) {
  Request made;
  const ModelInfo& info = generation.model->info;
  (info.has_encoder ? made.encoder_input : made.prompt) = std::move(prompt);
  if (info.has_encoder) made.prompt = info.decoder_start;
  made.params = generation.params;
  made.tenant = tenant.name;
  made.tenant_share = tenant.share;
  made.cache_salt = generation.cache_salt;
  made.priority = tenant.gives_way ? kPriorityLast : generation.priority;
  made.n = generation.n;
  return made;
}

void refuse_unknown(Fields& fields, bool warns, std::vector<std::string>& warnings) {
  std::vector<std::string> unknown = fields.unknown();
  if (unknown.empty()) return;
  if (warns) {
    constexpr std::size_t kWarningsMax = 64;
    if (unknown.size() > kWarningsMax) unknown.resize(kWarningsMax);
    warnings.insert(warnings.end(), unknown.begin(), unknown.end());
    return;
  }
  fields.fail({.message = "Unrecognized request argument supplied: " + shown(Json(unknown.front())),
               .param = unknown.front(),
               .code = "unknown_parameter"});
}

}  // namespace quire
