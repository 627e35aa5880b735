// Models of the store that are replaced, removed and made anew: at which moment, under which name,
// and whose they are.
#include <gtest/gtest.h>

#include <chrono>

#include "serve/dialects/ollama/manage/testing/managed_server.h"
#include "serve/testing/test_repository.h"

namespace quire {
namespace {

class OllamaChangesTest : public ManagedServer {
 protected:
  // Behind the closed door.
  void wait_for_load(const char* name) {
    const auto& host = server_->host();
    const auto is_loading = [&] {
      return host.row(*host.find(name))->state != ModelState::kUnloaded;
    };
    for (int i = 0; i < 6000 && !is_loading(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(is_loading()) << "nobody has begun to load " << name;
  }
  static void chat(TestClient& client, const std::string& name) {
    client.send(post_bytes("/api/chat", R"({"model":")" + name +
                                            R"(","stream":false,"options":{"num_predict":1},)"
                                            R"("messages":[{"role":"user","content":"q"}]})"));
  }
  static std::string system_of(const char* name) {
    return store::LocalStore::open()->find(name)->dress.system;
  }
};

// Nobody takes a model away from under its load: who asks for that waits for its end.
TEST_F(OllamaChangesTest, WhatComesWhileAModelIsLoadedIsDoneBehindTheLoad) {
  create("mario", R"(,"system":"one")");
  catalog_->door().set_open(false);
  TestClient first = server_->client(), maker = server_->client();
  chat(first, "mario");
  wait_for_load("mario");
  maker.send(post_bytes("/api/create", R"({"model":"mario","from":"mario","system":"two",)"
                                       R"("stream":false})"));
  catalog_->door().set_open(true);
  EXPECT_EQ(first.receive().status, 200);
  const TestResponse made = maker.receive();
  EXPECT_EQ(made.body, R"({"status":"success"})");
  EXPECT_EQ(system_of("mario"), "two");
  create("luigi", R"(,"system":"one")");
  catalog_->door().set_open(false);
  TestClient second = server_->client(), remover = server_->client();
  chat(second, "luigi");
  wait_for_load("luigi");
  const std::string body = R"({"model":"luigi"})";
  remover.send("DELETE /api/delete HTTP/1.1\r\nHost: t\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  catalog_->door().set_open(true);
  EXPECT_EQ(remover.receive().status, 200);
  EXPECT_EQ(post("/api/show", body).status, 404);
}

// The request that mends a model is not told of what is wrong with it.
TEST_F(OllamaChangesTest, WhatWaitsForALoadIsDoneHoweverTheLoadEnds) {
  create("mario", R"(,"system":"one")");
  catalog_->door().set_open(false);
  catalog_->set_damaged(true);
  TestClient first = server_->client(), maker = server_->client();
  chat(first, "mario");
  wait_for_load("mario");
  maker.send(post_bytes("/api/create", R"({"model":"mario","from":"mario","system":"two",)"
                                       R"("stream":false})"));
  EXPECT_EQ(post("/api/show", R"({"model":"mario"})").status, 200) << "meanwhile";
  catalog_->door().set_open(true);
  EXPECT_GE(first.receive().status, 500);
  EXPECT_EQ(maker.receive().body, R"({"status":"success"})");
  EXPECT_EQ(system_of("mario"), "two");
}

// A load begins when the new manifest stands there and the old model is served yet: neither stays
// so, and no thread that reads requests waits.
TEST_F(OllamaChangesTest, ALoadThatBeginsMeanwhileIsAwaitedByNoThread) {
  create("mario", R"(,"system":"one")");
  create("luigi", R"(,"system":"other")");
  const auto load = [&] {
    catalog_->door().set_open(false);
    ModelHost& host = server_->host();
    EXPECT_TRUE(host.want(*host.find("mario")).is_ok());
  };
  const std::pair<const char*, const char*> kRequests[] = {
      {"/api/create", R"({"model":"mario","from":"mario","system":"two","stream":false,)"
                      R"("messages":[{"role":"user","content":"q"}]})"},
      {"/api/copy", R"({"source":"luigi","destination":"mario"})"}};
  for (const auto& [path, body] : kRequests) {
    const std::string before = system_of("mario");
    catalog_->before_switch(load);
    TestClient one = server_->client();
    one.send(post_bytes(path, body));
    wait_for_load("mario");
    // Both threads that read requests are free for these; each of them is behind the first.
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(post("/api/copy", R"({"source":"luigi","destination":"other"})").status, 200);
    }
    EXPECT_EQ(system_of("mario"), before) << path;
    catalog_->door().set_open(true);
    EXPECT_EQ(one.receive().status, 200) << path;
  }
  EXPECT_EQ(system_of("mario"), "other");
}

TEST_F(OllamaChangesTest, NamesThatDifferInCaseAreOneModel) {
  create("Mario", R"(,"system":"one")");
  create("mario", R"(,"system":"two")");
  EXPECT_EQ(store::LocalStore::open()->list().models.size(), 1u);
  EXPECT_EQ(store::LocalStore::open()->find("Mario")->dress.system, "two");
  create("luigi");
  EXPECT_EQ(post("/api/copy", R"({"source":"luigi","destination":"MARIO:latest"})").status, 200);
  EXPECT_EQ(store::LocalStore::open()->find("Mario")->dress.system, "");
  EXPECT_EQ(store::LocalStore::open()->list().models.size(), 2u);
  EXPECT_EQ(ask("DELETE", "/api/delete", R"({"model":"mario"})").status, 200);
  EXPECT_EQ(store::LocalStore::open()->list().models.size(), 1u);
}

// Of two that an older version made, each goes by its own name.
TEST_F(OllamaChangesTest, TheVeryNameComesFirst) {
  create("cp1");
  const store::LocalStore store = *store::LocalStore::open();
  ASSERT_TRUE(store.copy("cp1", "CP1").is_ok());
  EXPECT_EQ(ask("DELETE", "/api/delete", R"({"model":"cp1"})").status, 200);
  EXPECT_TRUE(store.find("CP1").is_ok());
  EXPECT_FALSE(store.find("cp1").is_ok());
}

// Without --serve-store what the store has beside is none of the clients' business.
TEST_F(OllamaChangesTest, AModelThatIsNotServedIsNotThereForClients) {
  create("shown");
  const store::LocalStore store = *store::LocalStore::open();
  ASSERT_TRUE(store.copy("shown", "hidden").is_ok());
  EXPECT_EQ(post("/api/show", R"({"model":"hidden"})").status, 404);
  EXPECT_EQ(ask("DELETE", "/api/delete", R"({"model":"hidden"})").status, 404);
  EXPECT_EQ(post("/api/copy", R"({"source":"hidden","destination":"mine"})").status, 404);
  EXPECT_EQ(post("/api/create", R"({"model":"mine","from":"hidden"})").status, 404);
  EXPECT_EQ(post("/api/push", R"({"model":"hidden","stream":false})").status, 404);
  EXPECT_EQ(post("/api/copy", R"({"source":"shown","destination":"hidden"})").status, 409);
  EXPECT_EQ(post("/api/create", R"({"model":"hidden","from":"shown"})").status, 409);
  EXPECT_TRUE(store.find("hidden").is_ok());
}

// What may be hidden may not be another's.
TEST_F(OllamaChangesTest, APullTakesNothingFromTheRepository) {
  create("mario");
  server_.reset();  // its store stays
  TestRepository there;
  there.version("mario", 1);
  ServerOptions options;
  options.catalog = catalog_.get();
  TestServer& server = there.serve(std::move(options));
  ASSERT_EQ(server.client().post("/v2/repository/models/mario/unload", "{}").status, 200);
  ASSERT_FALSE(server.host().has_name("mario"));
  const TestResponse pulled =
      server.client().post("/api/pull", R"({"model":"mario","stream":false})");
  EXPECT_EQ(pulled.status, 400) << pulled.body;
  EXPECT_NE(pulled.body.find("of the model repository"), std::string::npos) << pulled.body;
}

TEST_F(OllamaChangesTest, WhatACreationDoesNotTakeIsTold) {
  create("base", R"(,"system":"s")");
  const auto make = [&](const std::string& fields) {
    const TestResponse made =
        post("/api/create", R"({"model":"x","stream":false,)" + fields + "}");
    return std::to_string(made.status) + made.body;
  };
  const std::string a = send(gguf_of("model")), b = send(gguf_of("other"));
  const std::string file = R"("files":{"a.gguf":")" + a + "\"}";
  const std::string both = make(R"("from":"base",)" + file);
  EXPECT_TRUE(both.starts_with("200") && both.find(R"("param":"files")") != both.npos) << both;
  EXPECT_EQ(store::LocalStore::open()->find("x")->dress.system, "s") << "'from' comes first";
  EXPECT_NE(make(R"("files":{"a.gguf":")" + a + R"(","b.gguf":")" + b + "\"}")
                .find("several GGUF files"), std::string::npos);
  const auto message = [&](const std::string& fields) {
    return make(R"("from":"base","messages":[{"role":"user","content":"a",)" + fields + "}]");
  };
  EXPECT_NE(message(R"("images":["aGk="])").find("messages[0].images"), std::string::npos);
  EXPECT_NE(message(R"("tool_calls":[{}])").find(R"("param":"messages[0].tool_calls")"),
            std::string::npos);
  EXPECT_TRUE(make(R"("from":"base","messages":[{"role":"robot","content":"a"}])")
                  .starts_with("400{\"error\":\"message role must be one of"));
  EXPECT_EQ(make(R"("from":"base","requires":"abc")"),
            "400{\"error\":\"requires must be a valid semver (e.g. 0.14.0)\"}");
  EXPECT_TRUE(make(R"("from":"base","requires":"0.14.0")").starts_with("200"));
  EXPECT_NE(make(R"("from":"base","parameters":{"foo":1})").find(R"("param":"parameters.foo")"),
            std::string::npos);
}

}  // namespace
}  // namespace quire
