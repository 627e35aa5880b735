#include "serve/dialects/kserve/light/tokenizer_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "serve/dialects/kserve/light/light_face.h"
#include "text/detokenizer.h"

namespace quire {
namespace {

using Rows = std::vector<std::vector<TokenId>>;

const NamedTensor* find_tensor(const std::vector<NamedTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const NamedTensor& it) { return it.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

TensorType declared_type(const LightModel& model, const std::string& output) {
  for (const ModelTensor& tensor : model.config.outputs) {
    if (tensor.name == output) return type_of(tensor);
  }
  return TensorType::kInt32;
}

void append_integer(TensorType type, std::int64_t value, std::string& bytes) {
  if (type == TensorType::kInt64) return append_element(value, bytes);
  append_element(static_cast<std::int32_t>(value), bytes);
}

// Rows may be of one length, or shorter ones are filled up.
Parsed<NamedTensor> ids_tensor(const LightModel& model, const Rows& rows) {
  const TokenizerTerms& terms = model.tokenizer;
  NamedTensor ids{.name = terms.ids, .type = declared_type(model, terms.ids)};
  std::size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  if (longest * rows.size() > kTokenizedIdsMax) {
    return invalid_value(terms.text, fmt::format("the texts of '{}' have {} tokens with what fills "
                                                 "them up; at most {} are possible", terms.text,
                                                 longest * rows.size(), kTokenizedIdsMax));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() < longest && !terms.pad) {
      return invalid_value(terms.text, fmt::format(
          "text {} of '{}' has {} tokens where another one has {}: give the model a parameter "
          "'pad_id', or send texts one by one", i, terms.text, rows[i].size(), longest));
    }
    for (std::size_t k = 0; k < longest; ++k) {
      append_integer(ids.type, k < rows[i].size() ? rows[i][k] : *terms.pad, ids.bytes);
    }
  }
  if (model.config.batch_max > 0) ids.shape.push_back(std::ssize(rows));
  ids.shape.push_back(static_cast<std::int64_t>(longest));
  return ids;
}

Parsed<std::vector<NamedTensor>> encode(const LightModel& model, const NamedTensor& input) {
  const TokenizerTerms& terms = model.tokenizer;
  Rows rows;
  for (const std::string_view text : texts_of(input)) {
    if (text.size() > kTokenizedTextMax) {
      return invalid_value(input.name, fmt::format("a text of '{}' has {} bytes; at most {} are "
                                                   "possible", input.name, text.size(),
                                                   kTokenizedTextMax));
    }
    Result<std::vector<TokenId>> ids = terms.tokenizer->encode(
        text, {.add_special = terms.adds_special, .parse_special = terms.parses_special});
    if (!ids.is_ok()) {
      return invalid_value(input.name, fmt::format("text {} of '{}': {}", rows.size(), input.name,
                                                   ids.status().message()));
    }
    rows.push_back(std::move(*ids));
  }
  auto ids = ids_tensor(model, rows);
  if (!ids.is_ok()) return ids.error();
  std::vector<NamedTensor> made;
  made.push_back(std::move(*ids));
  if (terms.length.empty()) return made;
  NamedTensor length{.name = terms.length, .type = declared_type(model, terms.length),
                     .shape = input.shape};
  for (const auto& row : rows) append_integer(length.type, std::ssize(row), length.bytes);
  made.push_back(std::move(length));
  return made;
}

Parsed<std::string> decode_row(const TokenizerTerms& terms, std::size_t row,
                               std::span<const std::int64_t> ids) {
  Detokenizer words(*terms.tokenizer,
                    {.shows_special = !terms.skips_special, .is_start_of_text = true});
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= static_cast<std::int64_t>(terms.tokenizer->vocab_size())) {
      return invalid_value(terms.ids, fmt::format("'{}' has {} at position {} of row {}, and token "
                                                  "ids go from 0 to {}", terms.ids, ids[i], i, row,
                                                  terms.tokenizer->vocab_size() - 1));
    }
    text += words.append(static_cast<TokenId>(ids[i]));
  }
  return text + words.flush();
}

Parsed<std::vector<NamedTensor>> decode(const LightModel& model, const NamedTensor& input,
                                        const NamedTensor* length) {
  const TokenizerTerms& terms = model.tokenizer;
  const std::vector<std::int64_t> ids = integers_of(input);
  const std::size_t width = static_cast<std::size_t>(input.shape.back());
  const std::size_t count =
      model.config.batch_max > 0 ? static_cast<std::size_t>(input.shape.front()) : 1;
  if (ids.size() > kTokenizedIdsMax) {
    return invalid_value(input.name, fmt::format("'{}' has {} ids; at most {} are possible",
                                                 input.name, ids.size(), kTokenizedIdsMax));
  }
  std::vector<std::int64_t> lengths(count, static_cast<std::int64_t>(width));
  if (length != nullptr) lengths = integers_of(*length);
  NamedTensor text{.name = terms.text, .type = TensorType::kBytes};
  if (model.config.batch_max > 0) text.shape.push_back(static_cast<std::int64_t>(count));
  text.shape.push_back(1);
  for (std::size_t i = 0; i < count; ++i) {
    if (lengths[i] < 0 || lengths[i] > static_cast<std::int64_t>(width)) {
      return invalid_value(terms.length, fmt::format("'{}' has {} for row {}, which has {} ids",
                                                     terms.length, lengths[i], i, width));
    }
    auto row = decode_row(terms, i, std::span(ids).subspan(i * width,
                                                           static_cast<std::size_t>(lengths[i])));
    if (!row.is_ok()) return row.error();
    append_text_element(*row, text.bytes);
  }
  return std::vector<NamedTensor>{std::move(text)};
}

}  // namespace

Parsed<std::vector<NamedTensor>> run_tokenizer(const LightModel& model,
                                               const std::vector<NamedTensor>& inputs) {
  const TokenizerTerms& terms = model.tokenizer;
  const NamedTensor* input = find_tensor(inputs, terms.encodes ? terms.text : terms.ids);
  if (input == nullptr) {
    return invalid_value("inputs", fmt::format("model '{}' needs its input '{}'", model.name,
                                               terms.encodes ? terms.text : terms.ids));
  }
  if (terms.encodes) return encode(model, *input);
  return decode(model, *input, find_tensor(inputs, terms.length));
}

}  // namespace quire
