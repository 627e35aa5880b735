#include "serve/dialects/openai/files/batches.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "serve/answer/answer_counts.h"
#include "serve/dialects/openai/files/batch_format.h"
#include "serve/dialects/openai/files/files.h"
#include "serve/dialects/openai/responses/store.h"

namespace quire {
namespace {

constexpr std::size_t kIdSizeMax = 128;  // bytes
constexpr std::size_t kMetadataMax = 16;
constexpr std::int64_t kWindowMax = 30 * 24 * 3600;  // seconds

// "24h": seconds, or nothing.
std::optional<std::int64_t> seconds_of(std::string_view window) {
  std::int64_t number = 0;
  const char* end = window.data() + window.size();
  const auto [unit, failure] = std::from_chars(window.data(), end, number);
  if (failure != std::errc() || unit + 1 != end || number < 1 || number > kWindowMax) {
    return std::nullopt;
  }
  const std::int64_t each = *unit == 'h' ? 3600 : *unit == 'm' ? 60 : *unit == 's' ? 1 : 0;
  const std::int64_t seconds = number * each;
  return seconds >= 1 && seconds <= kWindowMax ? std::optional(seconds) : std::nullopt;
}

struct BatchWish {
  std::string file, endpoint, window;
  std::int64_t seconds = 0;
  Json metadata = Json::object();
  Json output_expires_after;
};

BatchWish read_wish(Fields& fields) {
  BatchWish wish;
  const auto need = [&](const char* name, std::string& text) {
    const std::string* given = fields.text(name, kIdSizeMax);
    if (given != nullptr) text = *given;
    if (!text.empty()) return;
    fields.fail({.message = fmt::format("You must provide '{}'.", name),
                 .param = name,
                 .code = "missing_required_parameter"});
  };
  need("input_file_id", wish.file);
  need("endpoint", wish.endpoint);
  need("completion_window", wish.window);
  if (std::find(std::begin(kBatchEndpoints), std::end(kBatchEndpoints), wish.endpoint) ==
      std::end(kBatchEndpoints)) {
    fields.fail(invalid_value("endpoint", fmt::format("Invalid 'endpoint': expected one of {}.",
                                                      fmt::join(kBatchEndpoints, ", "))));
  }
  const auto seconds = seconds_of(wish.window);
  if (!seconds) {
    fields.fail(invalid_value("completion_window", "Invalid 'completion_window': expected a time "
                                                   "such as 24h, at most 720h."));
  }
  wish.seconds = seconds.value_or(0);
  if (const Json* metadata = fields.any("metadata")) {
    wish.metadata = *metadata;
    if (!metadata->is_object() || metadata->members().size() > kMetadataMax) {
      fields.fail(invalid_value("metadata", "Invalid 'metadata': expected an object of at most 16 "
                                            "pairs."));
    }
  }
  if (const Json* after = fields.any("output_expires_after")) {
    const Json* given = after->find("seconds");
    wish.output_expires_after = *after;
    if (given == nullptr || !given->is_int() || given->as_int() < kExpiryMin ||
        given->as_int() > kExpiryMax) {
      fields.fail(invalid_value("output_expires_after",
                                fmt::format("Invalid 'output_expires_after': expected {} to {} "
                                            "seconds.", kExpiryMin, kExpiryMax)));
    }
  }
  return wish;
}

archive::KeptBatch batch_of(const DialectContext& context, const BatchWish& wish,
                            const BatchInput& input) {
  const std::int64_t now = SteadyClock::unix_seconds();
  const bool is_good = input.errors.items().empty();
  archive::KeptBatch batch{.id = random_id("batch_"), .tenant = context.tenant.name,
                           .share = context.tenant.share,
                           .state = is_good ? "in_progress" : "failed",
                           .is_finished = !is_good, .expires = now + wish.seconds};
  Json body = Json::object({{"id", batch.id}, {"object", "batch"}, {"endpoint", wish.endpoint},
                            {"input_file_id", wish.file}, {"completion_window", wish.window},
                            {"status", batch.state}, {"created_at", now},
                            {"expires_at", batch.expires}, {"metadata", wish.metadata}});
  body.set(is_good ? "in_progress_at" : "failed_at", now);
  if (!is_good) {
    body.set("errors", Json::object({{"object", "list"}, {"data", input.errors}}));
    body.set("request_counts", Json::object({{"total", 0}, {"completed", 0}, {"failed", 0}}));
  }
  if (!wish.output_expires_after.is_null()) {
    body.set("output_expires_after", wish.output_expires_after);
  }
  batch.body = dump(body);
  return batch;
}

Parsed<archive::KeptBatch> find_batch(const DialectContext& context) {
  const std::string_view id = context.path["id"];
  if (context.house->batches == nullptr) return not_found("Batch", id);
  auto found = context.house->batches->shelf().find(id, context.tenant.name);
  if (!found.is_ok()) return archive_error(found.status());
  if (!*found) return not_found("Batch", id);
  return std::move(**found);
}

Parsed<Json> shown(const DialectContext& context, const archive::KeptBatch& batch) {
  if (batch.is_finished) return batch_json(batch, {});
  const auto counts = context.house->batches->shelf().counts(batch.id);
  if (!counts.is_ok()) return archive_error(counts.status());
  return batch_json(batch, *counts);
}

Parsed<Call> show(const DialectContext& context, const archive::KeptBatch& batch) {
  Parsed<Json> body = shown(context, batch);
  if (!body.is_ok()) return body.error();
  return ready_call(*body);
}

}  // namespace

Parsed<Call> parse_create_batch(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const BatchWish wish = read_wish(fields);
  std::vector<std::string> ignored;
  refuse_unknown(fields, context.unknown_fields_warn, ignored);
  if (fields.error()) return *fields.error();
  if (context.house->batches == nullptr) return no_archive("input_file_id");
  const auto file = context.house->archive->find_file(wish.file, context.tenant.name, true);
  if (!file.is_ok()) return archive_error(file.status());
  if (!*file) {
    ApiError error = not_found("File", wish.file);
    error.status = 400;
    error.param = "input_file_id";
    return error;
  }
  if ((*file)->purpose != "batch") {
    return invalid_value("input_file_id", "Invalid 'input_file_id': the purpose of the file is "
                                          "not 'batch'.");
  }
  BatchInput input = read_batch_input((*file)->content, wish.endpoint);
  const archive::KeptBatch batch = batch_of(context, wish, input);
  if (batch.is_finished) input.lines.clear();
  if (const Status status = context.house->batches->shelf().add(batch, input.lines);
      !status.is_ok()) {
    return archive_error(status);
  }
  if (!batch.is_finished) context.house->batches->add(batch);
  return show(context, batch);
}

Parsed<Call> parse_show_batch(const DialectContext& context, const http::Request&) {
  auto batch = find_batch(context);
  if (!batch.is_ok()) return batch.error();
  return show(context, *batch);
}

Parsed<Call> parse_list_batches(const DialectContext& context, const http::Request& request) {
  auto page = read_page(request, 100);
  if (!page.is_ok()) return page.error();
  if (context.house->batches == nullptr) return ready_call(list_json({}, false));
  page->limit += 1;  // to know whether there are more
  const auto batches = context.house->batches->shelf().list(context.tenant.name, *page);
  if (!batches.is_ok()) return archive_error(batches.status());
  std::vector<Json> rows;
  for (const archive::KeptBatch& batch : *batches) {
    Parsed<Json> row = shown(context, batch);
    if (!row.is_ok()) return row.error();
    rows.push_back(std::move(*row));
  }
  const bool has_more = rows.size() == static_cast<std::size_t>(page->limit);
  if (has_more) rows.pop_back();
  return ready_call(list_json(std::move(rows), has_more));
}

Parsed<Call> parse_cancel_batch(const DialectContext& context, const http::Request&) {
  auto batch = find_batch(context);
  if (!batch.is_ok()) return batch.error();
  if (batch->is_finished) {
    return ApiError{.status = 409,
                    .message = fmt::format("Cannot cancel a batch with status '{}'.",
                                           batch->state)};
  }
  Result<Json> body = parse_json(batch->body);
  if (body.is_ok() && batch->state != "cancelling") {
    batch->state = "cancelling";
    body->set("status", batch->state);
    body->set("cancelling_at", SteadyClock::unix_seconds());
    batch->body = dump(*body);
    if (const Status status = context.house->batches->shelf().set(*batch); !status.is_ok()) {
      return archive_error(status);
    }
  }
  context.house->batches->cancel(*batch);
  return show(context, *batch);
}

}  // namespace quire
