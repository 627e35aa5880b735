// Chat prompts over a byte-level vocabulary: what stays letters, what stays open, the form of
// contents, BOS. The chat of serve and of the terminal is this one.
#include "text/chat_prompt.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text/control_text.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

constexpr TokenId kEnd = 257;  // "<|end|>", the one control token of the vocabulary
constexpr std::string_view kChat =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}<|end|>{% endfor %}";
constexpr std::string_view kParts =
    "{% for m in messages %}<{{ m.role }}>{% for p in m.content %}{% if p.type == 'text' %}"
    "{{ p.text }}{% endif %}{% endfor %}{% endfor %}";

class ChatPromptTest : public ::testing::Test {
 protected:
  void use(std::string_view source) {
    auto compiled = ChatTemplate::compile(source);
    ASSERT_TRUE(compiled.is_ok()) << compiled.status().message();
    chat_template_ = *compiled;
  }

  static ChatPrompt chat_of(std::vector<std::pair<const char*, Json>> messages) {
    ChatPrompt chat;
    for (auto& [role, content] : messages) {
      chat.messages.push_back(Json::object({{"role", role}, {"content", content}}));
    }
    return chat;
  }

  static Json parts(std::vector<const char*> texts) {
    Json list = Json::array();
    for (const char* text : texts) list.push(Json::object({{"type", "text"}, {"text", text}}));
    return list;
  }

  Result<std::vector<TokenId>> encode(const ChatPrompt& chat) {
    return encode_chat({*tokenizer_, *chat_template_, words_, 4096}, chat);
  }

  // The text of the prompt, control tokens as #.
  std::string shown(const ChatPrompt& chat) {
    const auto ids = encode(chat);
    if (!ids.is_ok()) return "error: " + ids.status().message();
    std::string text;
    for (const TokenId id : *ids) text += id == kEnd ? "#" : tokenizer_->token_bytes(id);
    return text;
  }

  std::string continued(const char* words) {
    ChatPrompt chat = chat_of({{"user", "say"}, {"assistant", words}});
    chat.add_generation_prompt = false;
    chat.continue_final_message = true;
    return shown(chat);
  }

  std::shared_ptr<const Tokenizer> tokenizer_ = byte_level_tokenizer();
  std::shared_ptr<const ChatTemplate> chat_template_ = *ChatTemplate::compile(kChat);
  ChatWords words_;
};

TEST_F(ChatPromptTest, WordsNeverBecomeControlTokens) {
  EXPECT_EQ(shown(chat_of({{"user", "hello"}})), "[user]hello#");
  EXPECT_EQ(shown(chat_of({{"user", "a<|end|>b"}})), "[user]a<|end|>b#");
  EXPECT_EQ(shown(chat_of({{"user", "<|end|>"}, {"user", "<|end|><|end|> "}})),
            "[user]<|end|>#[user]<|end|><|end|> #");
  EXPECT_EQ(shown(chat_of({{"user", parts({"x<|end|>", "<|en"})}})), "[user]x<|end|>\n<|en#");
}

TEST_F(ChatPromptTest, WordsThatMeetTheTemplateHalfWayStayApart) {
  use("{% for m in messages %}{{ m.content }}d|>{% endfor %}");
  EXPECT_EQ(shown(chat_of({{"user", "<|en"}})), "<|end|>") << "letters, all of them";
  use("{% for m in messages %}<|en{{ m.content }}{% endfor %}");
  EXPECT_EQ(shown(chat_of({{"user", "d|>"}})), "<|end|>");
  use("{% for m in messages %}{{ m.content | trim }}d|>{% endfor %}");
  EXPECT_EQ(shown(chat_of({{"user", " <|en \n"}})), "<|end|>");
}

TEST_F(ChatPromptTest, TemplatesMayTrimSplitAndJoin) {
  use("{% for m in messages %}{{ (m.content | trim).split('///') | join('+') }}<|end|>"
      "{% endfor %}");
  EXPECT_EQ(shown(chat_of({{"user", "  <|end|>///x \n"}})), "<|end|>+x#");
}

TEST_F(ChatPromptTest, ATemplateThatLooksIntoControlTextIsRefused) {
  use("{% for m in messages %}{{ m.content.split('end')[0] }}<|end|>{% endfor %}");
  EXPECT_EQ(shown(chat_of({{"user", "the end"}})), "the #");
  use("{% for m in messages %}{{ m.content.split('<|end|>')[0] }}<|end|>{% endfor %}");
  const auto refused = encode(chat_of({{"user", "a<|end|>b"}}));
  ASSERT_FALSE(refused.is_ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
}

TEST_F(ChatPromptTest, MaterialsAreReadAndStayLetters) {
  use("{% for d in documents %}{{ d.title }}:{{ d.text }};{% endfor %}{{ tools | tojson }}|"
      "{% for m in messages %}{{ m.content }}<|end|>{% endfor %}");
  ChatPrompt chat = chat_of({{"user", "hi"}});
  chat.materials.emplace_back(
      "documents", Json::array({Json::object({{"title", "a"}, {"text", "b<|end|>c"}})}));
  chat.materials.emplace_back("tools", Json::array({Json::object({{"<|end|>", 1}})}));
  EXPECT_EQ(shown(chat), "a:b<|end|>c;[{\"<|end|>\": 1}]|hi#");
  chat.materials.clear();
  chat.materials.emplace_back("tools", Json::array({Json::object({{"type", "<|end|>"}})}));
  EXPECT_EQ(shown(chat), "[{\"type\": \"<|end|>\"}]|hi#");
}

TEST_F(ChatPromptTest, AFinalMessageStaysOpenWhereItsWordsEnd) {
  const std::string before = "[user]say#[assistant]";
  for (const char* words : {"end", "", "|", "<", "Sure\n", "The answer is ", "end|>", "say", "[",
                            "a<|end|>b", "<|end|>", "\xC3\xA9"}) {
    EXPECT_EQ(continued(words), before + words) << words;
  }
  use("{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}<|end|>{% endfor %}");
  EXPECT_EQ(continued(" Sure \n"), before + "Sure") << "what the template trims is gone";
  use("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}");
  EXPECT_EQ(continued("x").substr(0, 6), "error:");
  use(kParts);
  EXPECT_EQ(continued("Sure "), "<user>say<assistant>Sure ");
}

TEST_F(ChatPromptTest, ContentsComeInTheFormThatTheTemplateReads) {
  const ChatPrompt text = chat_of({{"user", "ab"}});
  const ChatPrompt list = chat_of({{"user", parts({"a", "b"})}});
  EXPECT_EQ(chat_template_->content_form("user"), ContentForm::kText);
  EXPECT_EQ(shown(text), "[user]ab#");
  EXPECT_EQ(shown(list), "[user]a\nb#");
  use(kParts);
  EXPECT_EQ(chat_template_->content_form("user"), ContentForm::kParts);
  EXPECT_EQ(chat_template_->content_form("system"), ContentForm::kParts);
  EXPECT_EQ(shown(text), "<user>ab");
  EXPECT_EQ(shown(list), "<user>ab");
  use("{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
      "{% for p in m.content %}({{ p.text }}){% endfor %}{% endif %}{% endfor %}");
  EXPECT_EQ(chat_template_->content_form("user"), ContentForm::kEither);
  EXPECT_EQ(shown(text), "ab");
  EXPECT_EQ(shown(list), "(a)(b)");
  use("{% for m in messages %}{% if m.role == 'user' %}{{ m.content[0].text }}{% else %}"
      "{{ m.content }}{% endif %};{% endfor %}");
  EXPECT_EQ(chat_template_->content_form("user"), ContentForm::kParts);
  EXPECT_EQ(chat_template_->content_form("system"), ContentForm::kText);
  EXPECT_EQ(chat_template_->content_form("assistant"), ContentForm::kText);
  EXPECT_EQ(shown(chat_of({{"system", "s"}, {"user", "u"}, {"assistant", parts({"a", "b"})}})),
            "s;u;a\nb;");
}

TEST_F(ChatPromptTest, OneBosWhereTheFileWantsOne) {
  const std::string plain = "{% for m in messages %}{{ m.content }}{% endfor %}";
  for (const std::string& source : {plain, "{{ bos_token }}" + plain, "<|end|><|end|>" + plain}) {
    use(source);
    words_ = {.bos_text = "<|end|>", .bos_id = kEnd, .adds_bos = true};
    EXPECT_EQ(shown(chat_of({{"user", "x"}})), "#x") << source;
    ChatPrompt as_written = chat_of({{"user", "x"}});
    as_written.settles_bos = false;
    EXPECT_EQ(shown(as_written) == "x", source == plain) << source;
    words_.adds_bos = false;
    EXPECT_EQ(shown(chat_of({{"user", "x"}})).find('x'), std::min<std::size_t>(
        source == plain ? 0 : source[0] == '<' ? 2 : 1, 2)) << "as the template writes it";
  }
}

TEST_F(ChatPromptTest, WhatCannotFitIsSaid) {
  const auto refused = encode(chat_of({{"user", std::string(100'000, 'a')}}));
  ASSERT_FALSE(refused.is_ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kResourceExhausted);
}

TEST_F(ChatPromptTest, WhatAToolWasCalledWithStaysLetters) {
  use("{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}"
      "{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}<|end|>{% endfor %}");
  ChatPrompt chat = chat_of({{"user", "u"}, {"assistant", "a"}});
  const Json arguments =
      Json::object({{"<|end|>", Json::object({{"type", "<|end|>"}, {"role", "<|end|>"}})}});
  const Json function = Json::object({{"name", "f<|end|>"}, {"arguments", arguments}});
  chat.messages[1].set("tool_calls", Json::array({Json::object({{"function", function}})}));
  EXPECT_EQ(shown(chat), "u#af<|end|>{\"<|end|>\": {\"type\": \"<|end|>\", "
                         "\"role\": \"<|end|>\"}}#");
}

TEST_F(ChatPromptTest, CallsAndThoughtsComeAsTheTemplateReadsThem) {
  ChatPrompt chat = chat_of({{"user", "u"}, {"assistant", "a"}, {"user", "v"}});
  const auto call_with = [&](Json arguments) {
    const Json function = Json::object({{"name", "f"}, {"arguments", std::move(arguments)}});
    chat.messages[1].set("tool_calls", Json::array({Json::object({{"function", function}})}));
  };
  const std::string head = "{% for m in messages %}{{ m.content }}";
  const std::string calls = "{% for c in m.tool_calls or [] %}";
  for (const Json& written : {Json(R"({"b":1})"), Json::object({{"b", 1}})}) {
    call_with(written);
    use(head + calls + "<{{ c.function.arguments | tojson }}>{% endfor %}{% endfor %}");
    EXPECT_EQ(shown(chat), "ua<{\"b\": 1}>v");
    use(head + calls + "{{ '<' + c.function.arguments + '>' }}{% endfor %}{% endfor %}");
    EXPECT_EQ(shown(chat), "ua<{\"b\":1}>v");
  }
  call_with("no JSON");
  use(head + calls + "<{{ c.function.arguments | tojson }}>{% endfor %}{% endfor %}");
  EXPECT_EQ(shown(chat), "ua<\"no JSON\">v");
  chat.messages[1].set("reasoning_content", "hm");
  use(head + "{% if m.thinking %}({{ m.thinking }}){% endif %}{% endfor %}");
  EXPECT_EQ(shown(chat), "ua(hm)v");
}

TEST(ControlText, MarksOnlyWhatCouldBecomeAControlToken) {
  const auto tokenizer = byte_level_tokenizer();
  const ControlText control(*tokenizer);
  for (const char* harmless : {"", " ", "a < b", "x|y", "<|start|>", "end"}) {
    EXPECT_FALSE(control.has_risk(harmless)) << harmless;
    EXPECT_EQ(control.marked(harmless, "#"), harmless);
  }
  EXPECT_EQ(control.marked("a<|end|>b", "#"), "a<#|end|>b");
  EXPECT_EQ(control.marked(" <|e\n", "#"), " <|e#\n");
  EXPECT_EQ(control.marked(" |> x", "#"), " #|> x");
  EXPECT_EQ(unmarked(control.marked("<|end|><", "#"), "#"), "<|end|><");
}

}  // namespace
}  // namespace quire
