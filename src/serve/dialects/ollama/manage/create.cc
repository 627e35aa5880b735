#include "serve/dialects/ollama/manage/create.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/manage/stored.h"
#include "serve/dialects/ollama/names.h"
#include "serve/dialects/ollama/options.h"
#include "serve/dialects/ollama/request.h"
#include "serve/house.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_store.h"

namespace quire {
namespace {

constexpr std::size_t kTextMax = store::ModelDress::kTextMax;
constexpr std::size_t kFilesMax = 512;
constexpr std::string_view kSha = "sha256:";

struct Creation {
  std::string name, from;
  std::vector<std::pair<std::string, std::string>> files;  // name and digest
  store::ModelDress dress;
  bool is_stream = true;
  std::vector<Warning> warned;
};

void fail(Fields& fields, const char* field, std::string why) {
  fields.fail(invalid_value(field, std::move(why)));
}

void read_text(Fields& fields, const char* name, std::string& into) {
  if (const std::string* text = fields.text(name, kTextMax)) into = *text;
}

void read_files(Fields& fields, Creation& wanted) {
  const Json* files = fields.any("files");
  if (files == nullptr) return;
  if (!files->is_object() || files->members().size() > kFilesMax) {
    return fail(fields, "files", fmt::format("files: an object of at most {} is expected",
                                             kFilesMax));
  }
  for (const auto& [name, digest] : files->members()) {
    const std::string last = std::filesystem::path(name).filename();
    if (name.starts_with('/') || name.find("..") != name.npos) {
      return fail(fields, "files", "file path must be relative");
    }
    if (!store::is_file_name(last) || !digest.is_string() ||
        !digest.as_string().starts_with(kSha)) {
      return fail(fields, "files", "files: names of files with digests \"sha256:...\"");
    }
    wanted.files.emplace_back(last, digest.as_string().substr(kSha.size()));
  }
}

void read_messages(Fields& fields, Creation& wanted) {
  const Json* messages = fields.any("messages");
  if (messages == nullptr) return;
  auto dress = store::parse_dress(Json::object({{"messages", *messages}}));
  if (!dress.is_ok()) return fail(fields, "messages", dress.status().message());
  for (const Json& message : dress->messages) {
    wanted.dress.messages.push_back(Json::object({{"role", *message.find("role")},
                                                  {"content", *message.find("content")}}));
  }
}

void read_licenses(Fields& fields, Creation& wanted) {
  const Json* license = fields.any("license");
  if (license == nullptr) return;
  const Json list = license->is_string() ? Json::array({*license}) : *license;
  auto dress = store::parse_dress(Json::object({{"licenses", list}}));
  if (!dress.is_ok()) return fail(fields, "license", "license: a string or a list of them");
  wanted.dress.licenses = dress->licenses;
}

// As a request's options are read: what is of the wrong type is refused now and not when it is
// used.
void read_parameters(Fields& fields, Creation& wanted) {
  const Json* parameters = fields.any("parameters");
  if (parameters == nullptr) return;
  Json settled = *parameters;
  if (settled.is_object()) {
    const Json* stop = settled.find("stop");
    if (stop != nullptr && stop->is_string()) settled.set("stop", Json::array({*stop}));
  }
  OllamaOptions tried;
  if (auto error = take_options(settled, nullptr, tried, wanted.warned)) {
    return fields.fail(std::move(*error));
  }
  wanted.dress.parameters = settled;
}

// What there is no engine for, by name.
void refuse_others(Fields& fields) {
  const auto refuse = [&](const char* name, const char* why) {
    const Json* value = fields.any(name);
    const bool is_empty = value == nullptr || (value->is_string() && value->as_string().empty()) ||
                          (value->is_object() && value->members().empty());
    if (is_empty) return;
    fields.fail(unsupported_parameter(name, fmt::format("{} is not supported: {}", name, why)));
  };
  refuse("quantize", "send a file that is quantized already");
  refuse("quantization", "send a file that is quantized already");
  refuse("adapters", "this engine applies no adapters yet; merge them into the weights");
  refuse("draft_files", "the engine takes no draft model of a file");
  refuse("draft_quantize", "the engine takes no draft model of a file");
  refuse("modelfile", "Modelfiles are parsed by the client; send its fields");
  refuse("path", "files are sent to /api/blobs");
}

Creation read_creation(Fields& fields) {
  Creation wanted;
  wanted.name = read_model_name(fields);
  if (!wanted.name.empty() && !parse_ollama_name(wanted.name)) {
    fail(fields, "model", "invalid model name");
  }
  read_text(fields, "from", wanted.from);
  read_files(fields, wanted);
  read_text(fields, "template", wanted.dress.chat_template);
  read_text(fields, "system", wanted.dress.system);
  read_licenses(fields, wanted);
  read_parameters(fields, wanted);
  read_messages(fields, wanted);
  read_text(fields, "renderer", wanted.dress.renderer);
  read_text(fields, "parser", wanted.dress.parser);
  read_text(fields, "requires", wanted.dress.needs);
  for (const char* name : {"renderer", "parser", "requires", "info"}) {
    if (fields.any(name) == nullptr) continue;
    add_warning(wanted.warned, {"no_effect", name, "It is kept and has no effect."});
  }
  refuse_others(fields);
  wanted.is_stream = fields.boolean("stream").value_or(true);
  warn_of_unknown(fields, wanted.warned);
  if (!fields.error() && wanted.from.empty() && wanted.files.empty()) {
    fail(fields, "from", "neither 'from' or 'files' was specified");
  }
  if (fields.error() || wanted.dress.chat_template.empty()) return wanted;
  const auto compiled = ChatTemplate::compile_go(wanted.dress.chat_template);
  if (!compiled.is_ok()) fail(fields, "template", compiled.status().message());
  return wanted;
}

// Of a model of the store, of Ollama's, or of one that is served from a file.
Result<store::Weights> weights_from(const DialectContext& context, const store::LocalStore& store,
                                    const std::string& from) {
  if (const std::string name = stored_name(store, from); !name.empty()) {
    QUIRE_ASSIGN_OR_RETURN(const store::Manifest manifest, store.find(name));
    return store::Weights{manifest.files, manifest.dress, manifest.source};
  }
  if (const auto theirs = store::OllamaStore::open()) {
    const auto model = theirs->find(store::store_name_of(from));
    if (model.is_ok() && model->adapter.empty()) {
      QUIRE_ASSIGN_OR_RETURN(store::Weights weights, store::import_weights(store, model->path));
      weights.dress = model->dress;
      weights.source = from;
      return weights;
    }
  }
  const ModelHost& host = *context.models.host;
  const auto served = served_name(host, from);
  for (const ModelRow& row : host.rows()) {
    const bool is_it = served && is_same_model(*served, from) &&
                       std::find(row.names.begin(), row.names.end(), *served) != row.names.end();
    if (!is_it || row.info.card.path.empty()) continue;
    const std::filesystem::path path = row.info.card.path;
    const bool is_folder = path.extension() == ".safetensors";
    QUIRE_ASSIGN_OR_RETURN(
        store::Weights weights,
        store::import_weights(store, is_folder ? path.parent_path().string() : path.string()));
    weights.source = from;
    return weights;
  }
  return error(StatusCode::kNotFound, "model '{}' not found", from);
}

// Of files that were sent before.
Result<store::Weights> weights_of_files(const store::LocalStore& store, const Creation& wanted) {
  store::Weights weights;
  weights.source = "files";
  for (const auto& [name, hex] : wanted.files) {
    QUIRE_ASSIGN_OR_RETURN(store::Checksum checksum, store::Checksum::sha256(hex));
    std::error_code failure;
    const auto size = std::filesystem::file_size(store.blob_path(checksum), failure);
    if (failure) {
      return error(StatusCode::kNotFound, "there is no blob sha256:{}; send it first", hex);
    }
    const bool is_only = wanted.files.size() == 1 && !name.ends_with(".gguf");
    weights.files.push_back({is_only ? "model.gguf" : name, size, std::move(checksum)});
  }
  return weights;
}

Status check(const DialectContext& context, const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const ModelRecipe recipe,
                         context.house->catalog->recipe(path, {}, {}));
  return recipe.open().status();
}

}  // namespace

Parsed<Call> parse_ollama_create(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const Creation wanted = read_creation(fields);
  if (fields.error()) return *fields.error();
  auto store = open_managed_store(context);
  if (!store.is_ok()) return store.error();
  const auto held = store->hold();
  if (!held.is_ok()) return store_error(held.status());
  const std::string name = store::store_name_of(wanted.name);
  if (const auto fault = check_manageable(context, *store, name)) return *fault;
  const bool is_of_files = !wanted.files.empty();
  const auto weights = is_of_files ? weights_of_files(*store, wanted)
                                   : weights_from(context, *store, wanted.from);
  if (!weights.is_ok()) return store_error(weights.status());
  store::ModelDress dress = wanted.dress;
  dress.from = wanted.from;
  const store::ModelCheck checks = [&](const std::string& path) { return check(context, path); };
  const auto made = store::create_model(*store, name, *weights, dress,
                                        is_of_files ? checks : store::ModelCheck());
  if (!made.is_ok()) return store_error(made.status());
  if (const Status served = serve_stored(context, name); !served.is_ok()) {
    return store_error(served);
  }
  std::vector<Json> lines;
  const auto say = [&](std::string status) {
    lines.push_back(Json::object({{"status", std::move(status)}}));
  };
  if (is_of_files) say("parsing GGUF");
  for (const store::StoredFile& file : made->files) {
    say("using existing layer " + std::string(kSha) + file.checksum.hex);
  }
  say("writing manifest");
  say("success");
  set_warnings(wanted.warned, lines.back());
  Call call;
  call.ready = progress_response(lines, wanted.is_stream);
  return call;
}

}  // namespace quire
