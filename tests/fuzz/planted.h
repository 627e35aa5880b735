// A fault that only a fuzzer finds that sees blocks and comparisons: --target=planted. The runner
// looks for it first, so that "nothing was found" says something. Fuzzers only.
#pragma once

#include "target.h"

namespace quire::fuzz {

extern const Target kPlanted;

}  // namespace quire::fuzz
