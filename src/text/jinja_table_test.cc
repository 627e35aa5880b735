// ChatTemplate against a table of what Jinja2 itself renders: filters, tests, operators, statements
// and the methods of Python's str, list and dict.
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "text/chat_template.h"

namespace quire {
namespace {

struct Row {
  std::string source;
  Json wanted;  // null: refused
  bool differs = false;
};

class JinjaTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(QUIRE_SOURCE_DIR "/src/text/testing/jinja_table.tsv");
    ASSERT_TRUE(file.is_open());
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with('#')) continue;
      if (context_.empty()) {
        context_ = line;
        continue;
      }
      const std::size_t first = line.find('\t');
      const std::size_t second = std::min(line.find('\t', first + 1), line.size());
      const auto source = parse_json(line.substr(0, first));
      const auto wanted = parse_json(line.substr(first + 1, second - first - 1));
      ASSERT_TRUE(source.is_ok() && wanted.is_ok()) << line;
      rows_.push_back({source->as_string(), *wanted, second < line.size()});
    }
  }

  Json rendered(const std::string& source) const {
    const auto chat_template = ChatTemplate::compile(source);
    if (!chat_template.is_ok()) return Json();
    RenderLimits limits;
    limits.unix_seconds = 1'700'000'000;
    const auto text = (*chat_template)->render(context_, limits);
    return text.is_ok() ? Json(*text) : Json();
  }

  std::string context_;
  std::vector<Row> rows_;
};

TEST_F(JinjaTableTest, RendersAsJinja2) {
  std::size_t equal = 0, different = 0;
  for (const Row& row : rows_) {
    const Json text = rendered(row.source);
    EXPECT_EQ(text == row.wanted, !row.differs)
        << row.source << "\nwanted " << dump(row.wanted) << "\ngot    " << dump(text);
    ++(row.differs ? different : equal);
  }
  EXPECT_GE(equal, 800u);
  EXPECT_LE(different, 20u);
}

}  // namespace
}  // namespace quire
