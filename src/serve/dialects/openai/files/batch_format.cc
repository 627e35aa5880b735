#include "serve/dialects/openai/files/batch_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "serve/answer/answer_counts.h"

namespace quire {
namespace {

constexpr std::size_t kLinesMax = 50'000;
constexpr std::size_t kErrorsMax = 50;        // listed
constexpr std::size_t kCustomIdMax = 512;     // bytes

std::string_view text_in(const Json& object, std::string_view name) {
  const Json* value = object.is_object() ? object.find(name) : nullptr;
  return value != nullptr && value->is_string() ? std::string_view(value->as_string())
                                                : std::string_view();
}

bool is_true(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && *value == Json(true);
}

class LineChecker {
 public:
  explicit LineChecker(std::string_view endpoint) : endpoint_(endpoint) {}

  // The code, the field and a sentence; an empty code: the line is good.
  struct Mistake {
    std::string_view code, param;
    std::string message;
  };

  Mistake check(std::string_view line) {
    const Result<Json> parsed = parse_json(line);
    if (!parsed.is_ok() || !parsed->is_object()) {
      return {"invalid_json_line", "", "This line is not parseable as valid JSON."};
    }
    const std::string id(text_in(*parsed, "custom_id"));
    if (id.empty() || id.size() > kCustomIdMax) {
      return {"missing_required_parameter", "custom_id",
              "Missing required parameter: 'custom_id', a string of at most 512 bytes."};
    }
    if (!ids_.insert(id).second) {
      return {"duplicate_custom_id", "custom_id",
              fmt::format("The custom_id {} stands in another line, too.", dump(Json(id)))};
    }
    if (text_in(*parsed, "method") != "POST") {
      return {"invalid_method", "method", "The method of a line must be \"POST\"."};
    }
    if (text_in(*parsed, "url") != endpoint_) {
      return {"mismatched_endpoint", "url",
              fmt::format("The url of this line is not the endpoint of the batch, '{}'.",
                          endpoint_)};
    }
    const Json* body = parsed->find("body");
    if (body == nullptr || !body->is_object()) {
      return {"missing_required_parameter", "body", "Missing required parameter: 'body'."};
    }
    for (const char* name : {"stream", "background"}) {
      if (is_true(*body, name)) {
        return {"invalid_value", name, fmt::format("'{}' has no place in a batch.", name)};
      }
    }
    return {};
  }

 private:
  std::string_view endpoint_;
  std::set<std::string> ids_;
};

Json counts_json(archive::BatchCounts counts) {
  return Json::object({{"total", counts.total}, {"completed", counts.answered - counts.failed},
                       {"failed", counts.failed}});
}

http::Request request_of(const archive::BatchLine& line) {
  const Result<Json> parsed = parse_json(line.request);
  http::Request request{.method = "POST", .id = random_id("req_")};
  if (!parsed.is_ok()) return request;
  request.path = std::string(text_in(*parsed, "url"));
  request.headers.push_back({"content-type", "application/json"});
  if (const Json* body = parsed->find("body")) request.body = dump(*body);
  return request;
}

std::string answer_line(std::string_view custom_id, Json response, Json error) {
  return dump(Json::object({{"id", random_id("batch_req_")}, {"custom_id", custom_id},
                            {"response", std::move(response)}, {"error", std::move(error)}}));
}

std::string custom_id_of(const archive::BatchLine& line) {
  const Result<Json> parsed = parse_json(line.request);
  return parsed.is_ok() ? std::string(text_in(*parsed, "custom_id")) : std::string();
}

std::string answer_of(const archive::BatchLine& line, const http::Request& request,
                      const http::Response& answer) {
  const Result<Json> body = parse_json(answer.body);
  return answer_line(custom_id_of(line),
                     Json::object({{"status_code", answer.status}, {"request_id", request.id},
                                   {"body", body.is_ok() ? *body : Json(answer.body)}}),
                     Json());
}

std::string expired_line(const archive::BatchLine& line) {
  return answer_line(
      custom_id_of(line), Json(),
      Json::object({{"code", "batch_expired"},
                    {"message", "This request could not be executed before the completion window "
                                "expired."}}));
}

archive::KeptFile file_of(const archive::KeptBatch& batch, bool is_errors) {
  const std::int64_t now = SteadyClock::unix_seconds();
  const Result<Json> body = parse_json(batch.body);
  const Json* after = body.is_ok() ? body->find("output_expires_after") : nullptr;
  const Json* seconds = after != nullptr ? after->find("seconds") : nullptr;
  return {.id = random_id("file-"), .tenant = batch.tenant, .created = now,
          .expires = seconds != nullptr && seconds->is_int() ? now + seconds->as_int() : 0,
          .purpose = "batch_output",
          .name = batch.id + (is_errors ? "_error.jsonl" : "_output.jsonl")};
}

std::int64_t number_in(const Json* object, std::string_view name) {
  const Json* value = object != nullptr && object->is_object() ? object->find(name) : nullptr;
  return value != nullptr && value->is_int() ? value->as_int() : 0;
}

// What the lines of an output file have used together, whichever endpoint answered them.
Json usage_of(std::string_view lines) {
  std::int64_t input = 0, cached = 0, output = 0, reasoning = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const Result<Json> line = parse_json(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const Json* part = line.is_ok() ? &*line : nullptr;
    for (const char* name : {"response", "body", "usage"}) {
      part = part != nullptr && part->is_object() ? part->find(name) : nullptr;
    }
    if (part == nullptr || !part->is_object()) continue;
    input += number_in(part, "input_tokens") + number_in(part, "prompt_tokens");
    output += number_in(part, "output_tokens") + number_in(part, "completion_tokens");
    for (const char* name : {"input_tokens_details", "prompt_tokens_details"}) {
      cached += number_in(part->find(name), "cached_tokens");
    }
    for (const char* name : {"output_tokens_details", "completion_tokens_details"}) {
      reasoning += number_in(part->find(name), "reasoning_tokens");
    }
  }
  return Json::object(
      {{"input_tokens", input},
       {"input_tokens_details", Json::object({{"cached_tokens", cached}})},
       {"output_tokens", output},
       {"output_tokens_details", Json::object({{"reasoning_tokens", reasoning}})},
       {"total_tokens", input + output}});
}

void settle(archive::KeptBatch& batch, const archive::KeptFile& output,
            const archive::KeptFile& errors, archive::BatchCounts counts) {
  Result<Json> body = parse_json(batch.body);
  if (!body.is_ok()) return;
  const std::int64_t now = SteadyClock::unix_seconds();
  if (batch.state == "expired") counts.failed += counts.total - counts.answered;
  if (batch.state == "expired") counts.answered = counts.total;
  body->set("status", batch.state);
  body->set("finalizing_at", now);
  body->set(batch.state + "_at", now);
  if (!output.id.empty()) body->set("output_file_id", output.id);
  if (!errors.id.empty()) body->set("error_file_id", errors.id);
  body->set("request_counts", counts_json(counts));
  body->set("usage", usage_of(output.content));
  batch.body = dump(*body);
}

}  // namespace

const BatchFormat kOpenAiBatchFormat = {.request_of = request_of,
                                        .answer_of = answer_of,
                                        .expired_line = expired_line,
                                        .file_of = file_of,
                                        .settle = settle};

BatchInput read_batch_input(std::string_view content, std::string_view endpoint) {
  BatchInput input;
  LineChecker checker(endpoint);
  const auto fail = [&](std::string_view code, Json line, std::string message, Json param) {
    if (input.errors.items().size() >= kErrorsMax) return;
    input.errors.push(Json::object({{"code", code}, {"line", std::move(line)},
                                    {"message", std::move(message)},
                                    {"param", std::move(param)}}));
  };
  for (std::int64_t number = 1; !content.empty(); ++number) {
    const std::size_t end = content.find('\n');
    std::string_view line = content.substr(0, end);
    content.remove_prefix(end == content.npos ? content.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == line.npos) continue;
    if (input.lines.size() == kLinesMax) {
      fail("too_many_tasks", Json(), fmt::format("A batch has at most {} lines.", kLinesMax),
           Json());
      break;
    }
    const LineChecker::Mistake mistake = checker.check(line);
    if (!mistake.code.empty()) {
      fail(mistake.code, number, mistake.message,
           mistake.param.empty() ? Json() : Json(mistake.param));
    }
    input.lines.emplace_back(line);
  }
  if (input.lines.empty()) fail("empty_file", Json(), "The input file has no lines.", Json());
  return input;
}

Json batch_json(const archive::KeptBatch& batch, archive::BatchCounts counts) {
  Result<Json> body = parse_json(batch.body);
  if (!body.is_ok()) return Json::object({{"id", batch.id}, {"object", "batch"}});
  if (!batch.is_finished) body->set("request_counts", counts_json(counts));
  return *body;
}

}  // namespace quire
