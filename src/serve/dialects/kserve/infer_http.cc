#include "serve/dialects/kserve/infer_http.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "serve/dialects/kserve/inference/infer_call.h"
#include "serve/dialects/kserve/infer_json.h"
#include "serve/dialects/kserve/light/step_exchange.h"
#include "serve/dialects/kserve/response_json.h"
#include "serve/dialects/kserve/routes.h"
#include "serve/http/body/content_encoder.h"

namespace quire {
namespace {

class InferBody : public InferFormat {
 public:
  InferBody(std::vector<RequestedOutput> outputs, bool is_binary_default,
            const http::Request& request)
      : outputs_(std::move(outputs)), is_binary_default_(is_binary_default),
        is_step_(request.find(kStepHeader) != nullptr), coding_(http::accepted_coding(request)) {}

  void append(const InferResponse& response, bool, std::string& out) override {
    std::size_t bytes = 0;
    std::string json = response_head(response);
    json += R"(,"outputs":[)";
    for (std::size_t i = 0; i < response.outputs.size(); ++i) {
      const NamedTensor& tensor = response.outputs[i];
      if (i > 0) json += ',';
      append_tensor_head(tensor, json);
      if (is_binary(tensor.name)) {
        json += fmt::format(R"(,"parameters":{{"binary_data_size":{}}}}})", tensor.bytes.size());
        bytes += tensor.bytes.size();
        json_size_ = 1;  // there is a binary part
      } else {
        json += R"(,"data":)";
        append_tensor_data(tensor, json);
        json += '}';
      }
    }
    json += "]}";
    if (json_size_ > 0) json_size_ = json.size();
    out = std::move(json);
    out.reserve(out.size() + bytes);
    for (const NamedTensor& tensor : response.outputs) {
      if (is_binary(tensor.name)) out += tensor.bytes;
    }
    if (coding_ == http::ContentCoding::kIdentity) return;
    if (auto small = http::encode_body(coding_, out)) {
      out = std::move(*small);
    } else {
      coding_ = http::ContentCoding::kIdentity;
    }
  }

  void append_error(const ApiError& error, std::string& out) override {
    out += kserve_error_body(error);
  }

  void complete_head(http::Response& head) const override {
    if (is_step_) head.headers.push_back({std::string(kStepNoteHeader), step_note_text(note_)});
    if (const auto name = http::coding_name(coding_); !name.empty()) {
      head.headers.push_back({"content-encoding", std::string(name)});
    }
    head.headers.push_back({"vary", "Accept-Encoding"});  // the plain one, too
    if (json_size_ == 0) return;
    head.content_type = "application/octet-stream";
    head.headers.push_back({"Inference-Header-Content-Length", std::to_string(json_size_)});
  }

 private:
  bool is_binary(const std::string& name) const {
    const auto asked = std::find_if(outputs_.begin(), outputs_.end(),
                                    [&](const RequestedOutput& it) { return it.name == name; });
    return asked == outputs_.end() ? is_binary_default_ : asked->is_binary;
  }

  std::vector<RequestedOutput> outputs_;
  bool is_binary_default_, is_step_;
  http::ContentCoding coding_;  // of the whole answer, as its reader wishes
  std::size_t json_size_ = 0;  // of an answer with a binary part
};

}  // namespace

Parsed<Call> parse_kserve_infer(const DialectContext& context, const http::Request& request) {
  if (auto fault = find_path_fault(context)) return *fault;
  auto body = read_infer_body(request, context.unknown_fields_warn);
  if (!body.is_ok()) return body.error();
  InferRequest& asked = body->request;
  const std::string_view name = context.path["model"], version = context.path["version"];
  const bool is_other = (!asked.model.empty() && asked.model != name) ||
                        (!asked.version.empty() && !version.empty() && asked.version != version);
  if (is_other) {
    return invalid_value("model_name", "'model_name' and 'model_version' must be those of "
                                       "the path");
  }
  asked.model = name;
  if (!version.empty()) asked.version = version;
  auto format = std::make_unique<InferBody>(asked.outputs, body->is_binary_default, request);
  return make_infer_call(context, std::move(asked),
                         {.one_response = "HTTP end point doesn't support models with decoupled "
                                          "transaction policy",
                          .render_error = render_kserve_error},
                         std::move(format));
}

}  // namespace quire
