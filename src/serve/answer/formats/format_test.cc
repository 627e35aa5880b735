// Formats: what the published templates are recognised as, that they render a history of calls
// without loss, and that the tables contradict nobody.
#include "serve/answer/formats/format.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

struct Known {
  std::string_view calls, thoughts;
  // The template leaves calls out of the history; their text is written into the message.
  bool drops_calls = false;
};

const std::map<std::string, Known> kTemplates = {
    {"Bielik-11B-v3.0-Instruct", {"hermes", "think"}},
    {"Cohere2MoE", {"command_a", "command_a"}},
    {"CohereForAI-c4ai-command-r-plus-tool_use", {"command_r", ""}},
    {"GLM-4.6", {"glm45", "think"}},
    {"GLM-4.7-Flash", {"glm45", "think"}},
    {"GigaChat3.1-10B-A1.8B", {"gigachat3", ""}},
    {"HuggingFaceTB-SmolLM3-3B", {"", "think", true}},
    {"Kimi-K2-Instruct", {"kimi_k2", "kimi_k2"}},
    {"LFM2-8B-A1B", {"lfm2", "", true}},
    {"LFM2.5-Instruct", {"lfm2", "think", true}},
    {"MiroThinker", {"mirothinker", "think", true}},  // it assigns to messages, which Jinja forbids
    {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", {"hermes", ""}},
    {"Qwen-QwQ-32B", {"hermes", "think"}},
    {"Qwen-Qwen2.5-7B-Instruct", {"hermes", ""}},
    {"Qwen-Qwen3-0.6B", {"hermes", "think"}},
    {"Qwen3.5-4B", {"qwen3_coder", "think"}},
    {"Reka-Edge", {"hermes", "think"}},
    {"StepFun3.5-Flash", {"qwen3_coder", "think"}},
    {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", {"deepseek_v3", "think"}},
    {"deepseek-ai-DeepSeek-V3.1", {"deepseek_v31", "think"}},
    {"deepseek-ai-DeepSeek-V3.2", {"deepseek_v32", "think"}},
    {"fireworks-ai-llama-3-firefunction-v2", {"functools", ""}},
    {"google-gemma-4-31B-it", {"gemma4", "gemma4"}},
    {"google-gemma-4-31B-it-interleaved", {"gemma4", "gemma4"}},
    {"ibm-granite-granite-3.3-2B-Instruct", {"granite", "think_response", true}},
    {"llama-cpp-deepseek-r1", {"deepseek_v3", "think"}},
    {"llama-cpp-rwkv-world", {"", "think", true}},
    {"meetkai-functionary-medium-v3.1", {"functionary_v3_1", ""}},
    {"meetkai-functionary-medium-v3.2", {"functionary_v3_2", ""}},
    {"meta-llama-Llama-3.1-8B-Instruct", {"llama3_json", ""}},
    {"meta-llama-Llama-3.2-3B-Instruct", {"llama3_json", ""}},
    {"meta-llama-Llama-3.3-70B-Instruct", {"llama3_json", ""}},
    {"mistralai-Ministral-3-14B-Reasoning-2512", {"mistral_v11", "magistral"}},
    {"mistralai-Mistral-Nemo-Instruct-2407", {"mistral", ""}},
    {"moonshotai-Kimi-K2", {"kimi_k2", "kimi_k2"}},
    {"unsloth-mistral-Devstral-Small-2507", {"mistral_v11", ""}},
};

Json conversation(const ChatTemplate& chat_template) {
  const Json city = "Zürich \"Nord\" \U0001F642";
  const Json arguments = Json::object({{"city", city}, {"days", 3}});
  const Json call = Json::object(
      {{"id", "aB3dE6gH9"},
       {"type", "function"},
       {"function", Json::object({{"name", "get_weather"}, {"arguments", arguments}})}});
  Json calling = Json::object(
      {{"role", "assistant"}, {"content", ""}, {"tool_calls", Json::array({call})}});
  calling = fit_calls(calling, chat_template);
  return Json::array({Json::object({{"role", "user"}, {"content", "Weather?"}}), calling,
                      Json::object({{"role", "tool"},
                                    {"content", "\"sunny-7\""},
                                    {"name", "get_weather"},
                                    {"tool_call_id", "aB3dE6gH9"}}),
                      Json::object({{"role", "user"}, {"content", "And now?"}})});
}

TEST(Formats, PublishedTemplatesAreKnown) {
  const fs::path folder = fs::path(QUIRE_SOURCE_DIR) / "../shared/testdata/chat-templates";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not here";
  std::size_t count = 0;
  for (const auto& file : fs::directory_iterator(folder)) {
    if (file.path().extension() != ".jinja") continue;
    const std::string name = file.path().stem().string();
    const auto known = kTemplates.find(name);
    ASSERT_NE(known, kTemplates.end()) << name;
    ++count;
    const std::string source = read_file(file.path().string(), 1 << 20).value();
    const AnswerFormat format = format_of_template(source);
    EXPECT_EQ(format.calls == nullptr ? "" : format.calls->name, known->second.calls) << name;
    EXPECT_EQ(format.thoughts == nullptr ? "" : format.thoughts->name, known->second.thoughts)
        << name;

    const auto chat_template = ChatTemplate::compile(source);
    ASSERT_TRUE(chat_template.is_ok()) << name;
    // Firefunction's wants variables that a probe does not have.
    const bool is_probed = name != "fireworks-ai-llama-3-firefunction-v2";
    const bool is_shown = is_probed && !known->second.drops_calls;
    EXPECT_EQ((*chat_template)->shows_tool_calls(), is_shown) << name;
    if (known->second.drops_calls) continue;
    const bool is_text = (*chat_template)->wants_arguments_as_text();
    EXPECT_EQ(is_text, name == "meetkai-functionary-medium-v3.2") << name;
    Json context = Json::object({{"messages", conversation(**chat_template)},
                                 {"add_generation_prompt", true},
                                 {"functions", "[]"},
                                 {"datetime", "now"},
                                 {"bos_token", ""},
                                 {"eos_token", ""}});
    auto text = (*chat_template)->render(dump(context), {});
    if (!text.is_ok()) {  // it wants no question behind a result
      std::vector<Json> messages = conversation(**chat_template).items();
      messages.pop_back();
      context.set("messages", Json::array(std::move(messages)));
      text = (*chat_template)->render(dump(context), {});
    }
    ASSERT_TRUE(text.is_ok()) << name << ": " << text.status().message();
    for (const std::string_view wanted : {"get_weather", "rich ", "Nord", "sunny-7", "days", "3"}) {
      EXPECT_NE(text->find(wanted), std::string::npos)
          << name << " lost " << wanted << ":\n" << *text;
    }
  }
  EXPECT_EQ(count, kTemplates.size());
}

TEST(Formats, NamesAreOneEach) {
  std::set<std::string_view> names;
  for (const CallFormat* format : all_call_formats()) {
    EXPECT_TRUE(names.insert(format->name).second) << format->name;
    for (const std::string_view other : format->other_names) {
      EXPECT_TRUE(names.insert(other).second) << other;
    }
    EXPECT_FALSE(format->syntaxes.empty()) << format->name;
  }
  names.clear();
  for (const ThoughtFormat* format : all_thought_formats()) {
    EXPECT_TRUE(names.insert(format->name).second) << format->name;
    for (const std::string_view other : format->other_names) {
      EXPECT_TRUE(names.insert(other).second) << other;
    }
    EXPECT_NE(format->closing_phrase.find(format->ends), std::string_view::npos) << format->name;
  }
}

TEST(Formats, ParsersOfOtherServersHaveTheirNamesHere) {
  for (const char* name :
       {"hermes", "llama3_json", "llama4_pythonic", "llama4_json", "pythonic", "mistral",
        "deepseek_v3", "deepseek_v31", "deepseek_v32", "kimi_k2", "glm45", "glm47", "qwen3_coder",
        "qwen3_xml", "granite", "granite-20b-fc", "granite4", "internlm", "jamba", "xlam",
        "phi4_mini_json", "minimax", "minimax_m2", "hunyuan_a13b", "olmo3", "openai",
        "functiongemma", "seed_oss", "step3p5", "ernie45", "gigachat3", "functionary"}) {
    EXPECT_NE(find_call_format(name), nullptr) << name;
  }
  for (const char* name : {"deepseek_r1", "deepseek_v3", "qwen3", "granite", "glm45", "kimi_k2",
                           "mistral", "openai_gptoss", "hunyuan_a13b", "seed_oss", "ernie45",
                           "minimax_m2", "olmo3", "step3", "holo2"}) {
    EXPECT_NE(find_thought_format(name), nullptr) << name;
  }
  EXPECT_EQ(find_call_format("nobody's"), nullptr);
}

TEST(Formats, AThoughtThatThePromptHasOpenedIsSeen) {
  const AnswerFormat format{.thoughts = find_thought_format("think")};
  EXPECT_TRUE(ends_in_thought(format, "<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(ends_in_thought(format, "<|im_start|>assistant\n<think>\n\n</think>\n\n"));
  EXPECT_FALSE(ends_in_thought(format, ""));
  EXPECT_FALSE(ends_in_thought({}, "<think>"));
}

}  // namespace
}  // namespace quire
