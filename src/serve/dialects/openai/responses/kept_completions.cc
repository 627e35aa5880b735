#include "serve/dialects/openai/responses/kept_completions.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "serve/dialects/openai/responses/items.h"
#include "serve/dialects/openai/responses/store.h"

namespace quire {
namespace {

constexpr std::string_view kKind = "chat.completion";
constexpr std::int64_t kListMax = 100;

class KeptCompletion : public AnswerWriter {
 public:
  KeptCompletion(archive::Archive* archive, archive::Kept kept, Json metadata,
                 std::unique_ptr<AnswerWriter> shown, std::unique_ptr<AnswerWriter> whole)
      : archive_(archive),
        kept_(std::move(kept)),
        metadata_(std::move(metadata)),
        shown_(std::move(shown)),
        whole_(std::move(whole)) {}

  std::string_view id() const override { return shown_->id(); }

  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override {
    std::string unseen;
    whole_->take(prompt, event, unseen);
    shown_->take(prompt, event, out);
  }

  std::function<void()> closing() override {
    std::string text;
    whole_->finish(text);
    Result<Json> body = parse_json(text);
    if (!body.is_ok()) return nullptr;
    body->set("metadata", metadata_);
    kept_.id = item_text(*body, "id");
    kept_.model = item_text(*body, "model");
    kept_.body = dump(*body);
    // A completion is not gone on from: where it cannot be kept its client has it all the same.
    return [archive = archive_, kept = std::move(kept_)] {
      if (const Status status = archive->keep(kept); !status.is_ok()) (void)archive_error(status);
    };
  }

  void warn(const Warning& warning) override {
    shown_->warn(warning);
    whole_->warn(warning);
  }
  void finish(std::string& out) override { shown_->finish(out); }
  void fail(const ApiError& error, std::string& out) override { shown_->fail(error, out); }

 private:
  archive::Archive* archive_;
  archive::Kept kept_;
  Json metadata_;
  std::unique_ptr<AnswerWriter> shown_, whole_;
};

Parsed<Json> find_body(const DialectContext& context, archive::Kept* found = nullptr) {
  auto kept = find_kept(context, kKind, context.path["id"]);
  if (!kept.is_ok()) return kept.error();
  Result<Json> body = parse_json(kept->body);
  if (found != nullptr) *found = std::move(*kept);
  return body.is_ok() ? std::move(*body) : Json::object();
}

// metadata[name]=value of the query: what a listed completion must have.
bool has_asked_metadata(const http::Request& request, const Json& body) {
  const Json* metadata = body.find("metadata");
  if (metadata == nullptr || !metadata->is_object()) return true;
  for (const auto& [name, value] : metadata->members()) {
    const auto asked = request.query_value("metadata[" + name + "]");
    if (asked && Json(*asked) != value) return false;
  }
  return true;
}

}  // namespace

bool keeps_completion(const DialectContext& context, const Json& body) {
  const Json* store = body.find("store");
  return store != nullptr && *store == Json(true) && context.house != nullptr &&
         context.house->archive != nullptr;
}

std::unique_ptr<AnswerWriter> keep_completion(const DialectContext& context, const Json& body,
                                              std::unique_ptr<AnswerWriter> shown,
                                              std::unique_ptr<AnswerWriter> whole) {
  const Json* messages = body.find("messages");
  const Json* metadata = body.find("metadata");
  archive::Kept kept{.kind = std::string(kKind), .tenant = context.tenant.name,
                     .created = SteadyClock::unix_seconds(), .state = "completed",
                     .input = messages != nullptr ? dump(*messages) : "[]"};
  return std::make_unique<KeptCompletion>(
      context.house->archive, std::move(kept),
      metadata != nullptr && metadata->is_object() ? *metadata : Json::object(), std::move(shown),
      std::move(whole));
}

Parsed<Call> parse_list_completions(const DialectContext& context, const http::Request& request) {
  auto page = read_page(request, kListMax);
  if (!page.is_ok()) return page.error();
  if (!request.query_value("order")) page->is_ascending = true;
  if (context.house->archive == nullptr) return ready_call(list_json({}, false));
  page->limit += 1;  // to know whether there are more
  const auto found = context.house->archive->list(kKind, context.tenant.name, *page);
  if (!found.is_ok()) return archive_error(found.status());
  const bool has_more = found->size() == static_cast<std::size_t>(page->limit);
  const auto model = request.query_value("model");
  std::vector<Json> rows;
  for (std::size_t i = 0; i + (has_more ? 1 : 0) < found->size(); ++i) {
    const archive::Kept& kept = (*found)[i];
    Result<Json> body = parse_json(kept.body);
    const bool is_asked = body.is_ok() && (!model || *model == kept.model) &&
                          has_asked_metadata(request, *body);
    if (is_asked) rows.push_back(std::move(*body));
  }
  return ready_call(list_json(std::move(rows), has_more));
}

Parsed<Call> parse_show_completion(const DialectContext& context, const http::Request&) {
  auto body = find_body(context);
  if (!body.is_ok()) return body.error();
  return ready_call(*body);
}

Parsed<Call> parse_change_completion(const DialectContext& context, const http::Request& request) {
  Parsed<Json> asked = read_json_body(request.body);
  if (!asked.is_ok()) return asked.error();
  Fields fields(*asked);
  const Json* metadata = fields.any("metadata");
  if (metadata == nullptr || !metadata->is_object()) {
    fields.fail(invalid_value("metadata", "Invalid 'metadata': expected an object."));
  }
  std::vector<std::string> ignored;
  refuse_unknown(fields, context.unknown_fields_warn, ignored);
  if (fields.error()) return *fields.error();
  archive::Kept kept;
  auto body = find_body(context, &kept);
  if (!body.is_ok()) return body.error();
  body->set("metadata", *metadata);
  kept.body = dump(*body);
  if (const Status status = context.house->archive->keep(kept); !status.is_ok()) {
    return archive_error(status);
  }
  return ready_call(*body);
}

Parsed<Call> parse_delete_completion(const DialectContext& context, const http::Request&) {
  const std::string id(context.path["id"]);
  if (context.house->archive == nullptr) return not_found("Completion", id);
  const auto removed = context.house->archive->remove(kKind, id, context.tenant.name);
  if (!removed.is_ok()) return archive_error(removed.status());
  if (!*removed) return not_found("Completion", id);
  return ready_call(Json::object({{"id", id}, {"object", "chat.completion.deleted"},
                             {"deleted", true}}));
}

Parsed<Call> parse_list_messages(const DialectContext& context, const http::Request& request) {
  auto kept = find_kept(context, kKind, context.path["id"]);
  if (!kept.is_ok()) return kept.error();
  std::vector<Json> messages = items_in(kept->input);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i].set("id", fmt::format("{}-{}", kept->id, i));
  }
  auto page = page_of(request, std::move(messages), false);
  if (!page.is_ok()) return page.error();
  return ready_call(*page);
}

}  // namespace quire
