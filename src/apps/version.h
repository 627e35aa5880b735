// What this build calls itself.
// Set by CMake from the project's version; shown by --version, /version and the start-up log.
// Any thread.
#pragma once

#include <string>

namespace quire {

#ifndef QUIRE_VERSION
#define QUIRE_VERSION "0.0.0"
#endif

inline std::string version_line() { return "quire " QUIRE_VERSION; }

}  // namespace quire
