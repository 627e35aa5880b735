#include "serve/intake/pooled_prompt.h"

#include <fmt/format.h>

#include <algorithm>

namespace quire {
namespace {

ApiError too_long(const ModelInfo& info, std::size_t tokens, bool is_least,
                  const std::string& field) {
  return {.message = fmt::format("This model's maximum context length is {} tokens. However, "
                                 "'{}' has {}{} tokens. Please reduce the length of the input, or "
                                 "ask with 'truncate_prompt_tokens' for it to be cut.",
                                 info.context_max, field, is_least ? "at least " : "", tokens),
          .param = field,
          .code = "context_length_exceeded"};
}

Parsed<std::vector<TokenId>> encode(const PooledTexts& texts, std::string_view text,
                                    bool adds_special, const std::string& field) {
  const HostedModel& model = *texts.model;
  const std::size_t tokens_min = model.tokenizer->tokens_min(text);
  if (!texts.cut_to && tokens_min > model.info.context_max) {
    return too_long(model.info, tokens_min, true, field);
  }
  Result<std::vector<TokenId>> ids =
      model.tokenizer->encode(text, {.add_special = adds_special, .parse_special = true});
  if (ids.is_ok()) return std::move(*ids);
  return invalid_value(field, fmt::format("'{}' cannot be tokenized: {}", field,
                                          ids.status().message()));
}

std::size_t limit_of(const PooledTexts& texts) {
  const std::size_t context = texts.model->info.context_max;
  if (!texts.cut_to || *texts.cut_to < 0) return context;
  return std::min(context, static_cast<std::size_t>(*texts.cut_to));
}

void cut(const PooledTexts& texts, std::size_t tokens_max, std::vector<TokenId>& ids) {
  if (ids.size() <= tokens_max) return;
  const auto surplus = static_cast<std::ptrdiff_t>(ids.size() - tokens_max);
  if (texts.cuts_front) {
    ids.erase(ids.begin(), ids.begin() + surplus);
  } else {
    ids.erase(ids.end() - surplus, ids.end());
  }
}

}  // namespace

std::optional<ApiError> check_cut(const PooledTexts& texts) {
  const std::uint32_t context = texts.model->info.context_max;
  if (!texts.cut_to || *texts.cut_to <= context) return std::nullopt;
  return invalid_value("truncate_prompt_tokens",
                       fmt::format("truncate_prompt_tokens value ({}) is greater than "
                                   "max_model_len ({}). Please, select a smaller truncation size.",
                                   *texts.cut_to, context));
}

Parsed<std::vector<TokenId>> fit_whole(const PooledTexts& texts, std::vector<TokenId> ids,
                                       const std::string& field) {
  const std::size_t tokens_max = limit_of(texts);
  if (texts.cut_to) cut(texts, tokens_max, ids);
  if (ids.size() > tokens_max) return too_long(texts.model->info, ids.size(), false, field);
  if (ids.empty()) {
    return invalid_value(field, fmt::format("Invalid '{}': it has no tokens.", field));
  }
  return ids;
}

// Special tokens are those around the same text encoded without them.
Parsed<std::vector<TokenId>> encode_whole(const PooledTexts& texts, std::string_view text,
                                          const std::string& field) {
  auto ids = encode(texts, text, texts.adds_special, field);
  if (!ids.is_ok()) return ids.error();
  const std::size_t tokens_max = limit_of(texts);
  if (!texts.cut_to || ids->size() <= tokens_max || !texts.adds_special) {
    return fit_whole(texts, std::move(*ids), field);
  }
  auto bare = encode(texts, text, false, field);
  if (!bare.is_ok()) return bare.error();
  const auto inside = std::search(ids->begin(), ids->end(), bare->begin(), bare->end());
  const std::size_t special = ids->size() - bare->size();
  if (inside == ids->end() || special > tokens_max) {
    return fit_whole(texts, std::move(*ids), field);
  }
  std::vector<TokenId> made(ids->begin(), inside);
  const std::vector<TokenId> after(inside + std::ssize(*bare), ids->end());
  cut(texts, tokens_max - special, *bare);
  made.insert(made.end(), bare->begin(), bare->end());
  made.insert(made.end(), after.begin(), after.end());
  return made;
}

Request make_pooled(const PooledTexts& texts, const Tenant& tenant, std::vector<TokenId> ids) {
  Request made;
  made.prompt = std::move(ids);
  made.params.tokens_max = 0;
  made.is_pooled = true;
  made.tenant = tenant.name;
  made.tenant_share = tenant.share;
  made.cache_salt = texts.cache_salt;
  made.priority = texts.priority;
  return made;
}

namespace {

// Both texts in the words of a chat, tokenized as one: the end of the document goes first.
Parsed<Request> make_worded_pair(const PooledTexts& texts, const Tenant& tenant,
                                 const PairOfTexts& pair) {
  const PairTemplate& words = *texts.model->pair_template;
  auto body = encode(texts, words.body(pair.first, pair.second), false, pair.second_field);
  if (!body.is_ok()) return body.error();
  const std::size_t special = words.special_count(), tokens_max = limit_of(texts);
  if (texts.cut_to) cut(texts, tokens_max - std::min(special, tokens_max), *body);
  const std::size_t tokens = body->size() + special;
  if (tokens > tokens_max) {
    return too_long(texts.model->info, tokens, false,
                    fmt::format("{}' with '{}", pair.first_field, pair.second_field));
  }
  return make_pooled(texts, tenant, words.join(*body, {}).ids);
}

}  // namespace

Parsed<Request> make_pair(const PooledTexts& texts, const Tenant& tenant, const PairOfTexts& pair) {
  const HostedModel& model = *texts.model;
  QUIRE_CHECK(model.pair_template != nullptr, "{} reads no pairs", model.name());
  if (model.pair_template->is_text()) return make_worded_pair(texts, tenant, pair);
  auto first = encode(texts, pair.first, false, pair.first_field);
  if (!first.is_ok()) return first.error();
  auto second = encode(texts, pair.second, false, pair.second_field);
  if (!second.is_ok()) return second.error();
  const std::size_t special = model.pair_template->special_count();
  const std::size_t tokens_max = limit_of(texts);
  if (texts.cut_to) {
    const PairLengths lengths = fit_pair(first->size(), second->size(),
                                         tokens_max - std::min(special, tokens_max));
    cut(texts, lengths.first, *first);
    cut(texts, lengths.second, *second);
  }
  const std::size_t tokens = first->size() + second->size() + special;
  if (tokens > tokens_max) {
    return too_long(model.info, tokens, false,
                    fmt::format("{}' with '{}", pair.first_field, pair.second_field));
  }
  PairTemplate::Pair joined = model.pair_template->join(*first, *second);
  if (joined.ids.empty()) {
    return invalid_value(pair.first_field,
                         fmt::format("Invalid '{}': it has no tokens.", pair.first_field));
  }
  Request made = make_pooled(texts, tenant, std::move(joined.ids));
  if (model.info.pooled.has_segments) made.second_segment = joined.second;
  return made;
}

}  // namespace quire
