// AdapterChoice: a LoRA adapter that is added to a model's weights when the model is opened, with
// how much of it. Several are added one after the other.
// Plain value; any thread. Made by apps, taken by open_model.
#pragma once

#include <string>

namespace quire {

struct AdapterChoice {
  // A GGUF file, or a folder with adapter_config.json and adapter_model.safetensors.
  std::string path;
  float scale = 1;   // of what it adds, beside its own
  bool operator==(const AdapterChoice&) const = default;
};

}  // namespace quire
