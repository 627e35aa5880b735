#include "apps/adapter_arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>

#include "apps/flags.h"

namespace quire {
namespace {

constexpr std::size_t kAdaptersMax = 8;

bool is_there(const std::string& path) {
  std::error_code failure;
  return std::filesystem::exists(path, failure);
}

Result<AdapterChoice> parse_adapter(const std::string& text) {
  if (is_there(text)) return AdapterChoice{.path = text, .scale = 1};
  const std::size_t middle = text.rfind('=');
  const std::string path = text.substr(0, middle);
  AdapterChoice choice{.path = path, .scale = 1};
  if (middle != std::string::npos) {
    const std::string word = text.substr(middle + 1);
    const char* end = word.data() + word.size();
    const auto [at, problem] = std::from_chars(word.data(), end, choice.scale);
    if (problem != std::errc() || at != end || !std::isfinite(choice.scale)) {
      return error(StatusCode::kInvalidArgument,
                   "--adapter '{}': '{}' is no scale; write PATH or PATH=SCALE, such as "
                   "style.gguf=0.5", text, word);
    }
  }
  if (is_there(path)) return choice;
  return error(StatusCode::kNotFound, "--adapter '{}': there is no file or folder '{}'", text,
               path);
}

}  // namespace

void declare_adapter_flag(Command& command, std::vector<std::string>& adapters) {
  command.value("--adapter", adapters,
                "LoRA adapter that is added to the weights: a GGUF file, or a folder with "
                "adapter_config.json and adapter_model.safetensors; PATH=SCALE: as strong as that. "
                "Once for each")
      .one_word_each();
}

Result<std::vector<AdapterChoice>> parse_adapters(const std::vector<std::string>& texts) {
  if (texts.size() > kAdaptersMax) {
    return error(StatusCode::kInvalidArgument, "--adapter: {} are given; at most {}", texts.size(),
                 kAdaptersMax);
  }
  std::vector<AdapterChoice> adapters;
  for (const std::string& text : texts) {
    QUIRE_ASSIGN_OR_RETURN(AdapterChoice choice, parse_adapter(text));
    adapters.push_back(std::move(choice));
  }
  return adapters;
}

std::string adapters_text(const std::vector<AdapterChoice>& adapters) {
  std::string text;
  for (const AdapterChoice& adapter : adapters) {
    text += fmt::format(" {}={}", adapter.path, adapter.scale);
  }
  return text;
}

}  // namespace quire
