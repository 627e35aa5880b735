// A ModelCatalog for tests of the repository: a model is a small file "model.gguf"; one that says
// "bad" cannot be loaded, one that says "faulty" loads and fails in its first step, a "slow" one
// takes ten times as long for a token, a "wrong" one fails where it reads token 1, an "other" one
// answers otherwise. Every model's answers come from a ScriptExecutor.
// Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "engine/testing/script_executor.h"
#include "host/model_catalog.h"

namespace quire {

class FileCatalog final : public ModelCatalog {
 public:
  Result<ModelRecipe> recipe(const std::string& source, std::vector<std::string> names,
                             const ModelOverrides& overrides) const override {
    if (!std::filesystem::exists(source)) {
      return error(StatusCode::kNotFound, "there is no '{}'", source);
    }
    {
      const std::lock_guard lock(mutex_);
      overrides_[names.front()] = overrides;
    }
    const std::uint32_t instances = std::max(overrides.instances, 1u);
    return ModelRecipe{std::move(names), [this, source, instances]() -> Result<OpenedModel> {
                         ++opened;
                         QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(source, 1000));
                         if (text == "bad" || is_broken) {
                           return error(StatusCode::kCorrupt, "byte 7 is wrong");
                         }
                         return OpenedModel{40, [this, text, instances](EventSink sink) {
                                              return load(text, instances, std::move(sink));
                                            }};
                       }};
  }
  bool has(const std::string&) const override { return false; }
  std::vector<std::string> names() const override { return {}; }
  bool is_on_demand() const override { return false; }

  ModelOverrides overrides(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return overrides_[name];
  }

  mutable std::atomic<int> opened{0};
  mutable std::atomic<int> alive{0};
  std::atomic<bool> is_broken{false};  // whatever files say, none can be loaded

 private:
  Result<std::unique_ptr<HostedModel>> load(const std::string& text, std::uint32_t instances,
                                            EventSink sink) const {
    auto model = std::make_unique<HostedModel>();
    ++alive;
    model->files = std::shared_ptr<const void>(this, [this](const void*) { --alive; });
    model->info.context_max = 64;
    ScriptOptions script{.capacity = script_capacity(16)};
    model->info.vocab = script.capacity.vocab;
    if (text == "faulty") script.step_fault = 1;
    if (text == "slow") script.elapsed_per_token = Nanos{10'000};
    if (text == "wrong") script.token_non_finite = 1;
    if (text == "other") script.capacity.vocab -= 1;
    std::vector<std::unique_ptr<Executor>> executors;
    while (executors.size() < instances) {
      executors.push_back(std::make_unique<ScriptExecutor>(script));
    }
    model->engine = std::make_unique<Engine>(EngineOptions{}, std::move(executors), nullptr,
                                             std::move(sink));
    return model;
  }

  mutable std::mutex mutex_;
  mutable std::map<std::string, ModelOverrides> overrides_;
};

}  // namespace quire
