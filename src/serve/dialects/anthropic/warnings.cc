#include "serve/dialects/anthropic/warnings.h"

#include <algorithm>

namespace quire {

void AnthropicWarnings::add(std::string code, std::string param, std::string message) {
  const bool is_known = std::any_of(list_.begin(), list_.end(), [&](const Warning& it) {
    return it.code == code && it.param == param;
  });
  if (is_known || list_.size() == kMax) return;
  list_.push_back({std::move(code), std::move(param), std::move(message)});
}

std::size_t AnthropicWarnings::unknown() const {
  return static_cast<std::size_t>(
      std::count_if(list_.begin(), list_.end(), [](const Warning& it) {
        return it.code == "unknown_parameter" || it.code == "unknown_beta";
      }));
}

void AnthropicWarnings::add_to(Json& body) const {
  if (list_.empty()) return;
  Json warnings = Json::array();
  for (const Warning& it : list_) {
    warnings.push(Json::object({{"code", it.code}, {"param", it.param}, {"message", it.message}}));
  }
  body.set("warnings", std::move(warnings));
}

}  // namespace quire
