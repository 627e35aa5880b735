#include "serve/dialects/ollama/library.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "base/clock.h"
#include "host/model_catalog.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/names.h"
#include "serve/dialects/ollama/request.h"
#include "serve/dialects/ollama/times.h"
#include "serve/intake/skills.h"
#include "serve/intake/tools/answer_shape.h"
#include "store/checksum.h"
#include "store/local_store.h"
#include "store/modelfile/ollama_store.h"
#include "text/fill_in_middle.h"
#include "text/go_template/go_template.h"

namespace quire {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNever = 10'000'000'000;  // seconds since 1970: in the year 2286

Json details_of(const ModelInfo& info) {
  const ModelCard& card = info.card;
  Json families = Json::array();
  if (!card.family.empty()) families.push(card.family);
  Json details = Json::object({{"parent_model", ""}, {"format", card.format},
                               {"family", card.family}, {"families", std::move(families)},
                               {"parameter_size",
                                card.parameters > 0 ? shown_count(card.parameters) : ""},
                               {"quantization_level", card.quantization}});
  if (info.context_max > 0) details.set("context_length", info.context_max);
  if (card.width > 0) details.set("embedding_length", card.width);
  return details;
}

// Changes when answers may change; a name where nothing is known yet.
std::string digest_of(const ModelRow& row) {
  if (!row.info.card.digest.empty()) return row.info.card.digest;
  store::Digest digest;
  digest.update(row.names.front());
  digest.update(row.info.fingerprint);
  return digest.finish().hex;
}

std::string moment(std::int64_t unix_seconds) {
  return rfc3339(std::min(unix_seconds, std::int64_t{9'000'000'000}) * kNanosPerSecond);
}

Json capabilities_of(const ModelInfo& info, const HostedModel* model) {
  Json list = Json::array();
  if (has_skill(info, Skill::kGenerate)) list.push("completion");
  if (info.chats) list.push("tools");  // those that have learnt none are told in words
  const ChatTemplate* own = model != nullptr ? model->chat_template.get() : nullptr;
  const bool has_gap = own != nullptr && own->go() != nullptr && own->go()->has_field("Suffix");
  if (has_gap || (model != nullptr && find_gap_tokens(*model->tokenizer))) list.push("insert");
  if (has_skill(info, Skill::kEmbed)) list.push("embedding");
  if (model != nullptr && format_of(*model).thoughts != nullptr) list.push("thinking");
  return list;
}

Json model_json(const ModelRow& row, const std::string& name) {
  const std::uint64_t size =
      row.info.card.file_bytes > 0 ? row.info.card.file_bytes : row.bytes;
  const std::string shown = shown_name(name);
  return Json::object({{"name", shown}, {"model", shown},
                       {"modified_at", moment(row.info.card.modified_at)},
                       {"size", size}, {"digest", digest_of(row)},
                       {"details", details_of(row.info)}});
}

bool is_in_memory(const ModelRow& row) {
  return row.state == ModelState::kReady || row.state == ModelState::kUnloading;
}

// Seconds since 1970 when it will go, if nobody comes.
std::int64_t end_of_stay(const ModelRow& row) {
  if (row.keep_alive == kForever) return kNever;
  const Nanos left = std::max(row.keep_alive - row.idle, Nanos{0});
  return SteadyClock::unix_seconds() +
         std::chrono::duration_cast<std::chrono::seconds>(left).count();
}

// "temperature                    0.5"
std::string parameters_text(const Json& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters.members()) {
    const std::vector<Json> values = value.is_array() ? value.items() : std::vector<Json>{value};
    for (const Json& each : values) {
      text += fmt::format("{}{:<30} {}", text.empty() ? "" : "\n", name, dump(each));
    }
  }
  return text;
}

// What a Modelfile said, of a model that is loaded or not.
store::ModelDress dress_of(const ModelRow& row, const HostedModel* hosted) {
  if (hosted != nullptr) return hosted->dress != nullptr ? *hosted->dress : store::ModelDress();
  const auto ours = store::LocalStore::open();
  const std::string& name = row.names.front();
  if (const auto found = ours.is_ok() ? ours->find(name) : ours.status(); found.is_ok()) {
    return found->dress;
  }
  const auto theirs = store::OllamaStore::open();
  if (!theirs) return {};
  const auto model = theirs->find(name);
  return model.is_ok() ? model->dress : store::ModelDress();
}

// What GGUF files say of themselves; long lists only where they are asked for.
Json model_info_of(const ModelInfo& info, bool is_verbose) {
  constexpr std::size_t kListShown = 5;
  Json keys = Json::object();
  for (const auto& [name, value] : info.card.keys) {
    if (name == "general.name" || name == "tokenizer.chat_template") continue;
    const bool is_long = value.is_array() && value.items().size() > kListShown && !is_verbose;
    keys.set(name, is_long ? Json() : value);
  }
  const std::string& family = info.card.family;
  if (family.empty()) return keys;
  const auto add = [&](const std::string& name, Json value) {
    if (keys.find(name) == nullptr) keys.set(name, std::move(value));
  };
  add("general.architecture", family);
  add("general.parameter_count", info.card.parameters);
  if (info.context_max > 0) add(family + ".context_length", info.context_max);
  if (info.card.width > 0) add(family + ".embedding_length", info.card.width);
  return keys;
}

std::string modelfile_text(const ModelRow& row, const store::ModelDress& dress) {
  const ModelCard& card = row.info.card;
  std::string scales;  // a Modelfile has no word for them
  std::vector<std::string> adapters;
  for (const ModelCard::Adapter& adapter : card.adapters) {
    adapters.push_back(adapter.path);
    if (adapter.scale == 1) continue;
    scales += fmt::format("# served with --adapter {}={}\n", adapter.path, adapter.scale);
  }
  return scales + store::modelfile_of(card.path.empty() ? row.names.front() : card.path, dress,
                                      adapters);
}

// What its files say of a model that was not loaded yet.
void look_up(const DialectContext& context, ModelRow& row, store::ModelDress& dress) {
  const ModelCatalog* catalog = context.models.catalog;
  const std::string& name = row.names.front();
  if (row.info.context_max > 0 || catalog == nullptr || !catalog->has(name)) return;
  Result<ModelLook> look = catalog->look(name);
  if (!look.is_ok()) return;  // it can still be asked for, which says what is wrong
  row.info = std::move(look->info);
  row.info.chats |= !dress.chat_template.empty();
  if (dress.chat_template.empty()) dress.chat_template = std::move(look->chat_template);
}

Json show_json(const DialectContext& context, ModelRow row, bool is_verbose) {
  Json body = Json::object();
  // A lease of what is there; what is not is not brought here for a look.
  const auto lease = row.state == ModelState::kReady ? context.models.host->lease(row.index)
                                                     : Result<ModelLease>(ModelLease());
  const HostedModel* hosted = lease.is_ok() ? lease->get() : nullptr;
  store::ModelDress dress = dress_of(row, hosted);
  const store::ModelDress own = dress;  // the template of its files is no line of a Modelfile
  if (hosted != nullptr && hosted->chat_template != nullptr) {
    dress.chat_template = hosted->chat_template->source();
  }
  if (hosted == nullptr) look_up(context, row, dress);
  std::string licenses;
  for (const std::string& text : dress.licenses) licenses += (licenses.empty() ? "" : "\n") + text;
  if (!licenses.empty()) body.set("license", licenses);
  body.set("modelfile",
           fmt::format("# Modelfile generated by \"ollama show\"\n# To build a new Modelfile "
                       "based on this, replace FROM with:\n# FROM {}\n\n{}",
                       shown_name(row.names.front()), modelfile_text(row, own)));
  body.set("parameters", parameters_text(dress.parameters));
  body.set("template", dress.chat_template);
  if (!dress.system.empty()) body.set("system", dress.system);
  if (!dress.renderer.empty()) body.set("renderer", dress.renderer);
  if (!dress.parser.empty()) body.set("parser", dress.parser);
  if (!dress.messages.empty()) body.set("messages", Json::array(dress.messages));
  if (!dress.needs.empty()) body.set("requires", dress.needs);
  body.set("details", details_of(row.info));
  body.set("model_info", model_info_of(row.info, is_verbose));
  body.set("capabilities", capabilities_of(row.info, hosted));
  body.set("modified_at", moment(row.info.card.modified_at));
  return body;
}

// For lists, which programs ask for again and again: a model's files are read once for as long as
// its manifest stays as it is. Bounded.
class Looks {
 public:
  ModelInfo of(const ModelCatalog& catalog, const store::Manifest& manifest) {
    constexpr std::size_t kMax = 1024;
    const std::string& name = manifest.name;
    const Key key = {name, manifest.fetched_at, blobs_of(manifest)};
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = looks_.find(key); found != looks_.end()) return found->second;
    }
    const Result<ModelLook> look = catalog.look(name);
    if (!look.is_ok()) return {};
    const std::lock_guard lock(mutex_);
    if (looks_.size() >= kMax) looks_.clear();
    return looks_.insert_or_assign(key, look->info).first->second;
  }

 private:
  static std::string blobs_of(const store::Manifest& manifest) {
    std::string blobs;
    for (const store::StoredFile& file : manifest.all_files()) blobs += file.checksum.hex + " ";
    return blobs;
  }

  using Key = std::tuple<std::string, std::int64_t, std::string>;
  std::mutex mutex_;
  std::map<Key, ModelInfo> looks_;
};

// Without what only one who looks at it needs.
void look_up_card(const DialectContext& context, ModelRow& row) {
  static Looks looks;
  const ModelCatalog* catalog = context.models.catalog;
  const std::string& name = row.names.front();
  if (row.info.context_max > 0 || catalog == nullptr) return;
  const auto store = store::LocalStore::open();
  const auto manifest = store.is_ok() ? store->find(name) : store.status();
  if (!manifest.is_ok()) return;
  row.info = looks.of(*catalog, *manifest);
  row.info.card.file_bytes = manifest->bytes();
  row.info.card.modified_at = manifest->fetched_at;
}

// A model that is served, or would be if it were asked for.
std::optional<ModelRow> find_shown(const DialectContext& context, const std::string& name) {
  if (const auto served = served_name(*context.models.host, name)) {
    for (ModelRow& row : context.models.host->rows()) {
      if (std::find(row.names.begin(), row.names.end(), *served) != row.names.end()) return row;
    }
  }
  const ModelCatalog* catalog = context.models.catalog;
  if (catalog == nullptr || !catalog->is_on_demand()) return std::nullopt;
  for (const std::string& stored : catalog->names()) {
    if (is_same_model(stored, name)) return ModelRow{.names = {stored}};
  }
  return std::nullopt;
}

// What would be served if it were asked for.
void add_stored(const DialectContext& context, std::vector<Json>& models) {
  const ModelCatalog* catalog = context.models.catalog;
  if (catalog == nullptr || !catalog->is_on_demand()) return;
  for (const std::string& name : catalog->names()) {
    if (context.models.host->has_name(name)) continue;
    ModelRow row{.names = {name}};
    look_up_card(context, row);
    models.push_back(model_json(row, name));
  }
}

}  // namespace

std::string shown_count(std::uint64_t count) {
  const auto number = static_cast<double>(count);
  if (count >= 1'000'000'000) return fmt::format("{:.1f}B", number / 1e9);
  if (count >= 1'000'000) return fmt::format("{:.2f}M", number / 1e6);
  if (count >= 1'000) return fmt::format("{:.2f}K", number / 1e3);
  return std::to_string(count);
}

Parsed<Call> parse_ollama_tags(const DialectContext& context, const http::Request&) {
  std::vector<Json> models;
  std::vector<ModelRow> rows = context.models.host->rows();
  for (ModelRow& row : rows) look_up_card(context, row);
  std::stable_sort(rows.begin(), rows.end(), [](const ModelRow& a, const ModelRow& b) {
    return a.info.card.modified_at > b.info.card.modified_at;
  });
  for (const ModelRow& row : rows) {
    for (const std::string& name : row.names) {
      if (name == kAnyName) continue;
      Json model = model_json(row, name);
      model.set("capabilities", capabilities_of(row.info, nullptr));
      models.push_back(std::move(model));
    }
  }
  add_stored(context, models);
  Call call;
  call.ready = http::Response{.body = dump(Json::object({{"models",
                                                          Json::array(std::move(models))}}))};
  return call;
}

http::Response list_ollama_running(const DialectContext& context, const http::Request&) {
  const ModelHost& host = *context.models.host;
  std::vector<std::pair<std::int64_t, Json>> running;
  for (const ModelRow& row : host.rows()) {
    if (!is_in_memory(row)) continue;
    Json model = model_json(row, row.names.front());
    const std::int64_t end = end_of_stay(row);
    model.set("size", row.bytes);
    model.set("expires_at", rfc3339(std::min(end, std::int64_t{9'200'000'000}) * kNanosPerSecond));
    model.set("size_vram", 0);
    model.set("context_length", row.info.context_max);
    running.emplace_back(end, std::move(model));
  }
  std::stable_sort(running.begin(), running.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  Json models = Json::array();
  for (auto& [end, model] : running) models.push(std::move(model));
  return {.body = dump(Json::object({{"models", std::move(models)}}))};
}

Parsed<Call> parse_ollama_show(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const std::string name = read_model_name(fields);
  const bool is_verbose = fields.boolean("verbose").value_or(false);
  std::vector<Warning> warned;
  for (const char* field : {"system", "template", "options"}) {
    if (fields.any(field) == nullptr) continue;
    add_warning(warned, {"no_effect", field, "The model is shown as it is."});
  }
  warn_of_unknown(fields, warned);
  if (fields.error()) return *fields.error();
  const std::optional<ModelRow> row = find_shown(context, name);
  if (!row) {
    return ApiError{.status = 404, .message = fmt::format("model '{}' not found", name),
                    .param = "model", .code = "model_not_found"};
  }
  Json shown = show_json(context, *row, is_verbose);
  set_warnings(warned, shown);
  Call call;
  call.ready = http::Response{.body = dump(shown)};
  return call;
}

}  // namespace quire
