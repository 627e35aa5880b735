#include "serve/dialects/quire/docs_page.h"

#include <fmt/format.h>

#include "serve/house.h"

namespace quire {
namespace {

constexpr std::string_view kHead =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Quire: routes</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td{padding:.2em 1em .2em 0;vertical-align:top}"
    "code{font-size:.9em}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}"
    "a{color:#9cf}}</style></head><body><h1>Routes</h1><p>The same for programs, with every field: "
    "<a href=\"openapi.json\">openapi.json</a>.</p>\n";

// Of text in an element.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else out += c;
  }
  return out;
}

}  // namespace

http::Response show_docs(const DialectContext& context, const http::Request&) {
  std::string page(kHead);
  for (const Dialect* dialect : context.house->dialects) {
    page += fmt::format("<h2>{}</h2><table>\n", escaped(dialect->name));
    for (const Route& route : dialect->routes) {
      page += fmt::format("<tr><td><code>{}</code><td><code>{}</code><td>{}</tr>\n", route.method,
                          escaped(route.pattern), escaped(route.endpoint.summary));
    }
    page += "</table>\n";
  }
  page += "</body></html>\n";
  return {.content_type = "text/html; charset=utf-8",
          .headers = {{"content-security-policy",
                       "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                       "form-action 'none'; frame-ancestors 'none'"},
                      {"x-content-type-options", "nosniff"},
                      {"referrer-policy", "no-referrer"}},
          .body = std::move(page)};
}

}  // namespace quire
