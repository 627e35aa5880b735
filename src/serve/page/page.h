// Page: the web page as the server sends it: one HTML document at "/" and its assets under
// "/assets/", built from web/ and embedded into the program, each also compressed. An asset whose
// name carries a hash of its content may be kept for ever; the rest is asked for again, by its tag.
// Every answer carries the headers that confine the page: it loads nothing from elsewhere, runs no
// inline code and is shown in no frame.
// Any thread; the assets are constants. Used by routes.
#pragma once

#include <span>
#include <string_view>

#include "serve/http/message.h"

namespace quire {

struct PageAsset {
  std::string_view path;          // "/", "/assets/index-4f0a2b1c.js"
  std::string_view content_type;
  std::string_view tag;           // an entity tag, in quotes
  std::string_view content;
  std::string_view gzip;          // the same, compressed
  bool is_named_by_content;
};

// Defined in a source that web/embed.mjs writes while the program is built.
std::span<const PageAsset> page_assets();

// A browser that navigates says that it would rather have HTML than JSON; other clients do not.
bool prefers_html(const http::Request& request);

// The asset of that path: 200, 304 if the client holds it already, 404 if there is none.
http::Response show_page_asset(const http::Request& request);

}  // namespace quire
