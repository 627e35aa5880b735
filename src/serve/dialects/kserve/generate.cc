#include "serve/dialects/kserve/generate.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/kserve/inference/infer_call.h"
#include "serve/dialects/kserve/infer_json.h"
#include "serve/dialects/kserve/inference/model_lookup.h"
#include "serve/dialects/kserve/light/light_face.h"
#include "serve/dialects/kserve/response_json.h"
#include "serve/dialects/kserve/routes.h"
#include "serve/intake/fields.h"

namespace quire {
namespace {

std::string generated_object(const InferResponse& response) {
  InferResponse head = response;
  head.parameters = {};
  head.outputs.clear();
  std::string json = response_head(head);
  const auto append_name = [&](std::string_view name) {
    json += ',';
    append_json_string(name, json);
    json += ':';
  };
  for (const auto& [name, value] : response.parameters.all()) {
    append_name(name);
    json += parameter_json(value);
  }
  for (const NamedTensor& tensor : response.outputs) {
    append_name(tensor.name);
    append_tensor_value(tensor, json);
  }
  for (const auto& [name, value] : {std::pair("details", &response.details),
                                    std::pair("token", &response.token)}) {
    if (value->empty()) continue;
    append_name(name);
    json += *value;
  }
  return json + '}';
}

// What a gateway asks for with endpoint-load-metrics-format: how full the cache of the model is, in
// the form of ORCA. Empty: nobody asked, or for another form.
std::string load_metrics(const http::Request& request, const ModelLease& model) {
  const std::string* form = request.find("endpoint-load-metrics-format");
  if (form == nullptr || (*form != "json" && *form != "text")) return {};
  const EngineStats stats = model->engine->stats();
  const auto total = static_cast<double>(stats.blocks_total);
  const double used = total > 0 ? static_cast<double>(stats.blocks_referenced) / total : 0;
  const bool has_groups = !model->info.kv_groups.empty();
  const std::uint64_t capacity =
      has_groups ? stats.blocks_total * model->info.kv_groups.front().block_tokens : 0;
  const char* shape = *form == "json"
                          ? R"(JSON {{"named_metrics":{{"kv_cache_utilization":{:.6f},)"
                            R"("max_token_capacity":{}}}}})"
                          : "TEXT named_metrics.kv_cache_utilization={:.6f}, "
                            "named_metrics.max_token_capacity={}";
  return fmt::format(fmt::runtime(shape), used, capacity);
}

// The head of either kind of answer.
class GenerateFormat : public InferFormat {
 public:
  void set_load(std::string load) { load_ = std::move(load); }
  void complete_head(http::Response& head) const override {
    if (!load_.empty()) head.headers.push_back({"endpoint-load-metrics", load_});
  }

 private:
  std::string load_;
};

class GenerateBody : public GenerateFormat {
 public:
  void append(const InferResponse& response, bool, std::string& out) override {
    out += generated_object(response);
  }
  void append_error(const ApiError& error, std::string& out) override {
    out += kserve_error_body(error);
  }
};

class GenerateEvents : public GenerateFormat {
 public:
  void append(const InferResponse& response, bool, std::string& out) override {
    out += "data: " + generated_object(response) + "\n\n";
  }
  void append_error(const ApiError& error, std::string& out) override {
    out += "data: " + kserve_error_body(error) + "\n\n";
  }
  void append_ping(std::string& out) override { out += ": ping\n\n"; }
  void complete_head(http::Response& head) const override {  // of a single event, too
    head.content_type = "text/event-stream; charset=utf-8";
    GenerateFormat::complete_head(head);
  }
};

// TensorRT-LLM's inputs that are lists and do not act here: empty they ask for nothing.
constexpr std::string_view kListsNotDelivered[] = {
    "lora_weights", "lora_config", "embedding_bias_words", "embedding_bias_weights",
    "prompt_embedding_table", "prompt_vocab_size", "draft_input_ids"};

bool is_not_delivered(const std::string& name) {
  return std::find(std::begin(kListsNotDelivered), std::end(kListsNotDelivered), name) !=
         std::end(kListsNotDelivered);
}

bool asks_for_nothing(const Json& value) {
  if (value.is_string()) return value.as_string().empty();
  return value.is_array() && std::all_of(value.items().begin(), value.items().end(),
                                         [](const Json& item) {
                                           return item.is_string() && item.as_string().empty();
                                         });
}

// A member that is an input: a value, or a list of them.
Parsed<NamedTensor> input_of(const TensorFace& face, bool has_batch, const Json& value) {
  NamedTensor tensor{.name = std::string(face.name), .type = face.type};
  const Json list = value.is_array() ? value : Json::array({value});
  const auto count = static_cast<std::int64_t>(list.items().size());
  if (face.dim >= 0 && count != face.dim) {
    return invalid_value(tensor.name, fmt::format("'{}' takes {} value, got {}", face.name,
                                                  face.dim, count));
  }
  if (has_batch) tensor.shape.push_back(1);
  tensor.shape.push_back(count);
  if (auto fault = read_tensor_data(list, tensor)) return *fault;
  return tensor;
}

std::optional<ApiError> add_members(const Json& object, const ModelFace& face, bool is_top,
                                    InferRequest& request) {
  for (const auto& [name, value] : object.members()) {
    if (is_top && (name == "id" || name == "parameters")) continue;
    if (value.is_null()) continue;
    const auto input = std::find_if(face.inputs.begin(), face.inputs.end(),
                                    [&](const TensorFace& it) { return it.name == name; });
    if (input != face.inputs.end()) {
      auto tensor = input_of(*input, face.batch_max > 0, value);
      if (!tensor.is_ok()) return tensor.error();
      request.inputs.push_back(std::move(*tensor));
      continue;
    }
    if (is_not_delivered(name)) {
      if (asks_for_nothing(value)) continue;
      return unsupported_parameter(name, fmt::format("'{}' is not supported by this server", name));
    }
    auto parameter = parameter_of(value);
    if (!parameter) {
      return invalid_value(name, fmt::format("parameter {} has invalid type. It should be either "
                                             "'int', 'bool', 'string' or 'double'",
                                             shown(Json(name))));
    }
    request.parameters.set(name, std::move(*parameter));
  }
  return std::nullopt;
}

Parsed<Call> parse(const DialectContext& context, const http::Request& request,
                   const InferTerms& terms, std::unique_ptr<GenerateFormat> format) {
  if (auto fault = find_path_fault(context)) return *fault;
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  InferRequest asked;
  asked.model = context.path["model"];
  asked.version = context.path["version"];
  constexpr std::size_t kIdSizeMax = 1024;  // bytes
  if (const std::string* id = fields.text("id", kIdSizeMax)) asked.id = *id;
  const Json* text = fields.any("text_input");
  const Json* parameters = fields.any("parameters");
  if (fields.error()) return *fields.error();
  if (parameters != nullptr && !parameters->is_object()) {
    return invalid_value("parameters", "unable to parse 'parameters': expected an object");
  }
  ModelFace face;
  if (const auto light = find_light(context, asked.model, asked.version)) {
    face = face_of_light(light);
  } else if (text == nullptr) {
    return invalid_value("text_input", "'text_input' must be given: the text that is continued");
  } else {
    std::string version = asked.version;
    auto model = lease_for_inference(context, asked.model, version);
    if (!model.is_ok()) return model.error();
    format->set_load(load_metrics(request, *model));
    face = declared_face(context.house, (*model)->info, asked.model);
  }
  if (auto fault = add_members(*body, face, true, asked)) return *fault;
  if (parameters != nullptr) {
    if (auto fault = add_members(*parameters, face, false, asked)) return *fault;
  }
  return make_infer_call(context, std::move(asked), terms, std::move(format));
}

}  // namespace

Parsed<Call> parse_kserve_generate(const DialectContext& context, const http::Request& request) {
  return parse(context, request, {.has_details = true, .render_error = render_kserve_error},
               std::make_unique<GenerateBody>());
}

Parsed<Call> parse_kserve_generate_stream(const DialectContext& context,
                                          const http::Request& request) {
  return parse(context, request, {.may_stream = true, .does_stream = true, .has_details = true,
                .render_error = render_kserve_error},
               std::make_unique<GenerateEvents>());
}

}  // namespace quire
