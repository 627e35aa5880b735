// Go templates: what actions do, as Go's own documentation has it; what is refused, with its line;
// chats as Ollama renders them, with templates written as published ones are.
#include "text/go_template/go_template.h"

#include <gtest/gtest.h>

#include "base/philox.h"

namespace quire {
namespace {

std::string render(std::string_view source, const std::string& data = "{}") {
  const auto compiled = GoTemplate::compile(source);
  if (!compiled.is_ok()) return "! " + compiled.status().message();
  const auto text = (*compiled)->render(*parse_json(data), {});
  return text.is_ok() ? *text : "? " + text.status().message();
}

struct Case {
  const char* source;
  const char* data;
  const char* text;
};

TEST(GoTemplate, ActionsWriteWhatGoWrites) {
  const Case cases[] = {
      {"a{{ .X }}b", R"({"X":"y"})", "ayb"},
      {"a {{- .X -}} b", R"({"X":"y"})", "ayb"},
      {"a\n\n{{- /* c */ -}}\n b", "{}", "ab"},
      {"{{ .A.B.C }}", R"({"A":{"B":{"C":7}}})", "7"},
      {"{{ .No.Such }}|", "{}", "|"},
      {"{{ if .X }}t{{ else }}f{{ end }}", R"({"X":[]})", "f"},
      {"{{ if .A }}a{{ else if .B }}b{{ else }}c{{ end }}", R"({"B":1})", "b"},
      {"{{ if and .A (or .B .C) }}t{{ end }}", R"({"A":1,"C":"x"})", "t"},
      {"{{ range .L }}{{ . }},{{ else }}none{{ end }}", R"({"L":[1,2]})", "1,2,"},
      {"{{ range .L }}{{ . }},{{ else }}none{{ end }}", "{}", "none"},
      {"{{ range $i, $e := .L }}{{ $i }}={{ $e }};{{ end }}", R"({"L":["a","b"]})", "0=a;1=b;"},
      {"{{ range $k, $v := .M }}{{ $k }}{{ $v }} {{ end }}", R"({"M":{"b":2,"a":1}})", "a1 b2 "},
      {"{{ range 3 }}{{ . }}{{ end }}", "{}", "012"},
      {"{{ range .L }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ if eq . 4 }}{{ break }}{{ end }}"
       "{{ . }}{{ end }}", R"({"L":[1,2,3,4,5]})", "13"},
      {"{{ with .X }}{{ .Y }}{{ else }}no{{ end }}", R"({"X":{"Y":"z"}})", "z"},
      {"{{ with $x := .X }}{{ $x }}{{ end }}", R"({"X":"v"})", "v"},
      {"{{ $x := 1 }}{{ range .L }}{{ $x = . }}{{ end }}{{ $x }}", R"({"L":[7,8]})", "8"},
      {"{{ range .L }}{{ $.N }}{{ end }}", R"({"L":[0,0],"N":"n"})", "nn"},
      {"{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" .X }}", R"({"X":"v"})", "<v>"},
      {"{{ block \"b\" .X }}[{{ . }}]{{ end }}", R"({"X":"v"})", "[v]"},
      {"{{ \"q\\n\\u00e9\\x41\" }}{{ `r\\n` }}{{ 'a' }}", "{}", "q\n\xC3\xA9" "Ar\\n97"},
      {"{{ .X | printf \"%s-%d\" \"a\" }}", R"({"X":5})", "a-5"},
      {"{{ printf \"%05.1f|%-4s|%4d|%q|%t|%x|%%|%v\" 3.14159 \"ab\" 7 \"x\\\"y\" true 255 .L }}",
       R"({"L":[1,"a"]})", "003.1|ab  |   7|\"x\\\"y\"|true|ff|%|[1 a]"},
      {"{{ printf \"%d %s\" \"x\" }}", "{}", "%!d(string=x) %!s(MISSING)"},
      {"{{ eq .R \"a\" \"b\" }} {{ ne 1 2 }} {{ lt 1 2.5 }} {{ ge \"b\" \"a\" }}", R"({"R":"b"})",
       "true true true true"},
      {"{{ len .L }}{{ len \"abc\" }}{{ index .L 1 }}{{ index .M \"k\" }}",
       R"({"L":[4,5],"M":{"k":"v"}})", "235v"},
      {"{{ slice \"abcdef\" 1 3 }}{{ slice .L 1 }}", R"({"L":[1,2,3]})", "bc[2 3]"},
      {"{{ print 1 2 \"x\" 3 }}{{ println \"y\" }}", "{}", "1 2x3y\n"},
      {"{{ json .X }}", R"({"X":{"b":"<&>","a":[1,2.5,null]}})",
       "{\"b\":\"\\u003c\\u0026\\u003e\",\"a\":[1,2.5,null]}"},
      {"{{ (index .L 0).A }}", R"({"L":[{"A":"x"}]})", "x"},
      {"{{ not .X }}{{ or .X \"d\" }}{{ and 1 0 }}", "{}", "trued0"},
      {"{{ 1.5 }} {{ 1e3 }} {{ 0x10 }} {{ -3 }} {{ true }}", "{}", "1.5 1000 16 -3 true"},
      {"{{ html \"<a>\" }}{{ urlquery \"a b&\" }}", "{}", "&lt;a&gt;a+b%26"},
      {"{{- range $i, $_ := .L }}{{- $last := eq (len (slice $.L $i)) 1 }}{{ . }}"
       "{{ if $last }}!{{ end }}{{ end }}", R"({"L":["a","b"]})", "ab!"},
      {"{{ toTypeScriptType .P }}", R"({"P":{"type":["string","integer"]}})", "string | number"},
      {"{{ currentDate }} {{ yesterdayDate }}", "{}", "1970-01-01 1969-12-31"},
  };
  for (const Case& it : cases) {
    // Without .Response or .Messages Ollama would add one, which is empty.
    EXPECT_EQ(render(it.source, it.data), it.text) << it.source;
  }
}

TEST(GoTemplate, WhatIsWrongIsRefusedWithItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"a\n{{ nosuch .X }}", "! template line 2: function \"nosuch\" not defined"},
      {"{{ if .X }}", "! template line 1: {{if}} without its {{end}}"},
      {"{{ end }}", "! template line 1: unexpected {{end}}"},
      {"{{ else }}", "! template line 1: unexpected {{else}}"},
      {"\n\n{{ .X", "! template line 3: unclosed action"},
      {"{{ $x }}", "! template line 1: undefined variable $x"},
      {"{{ if .A }}{{ $x := 1 }}{{ end }}{{ $x }}", "! template line 1: undefined variable $x"},
      {"{{ template \"t\" }}", "! template line 1: template \"t\" not defined"},
      {"{{ break }}", "! template line 1: {{break}} outside {{range}}"},
      {"{{ \"abc }}", "! template line 1: unterminated quoted string"},
      {"{{ /* x }}", "! template line 1: unclosed comment"},
      {"{{ (1 }}", "! template line 1: unclosed left paren"},
      {"{{ 1x }}", "! template line 1: bad number \"1x\""},
      {"{{ if }}x{{ end }}", "! template line 1: missing value for if"},
      {"{{ .X | 1 }}", "! template line 1: non executable command in pipeline stage 2"},
      {"{{ index .L 9 }}", "? template line 1: error calling index: index out of range: 9"},
      {"{{ .L.X }}", "? template line 1: can't evaluate field X in an array"},
      {"\n{{ lt 1 \"a\" }}", "? template line 2: error calling lt: incompatible types for "
                             "comparison"},
      {"{{ 1 2 }}", "? template line 1: can't give argument to non-function"},
      {"{{ len }}", "? template line 1: wrong number of args for len: got 0"},
      {"{{ range \"x\" }}{{ end }}", "? template line 1: range can't iterate over a string"},
      {"{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}",
       "? template line 1: more than 64 templates in each other"},
      {"{{ range 9999999 }}{{ end }}", "? template line 1: more than 1000000 steps"},
  };
  for (const auto& [source, message] : cases) {
    EXPECT_EQ(render(source, R"({"L":[1]})"), message) << source;
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{{ if 1 }}";
  EXPECT_NE(render(deep).find("more than 64"), std::string::npos);
  const std::string nested = "{{ " + std::string(100, '(') + "1" + std::string(100, ')') + " }}";
  EXPECT_NE(render(nested).find("more than 64"), std::string::npos);
  const auto compiled = GoTemplate::compile("{{ range 1000 }}0123456789{{ end }}");
  const auto text = (*compiled)->render(Json::object(), {.output_max = 100});
  EXPECT_EQ(text.status().code(), StatusCode::kResourceExhausted);
}

std::string chat(std::string_view source, const std::string& context) {
  const auto compiled = GoTemplate::compile(source);
  if (!compiled.is_ok()) return "! " + compiled.status().message();
  const auto text = (*compiled)->render_chat(*parse_json(context), {});
  return text.is_ok() ? *text : "? " + text.status().message();
}

constexpr const char* kTurns =
    "{{ if .System }}<s>{{ .System }}</s>{{ end }}{{ if .Prompt }}<u>{{ .Prompt }}</u>{{ end }}"
    "<a>{{ .Response }}</a>";

TEST(GoTemplate, WhatFunctionsMakeIsBounded) {
  const std::string doubled = "{{ $x := \"aaaaaaaa\" }}{{ range 60 }}{{ $x = FUNCTION }}{{ end }}";
  for (const char* function : {"print $x $x", "println $x $x", "html $x $x", "urlquery $x $x",
                               "printf \"%s%s\" $x $x", "printf \"\" $x $x", "json (print $x $x)",
                               "slice (print $x $x \"b\") 1"}) {
    std::string source = doubled;
    source.replace(source.find("FUNCTION"), 8, function);
    EXPECT_NE(render(source).find(" bytes"), std::string::npos) << function;
  }
  // What is kept in a thousand variables is no less.
  std::string kept = "{{ $x := \"aaaaaaaa\" }}{{ range 20 }}{{ $x = print $x $x }}{{ end }}";
  for (int i = 0; i < 1000; ++i) kept += fmt::format("{{{{ $y{} := print $x }}}}", i);
  EXPECT_NE(render(kept).find("functions make more than"), std::string::npos);
}

TEST(GoTemplate, AskingForTheLastOfManyMessagesCopiesNone) {
  Json messages = Json::array();
  for (int i = 0; i < 4000; ++i) messages.push(std::string(400, 'm'));
  const std::string source = "{{ range $i, $_ := .L }}{{ if eq (len (slice $.L $i)) 1 }}{{ $i }}"
                             "{{ end }}{{ end }}";
  EXPECT_EQ(render(source, dump(Json::object({{"L", messages}}))), "3999");
  EXPECT_EQ(render("{{ len (slice .L 1 3) }}{{ len (slice .T 1) }}", R"({"L":[1,2,3],"T":"abc"})"),
            "22");
  EXPECT_EQ(render("{{ len (slice .L 4) }}", R"({"L":[1]})").find("? template line 1"), 0u);
}

TEST(GoTemplate, ManyMessagesOfOneRoleAreJoinedOnce) {
  Json messages = Json::array();
  for (int i = 0; i < 60'000; ++i) {
    messages.push(Json::object({{"role", "user"}, {"content", std::string(50, 'm')}}));
  }
  const auto compiled = GoTemplate::compile("{{ .Prompt }}");
  ASSERT_TRUE(compiled.is_ok());
  const auto text = (*compiled)->render_chat(Json::object({{"messages", messages}}), {});
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  EXPECT_EQ(text->size(), 60'000u * 52 - 2);
}

TEST(GoTemplate, ATemplateOfTurnsHasOneBudgetOfSteps) {
  Json messages = Json::array();
  for (int i = 0; i < 100; ++i) {
    messages.push(Json::object({{"role", "user"}, {"content", "u"}}));
    messages.push(Json::object({{"role", "assistant"}, {"content", "a"}}));
  }
  const auto compiled = GoTemplate::compile("{{ range 200 }}{{ end }}{{ .Prompt }}{{ .Response }}");
  ASSERT_TRUE(compiled.is_ok());
  const auto text = (*compiled)->render_chat(Json::object({{"messages", messages}}),
                                             {.steps_max = 1000});
  EXPECT_EQ(text.status().code(), StatusCode::kResourceExhausted);
}

TEST(GoTemplate, ATemplateOfTurnsIsRenderedTurnByTurn) {
  EXPECT_EQ(chat(kTurns, R"({"messages":[{"role":"system","content":"S"},)"
                         R"({"role":"user","content":"1"},{"role":"assistant","content":"2"},)"
                         R"({"role":"user","content":"3"}]})"),
            "<s>S</s><u>1</u><a>2</a><u>3</u><a>");
  EXPECT_EQ(chat("{{ .Prompt }}", R"({"messages":[{"role":"user","content":"x"}]})"), "x");
  EXPECT_EQ(chat(kTurns, R"({"messages":[{"role":"user","content":"1"},)"
                         R"({"role":"assistant","content":"begun"}]})"),
            "<u>1</u><a>begun");
}

constexpr const char* kMessages =
    "{{- range $i, $_ := .Messages }}{{- $last := eq (len (slice $.Messages $i)) 1 }}"
    "<|{{ .Role }}|>{{ if and $.Tools (eq .Role \"system\") }}{{ range $.Tools }}{{ . }}{{ end }}"
    "{{ end }}{{ .Content }}{{ range .ToolCalls }}"
    "{\"name\":\"{{ .Function.Name }}\",\"args\":{{ .Function.Arguments }}}{{ end }}"
    "{{ if and $last (ne .Role \"assistant\") }}<|assistant|>{{ end }}{{ end }}";

TEST(GoTemplate, ATemplateOfMessagesSeesThemWithTheirCallsAndTools) {
  EXPECT_EQ(chat(kMessages,
                 R"({"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},)"
                 R"({"role":"assistant","content":"","tool_calls":[{"id":"c","function":)"
                 R"({"name":"f","arguments":{"x":1}}}]},)"
                 R"({"role":"tool","content":"r","name":"f"}]})"),
            "<|user|>a\n\nb<|assistant|>{\"name\":\"f\",\"args\":{\"x\":1}}<|tool|>r<|assistant|>");
  const std::string with_tool =
      chat(kMessages, R"({"messages":[{"role":"system","content":"s"}],"tools":[{"type":)"
                      R"("function","function":{"name":"f","parameters":{"type":"object"}}}]})");
  EXPECT_EQ(with_tool, "<|system|>{\"type\":\"function\",\"function\":{\"name\":\"f\","
                       "\"parameters\":{\"type\":\"object\"}}}s<|assistant|>");
  EXPECT_EQ(chat("{{ range .Tools }}{{ .Function.Name }}:{{ .Function.Parameters.Type }}"
                 "{{ range $name, $it := .Function.Parameters.Properties }} {{ $name }}="
                 "{{ $it.Type }}{{ end }}{{ end }}{{ .Messages }}",
                 R"({"messages":[],"tools":[{"type":"function","function":{"name":"f",)"
                 R"("parameters":{"type":"object","properties":{"a":{"type":"string"}}}}}]})"),
            "f:object a=string[]");
}

TEST(GoTemplate, ThinkingReachesTheTemplate) {
  const char* source = "{{ .Messages }}{{ if .IsThinkSet }}{{ if .Think }}on{{ .ThinkLevel }}"
                       "{{ else }}off{{ end }}{{ else }}unset{{ end }}";
  EXPECT_TRUE(chat(source, R"({"messages":[]})").ends_with("unset"));
  EXPECT_TRUE(chat(source, R"({"messages":[],"enable_thinking":false})").ends_with("off"));
  EXPECT_TRUE(chat(source, R"({"messages":[],"enable_thinking":true,"reasoning_effort":"low"})")
                  .ends_with("onlow"));
}

TEST(GoTemplate, AGapHasWhatStandsBeforeAndBehindIt) {
  const auto compiled = GoTemplate::compile("<P>{{ .Prompt }}<S>{{ .Suffix }}<M>{{ .Response }}");
  EXPECT_EQ(*(*compiled)->render_gap("a", "b", {}), "<P>a<S>b<M>");
}

// Whatever becomes of a template, it compiles or is refused, and it ends.
TEST(GoTemplate, MutatedTemplatesNeverCrash) {
  const std::string sources[] = {
      kTurns, kMessages,
      "{{ $x := 1 }}{{ range $i, $e := .Messages }}{{ with $e }}{{ printf \"%5.2f %s\" $x .Role }}"
      "{{ else }}{{ break }}{{ end }}{{ end }}{{ define \"t\" }}{{ json . }}{{ end }}"
      "{{ template \"t\" . }}{{ slice .System 1 2 | print }}{{ block \"b\" . }}{{ end }}"};
  const std::string pieces[] = {"{{", "}}", "{{-", "-}}", "\"", "`", "'", "$", ".", "|", ":=", "(",
                                ")", "\\", "\n", "end", "else", "if ", "range ", "template ",
                                "9999999999", "%", "\xFF", "/*", "*/", "index ", "slice "};
  const Json context = *parse_json(
      R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"1"}],)"
      R"("tools":[{"type":"function","function":{"name":"f","parameters":{}}}]})");
  std::uint64_t draws = 0;
  const auto draw = [&](std::size_t bound) {
    return static_cast<std::size_t>(philox(1, draws++, 0)[0] % bound);
  };
  int compiled_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string source = sources[draw(std::size(sources))];
    for (std::size_t change = 0; change <= draw(4); ++change) {
      const std::size_t at = draw(source.size() + 1);
      const std::string& piece = pieces[draw(std::size(pieces))];
      switch (draw(3)) {
        case 0: source.insert(at, piece); break;
        case 1: source.erase(at, draw(8)); break;
        default: source.replace(at, std::min<std::size_t>(piece.size(), source.size() - at), piece);
      }
    }
    const auto compiled = GoTemplate::compile(source);
    if (!compiled.is_ok()) {
      EXPECT_NE(compiled.status().message().find("template line"), std::string::npos) << source;
      continue;
    }
    ++compiled_count;
    (void)(*compiled)->render_chat(context, {.steps_max = 20'000, .output_max = 1 << 16});
  }
  EXPECT_GT(compiled_count, 1000);
}

}  // namespace
}  // namespace quire
