#include "serve/ways/held_call.h"

namespace quire {

void hold(Call& call, const std::shared_ptr<const Constraint>& constraint) {
  for (std::size_t i = 0; i < call.requests.size(); ++i) {
    call.requests[i].constraint = call.frame ? call.frame(i, constraint) : constraint;
  }
  call.frame = nullptr;
}

}  // namespace quire
