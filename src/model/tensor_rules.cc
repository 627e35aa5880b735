#include "model/tensor_rules.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

void name_layer(std::string& name, const std::string& layer) {
  const std::size_t at = name.find("{}");
  if (at != std::string::npos) name.replace(at, 2, layer);
}

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  if (pattern.starts_with('*')) return name.ends_with(pattern.substr(1));
  return name == pattern;
}

}  // namespace

void TensorRules::add(TensorRule rule) {
  QUIRE_CHECK(!rule.shape.empty() && rule.elements() > 0, "tensor '{}' has an empty shape",
              rule.canonical);
  QUIRE_CHECK(rule.canonical.find("{}") == std::string::npos, "tensor '{}' is of no layer",
              rule.canonical);
  QUIRE_CHECK(!rule.is_stack() || rule.shape.size() == 3, "tensor '{}': a stack of {} dimensions",
              rule.canonical, rule.shape.size());
  if (rule.role == Role::kNorm && rule.center == 0) rule.center = 1;
  rules.push_back(std::move(rule));
}

void TensorRules::add_layer(int layer, TensorRule rule) {
  const std::string number = std::to_string(layer);
  name_layer(rule.canonical, number);
  name_layer(rule.gguf.name, number);
  name_layer(rule.hf.name, number);
  for (Stored& other : rule.others) name_layer(other.name, number);
  add(std::move(rule));
}

bool TensorRules::is_ignored(std::string_view name) const {
  return std::any_of(ignored.begin(), ignored.end(),
                     [&](const std::string& pattern) { return matches(pattern, name); });
}

void LayerRules::add(const char* name, Stored gguf, Stored hf, std::vector<std::size_t> shape,
                     Role role, std::vector<Stored> others, float center) {
  if (!gguf.name.empty()) gguf.name = "blk.{}." + gguf.name;
  hf.name = "model.layers.{}." + hf.name;
  for (Stored& other : others) other.name = "model.layers.{}." + other.name;
  TensorRule rule = {std::string("layers.{}.") + name, std::move(gguf), std::move(hf),
                     std::move(shape), role};
  rule.others = std::move(others);
  rule.center = center;
  rules_.add_layer(layer_, std::move(rule));
}

}  // namespace quire
