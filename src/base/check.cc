#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace quire::internal {

void fail_check(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "quire: %s:%d: check failed: %s: %s\n", file, line, condition,
               message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace quire::internal
