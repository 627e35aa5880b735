// Models of a repository whose config names tensors: what clients are shown, and that a client that
// asks for whatever is shown is answered.
#include <gtest/gtest.h>

#include <string>
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

}  // namespace
}  // namespace quire
