// Keys of configurations that no reader asks for and that change no number of a forward pass, each
// with the reason why. What is on no list is refused by name (ConfigFields::check_all_used).
// Constants; any thread.
#pragma once

#include <string_view>

#include "formats/config/fields.h"

namespace quire {

bool is_harmless_key(Naming naming, std::string_view name);

}  // namespace quire
