#include "serve/dialects/ollama/library.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "host/model_catalog.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/listed_model.h"
#include "serve/intake/names/model_names.h"
#include "serve/dialects/ollama/request.h"
#include "serve/dialects/ollama/times.h"
#include "serve/intake/skills.h"
#include "serve/intake/tools/answer_shape.h"
#include "store/checksum.h"
#include "store/modelfile/gguf_contents.h"
#include "text/fill_in_middle.h"
#include "text/go_template/go_template.h"

namespace quire {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNever = 9'200'000'000 * kNanosPerSecond;  // in the year 2261

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

// Changes when answers may change; of a name where nothing else is known.
std::string digest_of(const ModelRow& row, const ModelInfo& info) {
  if (!info.card.digest.empty()) return info.card.digest;
  store::Digest digest;
  digest.update(row.names.front());
  digest.update(info.fingerprint);
  return digest.finish().hex;
}

std::string moment(std::int64_t unix_seconds) {
  return rfc3339(std::min(unix_seconds, std::int64_t{9'000'000'000}) * kNanosPerSecond);
}

Json capabilities_of(const ListedModel& facts) {
  Json list = Json::array();
  if (has_skill(facts.info, Skill::kGenerate)) list.push("completion");
  if (facts.info.chats) list.push("tools");  // those that have learnt none are told in words
  if (facts.fills_gaps) list.push("insert");
  if (has_skill(facts.info, Skill::kEmbed)) list.push("embedding");
  if (facts.thinks) list.push("thinking");
  return list;
}

Json model_json(const ModelRow& row, const ModelInfo& info, const std::string& name) {
  const std::uint64_t size = info.card.file_bytes > 0 ? info.card.file_bytes : row.bytes;
  const std::string shown = shown_name(name);
  return Json::object({{"name", shown}, {"model", shown},
                       {"modified_at", moment(info.card.modified_at)},
                       {"size", size}, {"digest", digest_of(row, info)},
                       {"details", details_of(info)}});
}

bool is_in_memory(const ModelRow& row) {
  return row.state == ModelState::kReady || row.state == ModelState::kUnloading;
}

// Nanoseconds since 1970 when it will go, if nobody comes.
std::int64_t end_of_stay(const ModelRow& row) {
  const std::int64_t now = SteadyClock::unix_nanos();
  const Nanos left = std::max(row.keep_alive - row.idle, Nanos{0});
  if (row.keep_alive == kForever || left.count() > kNever - now) return kNever;
  return now + left.count();
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

// What GGUF files say of themselves; `lists` in place of the nulls that stand for them.
Json model_info_of(const ModelInfo& info, const std::vector<Json::Member>& lists) {
  Json keys = Json::object();
  for (const auto& [name, value] : info.card.keys) {
    if (name == "general.name" || name == "tokenizer.chat_template") continue;
    keys.set(name, value);
  }
  for (const auto& [name, list] : lists) keys.set(name, list);
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

std::string modelfile_text(const ModelRow& row, const ModelCard& card,
                           const store::ModelDress& dress) {
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

// What only the model in memory knows: one that is served from a file with words of its own.
void add_hosted(const HostedModel& hosted, ListedModel& facts) {
  if (hosted.dress != nullptr) facts.dress = *hosted.dress;
  const ChatTemplate* worn = hosted.chat_template.get();
  facts.chat_template = worn != nullptr ? worn->source() : std::string();
  const bool has_gap = worn != nullptr && worn->go() != nullptr && worn->go()->has_field("Suffix");
  facts.fills_gaps = has_gap || find_gap_tokens(*hosted.tokenizer).has_value();
  facts.thinks = format_of(hosted).thoughts != nullptr;
}

Json show_json(const DialectContext& context, const ModelRow& row, ListedModel facts,
               bool is_verbose) {
  Json body = Json::object();
  // A lease of what is there; what is not is not brought here for a look.
  const auto lease = row.state == ModelState::kReady ? context.models.host->lease(row.index)
                                                     : Result<ModelLease>(ModelLease());
  if (lease.is_ok() && *lease != nullptr) add_hosted(**lease, facts);
  const store::ModelDress& dress = facts.dress;
  std::string licenses;
  for (const std::string& text : dress.licenses) licenses += (licenses.empty() ? "" : "\n") + text;
  if (!licenses.empty()) body.set("license", licenses);
  body.set("modelfile",
           fmt::format("# Modelfile generated by \"ollama show\"\n# To build a new Modelfile "
                       "based on this, replace FROM with:\n# FROM {}\n\n{}",
                       shown_name(row.names.front()), modelfile_text(row, facts.info.card, dress)));
  body.set("parameters", parameters_text(dress.parameters));
  body.set("template",
           dress.chat_template.empty() ? facts.chat_template : dress.chat_template);
  if (!dress.system.empty()) body.set("system", dress.system);
  if (!dress.renderer.empty()) body.set("renderer", dress.renderer);
  if (!dress.parser.empty()) body.set("parser", dress.parser);
  if (!dress.messages.empty()) body.set("messages", Json::array(dress.messages));
  if (!dress.needs.empty()) body.set("requires", dress.needs);
  body.set("details", details_of(facts.info));
  const ModelCard& card = facts.info.card;
  const auto contents = card.format == "gguf" ? store::gguf_contents(card.path, is_verbose)
                                              : Result<store::GgufContents>(store::GgufContents());
  body.set("model_info", model_info_of(facts.info, contents.is_ok()
                                                       ? contents->lists
                                                       : std::vector<Json::Member>()));
  if (contents.is_ok() && card.format == "gguf") body.set("tensors", std::move(contents->tensors));
  body.set("capabilities", capabilities_of(facts));
  body.set("modified_at", moment(card.modified_at));
  return body;
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

// What is served, and what would be if it were asked for.
std::vector<ModelRow> shown_rows(const DialectContext& context) {
  std::vector<ModelRow> rows = context.models.host->rows();
  const ModelCatalog* catalog = context.models.catalog;
  if (catalog == nullptr || !catalog->is_on_demand()) return rows;
  for (const std::string& name : catalog->names()) {
    if (!context.models.host->has_name(name)) rows.push_back({.names = {name}});
  }
  return rows;
}

// The greatest number first.
Call ready_list(std::vector<std::pair<std::int64_t, Json>> models) {
  std::stable_sort(models.begin(), models.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  Json list = Json::array();
  for (auto& [number, model] : models) list.push(std::move(model));
  return ready_call(Json::object({{"models", std::move(list)}}));
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
  std::vector<std::pair<std::int64_t, Json>> models;
  for (const ModelRow& row : shown_rows(context)) {
    const ListedModel facts = listed_model(context, row);
    if (!facts.is_listed) continue;
    for (const std::string& name : row.names) {
      if (name == kAnyName) continue;
      Json model = model_json(row, facts.info, name);
      model.set("capabilities", capabilities_of(facts));
      models.emplace_back(facts.info.card.modified_at, std::move(model));
    }
  }
  return ready_list(std::move(models));
}

Parsed<Call> parse_ollama_running(const DialectContext& context, const http::Request&) {
  std::vector<std::pair<std::int64_t, Json>> running;
  for (const ModelRow& row : context.models.host->rows()) {
    if (!is_in_memory(row)) continue;
    Json model = model_json(row, listed_model(context, row).info, row.names.front());
    const std::int64_t end = end_of_stay(row);
    model.set("size", row.bytes);
    model.set("expires_at", rfc3339(end));
    model.set("size_vram", 0);
    model.set("context_length", row.info.context_max);
    running.emplace_back(end, std::move(model));
  }
  return ready_list(std::move(running));
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
  ListedModel facts = listed_model(context, *row, LookDepth::kVocabulary);
  if (!facts.problem.is_ok()) {
    return ApiError{.status = facts.problem.code() == StatusCode::kUnsupported ? 400 : 500,
                    .message = fmt::format("model '{}' cannot be served: {}", name,
                                           facts.problem.message()),
                    .param = "model", .code = "model_not_usable"};
  }
  Json shown = show_json(context, *row, std::move(facts), is_verbose);
  set_warnings(warned, shown);
  return ready_call(shown);
}

}  // namespace quire
