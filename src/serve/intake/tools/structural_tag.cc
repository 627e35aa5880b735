#include "serve/intake/tools/structural_tag.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "serve/answer/formats/lark.h"
#include "serve/intake/constraint.h"
#include "serve/intake/fields.h"
#include "text/grammar/as_rule.h"
#include "text/grammar/pattern.h"

namespace quire {
namespace {

// What follows a format: nothing at all, or these texts, one of them.
struct Behind {
  std::vector<std::string> ends;  // empty: the answer ends there
  bool is_known = true;           // else something that free text cannot stop at
};

struct Tag {
  std::string begin;
  const Json* content = nullptr;
  std::string content_field;
  std::vector<std::string> ends;  // empty: none
};

class TagWriter {
 public:
  Parsed<GrammarSource> write(const Json& tag, const std::string& field) {
    if (!tag.is_object()) return expected(field, "an object", tag);
    const bool is_older = tag.find("structures") != nullptr || tag.find("triggers") != nullptr;
    const Json* format = is_older ? nullptr : tag.find("format");
    if (!is_older && format == nullptr) {
      return invalid_value(field, fmt::format("Invalid '{}': expected `format`, or `structures` "
                                              "and `triggers`.", field));
    }
    auto start = is_older ? structures(tag, field) : body(*format, field + ".format", {}, 0);
    if (!start.is_ok()) return start.error();
    std::string text = "start: " + *start + "\n" + rules_ + "TEXT: /(\\n|.)*/\n";
    return GrammarSource{GrammarKind::kLark, std::move(text)};
  }

 private:
  static ApiError expected(const std::string& field, std::string_view what, const Json& got) {
    return invalid_value(field, fmt::format("Invalid '{}': expected {}, got {}.", field, what,
                                            shown(got)));
  }

  std::string rule(const std::string& body, bool is_lazy = false) {
    std::string name = fmt::format("part_{}", count_++);
    rules_ += fmt::format("{}{}: {}\n", name, is_lazy ? "[lazy]" : "", body);
    return name;
  }

  std::string text_until(const std::vector<std::string>& ends) {
    std::string all;
    for (const std::string& end : ends) {
      all += (all.empty() ? "" : " | ") + LarkWriter::quoted(end);
    }
    return rule(fmt::format("TEXT ({})", all), true);
  }

  // --- members ---

  Parsed<std::string> text_of(const Json& format, const char* name, const std::string& field) {
    const Json* text = format.find(name);
    const std::string where = fmt::format("{}.{}", field, name);
    if (text == nullptr || !text->is_string() || text->as_string().size() > kTagTextMax) {
      return expected(where, fmt::format("a string of at most {} bytes", kTagTextMax),
                      text == nullptr ? Json() : *text);
    }
    return text->as_string();
  }

  Parsed<const std::vector<Json>*> list_of(const Json& format, const char* name,
                                           const std::string& field, std::size_t count_max) {
    const Json* list = format.find(name);
    const std::string where = fmt::format("{}.{}", field, name);
    if (list == nullptr || !list->is_array() || list->items().empty() ||
        list->items().size() > count_max) {
      return expected(where, fmt::format("a list of 1 to {}", count_max),
                      list == nullptr ? Json() : *list);
    }
    return &list->items();
  }

  // Nothing is passed over in silence.
  static std::optional<ApiError> refuse_others(const Json& format, const std::string& field,
                                               std::initializer_list<std::string_view> known) {
    for (const auto& [name, value] : format.members()) {
      if (name == "type" || value.is_null() || std::ranges::find(known, name) != known.end()) {
        continue;
      }
      const bool is_neutral = (value.is_bool() && !value.as_bool()) ||
                              (value.is_array() && value.items().empty());
      if (is_neutral) continue;
      const std::string where = field + "." + name;
      return unsupported_parameter(where, fmt::format("Unsupported parameter: '{}'.", where));
    }
    return std::nullopt;
  }

  static bool flag(const Json& format, const char* name) {
    const Json* value = format.find(name);
    return value != nullptr && value->is_bool() && value->as_bool();
  }

  // --- formats ---

  Parsed<std::string> body(const Json& format, const std::string& field, const Behind& behind,
                           std::size_t depth) {
    const Json* type = format.find("type");
    if (type == nullptr || !type->is_string()) {
      return expected(field, "an object with a type", format);
    }
    if (depth > kTagDepthMax || ++formats_ > kTagFormatsMax) {
      return invalid_value(field, fmt::format("Invalid '{}': at most {} formats, {} deep.", field,
                                              kTagFormatsMax, kTagDepthMax));
    }
    const std::string& name = type->as_string();
    if (name == "const_string") return constant(format, field);
    if (name == "json_schema") return schema(format, "json_schema", field);
    if (name == "regex" || name == "grammar") return written(format, name, field);
    if (name == "any_text") return any_text(format, field, behind);
    if (name == "sequence") return sequence(format, field, behind, depth);
    if (name == "or") return alternatives(format, field, behind, depth);
    if (name == "tag") return whole_tag(format, field, behind, depth);
    if (name == "triggered_tags") return triggered(format, field, behind, depth);
    if (name == "tags_with_separator") return separated(format, field, depth);
    const std::string where = field + ".type";
    return unsupported_parameter(where, fmt::format("Unsupported parameter: '{}': there is no {} "
                                                    "here.", where, shown(*type)));
  }

  Parsed<std::string> constant(const Json& format, const std::string& field) {
    if (auto refusal = refuse_others(format, field, {"value"})) return *refusal;
    auto text = text_of(format, "value", field);
    if (!text.is_ok()) return text.error();
    return LarkWriter::quoted(*text);
  }

  Parsed<std::string> schema(const Json& format, const char* member, const std::string& field) {
    const Json* style = format.find("style");
    const bool is_plain = style == nullptr || style->is_null() || *style == Json("json");
    if (!is_plain) {
      const std::string where = field + ".style";
      return unsupported_parameter(where, fmt::format("Unsupported parameter: '{}': expected json, "
                                                      "got {}.", where, shown(*style)));
    }
    if (auto refusal = refuse_others(format, field, {member, "style", "begin", "end"})) {
      return *refusal;
    }
    const Json* wanted = format.find(member);
    const std::string where = fmt::format("{}.{}", field, member);
    if (wanted == nullptr) return expected(where, "a JSON Schema", Json());
    return grammar(read_schema(*wanted, where), where);
  }

  Parsed<std::string> written(const Json& format, const std::string& name,
                              const std::string& field) {
    const char* member = name == "regex" ? "pattern" : "grammar";
    if (auto refusal = refuse_others(format, field, {member})) return *refusal;
    const Json* text = format.find(member);
    const std::string where = fmt::format("{}.{}", field, member);
    if (text == nullptr || !text->is_string()) {
      return expected(where, "a string", text == nullptr ? Json() : *text);
    }
    if (name == "grammar") return grammar(read_grammar_text(*text, where), where);
    Result<std::string> pattern = rewrite_pattern(text->as_string());
    if (!pattern.is_ok()) return refuse_grammar(where, pattern.status());
    return rule(as_lark_rule({GrammarKind::kRegex, std::move(*pattern)}));
  }

  Parsed<std::string> grammar(Parsed<AskedGrammar> asked, const std::string& field) {
    if (!asked.is_ok()) return asked.error();
    size_ += asked->source.text.size();
    if (size_ > kTagGrammarMax) {
      return invalid_value(field, fmt::format("Invalid '{}': the schemas and grammars of a tag "
                                              "have at most {} bytes.", field, kTagGrammarMax));
    }
    return rule(as_lark_rule(asked->source));
  }

  Parsed<std::string> any_text(const Json& format, const std::string& field,
                               const Behind& behind) {
    if (auto refusal = refuse_others(format, field, {})) return *refusal;
    if (!behind.is_known) return refuse_open(field);
    return behind.ends.empty() ? std::string("TEXT") : text_until(behind.ends);
  }

  static ApiError refuse_open(const std::string& field) {
    return unsupported_parameter(
        field, fmt::format("Unsupported parameter: '{}': free text stands at the end of the answer "
                           "or alone in a tag.", field));
  }

  Parsed<std::string> sequence(const Json& format, const std::string& field, const Behind& behind,
                               std::size_t depth) {
    if (auto refusal = refuse_others(format, field, {"elements"})) return *refusal;
    auto elements = list_of(format, "elements", field, kTagFormatsMax);
    if (!elements.is_ok()) return elements.error();
    std::string all;
    for (std::size_t i = 0; i < (*elements)->size(); ++i) {
      const bool is_last = i + 1 == (*elements)->size() && behind.ends.empty();
      auto one = body((**elements)[i], fmt::format("{}.elements[{}]", field, i),
                      is_last ? behind : Behind{.ends = {}, .is_known = false}, depth + 1);
      if (!one.is_ok()) return one.error();
      all += (all.empty() ? "(" : " (") + *one + ")";
    }
    return all;
  }

  Parsed<std::string> alternatives(const Json& format, const std::string& field,
                                   const Behind& behind, std::size_t depth) {
    if (auto refusal = refuse_others(format, field, {"elements"})) return *refusal;
    auto elements = list_of(format, "elements", field, kTagFormatsMax);
    if (!elements.is_ok()) return elements.error();
    const Behind inside = behind.ends.empty() ? behind : Behind{.ends = {}, .is_known = false};
    std::string all;
    for (std::size_t i = 0; i < (*elements)->size(); ++i) {
      auto one = body((**elements)[i], fmt::format("{}.elements[{}]", field, i), inside, depth + 1);
      if (!one.is_ok()) return one.error();
      all += (all.empty() ? "(" : " | (") + *one + ")";
    }
    return "(" + all + ")";
  }

  // --- tags ---

  Parsed<Tag> read_tag(const Json& format, const std::string& field) {
    if (!format.is_object()) return expected(field, "a tag", format);
    if (auto refusal = refuse_others(format, field, {"begin", "content", "end"})) return *refusal;
    auto begin = text_of(format, "begin", field);
    if (!begin.is_ok()) return begin.error();
    Tag tag{.begin = std::move(*begin),
            .content = format.find("content"),
            .content_field = field + ".content",
            .ends = {}};
    if (tag.content == nullptr) return expected(tag.content_field, "a format", Json());
    const Json* end = format.find("end");
    const std::vector<Json> one = end != nullptr && end->is_string() ? std::vector<Json>{*end}
                                                                     : std::vector<Json>{};
    const std::vector<Json>& ends = end != nullptr && end->is_array() ? end->items() : one;
    for (const Json& text : ends) {
      const bool is_good = text.is_string() && text.as_string().size() <= kTagTextMax &&
                           (!text.as_string().empty() || ends.size() == 1);
      if (!is_good) return expected(field + ".end", "a string or a list of them", *end);
      if (!text.as_string().empty()) tag.ends.push_back(text.as_string());
    }
    if (ends.empty() || ends.size() > kTagTriggersMax) {
      return expected(field + ".end", "a string or a list of them", end ? *end : Json());
    }
    return tag;
  }

  // Behind its beginning.
  Parsed<std::string> rest_of(const Tag& tag, const Behind& behind, std::size_t depth) {
    const Behind inside = tag.ends.empty() ? behind : Behind{.ends = tag.ends, .is_known = true};
    auto content = body(*tag.content, tag.content_field, inside, depth + 1);
    if (!content.is_ok()) return content.error();
    const Json* type = tag.content->find("type");
    const bool has_ended = type->as_string() == "any_text";
    if (tag.ends.empty() || has_ended) return "(" + *content + ")";
    std::string all;
    for (const std::string& end : tag.ends) {
      all += (all.empty() ? "" : " | ") + LarkWriter::quoted(end);
    }
    return fmt::format("({}) ({})", *content, all);
  }

  Parsed<std::string> whole_tag(const Json& format, const std::string& field,
                                const Behind& behind, std::size_t depth) {
    auto tag = read_tag(format, field);
    if (!tag.is_ok()) return tag.error();
    auto rest = rest_of(*tag, behind.ends.empty() ? behind : Behind{.ends = {}, .is_known = false},
                        depth);
    if (!rest.is_ok()) return rest.error();
    return tag->begin.empty() ? *rest : LarkWriter::quoted(tag->begin) + " " + *rest;
  }

  Parsed<std::vector<Tag>> read_tags(const Json& format, const std::string& field) {
    auto list = list_of(format, "tags", field, kTagFormatsMax);
    if (!list.is_ok()) return list.error();
    std::vector<Tag> tags;
    for (std::size_t i = 0; i < (*list)->size(); ++i) {
      auto tag = read_tag((**list)[i], fmt::format("{}.tags[{}]", field, i));
      if (!tag.is_ok()) return tag.error();
      tags.push_back(std::move(*tag));
    }
    return tags;
  }

  Parsed<std::vector<std::string>> read_triggers(const Json& format, const std::string& field) {
    auto list = list_of(format, "triggers", field, kTagTriggersMax);
    if (!list.is_ok()) return list.error();
    std::vector<std::string> triggers;
    for (const Json& trigger : **list) {
      const bool is_good = trigger.is_string() && !trigger.as_string().empty() &&
                           trigger.as_string().size() <= kTagTextMax;
      if (!is_good) return expected(field + ".triggers", "strings that are not empty", trigger);
      triggers.push_back(trigger.as_string());
    }
    return triggers;
  }

  Parsed<std::string> triggered(const Json& format, const std::string& field,
                                const Behind& behind, std::size_t depth) {
    if (auto refusal = refuse_others(format, field, {"triggers", "tags", "at_least_one",
                                                     "stop_after_first"})) {
      return *refusal;
    }
    if (!behind.is_known || !behind.ends.empty()) return refuse_open(field);
    auto triggers = read_triggers(format, field);
    if (!triggers.is_ok()) return triggers.error();
    auto tags = read_tags(format, field);
    if (!tags.is_ok()) return tags.error();
    return dispatch(*triggers, *tags, field, flag(format, "at_least_one"),
                    flag(format, "stop_after_first"), depth);
  }

  // Free text up to a trigger, from there on one of its tags, and so on. At least one: the answer
  // begins with it.
  Parsed<std::string> dispatch(const std::vector<std::string>& triggers,
                               const std::vector<Tag>& tags, const std::string& field,
                               bool at_least_one, bool stops, std::size_t depth) {
    std::string first, lazy;
    std::vector<std::string> of_trigger(triggers.size());
    for (std::size_t i = 0; i < tags.size(); ++i) {
      const auto trigger = std::ranges::find_if(
          triggers, [&](const std::string& it) { return tags[i].begin.starts_with(it); });
      if (trigger == triggers.end()) {
        return invalid_value(field, fmt::format("Invalid '{}': the tag {} begins with none of the "
                                                "triggers.", field, shown(Json(tags[i].begin))));
      }
      auto rest = rest_of(tags[i], {.ends = {}, .is_known = false}, depth);
      if (!rest.is_ok()) return rest.error();
      const std::string name = rule(*rest);
      first += (first.empty() ? "" : " | ") + LarkWriter::quoted(tags[i].begin) + " " + name;
      const std::string missing = tags[i].begin.substr(trigger->size());
      std::string& all = of_trigger[static_cast<std::size_t>(trigger - triggers.begin())];
      all += (all.empty() ? "" : " | ") +
             (missing.empty() ? name : LarkWriter::quoted(missing) + " " + name);
    }
    for (std::size_t i = 0; i < triggers.size(); ++i) {
      if (of_trigger[i].empty()) continue;
      lazy += fmt::format("{}{} ({})", lazy.empty() ? "" : " | ", text_until({triggers[i]}),
                          of_trigger[i]);
    }
    if (at_least_one && stops) return "(" + first + ")";
    if (stops) return fmt::format("({} | TEXT)", lazy);
    const std::string free = fmt::format("({})* TEXT", rule(lazy));
    return at_least_one ? fmt::format("({}) {}", first, free) : free;
  }

  Parsed<std::string> separated(const Json& format, const std::string& field, std::size_t depth) {
    if (auto refusal = refuse_others(format, field, {"tags", "separator", "at_least_one",
                                                     "stop_after_first"})) {
      return *refusal;
    }
    auto separator = text_of(format, "separator", field);
    if (!separator.is_ok()) return separator.error();
    auto tags = read_tags(format, field);
    if (!tags.is_ok()) return tags.error();
    std::string all;
    for (const Tag& tag : *tags) {
      auto rest = rest_of(tag, {.ends = {}, .is_known = false}, depth);
      if (!rest.is_ok()) return rest.error();
      all += (all.empty() ? "" : " | ") +
             (tag.begin.empty() ? *rest : LarkWriter::quoted(tag.begin) + " " + *rest);
    }
    const std::string one = rule(all);
    const std::string between = separator->empty() ? "" : LarkWriter::quoted(*separator) + " ";
    const bool is_one = flag(format, "stop_after_first");
    const std::string list = is_one ? one : fmt::format("{0} ({1}{0})*", one, between);
    return flag(format, "at_least_one") ? list : fmt::format("({})?", list);
  }

  // The older shape: tags with a schema each, opened by triggers in free text.
  Parsed<std::string> structures(const Json& tag, const std::string& field) {
    if (auto refusal = refuse_others(tag, field, {"structures", "triggers"})) return *refusal;
    auto triggers = read_triggers(tag, field);
    if (!triggers.is_ok()) return triggers.error();
    auto list = list_of(tag, "structures", field, kTagFormatsMax);
    if (!list.is_ok()) return list.error();
    std::vector<Json> contents;
    contents.reserve((*list)->size());  // tags point into it
    std::vector<Tag> tags;
    for (std::size_t i = 0; i < (*list)->size(); ++i) {
      const Json& one = (**list)[i];
      const std::string where = fmt::format("{}.structures[{}]", field, i);
      auto begin = text_of(one, "begin", where);
      if (!begin.is_ok()) return begin.error();
      auto end = text_of(one, "end", where);
      if (!end.is_ok()) return end.error();
      const Json* schema = one.find("schema");
      if (schema == nullptr) return expected(where + ".schema", "a JSON Schema", Json());
      contents.push_back(Json::object({{"type", "json_schema"}, {"json_schema", *schema}}));
      Tag& made = tags.emplace_back();
      made.begin = std::move(*begin);
      made.content = &contents.back();
      made.content_field = where;
      if (!end->empty()) made.ends.push_back(std::move(*end));
    }
    return dispatch(*triggers, tags, field, false, false, 0);
  }

  std::string rules_;
  std::size_t count_ = 0, formats_ = 0, size_ = 0;
};

}  // namespace

Parsed<GrammarSource> source_of_structural_tag(const Json& value, const std::string& field) {
  if (!value.is_string()) return TagWriter().write(value, field);
  Result<Json> parsed = parse_json(value.as_string(), {.bytes_max = kTagGrammarMax,
                                                       .depth_max = kSchemaDepthMax});
  if (!parsed.is_ok()) {
    return invalid_value(field, fmt::format("Invalid '{}': the text is no JSON: {}.", field,
                                            parsed.status().message()));
  }
  return TagWriter().write(*parsed, field);
}

}  // namespace quire
