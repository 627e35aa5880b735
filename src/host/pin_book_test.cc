// PinBook: what was pinned is so for the next process, and for another server of the same home; a
// file that is something else pins nobody; where it cannot be written, pins end with the process.
#include "host/pin_book.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

class PinBookTest : public ::testing::Test {
 protected:
  ~PinBookTest() override { fs::remove_all(folder_); }

  static void add(ModelHost& host, std::vector<std::string> names) {
    const auto open = []() -> Result<OpenedModel> {
      return Status(StatusCode::kInternal, "nobody loads it");
    };
    ASSERT_TRUE(host.add({std::move(names), open}).is_ok());
  }
  static bool is_pinned(const ModelHost& host, const std::string& name) {
    return host.row(*host.find(name))->is_pinned;
  }
  void write(const std::string& text) {
    fs::create_directories(folder_ + "/home");
    std::ofstream(path_) << text;
  }

  const std::string folder_ =
      (fs::temp_directory_path() / fmt::format("quire_pins_{}", getpid())).string();
  const std::string path_ = folder_ + "/home/pins.json";
};

TEST_F(PinBookTest, TheNextProcessPinsTheSame) {
  {
    PinBook book(path_);
    EXPECT_EQ(book.names(), Names());
    EXPECT_TRUE(book.keep({"a", "alias"}, true).is_ok());
    EXPECT_TRUE(book.keep({"b"}, true).is_ok());
    EXPECT_TRUE(book.keep({"c", kAnyName}, true).is_ok());
    EXPECT_TRUE(book.keep({"b", "other"}, false).is_ok());
  }
  PinBook book(path_);
  EXPECT_EQ(book.names(), Names({"a", "alias", "c"})) << "and not whoever is asked for";
  ModelHost host;
  add(host, {"a"});
  add(host, {"b", kAnyName});
  book.apply(host);
  EXPECT_TRUE(is_pinned(host, "a"));
  EXPECT_FALSE(is_pinned(host, "b")) << "it would answer for 'c', which it is not";
  add(host, {"c"});
  book.apply(host);
  EXPECT_TRUE(is_pinned(host, "c")) << "it came later";
}

TEST_F(PinBookTest, WhoTookTheNameOfAPinnedOneIsPinned) {
  EXPECT_TRUE(PinBook(path_).keep({"story:2", "story"}, true).is_ok());
  PinBook book(path_);
  ModelHost host;
  add(host, {"story:3", "story"});
  book.apply(host);
  EXPECT_TRUE(is_pinned(host, "story:3"));
}

// Another server may have it: servers of one home share the book.
TEST_F(PinBookTest, WhatIsNotServedIsToldAndStays) {
  EXPECT_TRUE(PinBook(path_).keep({"a", "gone", "comes"}, true).is_ok());
  PinBook book(path_);
  ModelHost host;
  add(host, {"a"});
  const auto missing =
      book.tell_missing(host, [](const std::string& name) { return name == "comes"; });
  EXPECT_EQ(missing, std::vector<std::string>{"gone"});
  EXPECT_EQ(PinBook(path_).names(), Names({"a", "comes", "gone"}));
}

TEST_F(PinBookTest, TwoServersWriteOneBook) {
  PinBook one(path_), other(path_);
  EXPECT_TRUE(one.keep({"a"}, true).is_ok());
  EXPECT_TRUE(other.keep({"b"}, true).is_ok());
  EXPECT_TRUE(one.keep({"c"}, true).is_ok());
  EXPECT_TRUE(other.keep({"a"}, false).is_ok());
  EXPECT_EQ(PinBook(path_).names(), Names({"b", "c"}));
}

TEST_F(PinBookTest, HostAndBookAreSetTogether) {
  PinBook book(path_);
  ModelHost host;
  add(host, {"a", "alias"});
  const auto model = *host.find("a");
  EXPECT_TRUE(book.set(host, model, true).is_ok());
  EXPECT_TRUE(is_pinned(host, "a"));
  EXPECT_EQ(PinBook(path_).names(), Names({"a", "alias"}));
  EXPECT_TRUE(book.set(host, model, false).is_ok());
  EXPECT_FALSE(is_pinned(host, "a"));
  EXPECT_EQ(PinBook(path_).names(), Names());
}

TEST_F(PinBookTest, AModelWithVersionsIsPinnedByItsBareName) {
  PinBook book(path_);
  ModelHost host;
  add(host, {"m:1", "m"});
  add(host, {"m:2"});
  EXPECT_TRUE(book.set(host, *host.find("m"), true, "m").is_ok());
  EXPECT_EQ(book.names(), Names({"m"}));
  ASSERT_TRUE(host.move_names({"m"}, *host.find("m:2")).is_ok());
  EXPECT_TRUE(book.set(host, *host.find("m"), false, "m").is_ok());
  EXPECT_EQ(book.names(), Names()) << "whoever had it when it was pinned";
  EXPECT_TRUE(book.set(host, *host.find("m"), true, "m:2").is_ok());
  EXPECT_TRUE(book.set(host, *host.find("m:1"), true, "m:1").is_ok());
  EXPECT_EQ(book.names(), Names({"m", "m:1", "m:2"})) << "by its own where that was asked for";
}

TEST_F(PinBookTest, AFileThatIsSomethingElsePinsNobody) {
  fs::create_directories(folder_ + "/home");
  const std::string longest(PinBook::kNameBytesMax, 'x');
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string(R"({"pinned":"a"})"),
        std::string(R"({"pinned":["a",1]})"), std::string(R"({"pinned":["a",""]})"),
        R"({"pinned":["a",")" + longest + R"(x"]})",
        std::string(PinBook::kFileBytesMax + 1, ' ')}) {
    write(text);
    EXPECT_EQ(PinBook(path_).names(), Names()) << text.substr(0, 40);
  }
  write(R"({"pinned":["a",")" + longest + R"("],"later":1})");
  EXPECT_EQ(PinBook(path_).names().size(), 2u);
  EXPECT_TRUE(PinBook(path_).keep({"b"}, true).is_ok());
  EXPECT_EQ(PinBook(path_).names().size(), 3u);
}

TEST_F(PinBookTest, TheNumberOfNamesIsBounded) {
  PinBook book(path_);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < PinBook::kNamesMax; ++i) names.push_back(fmt::format("m{}", i));
  EXPECT_TRUE(book.keep(names, true).is_ok());
  const Status full = book.keep({"one more"}, true);
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted) << full.message();
  EXPECT_EQ(PinBook(path_).names().size(), PinBook::kNamesMax);
  EXPECT_TRUE(book.keep({"m0"}, false).is_ok());
  EXPECT_TRUE(book.keep({"one more"}, true).is_ok());
}

TEST_F(PinBookTest, WhatCannotBeWrittenHoldsWhileTheProcessLives) {
  fs::create_directories(folder_);
  std::ofstream(folder_ + "/home") << "a file where the folder would be";
  PinBook book(path_);
  EXPECT_FALSE(book.keep({"a", "b"}, true).is_ok());
  EXPECT_EQ(book.names(), Names({"a", "b"}));
  EXPECT_FALSE(book.keep({"a"}, false).is_ok());
  EXPECT_EQ(book.names(), Names({"b"})) << "and nobody pins it again";
}

}  // namespace
}  // namespace quire
