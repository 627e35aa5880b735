// The parser of tool calls and thoughts. The first byte chooses the format; of the second, bits
// choose whether thoughts are read and a grammar has held the model, and the rest how the bytes are
// cut. The parts are the same in one piece as in many; arguments of calls are JSON objects where no
// grammar has promised it; and where no call comes of it, no word is lost.
#include <fmt/format.h>

#include <vector>

#include "base/json.h"
#include "serve/answer/parts.h"
#include "target.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

const std::vector<Tool>& tools() {
  static const std::vector<Tool> tools = {
      {"get_weather", "The weather of a city",
       R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},)"
       R"("metric":{"type":"boolean"}},"required":["city"],"additionalProperties":false})"},
      {"now", "What time it is",
       R"({"type":"object","properties":{},"additionalProperties":false})"},
      {"draw", "Draws", R"({"type":"object","properties":{"points":{"type":"array"},)"
                        R"("style":{"type":["object","null"]}}})"},
  };
  return tools;
}

// Pieces joined: a part each.
std::string join(const std::vector<PartDelta>& deltas, std::vector<PartDelta>& parts) {
  for (const PartDelta& delta : deltas) {
    if (delta.index == parts.size()) {
      parts.push_back(delta);
    } else if (delta.index + 1 != parts.size() || delta.kind != parts.back().kind) {
      return "a piece of a part that is over";
    } else if (!delta.call_id.empty() || !delta.call_name.empty()) {
      return "a name behind the first piece";
    } else {
      parts.back().text += delta.text;
    }
  }
  return "";
}

// Pieces of 1 to `size_max` bytes; 0: all in one.
std::vector<PartDelta> cut(const PartStreamOptions& options, std::string_view text,
                           std::size_t size_max) {
  PartStream stream(options);
  std::vector<PartDelta> out;
  for (std::size_t at = 0, size = 1; at < text.size(); at += size) {
    size = size_max == 0 ? text.size() : 1 + (at * 7 + size * 3) % size_max;
    TokenEvent event;
    event.text = text.substr(at, size);
    stream.take(event, out);
  }
  stream.finish(out);
  return out;
}

std::string without_white(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r') out += byte;
  }
  return out;
}

std::string look_at(const std::vector<PartDelta>& parts, std::string_view text, bool loses_words) {
  std::string words;
  for (const PartDelta& part : parts) {
    words += part.text;
    if (part.kind != PartKind::kToolCall) continue;
    loses_words = true;
    const Result<Json> arguments = parse_json(part.text);
    if (!arguments.is_ok() || !arguments->is_object()) return "arguments " + part.text;
    if (part.call_id.empty() || part.call_name.empty()) return "a call without a name";
  }
  if (loses_words || without_white(words) == without_white(text)) return "";
  return fmt::format("of '{}' stays '{}'", text, words);
}

}  // namespace

std::string tool_calls(std::string_view input) {
  if (input.size() < 2) return "";
  const auto formats = all_call_formats();
  const auto thoughts = all_thought_formats();
  const auto first = static_cast<unsigned char>(input[0]);
  const auto second = static_cast<unsigned char>(input[1]);
  const CallFormat* calls = formats[first % formats.size()];
  PartStreamOptions options{.format = {.calls = calls},
                            .is_guaranteed = (second & 1) != 0,
                            .tools = tools(),
                            .request_id = "r"};
  if ((second & 2) != 0) options.format.thoughts = thoughts[(second >> 3) % thoughts.size()];
  options.begins_in_thought = (second & 6) == 6;
  const std::string_view text = input.substr(2);
  std::vector<PartDelta> whole, pieces;
  std::string fault = join(cut(options, text, 0), whole);
  if (fault.empty()) fault = join(cut(options, text, 1 + (second >> 2) % 13), pieces);
  if (!fault.empty()) return fault;
  if (whole.size() != pieces.size()) {
    return fmt::format("{}: {} parts in one piece, {} in many", calls->name, whole.size(),
                       pieces.size());
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].kind != pieces[i].kind || whole[i].text != pieces[i].text ||
        whole[i].call_name != pieces[i].call_name || whole[i].call_id != pieces[i].call_id) {
      return fmt::format("{}: part {} in one piece '{}', in many '{}'", calls->name, i,
                         whole[i].text, pieces[i].text);
    }
  }
  if (options.is_guaranteed) return "";
  return look_at(whole, text, options.format.thoughts != nullptr || !calls->hidden.empty());
}

}  // namespace quire::fuzz
