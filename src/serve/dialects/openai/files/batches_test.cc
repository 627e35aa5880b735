// Files and batches over real sockets: what is uploaded comes back, lines are answered as requests
// of their own would be, each once, also across an end of the server, and clients come first.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <thread>

#include "base/json.h"
#include "serve/dialects/openai/files/batch_format.h"
#include "serve/testing/test_json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

std::string text_in(const Json& body, const std::string& name) {
  const Json* value = body.find(name);
  if (value == nullptr) return "";
  return value->is_string() ? value->as_string() : dump(*value);
}

std::string line(const std::string& id, const std::string& body) {
  return R"({"custom_id":")" + id +
         R"(","method":"POST","url":"/v1/chat/completions","body":)" + body + "}\n";
}

std::string chat(const std::string& words, int tokens = 6) {
  return R"({"model":"m","temperature":0,"seed":7,"max_tokens":)" + std::to_string(tokens) +
         R"(,"messages":[{"role":"user","content":")" + words + "\"}]}";
}

class BatchesTest : public ::testing::Test {
 protected:
  BatchesTest() {
    char name[] = "/tmp/quire-batches-XXXXXX";
    folder_ = mkdtemp(name);
    options_.archive_path = folder_ + "/answers.sqlite3";
  }
  ~BatchesTest() override { std::filesystem::remove_all(folder_); }

  static TestResponse request(TestServer& server, const std::string& method,
                              const std::string& path, const std::string& headers = "") {
    TestClient client = server.client();
    client.send(method + " " + path + " HTTP/1.1\r\nhost: x\r\n" + headers +
                (method == "POST" ? "content-length: 0\r\n" : "") + "\r\n");
    return client.receive();
  }

  static TestResponse upload(TestServer& server, const std::string& content,
                             const std::string& purpose = "batch",
                             const std::string& headers = "") {
    const std::string body =
        "--edge\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n" + purpose +
        "\r\n--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n" + content + "\r\n--edge--\r\n";
    TestClient client = server.client();
    client.send("POST /v1/files HTTP/1.1\r\nhost: x\r\n" + headers +
                "content-type: multipart/form-data; boundary=edge\r\ncontent-length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.receive();
  }

  static Json create(TestServer& server, const std::string& content,
                     const std::string& window = "24h") {
    const std::string file = text_in(json_of(upload(server, content)), "id");
    return json_of(server.client().post(
        "/v1/batches", R"({"input_file_id":")" + file +
                           R"(","endpoint":"/v1/chat/completions","completion_window":")" +
                           window + "\"}"));
  }

  static Json show(TestServer& server, const std::string& id) {
    return json_of(request(server, "GET", "/v1/batches/" + id));
  }

  static Json wait_for_end(TestServer& server, const std::string& id) {
    while (true) {
      Json batch = show(server, id);
      const std::string state = text_in(batch, "status");
      if (state != "in_progress" && state != "cancelling") return batch;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  // By custom_id.
  static std::map<std::string, Json> lines_of(TestServer& server, const std::string& file) {
    std::map<std::string, Json> lines;
    std::istringstream text(request(server, "GET", "/v1/files/" + file + "/content").body);
    for (std::string row; std::getline(text, row);) {
      const Json answer = *parse_json(row);
      EXPECT_TRUE(lines.emplace(text_in(answer, "custom_id"), answer).second) << "twice: " << row;
    }
    return lines;
  }

  static std::string words_of(const Json& answer) {
    const Json* choices = answer.find("response")->find("body")->find("choices");
    return text_in(*choices->items().front().find("message"), "content");
  }

  std::string folder_;
  ServerOptions options_;
};

TEST_F(BatchesTest, FilesComeBackToTheirOwner) {
  options_.api_keys = {"one", "two"};
  TestServer server(options_);
  const std::string one = "authorization: Bearer one\r\n", two = "authorization: Bearer two\r\n";
  const Json file = json_of(upload(server, "a\r\nb\n", "user_data", one));
  EXPECT_EQ(text_in(file, "object"), "file");
  EXPECT_EQ(text_in(file, "bytes"), "5");
  EXPECT_EQ(text_in(file, "filename"), "in.jsonl");
  const std::string path = "/v1/files/" + text_in(file, "id");
  EXPECT_EQ(json_of(request(server, "GET", path, one)), file);
  EXPECT_EQ(request(server, "GET", path + "/content", one).body, "a\r\nb\n");
  const Json list = json_of(request(server, "GET", "/v1/files?purpose=user_data", one));
  EXPECT_EQ(list.find("data")->items().size(), 1u);
  EXPECT_EQ(json_of(request(server, "GET", "/v1/files", two)).find("data")->items().size(), 0u);
  EXPECT_EQ(request(server, "GET", path, two).status, 404);
  EXPECT_EQ(request(server, "GET", path + "/content", two).status, 404);
  EXPECT_EQ(request(server, "DELETE", path, two).status, 404);
  EXPECT_EQ(text_in(json_of(request(server, "DELETE", path, one)), "deleted"), "true");
  EXPECT_EQ(request(server, "GET", path, one).status, 404);
  EXPECT_EQ(upload(server, "x", "fun", one).status, 400);
}

// A file may be larger than other requests, and so many of them arrive at once.
TEST_F(BatchesTest, FilesHaveABoundOfTheirOwn) {
  options_.http.body_max = 1000;
  options_.http.form_max = 5000;
  options_.http.large_bodies_max = 1;
  TestServer server(options_);
  const std::string content(3000, 'x');
  // A place is free again a moment after the answer that it was held for.
  const auto upload_large = [&] {
    int status = 503;
    while (status == 503) status = upload(server, content, "user_data").status;
    return status;
  };
  EXPECT_EQ(upload_large(), 200);
  EXPECT_EQ(upload(server, std::string(5000, 'x'), "user_data").status, 413);
  std::optional<TestClient> slow;
  do {
    slow.emplace(server.port());
    slow->send("POST /v1/files HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-type: "
               "multipart/form-data; boundary=edge\r\ncontent-length: 3000\r\n\r\n");
  } while (slow->receive_some().find("100 Continue") == std::string::npos);
  const TestResponse refused = upload(server, content, "user_data");
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_NE(refused.header("retry-after"), "");
  EXPECT_EQ(upload(server, "small", "user_data").status, 200);
  slow->send(content);
  EXPECT_EQ(slow->receive().status, 400);  // it is no form
  EXPECT_EQ(upload_large(), 200);
}

TEST_F(BatchesTest, LinesAreAnsweredAsRequestsOfTheirOwn) {
  TestServer server(options_);
  const std::string alone = text_in(
      *json_of(server.client().post("/v1/chat/completions", chat("two"))).find("choices")
           ->items().front().find("message"), "content");
  const Json made = create(server, line("a", chat("one")) + line("b", chat("two")) +
                                       line("c", R"({"model":"nobody","messages":[]})"));
  EXPECT_EQ(text_in(made, "status"), "in_progress");
  const Json batch = wait_for_end(server, text_in(made, "id"));
  EXPECT_EQ(text_in(batch, "status"), "completed");
  EXPECT_EQ(text_in(batch, "request_counts"), R"({"total":3,"completed":2,"failed":1})");
  const auto answers = lines_of(server, text_in(batch, "output_file_id"));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(words_of(answers.at("b")), alone);
  std::int64_t used = 0;
  for (const auto& [id, answer] : answers) {
    used += answer.find("response")->find("body")->find("usage")->find("total_tokens")->as_int();
  }
  EXPECT_GT(used, 0);
  EXPECT_EQ(batch.find("usage")->find("total_tokens")->as_int(), used);
  EXPECT_EQ(text_in(*answers.at("a").find("response"), "status_code"), "200");
  const auto errors = lines_of(server, text_in(batch, "error_file_id"));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(text_in(*errors.at("c").find("response"), "status_code"), "404");
  const Json list = json_of(request(server, "GET", "/v1/batches?limit=1"));
  EXPECT_EQ(list.find("data")->items().front(), batch);
}

TEST_F(BatchesTest, AFileWithMistakesFailsAndNamesTheLines) {
  TestServer server(options_);
  const Json batch = create(server, "no json\n" + line("a", chat("x")) + line("a", chat("y")) +
                                        R"({"custom_id":"b","method":"GET","url":"/v1/models"})" +
                                        "\n" + line("c", R"({"stream":true})"));
  EXPECT_EQ(text_in(batch, "status"), "failed");
  std::vector<std::string> codes;
  for (const Json& error : batch.find("errors")->find("data")->items()) {
    codes.push_back(text_in(error, "code") + ":" + text_in(error, "line"));
  }
  EXPECT_EQ(codes, (std::vector<std::string>{"invalid_json_line:1", "duplicate_custom_id:3",
                                             "invalid_method:4", "invalid_value:5"}));
  EXPECT_EQ(text_in(create(server, "\n"), "status"), "failed");
  const TestResponse unknown = server.client().post(
      "/v1/batches", R"({"input_file_id":"file-no","endpoint":"/v1/chat/completions",)"
                     R"("completion_window":"24h"})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(server.client().post("/v1/batches", R"({"input_file_id":"f","endpoint":"/v1/images",)"
                                                R"("completion_window":"24h"})").status, 400);
}

TEST_F(BatchesTest, AServerGoesOnWhereAnotherEnded) {
  std::string content, id;
  for (int i = 0; i < 24; ++i) content += line("l" + std::to_string(i), chat(std::to_string(i)));
  std::map<std::string, Json> expected;
  {
    ServerOptions undisturbed = options_;
    undisturbed.archive_path = ":memory:";
    TestServer server(undisturbed);
    const Json batch = wait_for_end(server, text_in(create(server, content), "id"));
    expected = lines_of(server, text_in(batch, "output_file_id"));
  }
  {
    TestServer server(options_);
    server.gate().close();
    id = text_in(create(server, content), "id");
    server.gate().let_pass(9);
  }
  for (int round = 0; round < 2; ++round) {
    TestServer server(options_);  // ends while lines are under way
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  TestServer server(options_);
  const Json batch = wait_for_end(server, id);
  EXPECT_EQ(text_in(batch, "request_counts"), R"({"total":24,"completed":24,"failed":0})");
  const auto answers = lines_of(server, text_in(batch, "output_file_id"));
  ASSERT_EQ(answers.size(), expected.size());
  for (const auto& [name, answer] : answers) {
    EXPECT_EQ(words_of(answer), words_of(expected.at(name))) << name;
  }
}

TEST_F(BatchesTest, ACancelledBatchKeepsWhatItHas) {
  TestServer server(options_);
  server.gate().close();
  std::string content;
  for (int i = 0; i < 30; ++i) content += line("l" + std::to_string(i), chat(std::to_string(i)));
  const std::string id = text_in(create(server, content), "id");
  const Json cancelling = json_of(request(server, "POST", "/v1/batches/" + id + "/cancel"));
  EXPECT_EQ(text_in(cancelling, "status"), "cancelling");
  server.gate().open();
  const Json batch = wait_for_end(server, id);
  EXPECT_EQ(text_in(batch, "status"), "cancelled");
  server.wait_for_metric("quire_requests_running", 0);
  EXPECT_EQ(request(server, "POST", "/v1/batches/" + id + "/cancel").status, 409);
}

TEST_F(BatchesTest, WhatIsNotAnsweredInTimeIsSaidToBeExpired) {
  TestServer server(options_);
  server.gate().close();
  const std::string id = text_in(create(server, line("a", chat("x")), "1s"), "id");
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  server.gate().open();
  const Json batch = wait_for_end(server, id);
  EXPECT_EQ(text_in(batch, "status"), "expired");
  const auto errors = lines_of(server, text_in(batch, "error_file_id"));
  ASSERT_EQ(errors.count("a"), 1u);
  EXPECT_EQ(text_in(*errors.at("a").find("error"), "code"), "batch_expired");
}

std::size_t unfinished(TestServer& server) {
  const Json all = json_of(server.client().get("/debug/requests"));
  const std::vector<Json>& requests = all.find("requests")->items();
  return static_cast<std::size_t>(
      std::count_if(requests.begin(), requests.end(), [](const Json& request) {
        return text_in(request, "state") != "finished";
      }));
}

// Counted in steps: alone a client has its first token after so many; beside a batch one more, the
// one that had begun when it came.
TEST_F(BatchesTest, ClientsComeBeforeLines) {
  TestServer server(options_);
  const std::string stream = R"({"model":"m","stream":true,"max_tokens":4,"seed":7,)"
                             R"("messages":[{"role":"user","content":"now"}]})";
  constexpr int kStepsAlone = 2;  // the prompt, and the step behind it that is planned already
  const auto begin = [&](std::size_t beside) {
    TestClient client = server.client();
    client.send(post_bytes("/v1/chat/completions", stream));
    while (unfinished(server) <= beside) std::this_thread::yield();
    return client;
  };
  server.gate().close();
  TestClient alone = begin(0);
  server.gate().let_pass(kStepsAlone);
  EXPECT_NE(alone.receive_some().find("200 OK"), std::string::npos);
  alone.close();
  server.gate().open();
  server.wait_for_metric("quire_requests_running", 0);

  server.gate().close();
  std::string content;
  for (int i = 0; i < 40; ++i) {
    content += line("l" + std::to_string(i),
                    R"({"model":"m","max_tokens":300,"ignore_eos":true,"messages":)"
                    R"([{"role":"user","content":")" + std::string(150, 'w') + "\"}]}");
  }
  const std::string id = text_in(create(server, content), "id");
  while (server.metric("quire_requests_running") < 8) server.gate().let_pass(1);
  TestClient beside = begin(8);
  server.gate().let_pass(kStepsAlone + 1);
  EXPECT_NE(beside.receive_some().find("200 OK"), std::string::npos);
  beside.close();
  request(server, "POST", "/v1/batches/" + id + "/cancel");
}

}  // namespace
}  // namespace quire
