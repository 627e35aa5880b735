#include "target.h"

#include <array>

#include "formats/testing/temp_folder.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

// Larger than what a client may send is refused by its size, which tests beside the readers see.
constexpr std::array kTargets = {
    Target{"chat_template", chat_template, 4096},
    Target{"json_schema", json_schema, 4096},
    Target{"regex", regex, 512},
    Target{"lark", lark, 2048},
    Target{"gbnf", gbnf, 2048},
    Target{"tool_calls", tool_calls, 2048},
    Target{"json", json, 4096},
    Target{"config_json", config_json, 4096},
    Target{"gguf", gguf, 8192},
    Target{"safetensors", safetensors, 8192},
    Target{"request_head", request_head, 4096},
    Target{"modelfile", modelfile, 4096},
    Target{"go_template", go_template, 4096},
    Target{"config_pbtxt", config_pbtxt, 4096},
    Target{"binary_tensor", binary_tensor, 4096},
    Target{"expression", expression, 1024},
};

testing::TempFolder& folder() {
  static testing::TempFolder folder;
  return folder;
}

}  // namespace

std::span<const Target> all_targets() { return kTargets; }

const Target* find_target(std::string_view name) {
  for (const Target& target : kTargets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

std::string fault_of(const Status& status) {
  if (status.is_ok()) return "";
  if (status.code() == StatusCode::kInternal) return "a fault of ours: " + status.message();
  return status.message().empty() ? "an error without a word" : "";
}

std::string write_input(const std::string& name, std::string_view bytes) {
  return folder().write(name, bytes);
}

std::string input_folder() { return folder().path(); }

}  // namespace quire::fuzz
