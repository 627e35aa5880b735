#include "model/layers/caches.h"

#include <algorithm>

#include "base/check.h"

namespace quire {

Caches divide_layers(std::span<const int> windows, const GroupFacts& like) {
  QUIRE_CHECK(!windows.empty(), "a model of no layers");
  Caches caches;
  std::vector<int> sizes;  // windows of the groups; the whole text first
  if (std::find(windows.begin(), windows.end(), 0) != windows.end()) sizes.push_back(0);
  for (const int window : windows) {
    QUIRE_CHECK(window >= 0, "a window of {} positions", window);
    if (std::find(sizes.begin(), sizes.end(), window) == sizes.end()) sizes.push_back(window);
  }
  for (const int window : sizes) {
    GroupFacts& group = caches.groups.emplace_back(like);
    group.name = window > 0 ? "window" : "all";
    group.window = window;
  }
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const auto g = std::find(sizes.begin(), sizes.end(), windows[i]) - sizes.begin();
    std::vector<int>& layers = caches.groups[static_cast<std::size_t>(g)].layers;
    caches.slots.push_back({static_cast<int>(g), static_cast<int>(layers.size())});
    layers.push_back(static_cast<int>(i));
  }
  return caches;
}

}  // namespace quire
