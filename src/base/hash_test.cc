#include "base/hash.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

namespace quire {
namespace {

TEST(HashTest, EveryByteAndTheLengthCount) {
  const std::string text = "0123456789abcdefghij";
  std::set<std::uint64_t> seen = {hash_bytes(text.data(), text.size())};
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    EXPECT_TRUE(seen.insert(hash_bytes(changed.data(), changed.size())).second) << i;
    EXPECT_TRUE(seen.insert(hash_bytes(text.data(), i)).second) << i;
  }
}

}  // namespace
}  // namespace quire
