// ChatTemplate: what transformers' Jinja does, the limits, and the published templates and hostile
// ones under ../shared/testdata.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "text/chat_prompt.h"

namespace quire {
namespace {

const std::string kShared = QUIRE_SOURCE_DIR "/../shared/testdata/";

constexpr std::string_view kContext =
    R"({"messages":[{"role":"system","content":"You are <b>helpful</b>."},)"
    R"({"role":"user","content":"Hi \"there\" é🙂"},{"role":"assistant","content":"Hello!"},)"
    R"({"role":"user","content":"  What is 2+2?\n"}],"functions":"[]","datetime":"now",)"
    R"("add_generation_prompt":true,"bos_token":"<s>","eos_token":"</s>"})";

Result<std::string> rendered(std::string_view source, std::string_view context = kContext,
                             RenderLimits limits = {}) {
  QUIRE_ASSIGN_OR_RETURN(const auto chat_template, ChatTemplate::compile(source));
  return chat_template->render(context, limits);
}

std::string text_of(std::string_view source, std::string_view context = kContext) {
  const Result<std::string> text = rendered(source, context);
  return text.is_ok() ? *text : "error: " + text.status().message();
}

TEST(ChatTemplate, RendersChatMl) {
  EXPECT_EQ(
      text_of("{% for m in messages %}\n"
              "  {{- '<|im_start|>' + m['role'] + '\\n' + m.content.strip() + '<|im_end|>\\n' -}}\n"
              "{% endfor %}\n"
              "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"),
      "<|im_start|>system\nYou are <b>helpful</b>.<|im_end|>\n"
      "<|im_start|>user\nHi \"there\" é🙂<|im_end|>\n"
      "<|im_start|>assistant\nHello!<|im_end|>\n"
      "<|im_start|>user\nWhat is 2+2?<|im_end|>\n"
      "<|im_start|>assistant\n");
}

// Expected texts are CPython's and Jinja2 3.1's.
TEST(ChatTemplate, SpeaksPython) {
  EXPECT_EQ(text_of("{{ 'a-b'.split('-') | join('+') }}"), "a+b");
  EXPECT_EQ(text_of("{{ ('x' ~ 1 ~ none ~ true) }}"), "x1NoneTrue");
  EXPECT_EQ(text_of("{{ [1, 2] + [3] }} {{ 'ab' * 3 }} {{ 2 + 3 }} {{ 2 * 1.5 }}"),
            "[1, 2, 3] ababab 5 3.0");
  EXPECT_EQ(text_of("{{ {'a': [1, 2.0, none, true], 'é': '<\"\\n'} | tojson }}"),
            R"({"a": [1, 2.0, null, true], "é": "<\"\n"})");
  EXPECT_EQ(text_of("{{ {'b': 1, 'a': []} | tojson(indent=2) }}"),
            "{\n  \"b\": 1,\n  \"a\": []\n}");
  EXPECT_EQ(text_of("{{ '{\\n' | indent(4, first=true) }}|"), "    {\n|");
  EXPECT_EQ(text_of("{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}"
                    "{% endfor %}{{ ns.n }}"),
            "3");
  EXPECT_EQ(text_of("{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f('a') + f('b') }}"), "[a][b]");
  EXPECT_EQ(text_of("{{ missing is defined }} {{ missing }}|"), "False |");
  EXPECT_EQ(text_of("{{ strftime_now('%d %b %Y') }}"), "01 Jan 1970");
  RenderLimits limits;
  limits.unix_seconds = 1'700'000'000;  // 22:13:20 on 14 November 2023, UTC
  const std::string_view date = "{{ strftime_now('%Y-%m-%d %H:%M:%S%z%Z %A %j') }}";
  EXPECT_EQ(*rendered(date, kContext, limits), "2023-11-14 22:13:20 Tuesday 318");
  limits.utc_offset_seconds = 14 * 3600;
  EXPECT_EQ(*rendered(date, kContext, limits), "2023-11-15 12:13:20 Wednesday 319");
  limits.utc_offset_seconds = -(9 * 3600 + 1800);
  EXPECT_EQ(*rendered(date, kContext, limits), "2023-11-14 12:43:20 Tuesday 318");
}

// Tags of transformers for training: a scope when a prompt is rendered.
TEST(ChatTemplate, LooksThroughGenerationTags) {
  EXPECT_EQ(text_of("{% for m in messages[2:3] %}A\n{% generation %}\n  {{ m.content }}\n"
                    "{% endgeneration %}\nB{% endfor %}"),
            "A\n  Hello!\nB");
  EXPECT_EQ(text_of("a {%- generation -%} b {%- endgeneration -%} c"), "abc");
  EXPECT_EQ(text_of("{% set x = 1 %}{%generation%}{% set x = 2 %}{{ x }}{%+ endgeneration %}"
                    "{{ x }}"),
            "21");
  EXPECT_EQ(text_of("{{ '{% generation %}' }}{# {% generation %} #}{% raw %}{% generation %}"
                    "{% endraw %}{{ \"%}\" }}{% if '%}' %}{% generation %}é{% endgeneration %}"
                    "{% endif %}"),
            "{% generation %}{% generation %}%}é");
  EXPECT_EQ(text_of("{% generation %}\n{{ raise_exception('x') }}{% endgeneration %}"),
            "error: chat template: x (line 2)");
  EXPECT_FALSE(rendered("{% generation %}").is_ok());
}

TEST(ChatTemplate, TellsWhatItReads) {
  const auto chat_template =
      ChatTemplate::compile("{% for m in messages %}{{ m.role }}{% endfor %}{{ tools }}");
  ASSERT_TRUE(chat_template.is_ok());
  EXPECT_EQ((*chat_template)->variables(), (std::vector<std::string>{"messages", "tools"}));
  EXPECT_TRUE((*chat_template)->has_variable("tools"));
  EXPECT_FALSE((*chat_template)->has_variable("m"));
}

TEST(ChatTemplate, TellsWhetherToolsAndLateSystemMessagesComeOut) {
  const auto plain = ChatTemplate::compile("{% for m in messages %}{{ m.content }}{% endfor %}");
  ASSERT_TRUE(plain.is_ok());
  EXPECT_FALSE((*plain)->shows_tool_calls());
  EXPECT_TRUE((*plain)->shows_tool_results());
  EXPECT_TRUE((*plain)->shows_late_system());
  const auto strict = ChatTemplate::compile(
      "{% for m in messages %}{% if m.role == 'system' and not loop.first %}"
      "{{ raise_exception('system first') }}{% elif m.tool_calls %}"
      "{% for c in m.tool_calls %}{{ c.function.name }}{{ c.function.arguments | tojson }}"
      "{% endfor %}{% elif m.role != 'tool' %}{{ m.content }}{% endif %}{% endfor %}");
  ASSERT_TRUE(strict.is_ok());
  EXPECT_TRUE((*strict)->shows_tool_calls());
  EXPECT_FALSE((*strict)->shows_tool_results());
  EXPECT_FALSE((*strict)->shows_late_system());
}

TEST(ChatTemplate, TellsInWhichFormItReadsArgumentsAndWhereThoughts) {
  const auto of = [](const std::string& arguments) {
    const auto made = ChatTemplate::compile(
        "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}"
        "{{ c.function.name }}" + arguments + "{% endfor %}{% endfor %}");
    EXPECT_TRUE(made.is_ok());
    return *made;
  };
  EXPECT_TRUE(of("{{ 'x' + c.function.arguments }}")->wants_arguments_as_text());
  EXPECT_TRUE(of("{{ 'x' + c.function.arguments }}")->shows_tool_calls());
  EXPECT_FALSE(of("{{ c.function.arguments | tojson }}")->wants_arguments_as_text());
  EXPECT_FALSE(of("{% for k, v in c.function.arguments | items %}{{ k }}={{ v }}{% endfor %}")
                   ->wants_arguments_as_text());
  EXPECT_FALSE(of("{% if c.function.arguments is string %}{{ c.function.arguments }}{% else %}"
                  "{{ c.function.arguments | tojson }}{% endif %}")->wants_arguments_as_text());
  EXPECT_EQ(of("{{ m.reasoning_content }}")->thought_member(), "reasoning_content");
  EXPECT_EQ(of("{% if 'thinking' in m %}{{ m['thinking'] }}{% endif %}")->thought_member(),
            "thinking");
  EXPECT_EQ(of("{% if enable_thinking %}{{ m.thinking_budget }}{% endif %}")->thought_member(), "");
}

TEST(ChatTemplate, PassesOnWhatATemplateObjectsTo) {
  const auto text = rendered("\n{{ raise_exception('Roles must alternate') }}");
  ASSERT_FALSE(text.is_ok());
  EXPECT_EQ(text.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(text.status().message(), "chat template: Roles must alternate (line 2)");
}

TEST(ChatTemplate, RefusesABrokenContext) {
  for (const char* context : {"", "[]", "{", "\xFF"}) {
    EXPECT_FALSE(rendered("x", context).is_ok()) << context;
  }
}

TEST(ChatTemplate, EndsWhatWouldNotEnd) {
  const std::string_view hostile[] = {
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% "
      "endfor %}",
      "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% "
      "endfor %}",
      "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% "
      "endfor %}",
      "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% "
      "endfor %}"
      "{{ ns.x }}",
      "{% set ns = namespace(x='ab') %}{% for i in range(60) %}"
      "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}",
      "{% for i in range(90000) "
      "%}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "{% endfor %}",
      "{{ 'x' * 1000000000 }}",
      "{{ 'a' | replace('', 'b' * 100000) | replace('b', 'c' * 100000) }}",
      "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
      "{{ (['a'] * 100000) | join('b' * 100000) }}",
      "{{ '%0999999999d' | format(1) }}",
      "{{ [1] | batch(1000000000, 'x') | list }}",
      "{{ ('a\\n' * 1000000) | indent(9999) }}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}"
      "{{ ns.x | tojson }}",
  };
  RenderLimits limits;
  limits.output_size_max = 1 << 20;
  for (const std::string_view source : hostile) {
    EXPECT_FALSE(rendered(source, kContext, limits).is_ok()) << source;
  }
}

TEST(ChatTemplate, BoundsTheOutput) {
  RenderLimits limits;
  limits.output_size_max = 10;
  EXPECT_TRUE(rendered("0123456789", kContext, limits).is_ok());
  const auto text = rendered("0123456789a", kContext, limits);
  ASSERT_FALSE(text.is_ok());
  EXPECT_EQ(text.status().code(), StatusCode::kResourceExhausted);
}

// A template stays whole after it failed.
TEST(ChatTemplate, ForgetsAFailedRendering) {
  const auto chat_template = ChatTemplate::compile("{{ n * 'x' }}");
  ASSERT_TRUE(chat_template.is_ok());
  EXPECT_FALSE((*chat_template)->render(R"({"n": 1000000000})", {}).is_ok());
  const auto text = (*chat_template)->render(R"({"n": 3})", {});
  ASSERT_TRUE(text.is_ok());
  EXPECT_EQ(*text, "xxx");
}

std::string contents_of(const std::filesystem::path& path) {
  Result<std::string> text = read_file(path.string(), std::size_t{4} << 20);
  QUIRE_CHECK(text.is_ok(), "{}", text.status().message());
  return std::move(text).value();
}

// 36 templates; MiroThinker assigns to an attribute of a plain dict, which Jinja2 refuses as well.
TEST(ChatTemplate, RendersPublishedTemplates) {
  const std::string folder = kShared + "chat-templates";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "not here: " << folder;
  int count = 0;
  std::vector<std::string> failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    ++count;
    const Result<std::string> text = rendered(contents_of(entry.path()));
    const bool is_fine = text.is_ok() && text->find("2+2") != std::string::npos;
    if (!is_fine) failed.push_back(entry.path().filename().string());
  }
  EXPECT_EQ(count, 36);
  EXPECT_EQ(failed, std::vector<std::string>{"MiroThinker.jinja"});
}

// Calls with nested arguments and their results, as encode_chat hands them over.
Json call_history(const ChatTemplate& chat_template) {
  const auto message = [](std::string_view role, std::string_view content) {
    return Json::object({{"role", role}, {"content", content}});
  };
  const Json arguments = Json::object(
      {{"city", "K\u00f8benhavn-probe"},
       {"days", Json::array({Json::object({{"date", "monday-probe"}})})}});
  Json call = message("assistant", "");
  call.set("tool_calls",
           Json::array({Json::object(
               {{"id", "call00001"}, {"type", "function"},
                {"function", Json::object({{"name", "weather_probe"},
                                           {"arguments", dump(arguments)}})}})}));
  Json result = message("tool", "rain-probe");
  result.set("tool_call_id", "call00001");
  result.set("name", "weather_probe");
  Json messages = Json::array();
  for (const Json& one : {message("user", "weather?"), call, result, message("assistant", "rain"),
                          message("user", "thanks")}) {
    const std::string role = one.find("role")->as_string();
    messages.push(fit_content(fit_calls(one, chat_template), chat_template.content_form(role)));
  }
  return messages;
}

// What has a place for calls loses nothing of them; the rest is shown them as text.
TEST(ChatTemplate, PublishedTemplatesKeepCallsAndResults) {
  const std::string folder = kShared + "chat-templates";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "not here: " << folder;
  std::set<std::string> lossy, placeless;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    const std::string name = entry.path().stem().string();
    const auto chat_template = ChatTemplate::compile(contents_of(entry.path()));
    ASSERT_TRUE(chat_template.is_ok()) << name;
    const ChatTemplate& it = **chat_template;
    if (!it.shows_tool_calls() || !it.shows_tool_results()) {
      placeless.insert(name);
      continue;
    }
    const Json context = Json::object({{"messages", call_history(it)},
                                       {"add_generation_prompt", true},
                                       {"bos_token", ""}, {"eos_token", ""}});
    const auto text = it.render(dump(context), {});
    bool is_whole = text.is_ok();
    for (const char* word : {"weather_probe", "monday-probe", "rain-probe", "city", "days"}) {
      is_whole = is_whole && text->find(word) != std::string::npos;
    }
    is_whole = is_whole && (text->find("K\u00f8benhavn-probe") != std::string::npos ||
                            text->find("K\\u00f8benhavn-probe") != std::string::npos);
    if (!is_whole) lossy.insert(name + (text.is_ok() ? "" : ": " + text.status().message()));
  }
  EXPECT_EQ(lossy, std::set<std::string>{});
  // Some write an assistant's content alone; of the others two ask for what nobody gives them, one
  // assigns to what it was given, and one is for models without tools.
  EXPECT_EQ(placeless, (std::set<std::string>{
                           "HuggingFaceTB-SmolLM3-3B", "LFM2-8B-A1B", "LFM2.5-Instruct",
                           "MiroThinker", "fireworks-ai-llama-3-firefunction-v2",
                           "ibm-granite-granite-3.3-2B-Instruct", "llama-cpp-rwkv-world"}));
}

// The manifest's expectations: these render, every other file is an error. 012 may be either.
TEST(ChatTemplate, MeetsTheManifestOfBadTemplates) {
  const std::string folder = kShared + "bad-templates";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "not here: " << folder;
  RenderLimits limits;
  limits.output_size_max = 1 << 20;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    ++count;
    const std::string name = entry.path().filename().string();
    const Result<std::string> text = rendered(contents_of(entry.path()), kContext, limits);
    if (name == "027_slice_huge.jinja") {
      ASSERT_TRUE(text.is_ok()) << text.status().message();
      EXPECT_EQ(*text, "abc");
    } else if (name == "043_injection.jinja") {
      EXPECT_TRUE(text.is_ok());
    } else {
      EXPECT_FALSE(text.is_ok()) << name;
    }
  }
  EXPECT_EQ(count, 23);
}

// 008 of the manifest is a gzip file: the same by construction.
TEST(ChatTemplate, RefusesDeepNesting) {
  std::string source;
  for (int i = 0; i < 10'000; ++i) source += "{% if true %}";
  for (int i = 0; i < 10'000; ++i) source += "{% endif %}";
  EXPECT_FALSE(rendered(source).is_ok());
}

// As Python has it: a list that two names share is one list.
TEST(ChatTemplate, ListsAndDictionariesOfTheTemplateMayBeChanged) {
  const auto text = [](std::string_view source) {
    const Result<std::string> text = rendered(source);
    return text.is_ok() ? *text : "error: " + text.status().message();
  };
  EXPECT_EQ(text("{% set q = namespace(ids=[]) %}{% for i in range(3) %}"
                 "{% set _ = q.ids.append('f:' ~ i) %}{% endfor %}"
                 "{% set a = q.ids.pop(0) %}{{ a }} {{ q.ids.pop() }} {{ q.ids }}"),
            "f:0 f:2 ['f:1']");
  EXPECT_EQ(text("{% set l = [1] %}{% set m = l %}{% set _ = l.extend([2, 3]) %}"
                 "{% set _ = m.insert(0, 0) %}{{ l }}{{ l[-1] }}{{ l|length }}{{ 2 in l }}"),
            "[0, 1, 2, 3]34True");
  EXPECT_EQ(text("{% set l = [3, 1, 3] %}{% set _ = l.remove(3) %}{% set _ = l.reverse() %}{{ l }}"
                 "{% set _ = l.clear() %}{{ 'full' if l else 'empty' }}"),
            "[3, 1]empty");
  EXPECT_EQ(text("{% set d = {'b': 1} %}{% set _ = d.update({'a': [2]}) %}"
                 "{{ d.setdefault('c', 3) }}{{ d.setdefault('b', 9) }}{{ d|tojson }}{{ d.a }}"
                 "{{ d.pop('a') }}{{ d.pop('x', 'none') }}"
                 "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{{ d.get('z', 0) }}"),
            "31{\"b\": 1, \"a\": [2], \"c\": 3}[2][2]noneb=1;c=3;0");
  EXPECT_EQ(text("{% set l = [1] %}{% set m = l.copy() %}{% set _ = m.append(2) %}{{ l }}{{ m }}"
                 "{{ l + m }}"),
            "[1][1, 2][1, 1, 2]");
  EXPECT_NE(text("{% set l = [] %}{% set _ = l.append({'a': l}) %}").find("into itself"),
            std::string::npos);
  EXPECT_NE(text("{% set l = [] %}{{ l.pop() }}").find("no such item"), std::string::npos);
  EXPECT_NE(text("{% set _ = messages.append(1) %}").find("append"), std::string::npos)
      << "what comes from the conversation stays";
  RenderLimits limits;
  limits.output_size_max = 1 << 20;
  EXPECT_FALSE(rendered("{% set l = ['x'] %}{% for i in range(100) %}"
                        "{% set _ = l.extend(l + l) %}{% endfor %}", kContext, limits).is_ok());
}

}  // namespace
}  // namespace quire
