// ShapedParts: the text of one choice cut into parts as the request's shape says; where one call is
// all that is wanted, further ones are left out.
// One choice; I/O thread. Used by dialects.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "serve/answer/parts.h"
#include "serve/intake/tools/answer_shape.h"

namespace quire {

class ShapedParts {
 public:
  // `model`: that writes the answer. `id`: of the answer; ids of calls are made of it.
  ShapedParts(const AnswerShape& shape, const ModelLease& model, std::string_view id,
              std::size_t choice);

  // Before the first event: what nothing holds to its tools, as a warning says.
  void leave_free() { parts_.leave_free(); }

  void take(const TokenEvent& event, std::vector<PartDelta>& out);

 private:
  PartStream parts_;
  bool is_parallel_;
  std::optional<std::size_t> first_call_;  // its part
};

}  // namespace quire
