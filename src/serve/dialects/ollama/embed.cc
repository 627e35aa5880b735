#include "serve/dialects/ollama/embed.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "serve/answer/answer_counts.h"
#include "serve/answer/vector_text.h"
#include "serve/answer/vectors.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/request.h"
#include "serve/dialects/ollama/times.h"
#include "serve/intake/pooled_prompt.h"
#include "serve/intake/skills.h"

namespace quire {
namespace {

constexpr std::size_t kInputsMax = 2048;
constexpr std::size_t kInFlightMax = 64;

struct EmbedRequest {
  PooledTexts texts;
  std::string model_name;
  std::vector<std::string> inputs;
  std::optional<std::int64_t> columns;
  bool is_single = false;  // /api/embeddings
  Nanos arrived{0}, loaded{0};
  std::optional<Nanos> keep_alive;  // nothing: as the operator says
  std::shared_ptr<StayOfModel> stay;
  std::vector<Warning> warned;
};

class EmbedAnswer : public AnswerWriter {
 public:
  EmbedAnswer(const EmbedRequest& request, std::size_t requests)
      : request_(request), vectors_(requests), id_(random_id("embed-")) {}

  std::string_view id() const override { return id_; }
  void take(std::size_t prompt, const TokenEvent& event, std::string&) override {
    vectors_.take(prompt, event);
  }
  void fail(const ApiError&, std::string&) override {}  // it is no stream

  void finish(std::string& out) override {
    std::string list;
    for (std::size_t i = 0; i < vectors_.count(); ++i) {
      std::vector<float>& vector = vectors_[i];
      if (request_.columns && static_cast<std::size_t>(*request_.columns) < vector.size()) {
        vector.resize(static_cast<std::size_t>(*request_.columns));
      }
      if (!request_.is_single) normalise(vector);
      list += i > 0 ? "," : "";
      append_vector(vector, {}, list);
    }
    Json rest = Json::object();
    if (!request_.is_single) {
      const Nanos now = SteadyClock::now();
      const auto between = [](Nanos a, Nanos b) {
        return std::max<std::int64_t>((b - a).count(), 1);
      };
      rest.set("total_duration", between(request_.arrived, now));
      rest.set("load_duration", between(request_.arrived, request_.loaded));
      if (vectors_.tokens() > 0) rest.set("prompt_eval_count", vectors_.tokens());
    }
    set_warnings(request_.warned, rest);
    const std::string tail = dump(rest).substr(1);
    out += request_.is_single ? fmt::format("{{\"embedding\":{}", list)
                              : fmt::format("{{\"model\":{},\"embeddings\":[{}]",
                                            dump(Json(request_.model_name)), list);
    out += tail == "}" ? tail : "," + tail;
  }

 private:
  EmbedRequest request_;
  PooledVectors vectors_;
  std::string id_;
};

void read_model(Fields& fields, const DialectContext& context, EmbedRequest& wanted) {
  wanted.arrived = context.arrived;
  wanted.model_name = read_model_name(fields);
  if (!wanted.model_name.empty()) {
    Parsed<ModelLease> model = lease_ollama_model(context, wanted.model_name);
    if (!model.is_ok()) fields.fail(model.error());
    if (model.is_ok() && !has_skill((*model)->info, Skill::kEmbed)) {
      fields.fail(unsupported_parameter("model", fmt::format("\"{}\" does not support embeddings",
                                                             wanted.model_name)));
    } else if (model.is_ok()) {
      wanted.texts.model = *model;
    }
  }
  wanted.loaded = SteadyClock::now();
  const HostedModel* model = wanted.texts.model.get();
  OllamaOptions options;  // nothing of them changes a vector but how long a text may be
  if (const Json* asked = fields.any("options")) {
    if (auto error = take_options(*asked, model, options, wanted.warned)) {
      fields.fail(std::move(*error));
    }
  }
  const Json* given = fields.any("options");
  const Json* context_max = given == nullptr ? nullptr : given->find("num_ctx");
  if (model != nullptr && context_max != nullptr && context_max->is_number() &&
      options.context_max < model->info.context_max) {
    wanted.texts.cut_to = options.context_max;  // 0 leaves no room, as in Ollama
  }
  const Json* stay = fields.any("keep_alive");
  if (stay != nullptr) wanted.keep_alive = parse_keep_alive(*stay);
  if (stay != nullptr && !wanted.keep_alive) {
    fields.fail(invalid_value("keep_alive", "invalid keep_alive: " + shown(*stay)));
  }
}

void read_inputs(Fields& fields, EmbedRequest& wanted) {
  const Json* input = fields.any("input");
  if (input == nullptr) return;
  if (input->is_string()) {
    if (!input->as_string().empty()) wanted.inputs.push_back(input->as_string());
    return;
  }
  if (input->is_array() && input->items().size() > kInputsMax) {
    return fields.fail(invalid_value("input", fmt::format("input: at most {} texts, got {}",
                                                          kInputsMax, input->items().size())));
  }
  const bool is_good = input->is_array() &&
                       std::all_of(input->items().begin(), input->items().end(),
                                   [](const Json& item) { return item.is_string(); });
  if (!is_good) return fields.fail(invalid_value("input", "invalid input type"));
  for (const Json& item : input->items()) wanted.inputs.push_back(item.as_string());
}

// Vectors of fewer columns are of use where the model was trained for that; others are told.
void read_dimensions(Fields& fields, EmbedRequest& wanted) {
  constexpr std::int64_t kDimensionsMax = 1 << 20;
  wanted.columns = fields.integer("dimensions", 0, kDimensionsMax);
  if (wanted.columns == 0) wanted.columns.reset();
  if (!wanted.columns || wanted.texts.model == nullptr) return;
  const PooledInfo& info = wanted.texts.model->info.pooled;
  if (*wanted.columns > info.width) {
    add_warning(wanted.warned, {"no_effect", "dimensions",
                                fmt::format("The vectors of this model have {} columns.",
                                            info.width)});
  }
  if (*wanted.columns < info.width && !info.words.is_matryoshka) {
    add_warning(wanted.warned, {"poor_result", "dimensions", "This model was not trained for "
                                                             "vectors that are cut."});
  }
}

ApiError too_long(std::string message, const std::string& field) {
  return {.message = std::move(message), .param = field, .code = "context_length_exceeded"};
}

// Whether the ids of a text are all that it has, where as many are there as may be.
void warn_of_cut(EmbedRequest& wanted, const PooledTexts& texts, const std::string& text,
                 const std::string& field, std::size_t tokens) {
  const std::size_t context = wanted.texts.model->info.context_max;
  const std::size_t bound = texts.cut_to && *texts.cut_to >= 0
                                ? static_cast<std::size_t>(*texts.cut_to) : context;
  const std::size_t tokens_max = std::min(context, bound);
  if (tokens < tokens_max) return;
  PooledTexts whole = texts;
  whole.cut_to.reset();
  auto all = encode_whole(whole, text, field);
  if (all.is_ok() && all->size() <= tokens_max) return;
  add_warning(wanted.warned, {"truncated", wanted.is_single ? "prompt" : "input",
                              fmt::format("Texts are cut to {} tokens, {} is the first of them.",
                                          tokens_max, field)});
}

// A text as ids that fit into num_ctx and into the model, cut where the request lets it be.
Parsed<std::vector<TokenId>> encode_fitting(EmbedRequest& wanted, const std::string& text,
                                            const std::string& field, bool truncates) {
  PooledTexts texts = wanted.texts;
  const std::optional<std::int64_t> bound = texts.cut_to;
  if (!truncates) texts.cut_to.reset();
  if (truncates && !bound) texts.cut_to = -1;
  if (truncates && bound) {
    PooledTexts bare = texts;
    bare.cut_to.reset();
    auto nothing = encode_whole(bare, "", field);
    const std::ptrdiff_t special = nothing.is_ok() ? std::ssize(*nothing) : 0;
    if (special >= *bound) {
      return too_long("input after truncation exceeds maximum context length", field);
    }
  }
  auto ids = encode_whole(texts, text, field);
  const bool is_beyond = ids.is_ok() ? bound && std::ssize(*ids) > *bound
                                     : ids.error().code == "context_length_exceeded";
  if (is_beyond) return too_long("the input length exceeds the context length", field);
  if (ids.is_ok() && truncates) warn_of_cut(wanted, texts, text, field, ids->size());
  return ids;
}

Parsed<Call> make_call(const DialectContext& context, EmbedRequest& wanted, bool truncates) {
  Call call{.model = wanted.texts.model, .prompt_field = wanted.is_single ? "prompt" : "input"};
  call.in_flight_max = kInFlightMax;
  for (std::size_t i = 0; i < wanted.inputs.size(); ++i) {
    const std::string field = wanted.is_single ? "prompt" : fmt::format("input[{}]", i);
    auto whole = encode_fitting(wanted, wanted.inputs[i], field, truncates);
    if (!whole.is_ok()) return whole.error();
    call.requests.push_back(make_pooled(wanted.texts, context.tenant, std::move(*whole)));
  }
  call.unknown_fields = static_cast<std::size_t>(
      std::count_if(wanted.warned.begin(), wanted.warned.end(), [](const Warning& it) {
        return it.code == "unknown_parameter" || it.code == "unknown_option";
      }));
  wanted.stay = std::make_shared<StayOfModel>(*context.models.host, wanted.texts.model->name(),
                                              wanted.keep_alive);
  auto writer = std::make_unique<EmbedAnswer>(wanted, call.requests.size());
  if (!call.requests.empty()) {
    call.writer = std::move(writer);
    return call;
  }
  Call ready;  // no text: the model is there, which is all that was wanted
  ready.ready = http::Response();
  if (wanted.is_single) {
    Json body = Json::object({{"embedding", Json::array()}});
    set_warnings(wanted.warned, body);
    ready.ready->body = dump(body);
  } else {
    writer->finish(ready.ready->body);
  }
  return ready;
}

}  // namespace

Parsed<Call> parse_ollama_embed(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  EmbedRequest wanted;
  read_model(fields, context, wanted);
  read_inputs(fields, wanted);
  const bool truncates = fields.boolean("truncate").value_or(true);
  read_dimensions(fields, wanted);
  warn_of_unknown(fields, wanted.warned);
  if (fields.error()) return *fields.error();
  return make_call(context, wanted, truncates);
}

Parsed<Call> parse_ollama_embeddings(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  EmbedRequest wanted;
  wanted.is_single = true;
  read_model(fields, context, wanted);
  const std::string* prompt = fields.text("prompt", kPromptBytesMax);
  if (prompt != nullptr && !prompt->empty()) wanted.inputs.push_back(*prompt);
  warn_of_unknown(fields, wanted.warned);
  if (fields.error()) return *fields.error();
  return make_call(context, wanted, true);
}

}  // namespace quire
