// How a text is to be generated, as clients of Triton's backends say it: words that are none,
// faults by the client's own names, seeds, rows; over HTTP to a scripted model.
#include "serve/dialects/kserve/inference/generation_inputs.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/testing/test_server.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kInfer = "/v2/models/m/infer";

std::string text_input(std::string_view text) {
  return fmt::format(R"({{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["{}"]}})",
                     text);
}

// As the first request of TensorRT-LLM's own documents.
TEST(GenerationInputsTest, WordsThatAreEmptyAreNone) {
  TestServer server;
  const std::string text = R"({"text_input":"ab","max_tokens":3,"seed":4)";
  const auto ask = [&](const std::string& more) {
    return server.client().post("/v2/models/m/generate", text + more + "}");
  };
  const std::string plain = ask("").body;
  for (const char* more : {R"(,"bad_words":"","stop_words":"")", R"(,"bad_words":"")",
                           R"(,"stop_words":[""])", R"(,"stop":[""])", R"(,"bad_words":["",""])"}) {
    const TestResponse answer = ask(more);
    EXPECT_EQ(answer.status, 200) << more << answer.body;
    EXPECT_EQ(answer.body, plain) << more;
  }
  const std::string inputs = R"({"inputs":[)" + text_input("ab");
  const auto words = [](const char* name) {
    return fmt::format(R"(,{{"name":"{}","shape":[1,1],"datatype":"BYTES","data":[""]}})", name);
  };
  for (const char* name : {"stop_words", "bad_words", "stop"}) {
    EXPECT_EQ(server.client().post(kInfer, inputs + words(name) + "]}").status, 200) << name;
    EXPECT_EQ(server.client().post(kInfer, inputs + R"(],"parameters":{")" + name + R"(":""}})")
                  .status, 200) << name;
  }
}

TEST(GenerationInputsTest, AFaultIsToldByTheNameThatTheClientSent) {
  TestServer server;
  const auto refuse = [&](const std::string& member) {
    const TestResponse answer = server.client().post("/v2/models/m/generate",
                                                     R"({"text_input":"a",)" + member + "}");
    EXPECT_EQ(answer.status, 400) << answer.body;
    return parse_json(answer.body)->find("error")->as_string();
  };
  const std::string longest(5000, 'x');
  EXPECT_THAT(refuse(R"("stop_words":[")" + longest + R"("])"), HasSubstr("Invalid 'stop_words'"));
  EXPECT_THAT(refuse(R"("end_id":99999)"), HasSubstr("Invalid 'end_id'"));
  EXPECT_THAT(refuse(R"("min_length":9,"max_tokens":2)"), HasSubstr("min_length must be less"));
  EXPECT_THAT(refuse(R"("runtime_top_k":-9)"), HasSubstr("runtime_top_k"));
  EXPECT_THAT(refuse(R"("stop":[")" + longest + R"("])"), HasSubstr("Invalid 'stop'"));
  EXPECT_EQ(refuse(R"("lora_weights":[0.5])"), "'lora_weights' is not supported by this server");
  EXPECT_EQ(refuse(R"("embedding_bias_weights":[1.5,2])"),
            "'embedding_bias_weights' is not supported by this server");
}

TEST(GenerationInputsTest, ASeedHas64BitsWhereverItIs) {
  TestServer server;
  const std::string input = R"({"inputs":[)" + text_input("ab");
  const std::string rest = R"(],"parameters":{"max_tokens":6,"temperature":1)";
  const auto data = [&](const std::string& body) {
    const TestResponse answer = server.client().post(kInfer, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return dump(*parse_json(answer.body)->find("outputs"));
  };
  const std::string as_tensor =
      data(input + R"(,{"name":"seed","shape":[1],"datatype":"UINT64",)"
                   R"("data":[18446744073709551615]})" + rest + "}}");
  EXPECT_EQ(data(input + rest + R"(,"seed":18446744073709551615}})"), as_tensor);
  EXPECT_EQ(data(input + R"(],"parameters":{"sampling_parameters":"{\"max_tokens\":6,)"
                         R"(\"temperature\":1,\"seed\":18446744073709551615}"}})"), as_tensor);
}

TEST(GenerationInputsTest, StopWordsOfOneRowAreOfAll) {
  TestServer server;
  EXPECT_EQ(server.client().post(
                kInfer, R"({"inputs":[{"name":"text_input","shape":[2,1],"datatype":"BYTES",)"
                        R"("data":["a","b"]},{"name":"stop","shape":[1,2],"datatype":"BYTES",)"
                        R"("data":["q","r"]},{"name":"max_tokens","shape":[1,1],)"
                        R"("datatype":"INT32","data":[2]}]})").status, 200);
}

}  // namespace
}  // namespace quire
