// What tests of models without an engine share: a repository, requests to a model of it, and its
// answers as a line.
// One thread. Used by the tests of this folder.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "serve/testing/test_repository.h"

namespace quire {

class LightModelTest : public ::testing::Test {
 protected:
  TestResponse infer(const std::string& model, const std::string& inputs,
                     const std::string& more = "") {
    if (server_ == nullptr) server_ = &there_.serve();
    return server_->client().post("/v2/models/" + model + "/infer",
                                  R"({"inputs":[)" + inputs + "]" + more + "}");
  }
  static std::string input(const std::string& name, const std::string& type,
                           const std::string& shape, const std::string& data) {
    return fmt::format(R"({{"name":"{}","datatype":"{}","shape":{},"data":{}}})", name, type,
                       shape, data);
  }
  static std::string tensors(const TestResponse& answer) {  // "NAME type shape data; ..."
    EXPECT_EQ(answer.status, 200) << answer.body;
    const Json body = *parse_json(answer.body);
    std::string text;
    for (const Json& output : body.find("outputs")->items()) {
      text += output.find("name")->as_string() + " " + output.find("datatype")->as_string() + " " +
              dump(*output.find("shape")) + " " + dump(*output.find("data")) + "; ";
    }
    return text;
  }
  static std::string refusal(const TestResponse& answer) {
    EXPECT_EQ(answer.status, 400) << answer.body;
    const Json body = *parse_json(answer.body);
    return body.find("error") == nullptr ? answer.body : body.find("error")->as_string();
  }

  TestRepository there_;
  TestServer* server_ = nullptr;
};

}  // namespace quire
