// AdapterChoice: a LoRA adapter that is merged into a model's weights when the model is opened.
// Plain value; any thread. Made by apps, taken by open_model.
#pragma once

#include <string>

namespace quire {

struct AdapterChoice {
  std::string path;  // a GGUF file, or a folder of adapter_config.json and adapter_model.safetensors
  float scale = 1;   // of what it adds, beside its own
  bool operator==(const AdapterChoice&) const = default;
};

}  // namespace quire
