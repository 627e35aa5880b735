// A model repository for tests of the front door: a folder of configs and versions whose every
// model is a test model (test_model.h), whatever its file says, and a server of it. Outlives
// nothing: a test holds one and asks it.
// One thread.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/repository/folder_repository.h"
#include "serve/dialects/kserve/light/declared_faces.h"
#include "serve/dialects/kserve/light/light_warmup.h"
#include "serve/testing/test_server.h"

namespace quire {

// What a name or a path of it becomes: always the same model.
class TestCatalog final : public ModelCatalog {
 public:
  TestCatalog(TestModelOptions model, std::shared_ptr<StepGate> gate)
      : model_(std::move(model)), gate_(std::move(gate)) {}

  Result<ModelRecipe> recipe(const std::string&, std::vector<std::string> names,
                             const ModelOverrides& overrides) const override {
    TestModelOptions named = model_;
    named.names = std::move(names);
    if (overrides.instances > 0) named.instances = overrides.instances;
    return make_test_recipe(named, gate_);
  }
  Result<std::shared_ptr<const Tokenizer>> tokenizer(const std::string&,
                                                     const std::string&) const override {
    return make_test_tokenizer();
  }
  bool has(const std::string&) const override { return false; }
  std::vector<std::string> names() const override { return {}; }
  bool is_on_demand() const override { return false; }

 private:
  TestModelOptions model_;
  std::shared_ptr<StepGate> gate_;
};

class TestRepository {
 public:
  explicit TestRepository(TestModelOptions model = {})
      : catalog_(std::move(model), gate_), host_(std::make_unique<ModelHost>()) {
    static std::atomic<int> made{0};
    const auto folder = fmt::format("quire_test_repository_{}_{}", getpid(), ++made);
    folder_ = (std::filesystem::temp_directory_path() / folder).string();
    std::filesystem::create_directories(folder_);
  }
  TestRepository(const TestRepository&) = delete;
  TestRepository& operator=(const TestRepository&) = delete;
  ~TestRepository() {
    if (server_ != nullptr) {
      gate_->open();
      server_->request_stop();
      server_->join();
    }
    repository_.reset();  // it gives its shares back to the host, which the server has
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = folder_ + "/" + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  void version(const std::string& name, int number, const std::string& text = "x") {
    write(fmt::format("{}/{}/model.gguf", name, number), text);
  }

  // All that is there is loaded, and served with these options.
  TestServer& serve(ServerOptions options = {}) {
    RepositoryOptions there{.folders = {folder_},
                            .control = ModelRepository::Control::kExplicit,
                            .first = {"*"},
                            .keeps_answers = options.response_cache_bytes > 0,
                            .warm_light = warm_light_model,
                            .check_engine = check_declared_faces};
    repository_ = std::make_unique<FolderRepository>(std::move(there), *host_, catalog_);
    const Status started = repository_->start();
    QUIRE_CHECK(started.is_ok(), "{}", started.message());
    options.repository = repository_.get();
    server_ = std::make_unique<TestServer>(std::move(options), gate_, std::move(host_));
    return *server_;
  }
  FolderRepository& repository() { return *repository_; }

 private:
  std::shared_ptr<StepGate> gate_ = std::make_shared<StepGate>();
  TestCatalog catalog_;
  std::unique_ptr<ModelHost> host_;
  std::string folder_;
  std::unique_ptr<FolderRepository> repository_;
  std::unique_ptr<TestServer> server_;
};

}  // namespace quire
