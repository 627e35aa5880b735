#include "serve/page/page.h"

#include <algorithm>

#include "serve/http/quality.h"

namespace quire {
namespace {

// Trusted types: no string becomes code or markup but through the sanitizer's own policy.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify";
constexpr std::string_view kKept = "public, max-age=31536000, immutable";
constexpr std::string_view kAskedAgain = "no-cache";

const PageAsset* find_asset(std::string_view path) {
  const std::span<const PageAsset> assets = page_assets();
  const auto found = std::find_if(assets.begin(), assets.end(), [&](const PageAsset& asset) {
    return asset.path == path;
  });
  return found == assets.end() ? nullptr : &*found;
}

bool holds_already(const http::Request& request, const PageAsset& asset) {
  const std::string* tags = request.find("if-none-match");
  return tags != nullptr && (*tags == "*" || tags->find(asset.tag) != std::string::npos);
}

}  // namespace

bool prefers_html(const http::Request& request) {
  const std::string* accept = request.find("accept");
  return accept != nullptr &&
         http::quality_of(*accept, "text/html") > http::quality_of(*accept, "application/json");
}

http::Response show_page_asset(const http::Request& request) {
  const PageAsset* asset = find_asset(request.path);
  if (asset == nullptr) {
    return {.status = 404, .content_type = "text/plain; charset=utf-8",
            .body = "The page has no such part. It may be of another version: load it again.\n"};
  }
  const std::string* encodings = request.find("accept-encoding");
  const bool is_gzip = encodings != nullptr && http::quality_of(*encodings, "gzip") > 0;
  http::Response response{.content_type = std::string(asset->content_type),
                        .body = std::string(is_gzip ? asset->gzip : asset->content)};
  const auto add = [&](std::string_view name, std::string_view value) {
    response.headers.push_back({std::string(name), std::string(value)});
  };
  if (holds_already(request, *asset)) response.status = 304;
  if (is_gzip) add("content-encoding", "gzip");
  // Weak, because both encodings carry the same one.
  add("etag", "W/" + std::string(asset->tag));
  add("cache-control", asset->is_named_by_content ? kKept : kAskedAgain);
  add("vary", "Accept, Accept-Encoding");
  add("content-security-policy", kContentSecurityPolicy);
  add("x-content-type-options", "nosniff");
  add("referrer-policy", "no-referrer");
  add("cross-origin-opener-policy", "same-origin");
  add("cross-origin-resource-policy", "same-origin");
  return response;
}

}  // namespace quire
