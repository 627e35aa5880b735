// Models of a repository whose config names tensors: what clients are shown, and that a client that
// asks for whatever is shown is answered.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
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

}  // namespace
}  // namespace quire
