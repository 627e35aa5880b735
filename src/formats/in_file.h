// Puts the name of the file in front of what went wrong inside it: the name alone, not its folder,
// because messages may travel further than paths should. A message that has it already, or is about
// a file that does not exist, stays as it is.
// Pure function; any thread. Used by all readers of formats.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "base/status.h"

namespace quire {

inline Status in_file(const std::string& path, const Status& status) {
  const std::filesystem::path normal = std::filesystem::path(path).lexically_normal();
  const std::filesystem::path name = normal.has_filename() ? normal : normal.parent_path();
  const std::string prefix = fmt::format("'{}': ", name.filename().string());
  const bool is_named =
      status.code() == StatusCode::kNotFound || status.message().starts_with(prefix);
  return is_named ? status : Status(status.code(), prefix + status.message());
}

}  // namespace quire
