#include "store/hub/python_index.h"

#include <cstdlib>

#include "net/url.h"

namespace quire::store {
namespace {

constexpr const char* kPublicIndex = "https://pypi.org/simple";
constexpr std::size_t kPageBytesMax = std::size_t{8} << 20;

// Of the few entities that stand in addresses.
std::string unescaped(std::string_view text) {
  constexpr std::string_view kAmpersand = "&amp;";
  std::string plain;
  while (!text.empty()) {
    const bool is_entity = text.starts_with(kAmpersand);
    plain += text.front();
    text.remove_prefix(is_entity ? kAmpersand.size() : 1);
  }
  return plain;
}

}  // namespace

// The page is a list of <a href="../x-1.0.whl#sha256=...">x-1.0.whl</a>.
Result<std::string> find_link(std::string_view page, const std::string& page_url,
                              const std::string& file) {
  constexpr std::string_view kMark = "href=";
  for (std::size_t at = page.find(kMark); at != std::string_view::npos; at = page.find(kMark, at)) {
    at += kMark.size();
    if (at >= page.size() || (page[at] != '"' && page[at] != '\'')) continue;
    const std::size_t end = page.find(page[at], at + 1);
    if (end == std::string_view::npos) break;
    const std::string href = unescaped(page.substr(at + 1, end - at - 1));
    const std::string address = href.substr(0, href.find_first_of("#?"));
    if (address.substr(address.rfind('/') + 1) != file) continue;
    return net::resolve_url(page_url, href.substr(0, href.find('#')));
  }
  return error(StatusCode::kNotFound, "the index {} has no {}", net::host_of(page_url), file);
}

Result<std::string> find_in_python_index(const std::string& package, const std::string& file,
                                         const net::Limits& limits) {
  const char* variable = std::getenv("PIP_INDEX_URL");
  std::string index = variable != nullptr && *variable != '\0' ? variable : kPublicIndex;
  while (index.ends_with('/')) index.pop_back();
  const std::string url = index + "/" + package + "/";
  net::Client client(limits);
  QUIRE_ASSIGN_OR_RETURN(const net::Response response,
                         client.send_patiently({.url = url,
                                                .accept = "application/vnd.pypi.simple.v1+html, "
                                                          "text/html;q=0.5",
                                                .body_max = kPageBytesMax}));
  if (response.status != 200) {
    return error(StatusCode::kUnavailable, "the index {} answered with status {}",
                 net::host_of(url), response.status);
  }
  return find_link(response.body, url, file);
}

}  // namespace quire::store
