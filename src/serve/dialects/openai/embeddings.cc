#include "serve/dialects/openai/embeddings.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/openai/pooled/pooled_request.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

struct EmbeddingOptions {
  VectorForm form;
  std::size_t columns = 0;  // shown; the rest is cut off
  bool wants_length_one = false;
};

class EmbeddingAnswer : public PooledAnswer {
 public:
  EmbeddingAnswer(const ModelLease& model, std::size_t inputs, const EmbeddingOptions& options,
                  std::vector<std::string> ignored)
      : PooledAnswer(model, inputs, "embd-", std::move(ignored)), options_(options) {}

  void finish(std::string& out) override {
    std::string list = "[";
    for (std::size_t i = 0; i < vectors_.count(); ++i) {
      std::vector<float>& vector = vectors_[i];
      const bool is_cut = options_.columns < vector.size();
      if (is_cut) vector.resize(options_.columns);
      if (options_.wants_length_one && (is_cut || !info_.is_normalised)) normalise(vector);
      list += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i > 0 ? "," : "",
                          i);
      append_vector(vector, options_.form, list);
      list += '}';
    }
    list += ']';
    append_body(head("list"), "data", list, out);
  }

 private:
  const EmbeddingOptions options_;
};

// As many as the model's vectors have, or fewer where it was trained for that.
std::size_t read_dimensions(Fields& fields, const PooledTexts& texts) {
  constexpr std::int64_t kDimensionsMax = 1 << 20;
  const auto asked = fields.integer("dimensions", 1, kDimensionsMax);
  if (texts.model == nullptr) return 0;
  const PooledInfo& info = texts.model->info.pooled;
  if (!asked || *asked == info.width) return info.width;
  const auto refuse = [&](std::string why) {
    fields.fail(invalid_value("dimensions", std::move(why)));
    return std::size_t{info.width};
  };
  if (!info.words.is_matryoshka) {
    return refuse(fmt::format("Model \"{}\" does not support matryoshka representation, changing "
                              "output dimensions will lead to poor results. Its embeddings have "
                              "{} dimensions.", texts.model->name(), info.width));
  }
  const std::vector<int>& known = info.words.dimensions;
  const bool is_known =
      known.empty() || std::find(known.begin(), known.end(), *asked) != known.end();
  if (*asked > info.width || !is_known) {
    return refuse(known.empty()
                      ? fmt::format("Invalid 'dimensions': expected 1 to {}, got {}.", info.width,
                                    *asked)
                      : fmt::format("Model \"{}\" only supports {} matryoshka dimensions, use "
                                    "other output dimensions will lead to poor results.",
                                    texts.model->name(), dump(Json::array({known.begin(),
                                                                           known.end()}))));
  }
  return static_cast<std::size_t>(*asked);
}

bool read_length(Fields& fields, const PooledTexts& texts) {
  const auto asked = fields.boolean("normalize");
  if (texts.model == nullptr) return false;
  const PooledInfo& info = texts.model->info.pooled;
  if (asked && !*asked && info.is_normalised) {
    fields.fail(unsupported_parameter("normalize", "Unsupported parameter: 'normalize': this "
                                                   "model's own last step scales vectors to "
                                                   "length one."));
  }
  return asked.value_or(info.wants_length_one);
}

// What sentence-transformers puts in front of a text: by name, or the one that is always meant.
std::string_view read_prompt(Fields& fields, const PooledTexts& texts) {
  constexpr std::size_t kNameSizeMax = 256;
  const std::string* name = fields.text("prompt_name", kNameSizeMax);
  if (texts.model == nullptr) return {};
  const PooledWords& words = texts.model->info.pooled.words;
  const std::string_view wanted = name != nullptr ? *name : words.default_prompt;
  if (wanted.empty()) return {};
  std::string known;
  for (const auto& [each, text] : words.prompts) {
    if (each == wanted) return text;
    known += " '" + each + "'";
  }
  fields.fail(invalid_value("prompt_name",
                            fmt::format("Invalid 'prompt_name': the model has no prompt {}; {}.",
                                        shown(Json(wanted)),
                                        known.empty() ? "it has none" : "known are" + known)));
  return {};
}

}  // namespace

Parsed<Call> parse_openai_embeddings(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const PooledTexts texts = read_pooled_texts(fields, context, Skill::kEmbed);
  EmbeddingOptions options = {.form = read_vector_form(fields),
                              .columns = read_dimensions(fields, texts),
                              .wants_length_one = read_length(fields, texts)};
  const std::string_view before = read_prompt(fields, texts);
  std::vector<std::string> ignored;
  auto call = read_pooled_call(fields, context, texts, before, ignored);
  if (!call.is_ok()) return call.error();
  call->writer = std::make_unique<EmbeddingAnswer>(texts.model, call->requests.size(), options,
                                                   std::move(ignored));
  return call;
}

}  // namespace quire
