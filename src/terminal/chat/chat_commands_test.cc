// The commands of a chat, without terminal and model.
#include "terminal/chat/chat_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace quire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A QUIRE_HOME of this test's own, and a chat about two messages old.
class ChatCommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "quire_commands_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    if (const char* before = ::getenv("QUIRE_HOME")) before_ = before;
    ::setenv("QUIRE_HOME", folder_.c_str(), 1);
    state_.messages = {{"user", "Hello"}, {"assistant", "Hi there"}};
  }
  void TearDown() override {
    before_.empty() ? ::unsetenv("QUIRE_HOME") : ::setenv("QUIRE_HOME", before_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }

  std::string obey(std::string_view line) {
    const auto reply = commands_.obey(line);
    if (!reply.is_ok()) return "! " + reply.status().message();
    return reply->is_leaving ? "leaving" : reply->text;
  }

  std::string folder_;
  std::string before_;
  ChatState state_;
  ChatCommands commands_{state_, {.name = "tiny",
                                  .page = "  model    tiny\n",
                                  .chat_template = "{{ messages }}",
                                  .context_max = 2048}};
};

TEST_F(ChatCommandsTest, HelpNamesEveryCommand) {
  for (const char* name : {"/help", "/set", "/show", "/clear", "/save", "/load", "/bye"}) {
    EXPECT_THAT(obey("/help"), HasSubstr(name));
  }
  EXPECT_EQ(obey("/?"), obey("/help"));
}

TEST_F(ChatCommandsTest, MistypedNamesGetSuggestions) {
  EXPECT_THAT(obey("/hlep"), HasSubstr("! there is no command '/hlep'; did you mean '/help'?"));
  EXPECT_THAT(obey("/usr/bin/env is missing"), HasSubstr("With a space before it"));
  EXPECT_THAT(obey("/set temprature 1"), HasSubstr("did you mean 'temperature'?"));
  EXPECT_THAT(obey("/show histry"), HasSubstr("did you mean 'history'?"));
  EXPECT_THAT(obey("/show xyzzy"), HasSubstr("there are model, settings"));
  EXPECT_THAT(obey("/bye now"), HasSubstr("! /bye takes nothing behind it"));
}

TEST_F(ChatCommandsTest, LeavesByAnyName) {
  for (const char* name : {"/bye", "/exit", "/quit", "/q", "/bye "}) {
    EXPECT_EQ(obey(name), "leaving") << name;
  }
}

TEST_F(ChatCommandsTest, ShowsWhatIs) {
  state_.context_used = 1234;
  EXPECT_THAT(obey("/show"), HasSubstr("2 messages, 1,234 of 2,048 tokens"));
  EXPECT_EQ(obey("/show history"), "You: Hello\nModel: Hi there\n");
  EXPECT_EQ(obey("/show template"), "{{ messages }}");
  EXPECT_THAT(obey("/show system"), HasSubstr("No system message"));
  obey("/set system Be brief.");
  EXPECT_EQ(obey("/show system"), "Be brief.");
  EXPECT_EQ(obey("/show settings"), obey("/set"));
}

TEST_F(ChatCommandsTest, ClearForgetsTheConversationAndKeepsSettings) {
  obey("/set temperature 0");
  obey("/clear");
  EXPECT_THAT(state_.messages, IsEmpty());
  EXPECT_EQ(state_.settings.sampling.temperature, 0);
}

TEST_F(ChatCommandsTest, SavesAndLoads) {
  EXPECT_THAT(obey("/save"), HasSubstr("! /save NAME"));
  EXPECT_THAT(obey("/load"), HasSubstr("no saved sessions"));
  obey("/set seed 5");
  EXPECT_EQ(obey("/save trip"), "Saved 2 messages; /load trip takes it up again.");
  EXPECT_THAT(obey("/save"), HasSubstr("Saved 2 messages"));  // where it was saved before
  obey("/clear");
  obey("/set seed random");
  EXPECT_THAT(obey("/save trip"), HasSubstr("! there is a session 'trip' already; /save -f trip"));
  EXPECT_THAT(obey("/load tripp"), HasSubstr("did you mean 'trip'?"));
  EXPECT_EQ(obey("/load trip"), "trip, 2 messages.");
  EXPECT_EQ(state_.messages.size(), 2u);
  EXPECT_EQ(state_.settings.seed, 5u);
  EXPECT_THAT(obey("/load"), HasSubstr("  trip "));
  obey("/clear");
  EXPECT_THAT(obey("/save -f trip"), HasSubstr("Saved 0 messages"));
  EXPECT_THAT(obey("/save ../trip"), HasSubstr("! a session's name is"));
  EXPECT_THAT(obey("/load ../trip"), HasSubstr("! a session's name is"));
}

TEST_F(ChatCommandsTest, SaysWhenASessionIsOfAnotherModel) {
  ASSERT_TRUE(save_session("other", {"big", ChatSettings{}, {}}).is_ok());
  EXPECT_EQ(obey("/load other"), "other, 0 messages. It was held with big; this is tiny.");
}

TEST_F(ChatCommandsTest, CompletesWhatIsTyped) {
  EXPECT_THAT(commands_.completions("/s"), ElementsAre("/set", "/show", "/save"));
  EXPECT_THAT(commands_.completions("/set temp"), ElementsAre("/set temperature"));
  EXPECT_THAT(commands_.completions("/show h"), ElementsAre("/show history"));
  obey("/save trip");
  EXPECT_THAT(commands_.completions("/load "), ElementsAre("/load trip"));
  EXPECT_THAT(commands_.completions("hello"), IsEmpty());
}

}  // namespace
}  // namespace quire
