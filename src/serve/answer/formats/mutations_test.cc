// Answers of the corpus with bytes changed, cut, doubled and swapped between each other, in every
// format: the parts are the same however the text is cut, arguments of calls are JSON objects, and
// where no call comes of it the text is what it was. A few dozen a format here, as many as
// QUIRE_MUTATIONS says where somebody has the time.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "serve/answer/formats/testing/corpus.h"

namespace quire {
namespace {

using testing::corpus;
using testing::corpus_tools;
using testing::described;

std::string mutated(const std::vector<std::string>& seeds, std::mt19937& random) {
  constexpr std::string_view kBytes = "{}[]()<>|=,:'\"\\/_ \n0aT\x01\xC3\xA9\xFF";
  std::string text = seeds[random() % seeds.size()];
  for (std::size_t edits = 1 + random() % 4; edits > 0 && !text.empty(); --edits) {
    const std::size_t at = random() % text.size();
    const std::size_t size = 1 + random() % std::min<std::size_t>(text.size() - at, 40);
    const std::string& other = seeds[random() % seeds.size()];
    switch (random() % 5) {
      case 0: text[at] = kBytes[random() % kBytes.size()]; break;
      case 1: text.insert(at, 1, kBytes[random() % kBytes.size()]); break;
      case 2: text.erase(at, size); break;
      case 3: text.insert(at, text.substr(at, size)); break;
      default: text.insert(at, other.substr(random() % other.size(), size));
    }
  }
  return text;
}

std::vector<PartDelta> cut(const PartStreamOptions& options, const std::string& text,
                           std::size_t piece_max, std::mt19937& random) {
  PartStream stream(options);
  std::vector<PartDelta> out;
  for (std::size_t at = 0; at < text.size();) {
    TokenEvent event;
    event.text = text.substr(at, 1 + random() % piece_max);
    at += event.text.size();
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

void check(const CallFormat& format, const ThoughtFormat* thoughts, const std::string& text,
           std::mt19937& random) {
  for (const bool is_guaranteed : {false, true}) {
    const PartStreamOptions options{.format = {.calls = &format, .thoughts = thoughts},
                                    .is_guaranteed = is_guaranteed,
                                    .tools = corpus_tools(),
                                    .request_id = "r"};
    const auto whole = cut(options, text, text.size() + 1, random);
    const auto pieces = cut(options, text, 1 + random() % 9, random);
    ASSERT_EQ(described(whole), described(pieces)) << format.name << ": " << text;
    if (is_guaranteed) continue;
    bool has_calls = false;
    std::string words;
    for (const PartDelta& part : whole) {
      words += part.text;
      if (part.kind != PartKind::kToolCall) continue;
      has_calls = true;
      const auto arguments = parse_json(part.text);
      ASSERT_TRUE(arguments.is_ok() && arguments->is_object()) << format.name << ": " << part.text;
      ASSERT_FALSE(part.call_id.empty() || part.call_name.empty());
    }
    const bool is_kept = !has_calls && thoughts == nullptr && format.hidden.empty();
    if (is_kept) {
      ASSERT_EQ(without_white(words), without_white(text)) << format.name;
    }
  }
}

TEST(AnswerMutations, LoseNothingAndAreCutTheSame) {
  const char* wanted = std::getenv("QUIRE_MUTATIONS");
  const int count = wanted == nullptr ? 60 : std::atoi(wanted);
  std::mt19937 random(7);
  for (const CallFormat* format : all_call_formats()) {
    std::vector<std::string> seeds;
    const ThoughtFormat* thoughts = nullptr;
    for (const testing::Member& member : corpus(QUIRE_SOURCE_DIR)) {
      if (member.calls != format->name) continue;
      seeds.push_back(member.text);
      if (member.format().thoughts != nullptr) thoughts = member.format().thoughts;
    }
    ASSERT_FALSE(seeds.empty()) << format->name;
    for (int i = 0; i < count; ++i) {
      check(*format, i % 2 == 0 ? nullptr : thoughts, mutated(seeds, random), random);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace quire
