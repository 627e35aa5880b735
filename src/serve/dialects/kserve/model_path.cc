#include "serve/dialects/kserve/model_path.h"

#include <fmt/format.h>

#include "serve/dialects/kserve/inference/model_lookup.h"
#include "serve/dialects/kserve/routes.h"

namespace quire {
namespace {

constexpr std::string_view kPosted[] = {"/infer", "/generate", "/generate_stream"};

ApiError no_such_path() { return {.status = 404, .message = "Not Found"}; }

}  // namespace

std::optional<ApiError> find_path_fault(const DialectContext& context) {
  const std::string_view version = context.path["version"];
  if (version.find_first_not_of("0123456789") != version.npos) return no_such_path();
  auto found = find_model(context, context.path["model"], version);
  return found.is_ok() ? std::nullopt : std::optional(found.error());
}

std::optional<http::Response> refuse_bare_path(const DialectContext& context,
                                               const http::Request& request) {
  std::optional<ApiError> fault = find_path_fault(context);
  if (!fault) return std::nullopt;
  const std::string_view name = context.path["model"];
  if (!context.path["version"].empty()) return render_kserve_error(*fault, request);
  for (const std::string_view verb : kPosted) {
    if (!name.ends_with(verb)) continue;
    fault = {.status = 405,
             .message = fmt::format("Not allowed ({} {})", request.method, request.path)};
    http::Response response = render_kserve_error(*fault, request);
    response.headers.push_back({"allow", "POST"});
    return response;
  }
  const bool is_rest = name.ends_with('/') || name.ends_with("/versions");
  return render_kserve_error(is_rest ? no_such_path() : *fault, request);
}

}  // namespace quire
