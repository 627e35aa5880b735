// Models of a repository whose config names tensors: what clients are shown, and that a client that
// asks for whatever is shown is answered.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "serve/dialects/kserve/inference/model_face.h"
#include "serve/testing/test_repository.h"

namespace quire {
namespace {

std::vector<std::string> names_of(const Json& metadata, const char* which) {
  std::vector<std::string> names;
  for (const Json& tensor : metadata.find(which)->items()) {
    names.push_back(tensor.find("name")->as_string());
  }
  return names;
}

TEST(DeclaredTensorsTest, MetadataShowsThoseOfTheConfigAndOthersAreTakenAllTheSame) {
  TestRepository repository;
  repository.write("ids/config.pbtxt",
                   "max_batch_size: 16\n"
                   "input { name: 'input_ids' data_type: TYPE_INT32 dims: [ -1 ] }\n"
                   "output { name: 'logits' data_type: TYPE_FP32 dims: [ -1, -1 ] }\n");
  repository.version("ids", 1);
  repository.version("all", 1);
  TestClient client = repository.serve().client();
  const auto metadata = [&](const char* path) {
    return parse_json(client.get(std::string("/v2/models/") + path).body).value();
  };
  using Names = std::vector<std::string>;
  for (const char* path : {"ids", "ids/versions/1"}) {
    EXPECT_EQ(names_of(metadata(path), "inputs"), Names({"input_ids"})) << path;
    EXPECT_EQ(names_of(metadata(path), "outputs"), Names({"logits"})) << path;
  }
  EXPECT_GT(names_of(metadata("all"), "inputs").size(), 10u) << "its config names none";
  const std::string ids = R"({"name":"input_ids","datatype":"INT32","shape":[1,2],"data":[1,2]})";
  const std::string text = R"({"name":"text_input","datatype":"BYTES","shape":[1,1],"data":["a"]})";
  const auto ask = [&](const std::string& input, const std::string& outputs) {
    return client.post("/v2/models/ids/infer", R"({"inputs":[)" + input + "]" + outputs + "}")
        .status;
  };
  EXPECT_EQ(ask(ids, R"(,"outputs":[{"name":"logits"}])"), 200);
  EXPECT_EQ(ask(text, ""), 200);
}

std::string texts_input(int rows, bool has_batch) {
  std::string data = "\"a\"";
  for (int i = 1; i < rows; ++i) data += ",\"a\"";
  return fmt::format(R"({{"inputs":[{{"name":"text_input","datatype":"BYTES","shape":[{}{}],)"
                     R"("data":[{}]}}],"parameters":{{"max_tokens":1}}}})", rows,
                     has_batch ? ",1" : "", data);
}

TEST(DeclaredTensorsTest, TheDeclaredBatchIsTheBound) {
  TestRepository repository;
  repository.write("four/config.pbtxt", "max_batch_size: 4\n");
  repository.write("none/config.pbtxt",
                   "max_batch_size: 0\n"
                   "input { name: 'text_input' data_type: TYPE_STRING dims: [ 1 ] }\n"
                   "output { name: 'text_output' data_type: TYPE_STRING dims: [ -1 ] }\n");
  repository.write("zero/config.pbtxt", "max_batch_size: 0\n");
  for (const char* name : {"four", "none", "zero", "silent"}) repository.version(name, 1);
  TestServer& server = repository.serve();
  const auto ask = [&](const char* model, int rows, bool has_batch) {
    return server.client().post(fmt::format("/v2/models/{}/infer", model),
                                texts_input(rows, has_batch));
  };
  const auto told = [&](const char* model, const char* what) {
    const TestResponse shown = server.client().get(fmt::format("/v2/models/{}{}", model, what));
    return parse_json(shown.body).value();
  };
  const auto shape = [&](const char* model) {
    return dump(*told(model, "").find("inputs")->items().at(0).find("shape"));
  };
  const auto dims = [&](const char* model) {
    return dump(*told(model, "/config").find("input")->items().at(0).find("dims"));
  };
  EXPECT_EQ(shape("four"), "[-1,1]");
  EXPECT_EQ(dims("four"), "[1]") << "numbers";
  EXPECT_EQ(ask("four", 4, true).status, 200);
  EXPECT_EQ(ask("four:1", 5, true).status, 400);
  for (const bool has_batch : {true, false}) {
    const TestResponse refused = ask("four", 5, has_batch);
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.body.find("batch-size must be from 1 to 4 for 'four', not 5"),
              std::string::npos) << refused.body;
  }
  for (const char* model : {"none", "zero"}) {
    EXPECT_EQ(shape(model), "[1]");
    EXPECT_EQ(dims(model), "[1]");
    EXPECT_EQ(told(model, "/config").find("max_batch_size")->as_int(), 0);
    EXPECT_EQ(ask(model, 1, false).status, 200);
    for (const bool has_batch : {true, false}) {
      const TestResponse refused = ask(model, 2, has_batch);
      EXPECT_EQ(refused.status, 400);
      EXPECT_NE(refused.body.find("Expected [1], got [2"), std::string::npos) << refused.body;
    }
  }
  EXPECT_EQ(shape("silent"), "[-1,1]") << "without a config it is what it can do";
  EXPECT_EQ(told("silent", "/config").find("max_batch_size")->as_int(), kInferBatchMax);
  EXPECT_EQ(ask("silent", 5, true).status, 200);
}

TEST(DeclaredTensorsTest, ADecoupledModelHasNoSingleResponse) {
  TestRepository repository;
  repository.write("flow/config.pbtxt", "model_transaction_policy { decoupled: true }\n");
  repository.version("flow", 1);
  TestServer& server = repository.serve();
  const auto config = parse_json(server.client().get("/v2/models/flow/config").body);
  EXPECT_TRUE(config->find("model_transaction_policy")->find("decoupled")->as_bool());
  const TestResponse refused = server.client().post("/v2/models/flow/infer", texts_input(1, false));
  EXPECT_EQ(refused.status, 501);
  EXPECT_EQ(refused.body, R"({"error":"HTTP end point doesn't support models with decoupled )"
                          R"(transaction policy"})");
  const char* text = R"({"text_input":"a","max_tokens":1})";
  for (const char* verb : {"generate", "generate_stream"}) {
    EXPECT_EQ(server.client().post(fmt::format("/v2/models/flow/{}", verb), text).status, 200);
  }
}

TEST(DeclaredTensorsTest, StatisticsAreOfAllVersionsAndGoOnAfterAReload) {
  TestRepository repository;
  repository.write("story/config.pbtxt", "version_policy { all { } }\n");
  for (const int version : {1, 2}) repository.version("story", version);
  TestServer& server = repository.serve();
  const auto stats = [&](const char* path) {
    return *parse_json(server.client().get(path).body)->find("model_stats");
  };
  const auto ask = [&] {
    return server.client().post("/v2/models/story/versions/1/generate",
                                R"({"text_input":"a","max_tokens":2})").status;
  };
  EXPECT_EQ(ask(), 200);
  const Json all = stats("/v2/models/story/stats");
  ASSERT_EQ(all.items().size(), 2u);
  EXPECT_EQ(all.items()[0].find("version")->as_string(), "1");
  EXPECT_EQ(all.items()[1].find("version")->as_string(), "2");
  const Json before = stats("/v2/models/story/versions/1/stats");
  ASSERT_EQ(before.items().size(), 1u);
  const std::int64_t executions = before.items()[0].find("execution_count")->as_int();
  EXPECT_GT(executions, 0);
  repository.version("story", 1, "another file");
  EXPECT_EQ(server.client().post("/v2/repository/models/story/load", "{}").status, 200);
  EXPECT_EQ(ask(), 200);
  const Json after = stats("/v2/models/story/versions/1/stats");
  EXPECT_GT(after.items()[0].find("execution_count")->as_int(), executions);
}

// Four clients at once, whose answers do not depend on who gives them.
TEST(DeclaredTensorsTest, InstancesAreShownAndAnswerAlike) {
  TestRepository repository;
  repository.write("two/config.pbtxt", "max_batch_size: 4 instance_group { count: 2 }\n");
  repository.version("two", 1);
  repository.version("one", 1);
  repository.write("words/config.pbtxt",
                   "backend: 'quire_tokenizer'\n"
                   "instance_group { count: 2 }\n"
                   "input { name: 'TEXT' data_type: TYPE_STRING dims: [ 1 ] }\n"
                   "output { name: 'IDS' data_type: TYPE_INT32 dims: [ -1 ] }\n");
  repository.version("words", 1);
  TestServer& server = repository.serve();
  const auto groups = [&](const char* model) {
    const auto config =
        parse_json(server.client().get(fmt::format("/v2/models/{}/config", model)).body);
    std::string text;
    for (const Json& group : config->find("instance_group")->items()) {
      text += fmt::format("{} {} {};", group.find("name")->as_string(),
                          group.find("kind")->as_string(), group.find("count")->as_int());
    }
    return text;
  };
  EXPECT_EQ(groups("two"), "two_0 KIND_CPU 2;");
  EXPECT_EQ(groups("one"), "one KIND_CPU 1;");
  EXPECT_EQ(groups("words"), "words_0 KIND_CPU 2;");
  const auto ask = [&](const char* model, int first) {
    return server.client()
        .post(fmt::format("/v2/models/{}/infer", model),
              fmt::format(R"({{"inputs":[{{"name":"input_ids","datatype":"INT32","shape":[1,3],)"
                          R"("data":[{},2,3]}}],"outputs":[{{"name":"logits"}}]}})", first))
        .body;
  };
  const auto data = [](const std::string& body) { return body.substr(body.find("\"outputs\"")); };
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(data(ask("two", c * 8 + i)), data(ask("one", c * 8 + i)));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const auto stats = parse_json(server.client().get("/v2/models/two/stats").body);
  const Json& inner = *stats->find("model_stats")->items().at(0).find("inference_stats");
  EXPECT_EQ(inner.find("success")->find("count")->as_int(), 32);
}

// "smol:latest" of the store beside "smol" of the repository.
TEST(DeclaredTensorsTest, ANamesakeOutsideTheRepositoryHasNothingOfItsConfig) {
  TestRepository repository;
  repository.write("smol/config.pbtxt", "max_batch_size: 3\n");
  repository.version("smol", 1);
  TestServer& server = repository.serve();
  auto recipe = make_test_recipe({.names = {"smol:latest"}}, std::make_shared<StepGate>());
  ASSERT_TRUE(server.host().add(std::move(recipe)).is_ok());
  TestClient client = server.client();
  const auto batch = [&](const char* model) {
    const auto config = parse_json(client.get(fmt::format("/v2/models/{}/config", model)).body);
    return config->find("max_batch_size")->as_int();
  };
  EXPECT_EQ(client.post("/v2/models/smol:latest/infer", texts_input(5, true)).status, 200);
  EXPECT_EQ(batch("smol:latest"), kInferBatchMax);
  EXPECT_EQ(batch("smol:1"), 3);
  EXPECT_EQ(batch("smol"), 3);
  EXPECT_EQ(client.post("/v2/models/smol:1/infer", texts_input(4, true)).status, 400);
  const std::string index = client.post("/v2/repository/index", "").body;
  EXPECT_NE(index.find(R"({"name":"smol:latest","version":"1")"), std::string::npos) << index;
  EXPECT_EQ(index.find(R"("name":"smol:1")"), std::string::npos) << index;
  const std::string stats = client.get("/v2/models/smol:latest/stats").body;
  EXPECT_NE(stats.find(R"("name":"smol:latest","version":"1")"), std::string::npos) << stats;
}

TEST(DeclaredTensorsTest, TheConfigThatIsShownCanBeSentBack) {
  TestRepository repository;
  repository.version("silent", 1);
  repository.write("warm/config.pbtxt",
                   "model_warmup { name: 'w' batch_size: 1 inputs { key: 'input_ids' value "
                   "{ data_type: TYPE_INT32 dims: 3 zero_data: true } } }");
  repository.version("warm", 1);
  TestClient client = repository.serve().client();
  for (const std::string model : {"silent", "warm"}) {
    const std::string shown = client.get("/v2/models/" + model + "/config").body;
    const Json order = Json::object({{"parameters", Json::object({{"config", shown}})}});
    const TestResponse loaded =
        client.post("/v2/repository/models/" + model + "/load", dump(order));
    EXPECT_EQ(loaded.status, 200) << loaded.body;
    EXPECT_NE(loaded.header("warning").find("'max_batch_size' 64"), std::string::npos);
    EXPECT_EQ(repository.repository().config(model)->overrides.rows_max, 0u);
    const auto again = parse_json(client.get("/v2/models/" + model + "/config").body);
    EXPECT_EQ(again->find("max_batch_size")->as_int(), kInferBatchMax);
    EXPECT_EQ(*again->find("model_warmup"), *parse_json(shown)->find("model_warmup"));
  }
}

}  // namespace
}  // namespace quire
