// The page and the records of a server that is ready.
#include "apps/greeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace quire {
namespace {

using testing::HasSubstr;
using testing::Not;

Greeting example() {
  Greeting greeting;
  greeting.version = "quire 0.1.0";
  greeting.host = "127.0.0.1";
  greeting.port = 8000;
  greeting.load_seconds = 0.25;
  greeting.models.push_back({"it's", true,
                             {.architecture = "llama", .parameters = 134'515'008,
                              .weight_bytes = 96'600'000, .context_max = 8192,
                              .kv_tokens = 65'504, .kv_bytes = 1'509'949'440,
                              .kv_types = "F16", .asked_activations = "FP8", .rows_max = 64,
                              .tokens_max = 512, .isa = "avx512",
                              .isa_reason = "the widest", .threads = 2,
                              .processor = "AMD EPYC"}});
  return greeting;
}

TEST(GreetingTest, PageIsForAPerson) {
  const std::string page = greeting_page(example());
  EXPECT_THAT(page, HasSubstr("is ready on http://127.0.0.1:8000\n"));
  EXPECT_THAT(page, HasSubstr("it's: llama, 134.5 million parameters, 92.1 MiB"));
  EXPECT_THAT(page, HasSubstr("8,192 tokens; KV room for 65,504 tokens (1.4 GiB)"));
  EXPECT_THAT(page, HasSubstr("avx512, 2 threads, AMD EPYC"));
  EXPECT_THAT(page, HasSubstr("kernels  avx512: the widest\n"));
  EXPECT_THAT(page, HasSubstr(R"({"model": "it'\''s", "messages")"));
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

TEST(GreetingTest, WithACertificateItIsHttps) {
  Greeting greeting = example();
  greeting.certificate = "my c.pem";
  EXPECT_THAT(greeting_page(greeting), HasSubstr("is ready on https://127.0.0.1:8000\n"));
  EXPECT_THAT(greeting_page(greeting), HasSubstr("--cacert 'my c.pem'"));
  EXPECT_THAT(greeting_records(greeting)[1], HasSubstr("ready url=https://127.0.0.1:8000 "));
}

TEST(GreetingTest, AModelAloneIsThreeLines) {
  EXPECT_EQ(model_page(example().models.front()),
            "  model    it's: llama, 134.5 million parameters, 92.1 MiB\n"
            "  context  8,192 tokens; KV room for 65,504 tokens (1.4 GiB)\n"
            "  machine  avx512, 2 threads, AMD EPYC\n");
}

TEST(GreetingTest, ModelsThatComeLaterAreNamed) {
  Greeting greeting = example();
  greeting.later = {"other"};
  EXPECT_THAT(greeting_page(greeting), HasSubstr("other: loaded at first use\n"));
  EXPECT_THAT(greeting_records(greeting)[1], HasSubstr("name=\"other\" state=unloaded"));
  greeting.models.clear();
  EXPECT_THAT(greeting_page(greeting), HasSubstr(R"({"model": "other", "prompt")"));
}

TEST(GreetingTest, AServerOfNoModelYetIsReadyToo) {
  Greeting greeting = example();
  greeting.models.clear();
  EXPECT_THAT(greeting_page(greeting), HasSubstr("  model    none yet\n"));
  EXPECT_THAT(greeting_page(greeting), HasSubstr("  curl http://127.0.0.1:8000/v1/models\n"));
  greeting.needs_key = true;
  const auto records = greeting_records(greeting);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(records[0], HasSubstr("ready url=http://127.0.0.1:8000 "));
  EXPECT_EQ(records[1], "try: curl http://127.0.0.1:8000/v1/models -H 'Authorization: Bearer "
                        "YOUR_KEY'");
}

TEST(GreetingTest, RecordsAreForALog) {
  const auto records = greeting_records(example());
  ASSERT_EQ(records.size(), 3u);
  EXPECT_THAT(records[0], HasSubstr("name=\"it's\" architecture=llama parameters=134515008 "));
  EXPECT_THAT(records[0], HasSubstr("context=8192 kv_tokens=65504 kv_bytes=1509949440 "
                                    "kv_types=\"F16\" activations=float "));
  EXPECT_THAT(records[0], HasSubstr("activations_asked=\"FP8\" "));
  EXPECT_THAT(records[0], HasSubstr("isa=avx512 isa_reason=\"the widest\" threads=2 "));
  EXPECT_THAT(records[1], HasSubstr("url=http://127.0.0.1:8000 "));
  EXPECT_THAT(records[2], HasSubstr("try: curl http://127.0.0.1:8000/v1/chat/completions -H "));
  for (const std::string& record : records) EXPECT_THAT(record, Not(HasSubstr("\n")));
}

TEST(GreetingTest, CurlLineReachesTheServer) {
  Greeting greeting = example();
  greeting.host = "0.0.0.0";
  greeting.needs_key = true;
  greeting.models[0].is_chat = false;
  const std::string page = greeting_page(greeting);
  EXPECT_THAT(page, HasSubstr("ready on http://0.0.0.0:8000"));
  EXPECT_THAT(page, HasSubstr("curl http://127.0.0.1:8000/v1/completions \\\n"));
  EXPECT_THAT(page, HasSubstr("Authorization: Bearer YOUR_KEY"));
  greeting.host = "::1";
  EXPECT_THAT(greeting_page(greeting), HasSubstr("curl http://[::1]:8000/v1/completions"));
}

}  // namespace
}  // namespace quire
