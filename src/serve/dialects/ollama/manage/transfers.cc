#include "serve/dialects/ollama/manage/transfers.h"

#include <fmt/format.h>

#include <atomic>

#include "serve/background/errands.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/manage/registry_place.h"
#include "serve/dialects/ollama/manage/report.h"
#include "serve/dialects/ollama/manage/stored.h"
#include "serve/intake/names/model_names.h"
#include "serve/dialects/ollama/ollama.h"
#include "serve/dialects/ollama/options.h"
#include "serve/dialects/ollama/request.h"
#include "serve/house.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_registry.h"
#include "store/pull.h"

namespace quire {
namespace {

struct Pull {
  std::string name;       // as the client wrote it
  bool is_stream = true;
  bool is_insecure = false;
  std::vector<Warning> warned;
};

class PullObserver : public store::FetchObserver {
 public:
  explicit PullObserver(const Report& report) : report_(report) {}

  void announce(std::string_view sentence) override {
    report_.line(Json::object({{"status", sentence}}));
  }
  void advance(std::uint64_t here, std::uint64_t total) override {
    constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
    if (here < told_ + kStep && here < total) return;
    told_ = here;
    report_.line(Json::object({{"status", "pulling files"}, {"total", total},
                               {"completed", here}}));
  }

 private:
  const Report& report_;
  std::uint64_t told_ = 0;
};

// A name that our own store fetches; empty: a registry's.
std::string hub_name(std::string_view name) {
  const auto parsed = parse_ollama_name(name);
  const bool is_hub = parsed && (parsed->host == "hf.co" || parsed->host == "huggingface.co");
  if (is_hub) {
    return "hf:" + parsed->space + "/" + parsed->model +
           (parsed->tag.empty() ? "" : ":" + parsed->tag);
  }
  const std::string plain = store::store_name_of(name);
  return store::can_pull(plain) ? plain : std::string();
}

store::RegistryPull registry_pull(const Pull& wanted) {
  const bool is_insecure = wanted.is_insecure || wanted.name.starts_with("http://");
  return *registry_place(wanted.name, is_insecure);
}

Status pull(const DialectContext& context, const Pull& wanted, const Report& report,
            const std::atomic<bool>& is_stopped) {
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, store::LocalStore::open());
  const bool is_hub = !hub_name(wanted.name).empty();
  store::RegistryPull place;
  if (!is_hub) {
    place = registry_pull(wanted);
    place.name = existing_name(context, store, place.name);
  }
  const std::string given = is_hub ? hub_name(wanted.name) : place.name;
  // One that is in the store and not served here is fetched anew, and then is.
  constexpr bool kMayBeHidden = true;
  if (const auto fault = check_manageable(context, store, given, kMayBeHidden)) {
    return Status(StatusCode::kInvalidArgument, fault->message);
  }
  net::Limits limits;
  limits.stop = &is_stopped;
  const store::ModelCheck check = model_check(context);
  if (const std::string hub = hub_name(wanted.name); !hub.empty()) {
    report.line(Json::object({{"status", "pulling manifest"}}));
    PullObserver observer(report);
    QUIRE_ASSIGN_OR_RETURN(const store::Manifest manifest,
                           store::pull(store, hub, observer, check, limits));
    return serve_stored(context, manifest.name, LoadWait::kErrand);
  }
  QUIRE_ASSIGN_OR_RETURN(
      const store::Manifest manifest,
      store::pull_from_registry(store, place, check, limits,
                                [&](const std::string& status, const std::string& hex,
                                    std::uint64_t total, std::uint64_t completed) {
                                  report.line(progress_json(status, hex, total, completed));
                                }));
  if (!manifest.dress.chat_template.empty()) {
    const auto compiled = ChatTemplate::compile_go(manifest.dress.chat_template);
    if (!compiled.is_ok()) {
      return error(StatusCode::kUnsupported, "{} is in the store, but its template cannot be used: "
                   "{}", manifest.name, compiled.status().message());
    }
  }
  QUIRE_RETURN_IF_ERROR(serve_stored(context, manifest.name, LoadWait::kErrand));
  return store.collect().status();
}

// Whatever a file from elsewhere makes of its readers, the server goes on.
Status pull_safely(const DialectContext& context, const Pull& wanted, const Report& report,
                   const std::atomic<bool>& is_stopped) try {
  return pull(context, wanted, report, is_stopped);
} catch (const std::exception& failure) {
  return error(StatusCode::kInternal, "the pull failed: {}", failure.what());
}

Parsed<Pull> read_pull(const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  Pull wanted;
  wanted.name = read_model_name(fields);
  wanted.is_stream = fields.boolean("stream").value_or(true);
  wanted.is_insecure = fields.boolean("insecure").value_or(false);
  for (const char* name : {"username", "password"}) {
    if (fields.any(name) == nullptr) continue;
    add_warning(wanted.warned, {"no_effect", name, "Nobody logs in here."});
  }
  warn_of_unknown(fields, wanted.warned);
  if (fields.error()) return *fields.error();
  if (!parse_ollama_name(wanted.name) && hub_name(wanted.name).empty()) {
    return invalid_value("model", "invalid model name");
  }
  return wanted;
}

}  // namespace

void pull_ollama_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  const House& house = *context.house;
  const auto refuse = [&](const ApiError& error) {
    exchange->respond(kOllamaDialect.render_error(error, exchange->request()));
  };
  auto wanted = read_pull(exchange->request());
  if (!wanted.is_ok()) return refuse(wanted.error());
  if (house.catalog == nullptr || house.to_io == nullptr || house.errands == nullptr) {
    return refuse({.message = "this server serves no local store of models"});
  }
  const auto is_gone = std::make_shared<std::atomic<bool>>(false);
  // A stream begins before its lines, which come by this thread.
  const bool has_begun = house.errands->begin([context, pulled = *wanted, is_gone,
                                               report = Report(house, exchange, wanted->is_stream,
                                                               is_gone)]() mutable {
    const Status status = pull_safely(context, pulled, report, *is_gone);
    Json last = status.is_ok() ? Json::object({{"status", "success"}})
                               : Json::object({{"error", status.message()}});
    if (status.is_ok()) set_warnings(pulled.warned, last);
    report.end(last, status.is_ok() ? 200 : store_error(status).status);
  });
  if (!has_begun) {
    return refuse({.status = 503,
                   .message = fmt::format("server busy, please try again.  {} models are being "
                                          "pulled", Errands::kAtOnce), .retry_after_s = 5});
  }
  begin_report(*exchange, wanted->is_stream, is_gone);
}

}  // namespace quire
