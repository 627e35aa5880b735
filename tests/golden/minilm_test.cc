// all-MiniLM-L6-v2 of the store against vectors that transformers computed as sentence-transformers
// would (tools/golden/minilm.py), and a text's vector alone and in a crowd, which are equal.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "testbed.h"

namespace quire {
namespace {

constexpr double kBound = 1e-4;  // of each value

std::string minilm_path() {
  if (const char* given = std::getenv("QUIRE_MINILM")) return given;
  const char* home = std::getenv("QUIRE_HOME");
  const char* user = std::getenv("HOME");
  const std::string path = (home ? std::string(home)
                                 : std::string(user ? user : "") + "/.local/share/quire") +
                           "/models/minilm";
  return std::filesystem::exists(path) ? path : std::string();
}

class MiniLmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = minilm_path();
    if (path.empty()) GTEST_SKIP() << "minilm is not in the store: quire pull minilm";
    model_ = testing::open_test_model(path);
    const auto text = read_file(QUIRE_SOURCE_DIR "/tests/golden/minilm.json", 1 << 20);
    ASSERT_TRUE(text.is_ok()) << text.status().message();
    auto rows = parse_json(*text);
    ASSERT_TRUE(rows.is_ok()) << rows.status().message();
    rows_ = rows->items();
  }

  // Cut as its authors ask, between the special tokens.
  std::vector<TokenId> tokens_of(const Json& row) const {
    const auto length = static_cast<std::size_t>(row.find("tokens")->as_int());
    auto ids = model_.tokenizer->encode(row.find("text")->as_string(), {});
    EXPECT_TRUE(ids.is_ok());
    if (ids->size() > length) {
      ids->erase(ids->begin() + static_cast<std::ptrdiff_t>(length) - 1, ids->end() - 1);
    }
    EXPECT_EQ(ids->size(), length);
    return *ids;
  }

  testing::Branches run(const std::vector<std::size_t>& which) const {
    testing::Crowd crowd;
    for (const std::size_t i : which) {
      Request& request = crowd.requests.emplace_back();
      request.id = RequestId{i + 1};
      request.prompt = tokens_of(rows_[i]);
      request.params.tokens_max = 0;
      request.is_pooled = true;
    }
    auto executor = model_.executor({});
    EngineCore core({}, *executor, nullptr);
    return testing::run_to_end(core, crowd);
  }

  testing::OpenModel model_;
  std::vector<Json> rows_;
};

TEST_F(MiniLmTest, VectorsAreThoseOfSentenceTransformers) {
  std::vector<std::size_t> all(rows_.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const testing::Branches made = run(all);
  ASSERT_EQ(made.size(), rows_.size());
  double worst = 0;
  for (const std::size_t i : all) {
    const std::vector<float>& vector = made.at({i + 1, 0}).pooled;
    const std::vector<Json>& wanted = rows_[i].find("vector")->items();
    ASSERT_EQ(vector.size(), wanted.size());
    for (std::size_t k = 0; k < vector.size(); ++k) {
      worst = std::max(worst, std::abs(double{vector[k]} - wanted[k].as_double()));
    }
  }
  std::printf("worst difference %.2e\n", worst);
  EXPECT_LE(worst, kBound);
  for (const std::size_t i : all) {
    EXPECT_EQ(run({i}).at({i + 1, 0}).pooled, made.at({i + 1, 0}).pooled) << i;
  }
}

}  // namespace
}  // namespace quire
