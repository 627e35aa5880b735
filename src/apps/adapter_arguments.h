// --adapter: LoRA adapters that a command adds to the weights of its model, as PATH or PATH=SCALE,
// in their order behind those that the model has of itself.
// Plain values; main thread, and ModelHost's loading thread. Used by load and the commands.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/adapter_choice.h"

namespace quire {

class Command;

void declare_adapter_flag(Command& command, std::vector<std::string>& adapters);

// A file or folder that is there goes before a scale: its name may have a '=' in it.
// kInvalidArgument: the scale is no finite number, or there are more than eight.
// kNotFound: there is no such file or folder.
Result<std::vector<AdapterChoice>> parse_adapters(const std::vector<std::string>& texts);

// For what is named after how a model was made: "PATH=SCALE" of each.
std::string adapters_text(const std::vector<AdapterChoice>& adapters);

}  // namespace quire
