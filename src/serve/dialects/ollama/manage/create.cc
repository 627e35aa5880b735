#include "serve/dialects/ollama/manage/create.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>

#include "base/cpu/cpu_info.h"
#include "base/text/ascii.h"
#include "serve/background/errands.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/manage/blobs.h"
#include "serve/dialects/ollama/manage/report.h"
#include "serve/dialects/ollama/manage/stored.h"
#include "serve/dialects/ollama/messages.h"
#include "serve/intake/names/model_names.h"
#include "serve/dialects/ollama/ollama.h"
#include "serve/dialects/ollama/options.h"
#include "serve/dialects/ollama/request.h"
#include "serve/house.h"
#include "store/modelfile/adapters.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_store.h"

namespace quire {
namespace {

constexpr std::size_t kTextMax = store::ModelDress::kTextMax;
constexpr std::size_t kFilesMax = 512;

using SentFiles = std::vector<std::pair<std::string, std::string>>;  // name and digest

struct Creation {
  std::string name, from;
  SentFiles files, adapters;
  store::ModelDress dress;
  std::optional<store::Quantization> quantization;
  bool is_stream = true;
  std::vector<Warning> warned;
};

void fail(Fields& fields, const char* field, std::string why) {
  fields.fail(invalid_value(field, std::move(why)));
}

void read_text(Fields& fields, const char* name, std::string& into) {
  if (const std::string* text = fields.text(name, kTextMax)) into = *text;
}

// `field`: "files" or "adapters".
void read_files(Fields& fields, const char* field, SentFiles& sent) {
  const Json* files = fields.any(field);
  if (files == nullptr) return;
  if (!files->is_object() || files->members().size() > kFilesMax) {
    return fail(fields, field, fmt::format("{}: an object of at most {} is expected", field,
                                           kFilesMax));
  }
  for (const auto& [name, digest] : files->members()) {
    const std::string last = std::filesystem::path(name).filename();
    if (name.starts_with('/') || name.find("..") != name.npos) {
      return fail(fields, field, "file path must be relative");
    }
    if (!store::is_file_name(last) || !digest.is_string() ||
        !digest.as_string().starts_with(kShaMark)) {
      return fail(fields, field, fmt::format("{}: names of files with digests \"sha256:...\"",
                                             field));
    }
    sent.emplace_back(last, digest.as_string().substr(kShaMark.size()));
  }
}

// What of an adapter's folder Ollama's clients send along and nobody reads.
void warn_of_companions(Creation& wanted) {
  std::string unread;
  for (const auto& [name, hex] : wanted.adapters) {
    if (!name.ends_with(".json") || name == store::StoredAdapter::kConfig) continue;
    unread += (unread.empty() ? "" : ", ") + name;
  }
  if (unread.empty()) return;
  add_warning(wanted.warned,
              {"no_effect", "adapters", fmt::format("Not read of the adapter: {}.", unread)});
}

// A turn of a Modelfile has a role and words.
void read_message(Fields& fields, const Json& message, const std::string& where,
                  Creation& wanted) {
  constexpr std::string_view kRoles[] = {"system", "user", "assistant"};
  const std::string role = lower_ascii(message.find("role")->as_string());
  if (std::find(std::begin(kRoles), std::end(kRoles), role) == std::end(kRoles)) {
    return fields.fail(invalid_value(where + ".role", "message role must be one of \"system\", "
                                                      "\"user\", or \"assistant\""));
  }
  refuse_images(fields, message.find("images"), where + ".images");
  for (const auto& [name, value] : message.members()) {
    if (name == "role" || name == "content" || name == "images" || value.is_null()) continue;
    add_warning(wanted.warned, {"no_effect", where + "." + name.substr(0, kNameShown),
                                "The messages of a model have a role and content."});
  }
  wanted.dress.messages.push_back(Json::object({{"role", role},
                                                {"content", *message.find("content")}}));
}

void read_messages(Fields& fields, Creation& wanted) {
  const Json* messages = fields.any("messages");
  if (messages == nullptr) return;
  auto dress = store::parse_dress(Json::object({{"messages", *messages}}));
  if (!dress.is_ok()) return fail(fields, "messages", dress.status().message());
  for (std::size_t i = 0; i < dress->messages.size(); ++i) {
    read_message(fields, dress->messages[i], fmt::format("messages[{}]", i), wanted);
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

// The field as this request has it.
std::string of_parameters(const std::string& option) {
  constexpr std::string_view kOptions = "options";
  return option.starts_with(kOptions) ? "parameters" + option.substr(kOptions.size()) : option;
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
  std::vector<Warning> warned;
  if (auto error = take_options(settled, nullptr, tried, warned)) {
    error->param = of_parameters(error->param);
    return fields.fail(std::move(*error));
  }
  for (Warning& warning : warned) {
    warning.param = of_parameters(warning.param);
    add_warning(wanted.warned, std::move(warning));
  }
  wanted.dress.parameters = settled;
}

// "quantization" is its old name.
void read_quantization(Fields& fields, Creation& wanted) {
  constexpr std::size_t kTypeMax = 64;
  const std::string* newer = fields.text("quantize", kTypeMax);
  const std::string* older = fields.text("quantization", kTypeMax);
  const bool has_newer = newer != nullptr && !newer->empty();
  const std::string* type = has_newer ? newer : older;
  if (type == nullptr || type->empty()) return;
  auto parsed = store::parse_quantization(*type);
  if (!parsed.is_ok()) {
    return fail(fields, has_newer ? "quantize" : "quantization", parsed.status().message());
  }
  wanted.quantization = std::move(*parsed);
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
  read_files(fields, "files", wanted.files);
  read_files(fields, "adapters", wanted.adapters);
  warn_of_companions(wanted);
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
  if (!wanted.dress.needs.empty() && !store::is_version(wanted.dress.needs)) {
    fail(fields, "requires", "requires must be a valid semver (e.g. 0.14.0)");
  }
  read_quantization(fields, wanted);
  refuse_others(fields);
  wanted.is_stream = fields.boolean("stream").value_or(true);
  warn_of_unknown(fields, wanted.warned);
  if (!fields.error() && wanted.from.empty() && wanted.files.empty()) {
    fail(fields, "from", "neither 'from' or 'files' was specified");
  }
  if (!wanted.from.empty() && !wanted.files.empty()) {
    add_warning(wanted.warned, {"no_effect", "files", "The model is made of 'from'."});
    wanted.files.clear();
  }
  if (fields.error() || wanted.dress.chat_template.empty()) return wanted;
  const auto compiled = ChatTemplate::compile_go(wanted.dress.chat_template);
  if (!compiled.is_ok()) fail(fields, "template", compiled.status().message());
  return wanted;
}

Status add_adapter(const store::LocalStore& store, const std::string& path,
                   store::Weights& weights) {
  QUIRE_ASSIGN_OR_RETURN(store::StoredAdapter adapter, store::import_adapter(store, path));
  weights.adapters.push_back(std::move(adapter));
  return ok_status();
}

// Of a model of the store, of Ollama's, or of one that is served from a file.
Result<store::Weights> weights_from(const DialectContext& context, const store::LocalStore& store,
                                    const std::string& from,
                                    const store::Quantization* how) {
  if (const std::string name = visible_name(context, store, from); !name.empty()) {
    QUIRE_ASSIGN_OR_RETURN(const store::Manifest manifest, store.find(name));
    store::Weights weights{manifest.files, manifest.dress, manifest.source, manifest.adapters};
    if (how == nullptr) return weights;
    return store::quantize_weights(store, std::move(weights), *how);
  }
  const ModelHost& host = *context.models.host;
  const auto served = served_name(host, from);
  const bool is_served = served && is_same_model(*served, from);
  const bool is_shown = is_served || context.house->catalog->is_on_demand();
  if (const auto theirs = is_shown ? store::OllamaStore::open() : std::nullopt) {
    const auto model = theirs->find(store::store_name_of(from));
    if (model.is_ok()) {
      QUIRE_ASSIGN_OR_RETURN(store::Weights weights,
                             store::import_weights(store, model->path, how));
      weights.dress = model->dress;
      weights.source = from;
      for (const std::string& adapter : model->adapters) {
        QUIRE_RETURN_IF_ERROR(add_adapter(store, adapter, weights));
      }
      return weights;
    }
  }
  for (const ModelRow& row : host.rows()) {
    const bool is_it = is_served &&
                       std::find(row.names.begin(), row.names.end(), *served) != row.names.end();
    if (!is_it || row.info.card.path.empty()) continue;
    const std::filesystem::path path = row.info.card.path;
    const bool is_folder = path.extension() == ".safetensors";
    QUIRE_ASSIGN_OR_RETURN(
        store::Weights weights,
        store::import_weights(store, is_folder ? path.parent_path().string() : path.string(),
                              how));
    weights.source = from;
    for (const ModelCard::Adapter& adapter : row.info.card.adapters) {
      if (adapter.scale != 1) {
        return error(StatusCode::kUnsupported, "'{}' is served with the adapter '{}' at a scale of "
                     "{}, which models of the store do not have", from, adapter.path,
                     adapter.scale);
      }
      QUIRE_RETURN_IF_ERROR(add_adapter(store, adapter.path, weights));
    }
    return weights;
  }
  return error(StatusCode::kNotFound, "model '{}' not found", from);
}

// That were sent before.
Result<std::vector<store::StoredFile>> blobs_of(const store::LocalStore& store,
                                                const SentFiles& sent) {
  std::vector<store::StoredFile> files;
  for (const auto& [name, hex] : sent) {
    auto checksum = store::Checksum::sha256(hex);
    if (!checksum.is_ok()) {
      return error(StatusCode::kInvalidArgument, "invalid digest format: {}: {}", name,
                   checksum.status().message());
    }
    std::error_code failure;
    const auto size = std::filesystem::file_size(store.blob_path(*checksum), failure);
    if (failure) {
      return error(StatusCode::kNotFound, "there is no blob sha256:{}; send it first", hex);
    }
    files.push_back({name, size, std::move(*checksum)});
  }
  return files;
}

// A GGUF file says of itself whether it is a model or an adapter of one.
Result<store::Weights> weights_of_files(const store::LocalStore& store, const Creation& wanted) {
  store::Weights weights;
  weights.source = "files";
  QUIRE_ASSIGN_OR_RETURN(const std::vector<store::StoredFile> sent, blobs_of(store, wanted.files));
  for (const store::StoredFile& file : sent) {
    if (sent.size() > 1 && store::is_gguf_adapter(store.blob_path(file.checksum))) {
      QUIRE_ASSIGN_OR_RETURN(store::StoredAdapter adapter, store::adapter_of_blobs(store, {file}));
      weights.adapters.push_back(std::move(adapter));
      continue;
    }
    const bool is_only = sent.size() == 1 && !file.name.ends_with(".gguf");
    weights.files.push_back({is_only ? "model.gguf" : file.name, file.size, file.checksum});
  }
  std::vector<std::string> names;
  for (const store::StoredFile& file : weights.files) names.push_back(file.name);
  if (!store::is_one_gguf(names)) {
    return error(StatusCode::kInvalidArgument, "files: several GGUF files that are no parts of one "
                 "model; a model has one, and adapters");
  }
  if (!weights.files.empty()) return weights;
  return error(StatusCode::kInvalidArgument, "files: all of them are adapters, and none a model");
}

// Those of `adapters`, behind what the weights have already.
Status add_sent_adapter(const store::LocalStore& store, const Creation& wanted,
                        store::Weights& weights) {
  if (wanted.adapters.empty()) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(const std::vector<store::StoredFile> sent,
                         blobs_of(store, wanted.adapters));
  QUIRE_ASSIGN_OR_RETURN(store::StoredAdapter adapter, store::adapter_of_blobs(store, sent));
  weights.adapters.push_back(std::move(adapter));
  return ok_status();
}

// What a client is told of a creation, and whether it is still there.
struct Told {
  std::function<void(Json)> line;
  const std::atomic<bool>* stop = nullptr;  // of an errand
};

Json status_line(const std::string& status) { return Json::object({{"status", status}}); }

// Numbers stand beside the digest of a blob that has none yet, as clients with a bar expect it.
Json progress_line(const std::string& status, std::uint64_t total, std::uint64_t done) {
  Json line = status_line(status);
  if (total == 0) return line;
  line.set("digest", "0000000000000000000");
  line.set("total", total);
  line.set("completed", done);
  return line;
}

// Whether it brings files that nobody has opened yet.
bool is_new(const Creation& wanted) { return !wanted.files.empty() || !wanted.adapters.empty(); }

Result<store::Weights> find_weights(const DialectContext& context, const store::LocalStore& store,
                                    const Creation& wanted, const Told& told) {
  std::optional<store::Quantization> how = wanted.quantization;
  if (how) {
    how->threads = std::max(cpu_info().cores / 2, 1);  // the others go on answering
    how->stop = told.stop;
    how->check = [&](const std::string& path) { return model_check(context)(path, {}); };
    how->report = [&](const std::string& status, std::uint64_t total, std::uint64_t done) {
      told.line(progress_line(status, total, done));
    };
  }
  const store::Quantization* const fewer_bits = how ? &*how : nullptr;
  if (is_new(wanted)) told.line(status_line("parsing GGUF"));
  if (wanted.files.empty()) return weights_from(context, store, wanted.from, fewer_bits);
  auto weights = weights_of_files(store, wanted);
  if (!weights.is_ok() || fewer_bits == nullptr) return weights;
  return store::quantize_weights(store, std::move(*weights), *fewer_bits);
}

// The whole work, on a thread that may be kept busy by it. `is_in_way`: whether a load was, for
// which only an errand waits; then nothing has changed.
Status create(const DialectContext& context, const store::LocalStore& store,
              const Creation& wanted, const Told& told, bool& is_in_way) {
  QUIRE_ASSIGN_OR_RETURN(const store::FileLock held, store.hold());
  const std::string name = existing_name(context, store, store::store_name_of(wanted.name));
  QUIRE_ASSIGN_OR_RETURN(store::Weights weights, find_weights(context, store, wanted, told));
  QUIRE_RETURN_IF_ERROR(add_sent_adapter(store, wanted, weights));
  store::ModelDress dress = wanted.dress;
  dress.from = wanted.from;
  const bool is_checked = is_new(wanted) || wanted.quantization;
  const auto before = store.find(name);
  QUIRE_ASSIGN_OR_RETURN(const store::Manifest made,
                         store::create_model(store, name, weights, dress,
                                             is_checked ? model_check(context)
                                                        : store::ModelCheck()));
  const LoadWait wait = told.stop != nullptr ? LoadWait::kErrand : LoadWait::kNone;
  const Status served = serve_stored(context, name, wait, &is_in_way);
  is_in_way &= before.is_ok() && wait == LoadWait::kNone;
  if (is_in_way) QUIRE_RETURN_IF_ERROR(store.add(*before));
  QUIRE_RETURN_IF_ERROR(served);
  for (const store::StoredFile& file : made.all_files()) {
    told.line(status_line(fmt::format("{} layer {}{}", wanted.quantization ? "creating new"
                                                                           : "using existing",
                                      kShaMark, file.checksum.hex)));
  }
  told.line(status_line("writing manifest"));
  return ok_status();
}

// Whatever a file from elsewhere makes of its readers, the server goes on.
Status create_safely(const DialectContext& context, const store::LocalStore& store,
                     const Creation& wanted, const Told& told, bool& is_in_way) try {
  return create(context, store, wanted, told, is_in_way);
} catch (const std::exception& failure) {
  return error(StatusCode::kInternal, "the model was not made: {}", failure.what());
}

Json success(const std::vector<Warning>& warned) {
  Json last = status_line("success");
  set_warnings(warned, last);
  return last;
}

// On the I/O thread: an errand computes and tells of it.
void begin_errand(const DialectContext& context, const store::LocalStore& store,
                  const Creation& wanted, const std::shared_ptr<http::Exchange>& exchange) {
  const auto is_gone = std::make_shared<std::atomic<bool>>(false);
  const bool has_begun = context.house->errands->begin(
      [context, store, wanted, is_gone,
       report = Report(*context.house, exchange, wanted.is_stream, is_gone)]() mutable {
        const Told told{[&](Json line) { report.line(std::move(line)); }, is_gone.get()};
        bool is_in_way = false;  // it waits
        const Status status = create_safely(context, store, wanted, told, is_in_way);
        report.end(status.is_ok() ? success(wanted.warned)
                                  : Json::object({{"error", status.message()}}),
                   status.is_ok() ? 200 : store_error(status).status);
      });
  if (!has_begun) {
    const ApiError busy{.status = 503,
                        .message = fmt::format("server busy, please try again.  {} models are "
                                               "being made or pulled", Errands::kAtOnce),
                        .retry_after_s = 5};
    return exchange->respond(kOllamaDialect.render_error(busy, exchange->request()));
  }
  begin_report(*exchange, wanted.is_stream, is_gone);
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
  const std::string name = existing_name(context, *store, store::store_name_of(wanted.name));
  if (const auto fault = check_manageable(context, *store, name)) return *fault;
  if (const auto load = await_load(context, name)) return *load;
  Call call;
  if (wanted.quantization && context.house->errands != nullptr) {
    call.follow = [context, store = *store, wanted](std::shared_ptr<http::Exchange> exchange) {
      begin_errand(context, store, wanted, exchange);
    };
    call.ready = http::Response();  // nothing that the service waits for
    return call;
  }
  std::vector<Json> lines;
  const Told told{[&](Json line) { lines.push_back(std::move(line)); }};
  bool is_in_way = false;
  const Status status = create_safely(context, *store, wanted, told, is_in_way);
  if (is_in_way) return behind_load(name);
  if (!status.is_ok()) return store_error(status);
  lines.push_back(success(wanted.warned));
  call.ready = progress_response(lines, wanted.is_stream);
  return call;
}

}  // namespace quire
