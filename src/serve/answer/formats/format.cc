// Formats: the tables, the most specific first, since a template is asked for marks in that order.
#include "serve/answer/formats/format.h"

#include <algorithm>
#include <array>

#include "serve/answer/formats/families.h"
#include "text/control_text.h"

namespace quire {
namespace {

constexpr auto kCallFormats = std::to_array<const CallFormat*>({
    &formats::kSeed,         &formats::kQwen3Coder,       &formats::kMiniMaxM2,
    &formats::kDeepSeekV32,  &formats::kDeepSeekV3,       &formats::kDeepSeekV31,
    &formats::kGlm,          &formats::kKimi,             &formats::kHarmony,
    &formats::kGemma4,       &formats::kFunctionGemma,    &formats::kApertus,
    &formats::kMistralNamed, &formats::kMistral,          &formats::kFunctionary32,
    &formats::kFunctionary31, &formats::kLlama3Json,      &formats::kPythonic,
    &formats::kCommandA,     &formats::kCommandR,         &formats::kOlmo3,
    &formats::kLfm2,         &formats::kXlam,             &formats::kFunctools,
    &formats::kPhi4Mini,     &formats::kInternLm,         &formats::kGigaChat,
    &formats::kNemotron,     &formats::kHunyuan,          &formats::kMiniMaxM1,
    &formats::kJamba,        &formats::kGraniteFunctions, &formats::kGranite,
    &formats::kMiroThinker,  &formats::kHermes,           &formats::kGeneric,
});

constexpr auto kThoughtFormats = std::to_array<const ThoughtFormat*>({
    &formats::kSeedThoughts,
    &formats::kHarmonyThoughts,
    &formats::kGemmaThoughts,
    &formats::kMagistral,
    &formats::kCommandThoughts,
    &formats::kApertusThoughts,
    &formats::kTriangles,
    &formats::kLongCat,
    &formats::kGraniteThoughts,
    &formats::kKimiThoughts,
    &formats::kThinkResponse,
    &formats::kThinkAnswer,
    &formats::kThink,
});

template <typename Format>
const Format* find_by_name(std::span<const Format* const> all, std::string_view name) {
  for (const Format* format : all) {
    if (format->name == name || std::ranges::find(format->other_names, name) !=
                                    format->other_names.end()) {
      return format;
    }
  }
  return nullptr;
}

template <typename Format>
const Format* find_by_marks(std::span<const Format* const> all, std::string_view chat_template) {
  for (const Format* format : all) {
    for (const std::string_view mark : format->marks) {
      if (chat_template.find(mark) != std::string_view::npos) return format;
    }
  }
  return nullptr;
}

}  // namespace

std::span<const CallFormat* const> all_call_formats() { return kCallFormats; }
std::span<const ThoughtFormat* const> all_thought_formats() { return kThoughtFormats; }

const CallFormat* find_call_format(std::string_view name) {
  return find_by_name(all_call_formats(), name);
}

const ThoughtFormat* find_thought_format(std::string_view name) {
  return find_by_name(all_thought_formats(), name);
}

const CallFormat& generic_call_format() { return formats::kGeneric; }

AnswerFormat format_of_template(std::string_view chat_template) {
  return {.calls = find_by_marks(all_call_formats(), chat_template),
          .thoughts = find_by_marks(all_thought_formats(), chat_template)};
}

std::vector<std::string_view> literals_of(const CallSyntax& syntax) {
  std::vector<std::string_view> literals;
  const TagSyntax& tags = syntax.tags;
  for (const std::string_view literal :
       {syntax.opens, syntax.call_opens, syntax.name_opens, syntax.name_follow, syntax.name_closes,
        syntax.id_opens, syntax.quote, tags.key_opens, tags.key_closes, tags.json_key_closes,
        tags.value_closes, syntax.call_closes, syntax.separator, syntax.closes}) {
    if (!literal.empty()) literals.push_back(literal);
  }
  return literals;
}

std::vector<TokenId> mark_tokens(const AnswerFormat& format, const Tokenizer& tokenizer) {
  std::vector<std::string_view> literals;
  const auto add_all = [&](std::span<const std::string_view> all) {
    literals.insert(literals.end(), all.begin(), all.end());
  };
  if (format.calls != nullptr) {
    for (const CallSyntax& syntax : format.calls->syntaxes) add_all(literals_of(syntax));
    add_all(format.calls->hidden);
  }
  if (format.thoughts != nullptr) {
    add_all(format.thoughts->begins);
    add_all(format.thoughts->hidden);
    literals.push_back(format.thoughts->ends);
  }
  std::vector<TokenId> found;
  const ControlText control(tokenizer);
  for (const std::string_view literal : literals) {
    for (std::size_t at = 0; at < literal.size();) {
      const ControlText::Token* token = control.find_at(literal, at);
      if (token != nullptr && tokenizer.is_special(token->id)) found.push_back(token->id);
      at += token == nullptr ? 1 : token->text.size();
    }
  }
  std::ranges::sort(found);
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

bool ends_in_thought(const AnswerFormat& format, std::string_view prompt_end) {
  if (format.thoughts == nullptr) return false;
  const std::size_t last = prompt_end.find_last_not_of(" \t\r\n");
  const std::string_view end = prompt_end.substr(0, last == prompt_end.npos ? 0 : last + 1);
  return std::ranges::any_of(format.thoughts->begins,
                             [&](std::string_view begin) { return end.ends_with(begin); });
}

}  // namespace quire
