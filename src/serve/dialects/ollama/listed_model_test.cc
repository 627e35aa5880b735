// What lists and /api/show say of models of both stores: from their manifests, the same before a
// model was loaded as afterwards; and why one that is listed cannot be served.
#include "serve/dialects/ollama/listed_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "serve/testing/test_server.h"
#include "store/local_store.h"
#include "store/modelfile/ollama_store.h"
#include "store/testing/small_gguf.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

// Serves whatever the two stores have, as a server with --serve-store does.
class TwoStores : public ModelCatalog {
 public:
  explicit TwoStores(std::shared_ptr<StepGate> gate) : gate_(std::move(gate)) {}

  Result<ModelRecipe> recipe(const std::string& source, std::vector<std::string> names,
                             const ModelOverrides&) const override {
    if (!has(source)) return error(StatusCode::kNotFound, "there is no '{}'", source);
    QUIRE_ASSIGN_OR_RETURN(const ModelLook seen, look(source));
    return recipe_of(seen, std::move(names));
  }
  ModelRecipe recipe_of(const ModelLook& seen, std::vector<std::string> names) const {
    ModelRecipe made = make_test_recipe({.names = std::move(names)}, gate_);
    made.open = [open = made.open, seen]() -> Result<OpenedModel> {
      QUIRE_ASSIGN_OR_RETURN(OpenedModel opened, open());
      opened.load = [load = opened.load, seen](EventSink sink)
          -> Result<std::unique_ptr<HostedModel>> {
        QUIRE_ASSIGN_OR_RETURN(auto model, load(std::move(sink)));
        model->info.card = seen.info.card;
        model->info.context_max = seen.info.context_max;
        return model;
      };
      return opened;
    };
    return made;
  }
  Result<ModelLook> look(const std::string& source) const override {
    if (source == kUnread) {
      ++unread_;
      return error(StatusCode::kCorrupt, "no head");
    }
    ModelLook look{.chat_template = "<think>{{ messages }}"};
    look.info.context_max = 64;
    look.info.chats = true;
    look.info.card = {.family = "llama", .format = "gguf", .digest = "of the weights",
                      .file_bytes = 1};
    const auto store = store::LocalStore::open();
    if (const auto ours = store->find(source); ours.is_ok()) {
      look.info.card.path = store->blob_path(ours->files[0].checksum);
      return look;
    }
    const auto theirs = store::OllamaStore::open();
    if (!theirs) return error(StatusCode::kNotFound, "there is no '{}'", source);
    QUIRE_ASSIGN_OR_RETURN(const store::OllamaModel model, theirs->find(source));
    look.info.card.path = model.path;
    return look;
  }
  Result<std::shared_ptr<const Tokenizer>> tokenizer(const std::string&,
                                                     const std::string&) const override {
    ++vocabularies_;
    return error(StatusCode::kCorrupt, "no vocabulary");
  }
  bool has(const std::string& name) const override { return look(name).is_ok(); }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& manifest : store::LocalStore::open()->list().models) {
      names.push_back(manifest.name);
    }
    const auto theirs = store::OllamaStore::open();
    for (const std::string& name : theirs ? theirs->names() : std::vector<std::string>()) {
      names.push_back(name);
    }
    return names;
  }
  bool is_on_demand() const override { return true; }

  static constexpr const char* kUnread = "unread";  // whose files tell nothing
  int looks_at_unread() const { return unread_; }
  int vocabularies() const { return vocabularies_; }  // that were asked for

 private:
  mutable std::atomic<int> unread_{0}, vocabularies_{0};
  std::shared_ptr<StepGate> gate_;
};

class ListedModelTest : public ::testing::Test {
 protected:
  ListedModelTest() {
    folder_ = fs::path(::testing::TempDir()) /
              ("facts" + std::to_string(::getpid()) + "." +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_ / "theirs/manifests");
    fs::create_directories(folder_ / "theirs/blobs");
    ::setenv("QUIRE_HOME", (folder_ / "ours").c_str(), 1);
    ::setenv("OLLAMA_MODELS", (folder_ / "theirs").c_str(), 1);
    auto gate = std::make_shared<StepGate>();
    catalog_ = std::make_unique<TwoStores>(gate);
    ServerOptions options;
    options.catalog = catalog_.get();
    server_ = std::make_unique<TestServer>(options, gate, make_test_host({}, gate));
  }
  ~ListedModelTest() override {
    server_.reset();
    fs::remove_all(folder_);
    ::unsetenv("QUIRE_HOME");
    ::unsetenv("OLLAMA_MODELS");
  }

  static std::string hex_of(const std::string& text) {
    store::Digest digest;
    digest.update(text);
    return digest.finish().hex;
  }
  // A layer of Ollama's store, as its manifest has it.
  std::string layer(const std::string& type, const std::string& bytes) {
    std::ofstream(folder_ / "theirs/blobs" / ("sha256-" + hex_of(bytes))) << bytes;
    return R"({"mediaType":"application/vnd.ollama.image.)" + type + R"(","digest":"sha256:)" +
           hex_of(bytes) + R"(","size":)" + std::to_string(bytes.size()) + "}";
  }
  void put(const std::string& name, const std::string& manifest) {
    const fs::path folder = folder_ / "theirs/manifests/registry.ollama.ai/library" / name;
    fs::create_directories(folder);
    std::ofstream(folder / "latest") << manifest;
  }
  static std::string manifest_of(const std::string& layers) {
    return R"({"config":{"size":7},"layers":[)" + layers + "]}";
  }
  // Makes a model of ours of `bytes`, as old as it is said to be.
  void make(const std::string& name, const std::string& bytes, std::int64_t time,
            const std::string& system = "") {
    const store::LocalStore store = *store::LocalStore::open();
    const auto held = store.hold();
    const fs::path file = folder_ / "file";
    std::ofstream(file) << bytes;
    const store::Checksum checksum = *store::Checksum::sha256(hex_of(bytes));
    ASSERT_TRUE(store.place_blob(file, checksum).is_ok());
    store::Manifest manifest;
    manifest.name = name;
    manifest.source = "test";
    manifest.revision = "1";
    manifest.fetched_at = time;
    manifest.files = {{"model.gguf", bytes.size(), checksum}};
    manifest.dress.system = system;
    ASSERT_TRUE(store.add(manifest).is_ok());
  }
  Json post(const std::string& path, const std::string& body) {
    return *parse_json(server_->client().post(path, body).body);
  }
  Json listed(const std::string& name) {
    const Json tags = *parse_json(server_->client().get("/api/tags").body);
    for (const Json& model : tags.find("models")->items()) {
      if (*model.find("name") == Json(name)) return model;
    }
    return Json();
  }
  void load(const std::string& name) {
    const Json body = post("/api/generate", R"({"model":")" + name + "\"}");
    EXPECT_EQ(*body.find("done_reason"), Json("load")) << dump(body);
  }

  fs::path folder_;
  std::unique_ptr<TwoStores> catalog_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(ListedModelTest, AModelOfOllamasStoreIsListedByItsManifest) {
  const std::string manifest = manifest_of(layer("model", "weights") + "," +
                                           layer("system", "You are Mario."));
  put("mario", manifest);
  const Json before = listed("mario:latest");
  ASSERT_TRUE(before.is_object());
  EXPECT_EQ(before.find("size")->as_int(), 7 + 7 + 14);
  EXPECT_EQ(before.find("digest")->as_string(), hex_of(manifest));
  EXPECT_GT(before.find("modified_at")->as_string(), "2020");
  EXPECT_EQ(before.find("details")->find("family")->as_string(), "llama");
  const Json shown = post("/api/show", R"({"model":"mario"})");
  EXPECT_EQ(shown.find("system")->as_string(), "You are Mario.");
  load("mario");
  EXPECT_EQ(dump(listed("mario:latest")), dump(before)) << "loaded or not";
  const Json running = *parse_json(server_->client().get("/api/ps").body);
  EXPECT_NE(dump(running).find(hex_of(manifest)), std::string::npos);
}

TEST_F(ListedModelTest, AModelOfOursIsToldTheSameWayLoadedOrNot) {
  make("old", store::testing::small_gguf(), 1'000'000'000);
  make("new", store::testing::small_gguf(), 1'500'000'000, "s");
  const Json before = listed("old:latest");
  EXPECT_EQ(before.find("modified_at")->as_string(), "2001-09-09T01:46:40.000000Z");
  EXPECT_EQ(before.find("size")->as_uint(), store::testing::small_gguf().size());
  EXPECT_NE(dump(*before.find("capabilities")).find("thinking"), std::string::npos);
  EXPECT_NE(*before.find("digest"), *listed("new:latest").find("digest"))
      << "one file, and another system message";
  const Json shown = post("/api/show", R"({"model":"old"})");
  EXPECT_EQ(*shown.find("capabilities"), *before.find("capabilities"));
  load("old");
  EXPECT_EQ(dump(listed("old:latest")), dump(before));
  const std::string copy = R"({"source":"old","destination":"copy"})";
  EXPECT_EQ(server_->client().post("/api/copy", copy).status, 200);
  EXPECT_EQ(*listed("copy:latest").find("digest"), *before.find("digest"));
}

TEST_F(ListedModelTest, TheNewestComesFirstWhateverIsLoaded) {
  make("a", "1", 1'000'000'000);
  make("b", "2", 1'500'000'000);
  make("c", "3", 1'200'000'000);
  load("a");
  const Json tags = *parse_json(server_->client().get("/api/tags").body);
  std::string order;
  for (const Json& model : tags.find("models")->items()) {
    EXPECT_NE(model.find("capabilities"), nullptr);
    order += model.find("name")->as_string() + " ";
  }
  EXPECT_TRUE(order.starts_with("b:latest c:latest a:latest ")) << order;
}

TEST_F(ListedModelTest, WhatCannotBeServedSaysWhy) {
  put("vision", manifest_of(layer("model", "weights") + "," + layer("projector", "eyes")));
  const std::string lost = layer("model", "soon lost");
  put("lost", manifest_of(lost));
  fs::remove(folder_ / "theirs/blobs" / ("sha256-" + hex_of("soon lost")));
  put("broken", "{");
  EXPECT_EQ(listed("vision:latest").find("size")->as_int(), 7 + 7 + 4);
  EXPECT_TRUE(listed("lost:latest").is_object());
  EXPECT_TRUE(listed("broken:latest").is_null()) << "there is nothing to tell of it";
  const std::tuple<const char*, int, const char*> cases[] = {
      {"vision", 400, "'projector', which is not supported"}, {"lost", 500, "has lost sha256-"},
      {"broken", 500, ""}};
  for (const auto& [name, status, why] : cases) {
    const std::string model = R"({"model":")" + std::string(name) + "\"";
    const std::pair<const char*, std::string> requests[] = {
        {"/api/show", "}"}, {"/api/generate", R"(,"prompt":"a"})"},
        {"/v1/chat/completions", R"(,"messages":[{"role":"user","content":"a"}]})"}};
    for (const auto& [path, rest] : requests) {
      const TestResponse refused = server_->client().post(path, model + rest);
      EXPECT_EQ(refused.status, status) << path << refused.body;
      EXPECT_NE(refused.body.find("cannot be served"), std::string::npos) << refused.body;
      EXPECT_NE(refused.body.find(why), std::string::npos) << refused.body;
    }
  }
  EXPECT_EQ(server_->client().post("/api/generate", R"({"model":"nobody"})").status, 404);
}

// Of many models, by programs that ask again and again.
TEST_F(ListedModelTest, AListReadsHeadsAndEachOfThemOnce) {
  make("once", "1", 1'000'000'001);
  make(TwoStores::kUnread, "2", 1'000'000'002);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(listed("unread:latest").is_object());
  EXPECT_EQ(catalog_->looks_at_unread(), 1) << "what cannot be read stays so";
  EXPECT_EQ(catalog_->vocabularies(), 0);
  for (int i = 0; i < 2; ++i) post("/api/show", R"({"model":"once"})");
  EXPECT_EQ(catalog_->vocabularies(), 1);
  EXPECT_TRUE(listed("once:latest").is_object());
  EXPECT_EQ(catalog_->vocabularies(), 1);
}

// Ollama's store has a model of that name, which is broken and another.
TEST_F(ListedModelTest, AModelThatIsServedIsNotItsNamesake) {
  put("vision", manifest_of(layer("model", "weights") + "," + layer("projector", "eyes")));
  std::ofstream(folder_ / "vision.gguf") << "of its own";
  ModelLook seen;
  seen.info.context_max = 64;
  seen.info.card = {.path = folder_ / "vision.gguf"};
  const auto model = server_->host().add(catalog_->recipe_of(seen, {"vision"}));
  ASSERT_TRUE(model.is_ok() && server_->host().load_now(*model).is_ok());
  const TestResponse shown = server_->client().post("/api/show", R"({"model":"vision"})");
  EXPECT_EQ(shown.status, 200) << shown.body;
  EXPECT_TRUE(listed("vision:latest").is_object());
}

TEST_F(ListedModelTest, ListsAndTensorsAreShown) {
  make("small", store::testing::small_gguf(), 1'000'000'000);
  const Json shown = post("/api/show", R"({"model":"small"})");
  const Json* tensors = shown.find("tensors");
  ASSERT_NE(tensors, nullptr);
  ASSERT_FALSE(tensors->items().empty());
  for (const char* member : {"name", "type", "shape"}) {
    EXPECT_NE(tensors->items()[0].find(member), nullptr) << member;
  }
}

}  // namespace
}  // namespace quire
