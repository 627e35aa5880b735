#include "serve/dialects/openai/files/files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "serve/answer/answer_counts.h"
#include "serve/dialects/openai/responses/store.h"
#include "serve/http/body/multipart.h"

namespace quire {
namespace {

constexpr std::string_view kPurposes[] = {"assistants", "batch", "evals",
                                          "fine-tune",  "vision", "user_data"};
constexpr std::size_t kNameSizeMax = 512;  // bytes
constexpr std::int64_t kListMax = 10'000;

Json file_json(const archive::KeptFile& file) {
  Json body = Json::object({{"id", file.id}, {"object", "file"}, {"bytes", file.size},
                            {"created_at", file.created}, {"filename", file.name},
                            {"purpose", file.purpose}, {"status", "processed"}});
  if (file.expires > 0) body.set("expires_at", file.expires);
  return body;
}

// The fields of the form; a mistake names the one at fault.
class UploadReader {
 public:
  explicit UploadReader(archive::KeptFile& file) : file_(file) {}

  std::optional<ApiError> read(const std::vector<http::Part>& parts) {
    for (const http::Part& part : parts) {
      if (auto error = read_part(part)) return error;
    }
    if (!has_file_) {
      return invalid_value("file", "Invalid 'file': the form has no file of that name.");
    }
    const bool is_known = std::find(std::begin(kPurposes), std::end(kPurposes), file_.purpose) !=
                          std::end(kPurposes);
    if (is_known) return std::nullopt;
    return invalid_value("purpose", fmt::format("Invalid 'purpose': expected one of {}.",
                                                fmt::join(kPurposes, ", ")));
  }

 private:
  std::optional<ApiError> read_part(const http::Part& part) {
    if (part.name == "file") {
      has_file_ = true;
      file_.content = std::string(part.data);
      file_.name = part.filename.value_or("file");
      file_.size = static_cast<std::int64_t>(part.data.size());
      if (file_.name.size() <= kNameSizeMax) return std::nullopt;
      return invalid_value("file", "Invalid 'file': its name is too long.");
    }
    if (part.name == "purpose") {
      file_.purpose = std::string(part.data);
    } else if (part.name == "expires_after[seconds]") {
      return read_expiry(part.data);
    } else if (part.name != "expires_after[anchor]" || part.data != "created_at") {
      return ApiError{.message = "Unrecognized request argument supplied: " +
                                 shown(Json(part.name)),
                      .param = part.name,
                      .code = "unknown_parameter"};
    }
    return std::nullopt;
  }

  std::optional<ApiError> read_expiry(std::string_view text) {
    std::int64_t seconds = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (failure != std::errc() || end != text.data() + text.size() || seconds < kExpiryMin ||
        seconds > kExpiryMax) {
      return invalid_value("expires_after", fmt::format("Invalid 'expires_after': expected {} to "
                                                        "{} seconds.", kExpiryMin, kExpiryMax));
    }
    file_.expires = file_.created + seconds;
    return std::nullopt;
  }

  archive::KeptFile& file_;
  bool has_file_ = false;
};

Parsed<archive::KeptFile> find_file(const DialectContext& context, bool with_content) {
  const std::string_view id = context.path["id"];
  if (context.house->archive == nullptr) return not_found("File", id);
  auto found = context.house->archive->find_file(id, context.tenant.name, with_content);
  if (!found.is_ok()) return archive_error(found.status());
  if (!*found) return not_found("File", id);
  return std::move(**found);
}

}  // namespace

Parsed<Call> parse_upload_file(const DialectContext& context, const http::Request& request) {
  if (context.house->archive == nullptr) return no_archive("file");
  const std::string* type = request.find("content-type");
  const auto parts = http::parse_multipart(type != nullptr ? *type : "", request.body);
  if (!parts.is_ok()) return invalid_value("", parts.status().message());
  archive::KeptFile file{.id = random_id("file-"), .tenant = context.tenant.name,
                         .created = SteadyClock::unix_seconds()};
  if (auto error = UploadReader(file).read(*parts)) return std::move(*error);
  if (const Status status = context.house->archive->add_file(file); !status.is_ok()) {
    return archive_error(status);
  }
  return ready_call(file_json(file));
}

Parsed<Call> parse_list_files(const DialectContext& context, const http::Request& request) {
  auto page = read_page(request, kListMax);
  if (!page.is_ok()) return page.error();
  if (!request.query_value("limit")) page->limit = kListMax;
  if (context.house->archive == nullptr) return ready_call(list_json({}, false));
  page->limit += 1;  // to know whether there are more
  const auto files = context.house->archive->list_files(
      context.tenant.name, request.query_value("purpose").value_or(""), *page);
  if (!files.is_ok()) return archive_error(files.status());
  std::vector<Json> rows;
  for (const archive::KeptFile& file : *files) rows.push_back(file_json(file));
  const bool has_more = rows.size() == static_cast<std::size_t>(page->limit);
  if (has_more) rows.pop_back();
  return ready_call(list_json(std::move(rows), has_more));
}

Parsed<Call> parse_show_file(const DialectContext& context, const http::Request&) {
  auto file = find_file(context, false);
  if (!file.is_ok()) return file.error();
  return ready_call(file_json(*file));
}

Parsed<Call> parse_file_content(const DialectContext& context, const http::Request&) {
  auto file = find_file(context, true);
  if (!file.is_ok()) return file.error();
  Call call;
  call.ready = http::Response{.content_type = "application/octet-stream",
                              .body = std::move(file->content)};
  return call;
}

Parsed<Call> parse_delete_file(const DialectContext& context, const http::Request&) {
  const std::string id(context.path["id"]);
  if (context.house->archive == nullptr) return not_found("File", id);
  const auto removed = context.house->archive->remove_file(id, context.tenant.name);
  if (!removed.is_ok()) return archive_error(removed.status());
  if (!*removed) return not_found("File", id);
  return ready_call(Json::object({{"id", id}, {"object", "file"}, {"deleted", true}}));
}

}  // namespace quire
