// Sessions: written and read back; what is damaged is refused with a reason.
#include "terminal/chat/chat_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/file.h"

namespace quire {
namespace {

using testing::HasSubstr;

ChatSession example() {
  ChatSession session;
  session.model = "a model";
  session.settings.sampling.temperature = 0.1f;
  session.settings.seed = 3;
  session.settings.system = "Be \"brief\".";
  session.messages = {{"user", "Grüße, 世界\n\t\x01"}, {"assistant", ""}};
  return session;
}

// A QUIRE_HOME of this test's own.
class ChatSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "quire_session_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    if (const char* before = ::getenv("QUIRE_HOME")) before_ = before;
    ::setenv("QUIRE_HOME", folder_.c_str(), 1);
  }
  void TearDown() override {
    before_.empty() ? ::unsetenv("QUIRE_HOME") : ::setenv("QUIRE_HOME", before_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }

  std::string folder_;
  std::string before_;
};

TEST_F(ChatSessionTest, SavedIsLoadedAsItWas) {
  EXPECT_TRUE(list_sessions().empty());
  EXPECT_FALSE(has_session("trip"));
  ASSERT_TRUE(save_session("trip", example()).is_ok());
  ASSERT_TRUE(has_session("trip"));
  const auto loaded = load_session("trip", ChatSettings{});
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
  EXPECT_EQ(loaded->messages, example().messages);
  EXPECT_EQ(loaded->model, "a model");
  EXPECT_EQ(setting_values(loaded->settings), setting_values(example().settings));
  ASSERT_TRUE(save_session("second", ChatSession{}).is_ok());
  EXPECT_EQ(list_sessions().size(), 2u);
  const auto mode = std::filesystem::status(folder_ + "/sessions").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::all, std::filesystem::perms::owner_all);
}

TEST_F(ChatSessionTest, NamesStayInTheFolder) {
  for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "a b", "ä"}) {
    EXPECT_FALSE(check_session_name(name).is_ok()) << name;
    EXPECT_FALSE(save_session(name, example()).is_ok()) << name;
    EXPECT_FALSE(load_session(name, ChatSettings{}).is_ok()) << name;
  }
  EXPECT_FALSE(check_session_name(std::string(65, 'a')).is_ok());
  EXPECT_TRUE(check_session_name("2026-11-21_trip.v2").is_ok());
}

TEST_F(ChatSessionTest, DamageIsNamed) {
  const auto complaint = [](const std::string& text) {
    const auto parsed = parse_session(text, ChatSettings{});
    return parsed.is_ok() ? std::string("none") : parsed.status().message();
  };
  const std::string head = R"({"quire_session":1,"model":"m",)";
  EXPECT_EQ(complaint(head + R"("messages":[]})"), "none");
  EXPECT_THAT(complaint(""), HasSubstr("damaged"));
  EXPECT_THAT(complaint("[]"), HasSubstr("no object"));
  EXPECT_THAT(complaint("{}"), HasSubstr("no session that this version"));
  EXPECT_THAT(complaint(R"({"quire_session":2,"messages":[]})"), HasSubstr("no session that"));
  EXPECT_THAT(complaint(head + R"("extra":1,"messages":[]})"), HasSubstr("'extra'"));
  EXPECT_THAT(complaint(R"({"quire_session":1,"model":"m"})"), HasSubstr("'messages' is missing"));
  EXPECT_THAT(complaint(R"({"quire_session":1,"messages":[]})"), HasSubstr("'model'"));
  EXPECT_THAT(complaint(head + R"("messages":[{"role":"assistant","content":"x"}]})"),
              HasSubstr("message 1 is by 'assistant', not by 'user'"));
  EXPECT_THAT(complaint(head + R"("messages":[{"role":"user","content":7}]})"),
              HasSubstr("'content' is no text"));
  EXPECT_THAT(complaint(head + R"("messages":[{"role":"user"}]})"), HasSubstr("role and content"));
  EXPECT_THAT(complaint(head + R"("messages":[],"settings":{"temperature":"9"}})"),
              HasSubstr("temperature is a number from 0 to 2"));
  EXPECT_THAT(complaint(head + R"("messages":[],"settings":{"nonsense":"9"}})"),
              HasSubstr("no setting 'nonsense'"));
  const std::string whole = session_text(example());
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_NE(complaint(whole.substr(0, size)), "none") << size;
  }
}

TEST_F(ChatSessionTest, HugeAndMissingFilesAreRefused) {
  EXPECT_FALSE(load_session("absent", ChatSettings{}).is_ok());
  ASSERT_TRUE(save_session("big", ChatSession{}).is_ok());
  std::filesystem::resize_file(folder_ + "/sessions/big.json", std::uintmax_t{17} << 20);
  EXPECT_FALSE(load_session("big", ChatSettings{}).is_ok());
}

}  // namespace
}  // namespace quire
