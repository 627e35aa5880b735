// Models that come and go by Ollama's API: blobs, create, copy, delete, pull, over real sockets and
// a store of the test's own, with a catalog that makes test models of whatever the store has.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "base/json.h"
#include "serve/background/errands.h"
#include "serve/dialects/ollama/manage/testing/managed_server.h"
#include "serve/testing/test_repository.h"
#include "serve/testing/test_server.h"
#include "store/local_store.h"
#include "store/testing/small_gguf.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

using OllamaManageTest = ManagedServer;

TEST_F(OllamaManageTest, ABlobIsTakenOnceAndOnlyWithItsChecksum) {
  const std::string bytes(300'000, 'b');
  const std::string path = "/api/blobs/" + digest_of(bytes);
  EXPECT_EQ(ask("HEAD", path, "").status, 404);
  EXPECT_EQ(post(path, bytes).status, 201);
  EXPECT_EQ(ask("HEAD", path, "").status, 200);
  EXPECT_EQ(post(path, bytes).status, 200);
  const TestResponse wrong = post("/api/blobs/" + digest_of("other"), bytes);
  EXPECT_EQ(wrong.status, 400);
  EXPECT_NE(wrong.body.find("digest mismatch, expected \\\"" + digest_of("other") + "\\\", got"),
            std::string::npos) << wrong.body;
  EXPECT_EQ(post("/api/blobs/sha256:12", "x").status, 400);
  EXPECT_EQ(ask("HEAD", "/api/blobs/nonsense", "").status, 400);
  expect_nothing_partial();
}

// Weights are larger than what is held of a body: they go to a file as they arrive, in chunks or
// not, and those behind them on the connection find their place.
TEST_F(OllamaManageTest, ABlobMayBeLargerThanOtherBodies) {
  std::string bytes(9 << 20, 'w');
  for (std::size_t i = 0; i < bytes.size(); i += 4099) bytes[i] = static_cast<char>(i);
  EXPECT_EQ(post("/api/blobs/" + digest_of(bytes), bytes).status, 201);
  EXPECT_EQ(fs::file_size(folder_ / "blobs" / ("sha256-" + digest_of(bytes).substr(7))),
            bytes.size());
  bytes.back() = '!';
  const std::string path = "/api/blobs/" + digest_of(bytes);
  std::string chunks;
  for (std::size_t at = 0; at < bytes.size(); at += 100'000) {
    http::append_chunk(bytes.substr(at, 100'000), chunks);
  }
  TestClient client = server_->client();
  const std::string head = " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  client.send("POST " + path + head + chunks + "0\r\n\r\nHEAD " + path +
              " HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.receive().status, 201);
  EXPECT_EQ(client.receive(true).status, 200);
  EXPECT_EQ(post("/api/blobs/" + digest_of("other"), bytes).status, 400);
  TestClient packed = server_->client();
  packed.send("POST " + path + " HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\n"
              "Content-Length: 3\r\n\r\nabc");
  EXPECT_EQ(packed.receive().status, 415);
  {
    TestClient leaver = server_->client();
    leaver.send("POST " + path + head + chunks.substr(0, 3 << 20));
  }
  TestClient broken = server_->client();
  std::string chunk;
  http::append_chunk(bytes.substr(0, 2 << 20), chunk);
  broken.send("POST " + path + head + chunk + "zz\r\n");
  EXPECT_EQ(broken.receive().status, 400);
  server_.reset();  // everybody has left
  expect_nothing_partial();
}

TEST_F(OllamaManageTest, AModelIsMadeShownCopiedAndDeleted) {
  create("mario:7b", R"(,"system":"You are Mario.","template":)"
                     R"("{{ if .System }}<{{ .System }}>{{ end }}{{ .Prompt }}|{{ .Response }}")"
                     R"(,"parameters":{"temperature":0,"stop":["x"]},"license":"MIT",)"
                     R"("messages":[{"role":"user","content":"hi"},)"
                     R"({"role":"assistant","content":"ho"}])");
  const Json shown = *parse_json(post("/api/show", R"({"model":"mario:7b"})").body);
  EXPECT_EQ(shown.find("system")->as_string(), "You are Mario.");
  EXPECT_EQ(shown.find("license")->as_string(), "MIT");
  EXPECT_NE(shown.find("parameters")->as_string().find("stop                           \"x\""),
            std::string::npos);
  EXPECT_NE(shown.find("modelfile")->as_string().find("\nSYSTEM You are Mario.\n"),
            std::string::npos);
  const auto prompt_of = [&](const std::string& body) {
    const Json answer = *parse_json(post("/api/chat", body).body);
    const Json* info = answer.find("_debug_info");
    return info != nullptr ? info->find("rendered_template")->as_string() : dump(answer);
  };
  const std::string chat = R"({"model":"mario:7b","stream":false,"_debug_render_only":true,)";
  EXPECT_EQ(prompt_of(chat + R"("messages":[{"role":"user","content":"q"}]})"),
            "<You are Mario.>hi|hoq|");
  EXPECT_EQ(prompt_of(chat + R"("messages":[{"role":"system","content":"s"},)"
                             R"({"role":"user","content":"q"}]})"), "hi|ho<s>q|");
  EXPECT_EQ(post("/api/copy", R"({"source":"mario:7b","destination":"luigi"})").status, 200);
  EXPECT_EQ(post("/api/copy", R"({"source":"m","destination":"alias"})").status, 200);
  EXPECT_NE(server_->client().get("/api/tags").body.find("luigi:latest"), std::string::npos);
  EXPECT_EQ(ask("DELETE", "/api/delete", R"({"model":"mario:7b"})").status, 200);
  EXPECT_EQ(post("/api/show", R"({"model":"mario:7b"})").status, 404);
  EXPECT_EQ(post("/api/chat", R"({"model":"luigi","messages":[{"role":"user","content":"q"}],)"
                              R"("options":{"num_predict":2}})").status, 200);
  EXPECT_EQ(ask("DELETE", "/api/delete", R"({"model":"alias"})").status, 200);
  EXPECT_EQ(post("/api/show", R"({"model":"alias"})").status, 404);
  const TestResponse own = ask("DELETE", "/api/delete", R"({"model":"m"})");
  EXPECT_EQ(own.status, 409) << "its file is not the store's: " << own.body;
  EXPECT_EQ(ask("DELETE", "/api/delete", R"({"model":"nobody"})").status, 404);
}

TEST_F(OllamaManageTest, WhatTheCommandLineNamedIsNeitherReplacedNorRemoved) {
  create("mario", "");
  for (const char* body : {R"({"source":"mario","destination":"m"})",
                           R"({"source":"m","destination":"m"})"}) {
    EXPECT_EQ(post("/api/copy", body).status, 409) << body;
  }
  EXPECT_EQ(post("/api/create", R"({"model":"m","from":"mario"})").status, 409);
  EXPECT_GE(ask("DELETE", "/api/delete", R"({"model":"*"})").status, 400);
  EXPECT_EQ(post("/api/show", R"({"model":"m"})").status, 200);
}

TEST_F(OllamaManageTest, WhatTheRepositoryNamesIsItsOwn) {
  create("mario", "");
  TestRepository there;
  there.version("story", 2);
  ServerOptions options;
  options.catalog = catalog_.get();
  TestServer& server = there.serve(options);
  const auto ask = [&](const std::string& method, const std::string& path,
                       const std::string& body) {
    TestClient client = server.client();
    client.send(fmt::format("{} {} HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n{}", method,
                            path, body.size(), body));
    return client.receive().status;
  };
  for (const std::string name : {"story", "story:2", "story:latest"}) {
    const std::string model = R"({"model":")" + name + R"("})";
    EXPECT_EQ(ask("DELETE", "/api/delete", model), 409) << name;
    EXPECT_EQ(ask("POST", "/api/copy",
                  R"({"source":"mario","destination":")" + name + R"("})"), 409) << name;
    EXPECT_EQ(ask("POST", "/api/create",
                  R"({"from":"mario","model":")" + name + R"("})"), 409) << name;
  }
  EXPECT_EQ(ask("POST", "/v2/models/story/generate", R"({"text_input":"a","max_tokens":1})"), 200);
}

TEST_F(OllamaManageTest, AModelMadeAnewTakesThePlaceOfTheOld) {
  create("mario", R"(,"system":"one")");
  create("mario", R"(,"system":"two")");
  const TestResponse from =
      post("/api/create", R"({"model":"luigi","from":"mario","stream":false,)"
                          R"("parameters":{"seed":1}})");
  EXPECT_EQ(from.body, R"({"status":"success"})");
  const Json shown = *parse_json(post("/api/show", R"({"model":"luigi"})").body);
  EXPECT_EQ(shown.find("system")->as_string(), "two");
  const Json tags = *parse_json(server_->client().get("/api/tags").body);
  EXPECT_EQ(tags.find("models")->items().size(), 4u) << dump(tags);
}

TEST_F(OllamaManageTest, AModelIsMadeWithAnAdapterAndHandsItDown) {
  create("base");
  const std::string style = send(gguf_of("adapter"));
  const TestResponse made = post("/api/create", R"({"model":"mario","from":"base","adapters":)"
                                                R"({"style.gguf":")" + style + "\"}}");
  EXPECT_EQ(made.status, 200) << made.body;
  EXPECT_NE(made.body.find("parsing GGUF"), std::string::npos) << made.body;
  EXPECT_NE(made.body.find("using existing layer " + style), std::string::npos) << made.body;
  EXPECT_EQ(catalog_->take_checked(), std::vector<std::string>{"style.gguf"});
  const std::string config = send("{}"), weights = send("pairs");
  const std::string words = send(R"({"a":1})");
  const TestResponse second = post(
      "/api/create", R"({"model":"luigi","from":"mario","stream":false,"adapters":)"
      R"({"x/adapter_config.json":")" + config + R"(","adapter_model.safetensors":")" + weights +
      R"(","tokenizer_config.json":")" + words + "\"}}");
  EXPECT_EQ(second.status, 200) << second.body;
  EXPECT_NE(second.body.find("Not read of the adapter: tokenizer_config.json."),
            std::string::npos) << second.body;
  EXPECT_EQ(catalog_->take_checked(), (std::vector<std::string>{"style.gguf", "folder"}));
  const auto lines = [&](const std::string& name) {
    const Json shown = *parse_json(post("/api/show", R"({"model":")" + name + "\"}").body);
    const std::string text = shown.find("modelfile")->as_string();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("\nADAPTER /", at)) != text.npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(lines("base"), 0u);
  EXPECT_EQ(lines("mario"), 1u);
  EXPECT_EQ(lines("luigi"), 2u);
  EXPECT_EQ(post("/api/copy", R"({"source":"luigi","destination":"toad"})").status, 200);
  EXPECT_EQ(ask("DELETE", "/api/delete", R"({"model":"luigi"})").status, 200);
  EXPECT_EQ(lines("toad"), 2u);
  const store::LocalStore store = *store::LocalStore::open();
  EXPECT_EQ(store.find("toad")->adapters.size(), 2u);
  EXPECT_TRUE(store.path_of(*store.find("toad")).is_ok());
}

TEST_F(OllamaManageTest, FilesMayHaveAnAdapterAmongThem) {
  const std::string model = send(gguf_of("model")), adapter = send(gguf_of("adapter"));
  const TestResponse made = post("/api/create", R"({"model":"mario","files":{"a.gguf":")" +
                                                    adapter +
                                                    R"(","m.gguf":")" + model + "\"}}");
  EXPECT_EQ(made.status, 200) << made.body;
  const store::Manifest found = *store::LocalStore::open()->find("mario");
  EXPECT_EQ(found.files.size(), 1u);
  EXPECT_EQ(found.adapters.size(), 1u);
  const TestResponse none = post("/api/create", R"({"model":"x","files":{"a.gguf":")" + adapter +
                                                    R"(","b.gguf":")" + adapter + "\"}}");
  EXPECT_EQ(none.status, 400);
  EXPECT_NE(none.body.find("all of them are adapters"), std::string::npos) << none.body;
}

TEST_F(OllamaManageTest, AdaptersThatAreNoneAreRefusedByName) {
  create("base");
  const std::string adapter = send(gguf_of("adapter")), model = send(gguf_of("model"));
  const std::string other = send("words");
  const std::string nobody = digest_of("what nobody sent");
  const std::pair<std::string, const char*> cases[] = {
      {R"({"a.gguf":")" + nobody + "\"}", "there is no blob sha256:"},
      {R"({"a.gguf":"sha256:12"})", "invalid digest format: a.gguf"},
      {R"({"a.gguf":"md5:12"})", "adapters: names of files with digests"},
      {R"({"a.gguf":7})", "adapters: names of files with digests"},
      {R"({"/etc/a.gguf":")" + adapter + "\"}", "file path must be relative"},
      {R"({"../a.gguf":")" + adapter + "\"}", "file path must be relative"},
      {R"({".gguf":")" + adapter + "\"}", "adapters: names of files with digests"},
      {R"("a.gguf")", "adapters: an object of at most 512 is expected"},
      {R"(["a.gguf"])", "adapters: an object of at most 512 is expected"},
      {R"({"a.gguf":")" + adapter + R"(","b.gguf":")" + adapter + "\"}",
       "only one adapter is currently supported"},
      {R"({"a.gguf":")" + model + "\"}", "general.type is 'model' and not 'adapter'"},
      {R"({"a.gguf":")" + other + "\"}", "supplied file was not in GGUF format"},
      {R"({"adapter_model.safetensors":")" + other + "\"}", "adapter_config.json and"},
      {R"({"adapter_config.json":")" + other + "\"}", "supplied file was not in GGUF format"},
      {R"({"unfit.gguf":")" + adapter + "\"}", "it does not fit"},
  };
  for (const auto& [adapters, message] : cases) {
    const TestResponse refused =
        post("/api/create", R"({"model":"x","from":"base","adapters":)" + adapters + "}");
    EXPECT_GE(refused.status, 400) << adapters;
    EXPECT_LT(refused.status, 500) << adapters << refused.body;
    EXPECT_NE(refused.body.find(message), std::string::npos) << adapters << refused.body;
    EXPECT_EQ(post("/api/show", R"({"model":"x"})").status, 404) << "nothing was made";
  }
  std::string name = "base";
  for (int i = 0; i < 9; ++i) {
    const TestResponse more = post("/api/create", R"({"model":"next)" + std::to_string(i) +
                                                      R"(","from":")" + name +
                                                      R"(","adapters":{"a.gguf":")" + adapter +
                                                      "\"}}");
    name = "next" + std::to_string(i);
    EXPECT_EQ(more.status, i < 8 ? 200 : 400) << more.body;
    if (i < 8) continue;
    EXPECT_NE(more.body.find("a model of 9 adapters; at most 8"), std::string::npos) << more.body;
  }
}

TEST_F(OllamaManageTest, WhatCannotBeMadeIsRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model":"x"})", "neither 'from' or 'files' was specified"},
      {R"({"model":"a b","from":"m"})", "invalid model name"},
      {R"({"model":"x","from":"m","quantize":"q9"})", "unsupported quantization type Q9"},
      {R"({"model":"x","from":"m","template":"{{ nope }}"})", "function \\\"nope\\\" not defined"},
      {R"({"model":"x","from":"m","parameters":{"top_k":"x"}})", "option \\\"top_k\\\" must be"},
      {R"({"model":"x","files":{"/a":"sha256:1"}})", "file path must be relative"},
      {R"({"model":"x","from":"nobody"})", "model 'nobody' not found"},
  };
  for (const auto& [body, message] : cases) {
    const TestResponse refused = post("/api/create", body);
    EXPECT_GE(refused.status, 400) << body;
    EXPECT_NE(refused.body.find(message), std::string::npos) << refused.body;
  }
  EXPECT_EQ(post("/api/copy", R"({"source":"nobody","destination":"x"})").body,
            R"({"error":"model \"nobody\" not found"})");
  EXPECT_EQ(post("/api/copy", R"({"source":"m","destination":"a b"})").body,
            R"({"error":"destination \"a b\" is invalid"})");
  EXPECT_EQ(post("/api/push", R"({"model":"nobody","stream":false})").status, 404);
}

TEST_F(OllamaManageTest, AModelThatWasNotLoadedYetIsShownByItsFiles) {
  create("seen");
  const Json shown = *parse_json(post("/api/show", R"({"model":"seen"})").body);
  EXPECT_EQ(shown.find("details")->find("family")->as_string(), "llama");
  EXPECT_EQ(shown.find("template")->as_string(), "{{ messages }}");
  EXPECT_EQ(shown.find("modelfile")->as_string().find("TEMPLATE"), std::string::npos)
      << "it is the file's own, and of Jinja: no line of a Modelfile";
  EXPECT_EQ(shown.find("model_info")->find("llama.context_length")->as_int(), 64);
  EXPECT_NE(dump(*shown.find("capabilities")).find("tools"), std::string::npos);
  const Json tags = *parse_json(ask("GET", "/api/tags", "").body);
  int seen = 0;
  for (const Json& model : tags.find("models")->items()) {
    if (model.find("name")->as_string() != "seen:latest") continue;
    ++seen;
    EXPECT_EQ(model.find("size")->as_uint(), std::string("GGUF of seen").size());
    EXPECT_NE(model.find("modified_at")->as_string().substr(0, 4), "1970");
  }
  EXPECT_EQ(seen, 1);
  for (const ModelRow& row : server_->host().rows()) {
    EXPECT_EQ(row.loads, row.names.front() == "m" ? 1u : 0u) << "none was loaded for a look";
  }
}

TEST_F(OllamaManageTest, ARegistryThatIsNotThereIsTold) {
  const TestResponse whole =
      post("/api/pull", R"({"model":"127.0.0.1:1/me/x","stream":false})");
  EXPECT_GE(whole.status, 500) << whole.body;
  EXPECT_NE(whole.body.find("error"), std::string::npos);
  EXPECT_EQ(post("/api/pull", R"({"model":"a b"})").status, 400);
}

// A registry that takes connections and says nothing.
class SilentRegistry {
 public:
  SilentRegistry() {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, plain, size), 0);
    EXPECT_EQ(::listen(socket_, 64), 0);
    EXPECT_EQ(::getsockname(socket_, plain, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentRegistry() {
    for (const int client : clients_) ::close(client);
    ::close(socket_);
  }
  int port() const { return port_; }
  void await_client() { clients_.push_back(::accept(socket_, nullptr, nullptr)); }

 private:
  int socket_, port_ = 0;
  std::vector<int> clients_;
};

TEST_F(OllamaManageTest, MorePullsThanThereAreWorkersKeepNobodyFromAnAnswer) {
  static_assert(Errands::kAtOnce > 2, "as many workers as a server has of itself");
  SilentRegistry registry;
  const auto ask_for = [&](int number) {
    return post_bytes("/api/pull", R"({"model":"127.0.0.1:)" + std::to_string(registry.port()) +
                                       "/me/x" + std::to_string(number) + R"(","insecure":true})");
  };
  std::deque<TestClient> clients;
  for (int i = 0; i < static_cast<int>(Errands::kAtOnce); ++i) {
    clients.push_back(server_->client());
    clients.back().send(ask_for(i));
    registry.await_client();  // it is under way
  }
  const TestResponse chat = post("/api/chat", R"({"model":"m","stream":false,"messages":[)"
                                              R"({"role":"user","content":"a"}],)"
                                              R"("options":{"num_predict":1}})");
  EXPECT_EQ(chat.status, 200) << chat.body;
  TestClient another = server_->client();
  another.send(ask_for(99));
  const TestResponse refused = another.receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.body,
            R"({"error":"server busy, please try again.  8 models are being pulled"})");
  EXPECT_EQ(refused.header("retry-after"), "5");
  clients.clear();  // whoever leaves ends his
  const auto is_busy = [&] {
    const std::string nowhere = R"({"model":"127.0.0.1:1/me/x","stream":false})";
    return post("/api/pull", nowhere).body.find("server busy") != std::string::npos;
  };
  while (is_busy()) std::this_thread::yield();
}

// "status" or "error" of each line, one after the other but for those that are equal.
std::string sentences(const std::string& body) {
  std::string all, last;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = std::min(body.find('\n', at), body.size());
    const auto line = parse_json(body.substr(at, end - at));
    at = end + 1;
    EXPECT_TRUE(line.is_ok()) << body;
    const Json* error = line->find("error");
    const std::string text = error != nullptr ? "error: " + error->as_string()
                                              : line->find("status")->as_string();
    if (text != last) all += (all.empty() ? "" : "|") + text;
    last = text;
  }
  return all;
}

TEST_F(OllamaManageTest, WeightsAreQuantizedWhileTheClientIsToldOfIt) {
  const std::string bytes = store::testing::small_gguf();
  EXPECT_LT(post("/api/blobs/" + digest_of(bytes), bytes).status, 300);
  const std::string files = R"(,"files":{"x.gguf":")" + digest_of(bytes) + "\"}";
  const TestResponse made = post("/api/create", R"({"model":"small")" + files +
                                                    R"(,"quantize":"q4_K_M","system":"s"})");
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(made.header("content-type"), "application/x-ndjson");
  const store::Manifest manifest = *store::LocalStore::open()->find("small");
  ASSERT_EQ(manifest.files.size(), 1u);
  EXPECT_EQ(manifest.files[0].name, "model.Q4_K_M.gguf");
  EXPECT_EQ(manifest.dress.system, "s");
  EXPECT_EQ(sentences(made.body),
            "parsing GGUF|quantizing F32 model to Q4_K_M|verifying conversion|creating new layer "
            "sha256:" + manifest.files[0].checksum.hex + "|writing manifest|success");
  EXPECT_NE(made.body.find(R"({"status":"quantizing F32 model to Q4_K_M","digest":)"
                           R"("0000000000000000000","total":66560,"completed":66560})"),
            std::string::npos) << made.body;
  const TestResponse again = post("/api/create", R"({"model":"whole","from":"small","stream":)"
                                                 R"(false,"quantize":"q8_0"})");
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(again.body, R"({"error":"quantization is only supported for F16, BF16 and F32 models; )"
                        R"(tensor 'blk.0.ffn_up.weight' is Q4_K"})");
  const TestResponse line = post("/api/create", R"({"model":"whole","from":"small",)"
                                                R"("quantize":"q8_0"})");
  EXPECT_EQ(line.status, 200) << "the stream has begun";
  EXPECT_TRUE(sentences(line.body).starts_with("error: quantization is only")) << line.body;
  EXPECT_EQ(post("/api/show", R"({"model":"whole"})").status, 404);
  const TestResponse older = post("/api/create", R"({"model":"whole","stream":false)" + files +
                                                     R"(,"quantization":"Q8_0"})");
  EXPECT_EQ(older.body, R"({"status":"success"})");
  EXPECT_TRUE(fs::is_empty(folder_ / "partial"));
}

TEST_F(OllamaManageTest, TypesThatNobodyMakesAreRefusedBeforeAnythingIsDone) {
  for (const char* field : {"quantize", "quantization"}) {
    const TestResponse refused = post("/api/create", R"({"model":"x","from":"m",")" +
                                                         std::string(field) + R"(":"q9"})");
    EXPECT_EQ(refused.status, 400);
    EXPECT_TRUE(refused.body.starts_with(
        R"({"error":"unsupported quantization type Q9 - supported types are F32, F16, BF16, Q8_0)"))
        << refused.body;
  }
  EXPECT_EQ(post("/api/create", R"({"model":"x","from":"m","quantize":4})").status, 400);
  const TestResponse nobody = post("/api/create", R"({"model":"x","from":"nobody","stream":false,)"
                                                  R"("quantize":"q8_0"})");
  EXPECT_EQ(nobody.status, 404) << nobody.body;
  create("plain", R"(,"quantize":"")");
}

}  // namespace
}  // namespace quire
