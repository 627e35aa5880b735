// CHECK: the programmer's errors. A failed check prints one sentence with the numbers and ends the
// process; it is never compiled out and never used for what a client, a file or a socket can cause
// (those are Status values, see status.h). DCHECK is for invariants too dear for release builds.
// Any thread.
#pragma once

#include <fmt/format.h>

#include <string>

namespace quire::internal {

[[noreturn]] void fail_check(const char* file, int line, const char* condition,
                             const std::string& message);

}  // namespace quire::internal

// QUIRE_CHECK(condition, "format {}", values...)
#define QUIRE_CHECK(condition, ...)                                          \
  do {                                                                       \
    if (!(condition)) [[unlikely]] {                                         \
      ::quire::internal::fail_check(__FILE__, __LINE__, #condition,          \
                                    ::fmt::format(__VA_ARGS__));             \
    }                                                                        \
  } while (false)

#ifdef NDEBUG
#define QUIRE_DCHECK(condition, ...) \
  do {                               \
  } while (false)
#else
#define QUIRE_DCHECK(condition, ...) QUIRE_CHECK(condition, __VA_ARGS__)
#endif
