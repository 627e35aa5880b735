// Lines of a key file, and what is wrong with others.
#include "serve/access/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/testing/test_certificate.h"

namespace quire {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(KeyFileTest, OneKeyALine) {
  const auto rows = parse_keys(
      "# who may come in\n\nsk-one\r\n  sk-two\tname=billing  share=3 # theirs\n"
      "sk-three#x share=1000\nlast name=a.b_c-1");
  ASSERT_TRUE(rows.is_ok()) << rows.status().message();
  ASSERT_EQ(rows->size(), 4u);
  EXPECT_EQ((*rows)[0].key, "sk-one");
  EXPECT_EQ((*rows)[0].name, "");
  EXPECT_EQ((*rows)[0].share, 1u);
  EXPECT_EQ((*rows)[0].line, 3u);
  EXPECT_EQ((*rows)[1].key, "sk-two");
  EXPECT_EQ((*rows)[1].name, "billing");
  EXPECT_EQ((*rows)[1].share, 3u);
  EXPECT_EQ((*rows)[2].key, "sk-three#x") << "a # within a word is its own";
  EXPECT_EQ((*rows)[2].share, 1000u);
  EXPECT_EQ((*rows)[3].name, "a.b_c-1");
  EXPECT_TRUE(parse_keys("").is_ok());
}

TEST(KeyFileTest, MistakesNameTheirLineAndNoKey) {
  const auto why_not = [](const std::string& line) {
    const auto rows = parse_keys("first\n" + line + "\n");
    EXPECT_FALSE(rows.is_ok()) << line;
    EXPECT_THAT(rows.status().message(), HasSubstr("line 2: "));
    EXPECT_THAT(rows.status().message(), Not(HasSubstr("sesame")));
    return rows.status().message();
  };
  EXPECT_THAT(why_not("sesame share=0"), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(why_not("sesame share=2x"), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(why_not("sesame share=1001"), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(why_not("sesame name="), HasSubstr("a name has"));
  EXPECT_THAT(why_not("sesame name=key-3"), HasSubstr("a name has"));
  EXPECT_THAT(why_not("sesame name=a\"b"), HasSubstr("a name has"));
  EXPECT_THAT(why_not("sesame sesame2"), HasSubstr("nothing else"));
  EXPECT_THAT(why_not("sesame\xC3\xA4"), HasSubstr("printable"));
  EXPECT_THAT(why_not("sesame" + std::string(2000, 'x')), HasSubstr("1024"));
  EXPECT_THAT(why_not("first"), HasSubstr("there already"));
  EXPECT_THAT(parse_keys("a name=n share=2\nb name=n\n").status().message(),
              HasSubstr("'n' has another share"));
}

TEST(KeyFileTest, TheFileIsReadAgainWhenItHasChanged) {
  const TestFolder folder;
  KeyFile file(folder.write("keys", "one\n"));
  EXPECT_EQ(file.read()->size(), 1u);
  EXPECT_FALSE(file.has_changed());
  folder.write("keys", "one\ntwo\n");
  EXPECT_FALSE(file.has_changed()) << "one look is not enough";
  EXPECT_TRUE(file.has_changed());
  EXPECT_EQ(file.read()->size(), 2u);
  EXPECT_FALSE(file.has_changed());
  EXPECT_THAT(KeyFile("no-such-file").read().status().message(), HasSubstr("--api-key-file: "));
  folder.write("keys", "one two\n");
  EXPECT_THAT(file.read().status().message(),
              HasSubstr("--api-key-file '" + folder.path("keys") + "': line 1: "));
}

}  // namespace
}  // namespace quire
