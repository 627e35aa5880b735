#include "serve/dialects/vllm/pair_scores.h"

#include <fmt/format.h>

#include <utility>

namespace quire {
namespace {

constexpr const char* kTextsOnly = "expected a string, or a list of strings or of objects with "
                                   "'text'.";

// Null: it is no text.
const std::string* text_of(const Json& value) {
  if (value.is_string()) return &value.as_string();
  const Json* text = value.is_object() ? value.find("text") : nullptr;
  return text != nullptr && text->is_string() ? &text->as_string() : nullptr;
}

}  // namespace

std::string NamedTexts::name(std::size_t i) const {
  return is_list ? fmt::format("{}[{}]", field, i) : field;
}

NamedTexts read_texts(Fields& fields, const char* name) {
  NamedTexts made{.field = name};
  const Json* value = fields.any(name);
  if (value == nullptr) {
    fields.fail({.message = fmt::format("You must provide '{}'.", name),
                 .param = name,
                 .code = "missing_required_parameter"});
    return made;
  }
  made.is_list = value->is_array();
  const std::size_t count = made.is_list ? value->items().size() : 1;
  if (count == 0 || count > kPooledInputsMax) {
    fields.fail(invalid_value(name, fmt::format("Invalid '{}': expected 1 to {} texts, got {}.",
                                                name, kPooledInputsMax, count)));
    return made;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string* text = text_of(made.is_list ? value->items()[i] : *value);
    if (text == nullptr) {
      fields.fail(invalid_value(made.name(i), fmt::format("Invalid '{}': {}", made.name(i),
                                                          kTextsOnly)));
      return made;
    }
    made.texts.push_back(*text);
  }
  return made;
}

namespace {

Parsed<PairedCall> pair_for_ranker(const DialectContext& context, const PooledTexts& texts,
                                   const NamedTexts& firsts, const NamedTexts& seconds,
                                   PairedCall made) {
  for (std::size_t i = 0; i < seconds.texts.size(); ++i) {
    const std::size_t first = firsts.texts.size() == 1 ? 0 : i;
    auto request = make_pair(texts, context.tenant,
                             {.first = firsts.texts[first], .second = seconds.texts[i],
                              .first_field = firsts.name(first), .second_field = seconds.name(i)});
    if (!request.is_ok()) return request.error();
    made.call.requests.push_back(std::move(*request));
    made.pairs.push_back({i, i});
  }
  return made;
}

}  // namespace

Parsed<PairedCall> pair_up(const DialectContext& context, const PooledTexts& texts,
                           const NamedTexts& firsts, const NamedTexts& seconds) {
  if (firsts.texts.size() != 1 && firsts.texts.size() != seconds.texts.size()) {
    return invalid_value(seconds.field,
                         fmt::format("Input lengths must be either 1:1, 1:N or N:N, got {} '{}' "
                                     "and {} '{}'.", firsts.texts.size(), firsts.field,
                                     seconds.texts.size(), seconds.field));
  }
  PairedCall made{.call = pooled_call(context, texts, {})};
  made.call.prompt_field = seconds.field;
  if (texts.model->info.pooled.reads_pairs) {
    return pair_for_ranker(context, texts, firsts, seconds, std::move(made));
  }
  for (const NamedTexts* side : {&firsts, &seconds}) {
    for (std::size_t i = 0; i < side->texts.size(); ++i) {
      auto ids = encode_whole(texts, side->texts[i], side->name(i));
      if (!ids.is_ok()) return ids.error();
      made.call.requests.push_back(make_pooled(texts, context.tenant, std::move(*ids)));
    }
  }
  for (std::size_t i = 0; i < seconds.texts.size(); ++i) {
    made.pairs.push_back({firsts.texts.size() == 1 ? 0 : i, firsts.texts.size() + i});
  }
  return made;
}

bool read_activation(Fields& fields) {
  const auto old_name = fields.boolean("activation");
  const auto new_name = fields.boolean("use_activation");
  return new_name ? *new_name : old_name.value_or(true);
}

std::vector<float> scores_of(const PooledInfo& info, PooledVectors& vectors,
                             const std::vector<PairedCall::Pair>& pairs, bool is_activated) {
  std::vector<float> scores;
  for (const auto& [first, second] : pairs) {
    if (!info.reads_pairs) {
      scores.push_back(cosine(vectors[first], vectors[second]));
    } else {
      const float raw = vectors[first].empty() ? 0 : vectors[first].front();
      scores.push_back(is_activated ? pair_score(info, raw) : raw);
    }
  }
  return scores;
}

}  // namespace quire
