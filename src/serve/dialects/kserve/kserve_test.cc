// KServe's and Triton's HTTP routes over a server with a scripted model: metadata, inference in
// JSON and in bytes, generate, settings, and what each mistake is told.
#include "serve/dialects/kserve/kserve.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/json.h"
#include "engine/testing/script_executor.h"
#include "serve/dialects/kserve/inference/tensor.h"
#include "serve/testing/test_json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

Json ok_json(const TestResponse& answer) {
  EXPECT_EQ(answer.status, 200) << answer.body;
  return json_of(answer);
}

std::string text_input(std::string_view text) {
  std::string json = R"({"name":"text_input","shape":[1,1],"datatype":"BYTES","data":[)";
  append_json_string(text, json);
  return json + "]}";
}

const Json& output_of(const Json& body, std::string_view name) {
  static const Json none;
  for (const Json& output : body.find("outputs")->items()) {
    if (output.find("name")->as_string() == name) return output;
  }
  return none;
}

// Its sentence, which is all that an error says.
std::string refusal(const TestServer& server, std::string_view path, std::string_view body,
                    int status = 400) {
  const TestResponse answer = server.client().post(path, body);
  EXPECT_EQ(answer.status, status) << body << answer.body;
  const Result<Json> json = parse_json(answer.body);
  const bool has_error = json.is_ok() && json->members().size() == 1 && json->find("error");
  EXPECT_TRUE(has_error) << answer.body;
  return has_error ? json->find("error")->as_string() : "";
}

std::string refuse_input(const TestServer& server, const std::string& input) {
  return refusal(server, kInferPath, R"({"inputs":[)" + input + "]}");
}

std::string post_binary(std::string_view path, std::string_view json, std::string_view bytes,
                        std::string_view headers = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: application/octet-stream\r\n"
                     "Inference-Header-Content-Length: {}\r\nContent-Length: {}\r\n{}\r\n{}{}",
                     path, json.size(), json.size() + bytes.size(), headers, json, bytes);
}

std::vector<float> floats_of(std::string_view bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// Raw logits behind every token of a text that one sequence reads.
std::vector<float> expected_logits(const std::vector<TokenId>& tokens) {
  Capacity capacity = script_capacity(512, 32);
  capacity.vocab = kTestVocab;
  ScriptOracle oracle(capacity);
  std::vector<float> all;
  for (const TokenId token : tokens) {
    oracle.push(token);
    const std::vector<float> row = oracle.raw_logits();
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

TEST(KserveTest, SaysWhatItAndItsModelsAre) {
  TestServer server;
  for (const char* path : {"/v2", "/v2/"}) {
    const Json body = ok_json(server.client().get(path));
    EXPECT_EQ(body.find("name")->as_string(), "quire");
    EXPECT_TRUE(body.find("version")->is_string());
    EXPECT_TRUE(body.find("extensions")->is_array());
  }
  EXPECT_EQ(ok_json(server.client().get("/v2/health/live")).find("live")->as_bool(), true);
  EXPECT_EQ(ok_json(server.client().get("/v2/health/ready")).find("ready")->as_bool(), true);
  for (const char* path : {"/v2/models/m", "/v2/models/m/versions/1"}) {
    const Json body = ok_json(server.client().get(path));
    EXPECT_EQ(body.find("name")->as_string(), "m");
    EXPECT_EQ(body.find("versions")->items().at(0).as_string(), "1");
    bool has_ids = false;
    for (const Json& input : body.find("inputs")->items()) {
      has_ids |= input.find("name")->as_string() == "input_ids" &&
                 input.find("datatype")->as_string() == "INT32";
    }
    EXPECT_TRUE(has_ids);
  }
  const Json config = ok_json(server.client().get("/v2/models/m/config"));
  EXPECT_EQ(config.find("max_batch_size")->as_int(), 64);
  EXPECT_EQ(config.find("backend")->as_string(), "quire");
  EXPECT_EQ(ok_json(server.client().get("/v2/models/m/ready")).find("ready")->as_bool(), true);
  EXPECT_EQ(server.client().get("/v2/models/m/versions/1/ready").status, 200);
}

TEST(KserveTest, UnknownModelsVersionsPathsAndMethods) {
  TestServer server;
  const std::string body = R"({"inputs":[)" + text_input("a") + "]}";
  EXPECT_EQ(refusal(server, "/v2/models/x/infer", body),
            "Request for unknown model: 'x' is not found");
  EXPECT_EQ(refusal(server, "/v2/models/m/versions/9/infer", body, 404),
            "Request for unknown model: 'm' version 9 is not found");
  EXPECT_EQ(refusal(server, "/v2/models/m/versions/x/infer", body, 404), "Not Found");
  EXPECT_EQ(server.client().get("/v2/models/x").status, 400);
  EXPECT_EQ(server.client().get("/v2/models/x/ready").status, 400);
  EXPECT_EQ(server.client().get("/v2/nothing").status, 404);
  for (const char* path : {"/v2/models/m/infer", "/v2/models/m/versions/1/infer",
                           "/v2/models/m/generate", "/v2/models/m/generate_stream"}) {
    const TestResponse refused = server.client().get(path);
    EXPECT_EQ(refused.status, 405) << path << refused.body;
    EXPECT_EQ(refused.header("allow"), "POST");
  }
  for (const char* path : {"/v2/models/m/versions", "/v2/models/m/", "/v2/models/m/versions/x",
                           "/v2/models/m/versions/x/config", "/v2/models/m/versions/x/stats",
                           "/v2/models/m/versions/x/ready"}) {
    EXPECT_EQ(server.client().get(path).status, 404) << path;
  }
  EXPECT_EQ(server.client().post("/v2/health/live", "{}").status, 405);
}

// Before anything of the body, which is not read of a model that is not there.
TEST(KserveTest, WhichModelIsAskedIsLookedAtFirst) {
  TestServer server;
  for (const char* verb : {"infer", "generate", "generate_stream"}) {
    for (const char* body : {"{}", R"({"A":1})", "["}) {
      EXPECT_EQ(refusal(server, fmt::format("/v2/models/zz/{}", verb), body),
                "Request for unknown model: 'zz' is not found");
      EXPECT_EQ(refusal(server, fmt::format("/v2/models/m/versions/9/{}", verb), body, 404),
                "Request for unknown model: 'm' version 9 is not found");
    }
  }
}

TEST(KserveTest, ANameMayHaveSlashes) {
  TestServer server({}, {.names = {"org/infer/story"}});
  EXPECT_EQ(server.client().get("/v2/models/org/infer/story").status, 200);
  EXPECT_EQ(server.client().get("/v2/models/org/infer/story/config").status, 200);
  EXPECT_EQ(server.client().get("/v2/models/org/infer/story/infer").status, 405);
  EXPECT_EQ(server.client().post("/v2/models/org/infer/story/generate",
                                 R"({"text_input":"a","max_tokens":1})").status, 200);
}

TEST(KserveTest, TextsInJson) {
  TestServer server;
  const std::string body =
      R"({"id":"42","inputs":[)" + text_input("ab") +
      R"(,{"name":"max_tokens","shape":[1],"datatype":"INT32","data":[4]},)"
      R"({"name":"return_num_output_tokens","shape":[1,1],"datatype":"BOOL","data":[[true]]},)"
      R"({"name":"seed","shape":[1],"datatype":"UINT64","data":[18446744073709551615]}]})";
  const Json answer = ok_json(server.client().post(kInferPath, body));
  EXPECT_EQ(answer.find("id")->as_string(), "42");
  EXPECT_EQ(answer.find("model_name")->as_string(), "m");
  EXPECT_EQ(answer.find("model_version")->as_string(), "1");
  const Json& text = output_of(answer, "text_output");
  EXPECT_EQ(text.find("datatype")->as_string(), "BYTES");
  EXPECT_EQ(dump(*text.find("shape")), "[1,1]");
  EXPECT_THAT(text.find("data")->items().at(0).as_string(), ::testing::StartsWith("ab"));
  EXPECT_LE(output_of(answer, "num_output_tokens").find("data")->items().at(0).as_int(), 4);
  EXPECT_TRUE(output_of(answer, "finish_reason").is_null());
  const Json again = ok_json(server.client().post(kInferPath, body));
  EXPECT_EQ(dump(again), dump(answer)) << "a seed is a seed";
}

TEST(KserveTest, ABatchIsAnsweredAsItsTextsAlone) {
  TestServer server;
  const auto ask = [&](const std::string& shape, const std::string& data) {
    return ok_json(server.client().post(
        kInferPath, R"({"inputs":[{"name":"text_input","datatype":"BYTES","shape":)" + shape +
                    R"(,"data":)" + data +
                    R"(}],"parameters":{"max_tokens":5,"seed":7,"temperature":1}})"));
  };
  const Json both = ask("[2,1]", R"([["ab"],["cde"]])");
  const Json first = ask("[1,1]", R"(["ab"])");
  const Json second = ask("[1]", R"(["cde"])");
  const auto texts = [](const Json& body) -> const std::vector<Json>& {
    return output_of(body, "text_output").find("data")->items();
  };
  ASSERT_EQ(texts(both).size(), 2u);
  EXPECT_EQ(texts(both)[0], texts(first)[0]);
  EXPECT_EQ(texts(both)[1], texts(second)[0]);
  EXPECT_EQ(dump(*output_of(second, "text_output").find("shape")), "[1]");
}

TEST(KserveTest, IdsAreAnsweredWithTheLogitsOfEachPosition) {
  TestServer server;
  const std::vector<TokenId> ids = {5, 9, 200, 9, 17};
  const Json json = ok_json(server.client().post(
      kInferPath, R"({"inputs":[{"name":"input_ids","shape":[1,5],"datatype":"INT64",)"
              R"("data":[5,9,200,9,17]}]})"));
  const Json& logits = output_of(json, "logits");
  EXPECT_EQ(dump(*logits.find("shape")), fmt::format("[1,5,{}]", kTestVocab));
  const std::vector<float> expected = expected_logits(ids);
  ASSERT_EQ(logits.find("data")->items().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(static_cast<float>(logits.find("data")->items()[i].as_double()), expected[i]);
  }

  std::string bytes;
  for (const int row : {0, 1}) {
    for (const TokenId id : ids) append_element(static_cast<std::int32_t>(id + row), bytes);
  }
  TestClient client = server.client();
  client.send(post_binary(
      kInferPath, R"({"id":"b","inputs":[{"name":"input_ids","shape":[2,5],"datatype":"INT32",)"
              R"("parameters":{"binary_data_size":40}}],)"
              R"("outputs":[{"name":"logits","parameters":{"binary_data":true}}]})", bytes));
  const TestResponse answer = client.receive();
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("content-type"), "application/octet-stream");
  const std::size_t head = std::stoul(answer.header("inference-header-content-length"));
  const Json described = *parse_json(answer.body.substr(0, head));
  const std::vector<float> both = floats_of(std::string_view(answer.body).substr(head));
  EXPECT_EQ(output_of(described, "logits").find("parameters")->find("binary_data_size")->as_int(),
            static_cast<std::int64_t>(both.size() * sizeof(float)));
  std::vector<float> expected_both = expected;
  const std::vector<float> second = expected_logits({6, 10, 201, 10, 18});
  expected_both.insert(expected_both.end(), second.begin(), second.end());
  EXPECT_TRUE(both == expected_both);
}

TEST(KserveTest, BytesBesideJsonAndAsTheWholeBody) {
  TestServer server;
  std::string text;
  append_text_element("abc", text);
  TestClient client = server.client();
  client.send(post_binary(
      kInferPath, R"({"parameters":{"binary_data_output":true,"max_tokens":3,"seed":1},"inputs":[)"
              R"({"name":"text_input","shape":[1,1],"datatype":"BYTES","parameters":)"
              R"({"binary_data_size":7}},{"name":"exclude_input_in_output","shape":[1],)"
              R"("datatype":"BOOL","data":[true]}]})", text));
  const TestResponse answer = client.receive();
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_FALSE(answer.header("inference-header-content-length").empty());
  TestClient raw = server.client();
  raw.send("POST /v2/models/m/infer HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n"
           "Inference-Header-Content-Length: 0\r\n\r\nabc");
  const TestResponse whole = raw.receive();
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_THAT(whole.body, HasSubstr("abc"));
}

TEST(KserveTest, WrongTensorsAreToldByName) {
  TestServer server;
  const auto refuse = [&](const std::string& input) { return refuse_input(server, input); };
  EXPECT_EQ(refuse(R"({"name":"x","shape":[1],"datatype":"BYTES","data":["a"]})"),
            "unexpected inference input 'x' for model 'm'");
  EXPECT_EQ(refuse(text_input("a") + "," + text_input("b")),
            "input 'text_input' already exists in request");
  EXPECT_EQ(refuse(R"({"name":"text_input","shape":[1],"datatype":"INT32","data":[1]})"),
            "inference input 'text_input' data-type is 'INT32', but model 'm' expects 'BYTES'");
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[1,2],"datatype":"BYTES","data":["a","b"]})"),
              HasSubstr("unexpected shape for input 'text_input' for model 'm'. Expected [-1,1]"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[2,1],"datatype":"BYTES","data":["a"]})"),
              HasSubstr("shape [2,1] has 2, 'data' has 1"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[2,1],"datatype":"BYTES",)"
                     R"("data":[["a","b"]]})"), HasSubstr("not of its shape"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[-1,1],"datatype":"BYTES","data":["a"]})"),
              HasSubstr("negative"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":"x","datatype":"BYTES","data":["a"]})"),
              HasSubstr("'shape'"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":["1","1"],"datatype":"BYTES","data":["a"]})"),
              HasSubstr(R"(expected integers, got "1")"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[1,1,1,1,1,1,1,1,1],"datatype":"BYTES",)"
                     R"("data":["a"]})"), HasSubstr("at most 8 integers, got 9"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[1],"datatype":"WORDS","data":["a"]})"),
              HasSubstr("'datatype'"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[1],"datatype":"BYTES"})"),
              HasSubstr("either 'data' or"));
  EXPECT_THAT(refuse(R"({"name":"text_input","shape":[1],"datatype":"BYTES","data":[1]})"),
              HasSubstr("no element of BYTES"));
  EXPECT_THAT(refuse(text_input("a") +
                     R"(,{"name":"max_tokens","shape":[1],"datatype":"INT32","data":[1e3]})"),
              HasSubstr("no element of INT32"));
  EXPECT_THAT(refuse(text_input("a") +
                     R"(,{"name":"max_tokens","shape":[3],"datatype":"INT32","data":[1,2,3]})"),
              HasSubstr("batch size does not match"));
  std::string stops = "\"\"";
  for (int i = 1; i < 65; ++i) stops += ",\"\"";
  EXPECT_THAT(refuse(text_input("a") + R"(,{"name":"stop","shape":[65],"datatype":"BYTES",)" +
                     R"("data":[)" + stops + "]}"),
              HasSubstr("input 'stop' has more than 64 elements"));
  EXPECT_THAT(refuse(R"({"name":"input_ids","shape":[1,2],"datatype":"INT32","data":[1,999999]})"),
              HasSubstr("999999 at position 1"));
  EXPECT_THAT(refuse(R"({"name":"input_ids","shape":[1,0],"datatype":"INT32","data":[]})"),
              HasSubstr("has 0 tokens"));
  EXPECT_THAT(refuse(text_input("a") +
                     R"(,{"name":"input_ids","shape":[1,1],"datatype":"INT32","data":[1]})"),
              HasSubstr("not both"));
  EXPECT_THAT(refuse(""), HasSubstr("expected input 'text_input' or 'input_ids'"));
}

TEST(KserveTest, WrongRequestsAreToldByName) {
  TestServer server;
  const std::string input = R"("inputs":[)" + text_input("a") + "]";
  const auto refuse = [&](const std::string& more, int status = 400) {
    return refusal(server, kInferPath, "{" + input + "," + more + "}", status);
  };
  EXPECT_EQ(refuse(R"("outputs":[{"name":"x"}])"),
            "unexpected inference output 'x' for model 'm'");
  EXPECT_THAT(refuse(R"("outputs":[{"name":"logits"}])"), HasSubstr("'input_ids'"));
  EXPECT_THAT(refuse(R"("outputs":[{"name":"text_output","parameters":{"classification":3}}])",
                     501), HasSubstr("'classification'"));
  EXPECT_THAT(refuse(R"("outputs":[{"name":"text_output","parameters":)"
                     R"({"shared_memory_region":"r"}}])", 501),
              HasSubstr("'shared_memory_region'"));
  EXPECT_THAT(refuse(R"("parameters":{"sequence_id":3})"), HasSubstr("'sequence_id'"));
  EXPECT_THAT(refuse(R"("parameters":{"sequence_start":true})"), HasSubstr("'sequence_start'"));
  EXPECT_THAT(refuse(R"("parameters":{"triton_x":true})"), HasSubstr("reserved"));
  EXPECT_THAT(refuse(R"("parameters":{"priority":-1})"), HasSubstr("'priority'"));
  EXPECT_THAT(refuse(R"("parameters":{"timeout":"soon"})"), HasSubstr("'timeout'"));
  EXPECT_THAT(refuse(R"("parameters":{"nothing":1})"), HasSubstr("nothing"));
  EXPECT_THAT(refuse(R"("parameters":{"x":[1]})"), HasSubstr("invalid type"));
  EXPECT_THAT(refuse(R"("parameters":{"stream":true})", 501),
              HasSubstr("HTTP end point doesn't support models with decoupled transaction policy"));
  EXPECT_THAT(refuse(R"("more":1)"), HasSubstr("more"));
  EXPECT_THAT(refuse(R"("model_name":"x")"), HasSubstr("'model_name'"));
  EXPECT_THAT(refusal(server, kInferPath, "{}"), HasSubstr("'inputs'"));
  EXPECT_THAT(refusal(server, kInferPath, "["), HasSubstr("JSON"));
  const std::string neutral = R"(,"parameters":{"sequence_id":0,"priority":1,)"
                              R"("timeout":60000000,"max_tokens":1}})";
  EXPECT_EQ(server.client().post(kInferPath, "{" + input + neutral).status, 200);
}

TEST(KserveTest, LogitsOfAWholeContext) {
  TestServer server({}, {.context_max = 64});
  const auto ask = [&](int tokens) {
    std::string data = "5";
    for (int i = 1; i < tokens; ++i) data += ",5";
    return server.client().post(
        kInferPath, fmt::format(R"({{"inputs":[{{"name":"input_ids","shape":[1,{}],)"
                            R"("datatype":"INT32","data":[{}]}}]}})", tokens, data));
  };
  const Json answer = ok_json(ask(64));
  const std::vector<float> expected = expected_logits(std::vector<TokenId>(64, 5));
  const std::vector<Json>& logits = output_of(answer, "logits").find("data")->items();
  ASSERT_EQ(logits.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(static_cast<float>(logits[i].as_double()), expected[i]) << i;
  }
  EXPECT_EQ(ask(65).status, 400);
  EXPECT_THAT(ask(65).body, HasSubstr("this model takes 1 to 64"));
}

TEST(KserveTest, AnIdIsEchoedWhereThereIsOne) {
  TestServer server;
  const std::string rest =
      R"("inputs":[)" + text_input("a") + R"(],"parameters":{"max_tokens":1}})";
  const Json named = ok_json(server.client().post(kInferPath, R"({"id":"x",)" + rest));
  EXPECT_EQ(named.find("id")->as_string(), "x");
  EXPECT_EQ(ok_json(server.client().post(kInferPath, R"({"id":"",)" + rest)).find("id"), nullptr);
  EXPECT_EQ(ok_json(server.client().post(kInferPath, "{" + rest)).find("id"), nullptr);
  const char* text = R"({"id":"","text_input":"a","max_tokens":1})";
  EXPECT_EQ(ok_json(server.client().post("/v2/models/m/generate", text)).find("id"), nullptr);
}

TEST(KserveTest, SizesOfBinaryTensorsAreChecked) {
  TestServer server;
  const auto answer = [&](std::string_view json, std::string_view bytes) {
    TestClient client = server.client();
    client.send(post_binary(kInferPath, json, bytes));
    const TestResponse told = client.receive();
    EXPECT_EQ(told.status, 400);
    return told.body;
  };
  const auto ids = [](int size) {
    return fmt::format(R"({{"inputs":[{{"name":"input_ids","shape":[1,2],"datatype":"INT32",)"
                       R"("parameters":{{"binary_data_size":{}}}}}]}})", size);
  };
  EXPECT_THAT(answer(ids(8), "1234"), HasSubstr("expecting 8 additional bytes, got 4"));
  EXPECT_THAT(answer(ids(4), "1234"), HasSubstr("unexpected byte size 4, expected 8"));
  EXPECT_THAT(answer(ids(8), "1234567890"), HasSubstr("2 bytes behind the last input"));
  const std::string text = R"({"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES",)"
                           R"("parameters":{"binary_data_size":6}}]})";
  EXPECT_THAT(answer(text, std::string_view("\x09\0\0\0ab", 6)), HasSubstr("do not add up"));
  TestClient client = server.client();
  client.send("POST /v2/models/m/infer HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n"
              "Inference-Header-Content-Length: 9\r\n\r\n{}");
  EXPECT_THAT(client.receive().body, HasSubstr("Inference-Header-Content-Length"));
}

TEST(KserveTest, GenerateMapsMembersToInputsAndParameters) {
  TestServer server;
  const std::string path = "/v2/models/m/generate";
  const Json body = ok_json(server.client().post(
      path, R"({"id":"7","text_input":"ab","max_tokens":4,"seed":3,"exclude_input_in_output":true,)"
            R"("parameters":{"temperature":0.5,"return_finish_reason":true}})"));
  EXPECT_EQ(body.find("id")->as_string(), "7");
  EXPECT_EQ(body.find("model_name")->as_string(), "m");
  EXPECT_TRUE(body.find("text_output")->is_string());
  EXPECT_TRUE(body.find("finish_reason")->is_string());
  const Json same = ok_json(server.client().post(
      path, R"({"id":"7","text_input":"ab","sampling_parameters":"{\"max_tokens\":\"4\",)"
            R"(\"seed\":3,\"temperature\":\"0.5\"}","exclude_input_in_output":true,)"
            R"("return_finish_reason":true})"));
  EXPECT_EQ(dump(body), dump(same));
  const Json details = *ok_json(server.client().post(
      path, R"({"text_input":"ab","parameters":{"max_tokens":2,"details":true}})")).find("details");
  EXPECT_TRUE(details.find("finish_reason")->is_string());
  EXPECT_EQ(details.find("logprobs")->items().at(0).members().size(), 4u);
  EXPECT_THAT(refusal(server, path, R"({"text_input":"a","stream":true})"),
              HasSubstr("exactly 1 response"));
  EXPECT_THAT(refusal(server, path, R"({"max_tokens":1})"), HasSubstr("'text_input'"));
  EXPECT_THAT(refusal(server, path, R"({"text_input":"a","max_tokens":"x"})"),
              HasSubstr("max_tokens"));
  EXPECT_THAT(refusal(server, path, R"({"text_input":"a","seed":1,"parameters":{"seed":2}})"),
              HasSubstr("seed"));
  EXPECT_THAT(refusal(server, path, R"({"text_input":"a","x":{"y":1}})"),
              HasSubstr("invalid type"));
}

TEST(KserveTest, GenerateTellsTheLoadToWhoAsks) {
  TestServer server;
  const auto told = [&](const std::string& form) {
    return server.client().post("/v2/models/m/generate", R"({"text_input":"a","max_tokens":1})",
                                "endpoint-load-metrics-format: " + form + "\r\n")
        .header("endpoint-load-metrics");
  };
  EXPECT_EQ(told("json"), R"(JSON {"named_metrics":{"kv_cache_utilization":0.000000,)"
                          R"("max_token_capacity":16384}})");
  EXPECT_THAT(told("text"), HasSubstr("TEXT named_metrics.kv_cache_utilization=0.000000, "));
  EXPECT_EQ(told("other"), "");
}

TEST(KserveTest, GenerateStreamIsEventsOfPieces) {
  TestServer server;
  const std::string fields = R"("text_input":"ab","max_tokens":6,"seed":5,"temperature":1)";
  const Json whole = ok_json(server.client().post(
      "/v2/models/m/generate", "{" + fields + R"(,"exclude_input_in_output":true})"));
  const TestResponse stream =
      server.client().post("/v2/models/m/generate_stream", "{" + fields + "}");
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(stream.header("content-type"), "text/event-stream; charset=utf-8");
  std::string text;
  std::size_t events = 0;
  for (std::size_t at = 0; at < stream.body.size(); ++events) {
    ASSERT_EQ(stream.body.substr(at, 6), "data: ");
    const std::size_t end = stream.body.find("\n\n", at);
    const Json event = *parse_json(stream.body.substr(at + 6, end - at - 6));
    text += event.find("text_output")->as_string();
    at = end + 2;
  }
  EXPECT_GT(events, 1u);
  EXPECT_EQ(text, whole.find("text_output")->as_string());
  const TestResponse one = server.client().post("/v2/models/m/generate_stream",
                                                "{" + fields + R"(,"stream":false})");
  EXPECT_THAT(one.body, HasSubstr("\"text_output\":\"ab"));
  EXPECT_EQ(one.header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_THAT(refusal(server, "/v2/models/m/generate_stream",
                      R"({"text_input":"a","exclude_input_in_output":false})"),
              HasSubstr("not allowed"));
}

TEST(KserveTest, ALogHasOneLevel) {
  TestServer server({.is_operable = true});
  const auto change = [&](const char* body) { return server.client().post("/v2/logging", body); };
  for (const char* body : {R"({"log_error":false})", R"({"log_warning":false})",
                           R"({"log_info":true,"log_warning":false})",
                           R"({"log_verbose_level":1,"log_info":false})"}) {
    const TestResponse refused = change(body);
    EXPECT_EQ(refused.status, 400) << body << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("the log has one level")) << body;
  }
  const Json before = ok_json(server.client().get("/v2/logging"));
  const Json quiet = ok_json(change(R"({"log_info":false,"log_warning":false,)"
                                    R"("log_verbose_level":0})"));
  EXPECT_FALSE(quiet.find("log_info")->as_bool());
  EXPECT_FALSE(quiet.find("log_warning")->as_bool());
  EXPECT_TRUE(quiet.find("log_error")->as_bool());
  EXPECT_EQ(change(dump(before).c_str()).status, 200) << "as it was";
}

TEST(KserveTest, RepositoryStatisticsAndSettings) {
  TestServer server;
  const Json index = ok_json(server.client().post("/v2/repository/index", ""));
  EXPECT_EQ(dump(index), R"([{"name":"m","version":"1","state":"READY","reason":""}])");
  EXPECT_THAT(refusal(server, "/v2/repository/index", R"({"ready":1})"), HasSubstr("'ready'"));
  EXPECT_EQ(server.client().post("/v2/repository/models/m/load", "").status, 200);
  EXPECT_THAT(refusal(server, "/v2/repository/models/x/load", "{}"), HasSubstr("failed to load"));
  EXPECT_THAT(refusal(server, "/v2/repository/models/m/load", R"({"parameters":{"config":"{}"}})"),
              HasSubstr("'config'"));
  EXPECT_EQ(refusal(server, "/v2/repository/r/index", "", 501),
            "'repository_name' specification is not supported");
  EXPECT_EQ(server.client().post("/v2/models/m/generate",
                                 R"({"text_input":"a","max_tokens":2})").status, 200);
  const Json stats = ok_json(server.client().get("/v2/models/m/stats"));
  const Json& model = stats.find("model_stats")->items().at(0);
  EXPECT_EQ(model.find("name")->as_string(), "m");
  for (const char* part : {"success", "queue", "compute_input", "compute_infer",
                           "compute_output"}) {  // perf_analyzer asks that they agree
    EXPECT_EQ(model.find("inference_stats")->find(part)->find("count")->as_int(), 1) << part;
  }
  EXPECT_GT(model.find("execution_count")->as_int(), 0);
  EXPECT_GT(model.find("last_inference")->as_int(), 1'000'000'000'000) << "milliseconds";
  std::int64_t executions = 0;
  for (const Json& batch : model.find("batch_stats")->items()) {
    EXPECT_GT(batch.find("batch_size")->as_int(), 0);
    for (const char* part : {"compute_input", "compute_output"}) {
      EXPECT_EQ(batch.find(part)->find("count")->as_int(),
                batch.find("compute_infer")->find("count")->as_int());
    }
    executions += batch.find("compute_infer")->find("count")->as_int();
  }
  EXPECT_EQ(executions, model.find("execution_count")->as_int());
  EXPECT_EQ(ok_json(server.client().get("/v2/models/stats")).find("model_stats")->items().size(),
            1u);
  const TestResponse unloaded = server.client().post(
      "/v2/repository/models/m/unload", R"({"parameters":{"unload_dependents":true}})");
  EXPECT_EQ(unloaded.status, 200);
  EXPECT_EQ(unloaded.body, "");
  EXPECT_THAT(unloaded.header("warning"), HasSubstr("unload_dependents has no effect"));
  server.wait_for_metric("quire_model_ready", 0);
  const TestResponse again = server.client().post(
      "/v2/repository/models/m/unload", R"({"parameters":{"unload_dependents":false}})");
  EXPECT_EQ(again.header("warning"), "");
  EXPECT_THAT(refusal(server, "/v2/repository/models/m/unload",
                      R"({"parameters":{"unload_dependents":1}})"), HasSubstr("unload_dependents"));
  EXPECT_EQ(server.client().get("/v2/models/m/ready").status, 400);
  EXPECT_EQ(ok_json(server.client().post("/v2/repository/index", R"({"ready":true})"))
                .items().size(), 0u);
  EXPECT_EQ(server.client().get("/v2/models/m").status, 200) << "as it was when it was here";
  EXPECT_EQ(server.client().post("/v2/repository/models/m/load", "{}").status, 200);
  EXPECT_EQ(server.client().get("/v2/models/m/ready").status, 200);

  EXPECT_EQ(ok_json(server.client().get("/v2/trace/setting")).find("trace_level")->items().at(0),
            Json("OFF"));
  EXPECT_THAT(refusal(server, "/v2/trace/setting", R"({"trace_level":["TIMESTAMPS"]})"),
              HasSubstr("'trace_level'"));
  EXPECT_TRUE(ok_json(server.client().get("/v2/logging")).find("log_info")->is_bool());
  EXPECT_THAT(refusal(server, "/v2/logging", R"({"log_verbose_level":2})", 403),
              HasSubstr("--operator-endpoints"));
  EXPECT_THAT(refusal(server, "/v2/logging", R"({"log_file":"x"})"), HasSubstr("'log_file'"));
  EXPECT_EQ(server.client().get("/v2/systemsharedmemory/status").body, "[]");
  EXPECT_EQ(server.client().get("/v2/systemsharedmemory/region/r/status").status, 404);
  EXPECT_THAT(refusal(server, "/v2/systemsharedmemory/region/r/register", "{}", 501),
              HasSubstr("shared memory"));
  EXPECT_THAT(refusal(server, "/v2/cudasharedmemory/region/r/unregister", "", 501),
              HasSubstr("shared memory"));
}

TEST(KserveTest, KeysAreAskedFor) {
  TestServer server({.api_keys = {"secret"}});
  EXPECT_EQ(server.client().get("/v2/health/live").status, 200);
  EXPECT_EQ(server.client().get("/v2/models/m").status, 401);
  const TestResponse refused = server.client().post(kInferPath, "{}");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, ::testing::StartsWith(R"({"error":")"));
  EXPECT_EQ(server.client().post("/v2/models/m/generate", R"({"text_input":"a","max_tokens":1})",
                                 "Authorization: Bearer secret\r\n").status, 200);
}

TEST(KserveTest, AModelOfVectors) {
  TestServer server({}, {.pooled = PooledInfo{.width = 2}});
  const Json body = ok_json(server.client().post(
      kInferPath, R"({"inputs":[{"name":"text_input","shape":[2,1],"datatype":"BYTES",)"
              R"("data":["abc","de"]}]})"));
  EXPECT_EQ(dump(*output_of(body, "embedding").find("shape")), "[2,2]");
  EXPECT_THAT(refuse_input(server, R"({"name":"input_ids","shape":[1],"datatype":"INT32",)"
                                   R"("data":[1]})"), HasSubstr("unexpected inference input"));
}

TEST(KserveTest, MetricsWithTritonsNamesHaveAPortOfTheirOwn) {
  TestServer server({.metric_names = Metrics::Names::kTriton});
  EXPECT_EQ(server.client().post("/v2/models/m/generate",
                                 R"({"text_input":"a","max_tokens":2})").status, 200);
  const std::string text = server.client().get("/metrics").body;
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_request_success{model="m",version="1"} 1)"));
  EXPECT_THAT(text, HasSubstr("nv_inference_queue_duration_us{"));
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_pending_request_count{model="m",version="1"} 0)"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("quire_requests")));
}

}  // namespace
}  // namespace quire
