#include "net/url.h"

#include <curl/curl.h>

#include <memory>

namespace quire::net {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

}  // namespace

std::string host_of(const std::string& url) {
  const Url parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "the server";
  const std::string port = url_part(parsed.get(), CURLUPART_PORT);
  return url_part(parsed.get(), CURLUPART_HOST) + (port.empty() ? "" : ":" + port);
}

Result<std::string> resolve_url(const std::string& base, const std::string& relative) {
  const Url url(curl_url());
  const bool is_url = curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) == CURLUE_OK &&
                      curl_url_set(url.get(), CURLUPART_URL, relative.c_str(), 0) == CURLUE_OK;
  const std::string scheme = is_url ? url_part(url.get(), CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    return error(StatusCode::kCorrupt, "not an http or https address");
  }
  return url_part(url.get(), CURLUPART_URL);
}

std::string url_escaped(std::string_view text, bool keeps_slashes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= 'a' && byte <= 'z') || c == '-' || c == '_' || c == '.' ||
                          c == '~' || (c == '/' && keeps_slashes);
    if (is_plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

Result<std::string> server_base(const std::string& endpoint, std::string_view flag) {
  std::string base = endpoint;
  if (base.find("://") == std::string::npos) base = "http://" + base;
  while (base.ends_with('/')) base.pop_back();
  if (base.ends_with("/v1")) base.resize(base.size() - 3);
  if (!resolve_url(base, base).is_ok()) {
    return error(StatusCode::kInvalidArgument, "{} '{}' names no host and port", flag, endpoint);
  }
  return base;
}

}  // namespace quire::net
