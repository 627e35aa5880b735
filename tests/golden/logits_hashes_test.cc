// The frozen hashes of raw logits: every type of weights and KV, every instruction set. Work on the
// computing wing must leave them as they are; a commit that changes arithmetic changes
// logits_hashes.txt beside it and says why. The rows of a machine are what its build of
// `logits_hash --table` prints. Rows of instruction sets that this machine lacks are counted.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "base/check.h"
#include "base/file.h"
#include "kernels/select.h"
#include "lab/logits_hash.h"

namespace quire {
namespace {

constexpr int kThreads = 2;

// Hash by "ISA SHAPE WEIGHTS SCHEME KV".
std::map<std::string, std::string> frozen_hashes() {
  const auto text = read_file(QUIRE_SOURCE_DIR "/tests/golden/logits_hashes.txt", 1 << 20);
  QUIRE_CHECK(text.is_ok(), "{}", text.status().message());
  std::map<std::string, std::string> hashes;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t space = line.rfind(' ');
    const bool is_new = hashes.emplace(line.substr(0, space), line.substr(space + 1)).second;
    EXPECT_TRUE(is_new) << "twice in the table: " << line;
  }
  return hashes;
}

std::string hex(std::uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

TEST(LogitsHashesTest, AreTheFrozenOnes) {
  auto frozen = frozen_hashes();
  std::set<std::string> here;
  int compared = 0;
  for (const KernelTable* table : all_supported()) {
    const std::string isa(table->name);
    here.insert(isa);
    for (const HashCase& one : frozen_cases()) {
      const auto hash = case_hash(one, kThreads, isa);
      ASSERT_TRUE(hash.is_ok()) << one.name() << ": " << hash.status().message();
      const std::string name = isa + " " + one.name();
      const auto row = frozen.find(name);
      ASSERT_NE(row, frozen.end()) << "no frozen hash of " << name << "; now " << hex(*hash);
      EXPECT_EQ(hex(*hash), row->second) << name;
      frozen.erase(row);
      ++compared;
    }
  }
  std::map<std::string, int> left_out;
  for (const auto& [name, hash] : frozen) {
    const std::string isa = name.substr(0, name.find(' '));
    EXPECT_FALSE(here.contains(isa)) << "no case computes the frozen hash of " << name;
    ++left_out[isa];
  }
  std::printf("FIGURE logits hashes: %d equal the frozen ones", compared);
  for (const auto& [isa, rows] : left_out) {
    EXPECT_EQ(static_cast<std::size_t>(rows), frozen_cases().size()) << isa;
    std::printf("; %d of %s not computed here", rows, isa.c_str());
  }
  std::printf("\n");
  EXPECT_EQ(static_cast<std::size_t>(compared), all_supported().size() * frozen_cases().size());
}

}  // namespace
}  // namespace quire
