// What the fuzzers were given to begin with (seeds/TARGET) and what they found (findings/TARGET),
// through the same functions. A finding stays here once it is mended.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <ostream>

#include "base/file.h"
#include "target.h"

namespace quire::fuzz {

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

namespace {

namespace fs = std::filesystem;

class FuzzReplay : public ::testing::TestWithParam<Target> {};

std::vector<fs::path> files_of(std::string_view kind, std::string_view target) {
  std::vector<fs::path> files;
  const fs::path folder = fs::path(QUIRE_SOURCE_DIR) / "tests/fuzz" / kind / target;
  if (!fs::exists(folder)) return files;
  for (const auto& file : fs::directory_iterator(folder)) files.push_back(file.path());
  std::ranges::sort(files);
  return files;
}

TEST_P(FuzzReplay, SeedsAndFindings) {
  const Target& target = GetParam();
  EXPECT_EQ(target.run(""), "");
  std::size_t seeds = 0;
  for (const char* kind : {"seeds", "findings"}) {
    for (const fs::path& path : files_of(kind, target.name)) {
      seeds += kind == std::string_view("seeds") ? 1 : 0;
      const auto bytes = read_file(path.string(), std::size_t{1} << 20);
      ASSERT_TRUE(bytes.is_ok()) << bytes.status().message();
      SCOPED_TRACE(path.string());
      EXPECT_EQ(target.run(*bytes), "");
      // Cut in half, too: cheap, and the commonest damage.
      EXPECT_EQ(target.run(std::string_view(*bytes).substr(0, bytes->size() / 2)), "");
    }
  }
  EXPECT_GT(seeds, 0u) << "no seeds of " << target.name;
}

INSTANTIATE_TEST_SUITE_P(
    All, FuzzReplay, ::testing::ValuesIn(all_targets().begin(), all_targets().end()),
    [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace quire::fuzz
