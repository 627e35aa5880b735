// Renderer: a tree and data to a text, bounded in steps, depth, bytes of the text
// and bytes of what functions make. What a template asks for
// that the data do not have is nil, which is false and writes nothing.
// Pure; any thread. Used by go_template.
#pragma once

#include <string>

#include "text/go_template/functions.h"
#include "text/go_template/syntax.h"

namespace quire::go {

struct Limits {
  std::uint64_t steps_max = 1'000'000;
  std::size_t output_max = std::size_t{16} << 20;  // bytes
  Now now;
};

// `stops_at_answer`: nothing is written behind the first action that writes .Response.
// `steps`: where it writes how many it took; may be null.
Result<std::string> render(const Tree& tree, const Json& data, const Limits& limits,
                           bool stops_at_answer, std::uint64_t* steps = nullptr);

}  // namespace quire::go
