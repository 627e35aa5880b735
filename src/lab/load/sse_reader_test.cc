#include "lab/load/sse_reader.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(SseReaderTest, EventsAreTheSameForAnySplit) {
  const std::string stream =
      ": hello\n\ndata: {\"a\": 1}\n\ndata:two\r\ndata: lines\r\n\r\n\n\nevent: x\ndata: "
      "[DONE]\n\n";
  const std::vector<std::string> expected = {"{\"a\": 1}", "two\nlines", "[DONE]"};
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    SseReader reader;
    std::vector<std::string> events;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      for (std::string& event : reader.feed(std::string_view(stream).substr(at, size))) {
        events.push_back(std::move(event));
      }
    }
    EXPECT_EQ(events, expected) << "pieces of " << size;
  }
}

TEST(SseReaderTest, AnUnfinishedEventIsNotHandedOut) {
  SseReader reader;
  EXPECT_TRUE(reader.feed("data: half\n").empty());
  EXPECT_EQ(reader.feed("\n"), std::vector<std::string>{"half"});
}

}  // namespace
}  // namespace quire
