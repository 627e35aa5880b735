// A folder of models for tests of the repository, whose versions are small files of file_catalog.h,
// and the repository over it. Everything is gone with it.
// One thread.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/repository/folder_repository.h"
#include "host/testing/file_catalog.h"

namespace quire {

class FolderFixture : public ::testing::Test {
 protected:
  FolderFixture() {
    const std::string name = fmt::format("quire_repository_{}_{}", getpid(), ++made);
    folder_ = (std::filesystem::temp_directory_path() / name).string();
    std::filesystem::create_directories(folder_);
  }
  ~FolderFixture() override {
    repository_.reset();
    host_.reset();
    std::filesystem::remove_all(folder_);
  }

  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder_ + "/" + path).parent_path());
    std::ofstream(folder_ + "/" + path) << text;
  }
  void version(const std::string& name, int number, const std::string& text = "good") {
    write(fmt::format("{}/{}/model.gguf", name, number), text);
  }
  // A wait for nothing: the times of files are as fine as their clock.
  void touch(const std::string& path) {
    const std::filesystem::path file = folder_ + "/" + path;
    const auto written = std::filesystem::last_write_time(file);
    std::filesystem::last_write_time(file, written + std::chrono::seconds(2));
  }
  FolderRepository& open(ModelRepository::Control control = ModelRepository::Control::kExplicit,
                         std::vector<std::string> first = {}) {
    repository_ = std::make_unique<FolderRepository>(
        RepositoryOptions{.folders = {folder_}, .control = control, .first = std::move(first),
                          .poll_period = std::chrono::hours(1)},
        *host_, catalog_);
    return *repository_;
  }
  std::string index() const {
    std::string out;
    for (const RepositoryRow& row : repository_->index()) {
      out += fmt::format("{} {} {}{}{}; ", row.name, row.version, version_state_name(row.state),
                         row.reason.empty() ? "" : " ", row.reason);
    }
    return out;
  }
  std::string serving(const std::string& name) const {
    const auto lease = host_->lease(name);
    return lease.is_ok() ? (*lease)->name() : std::string(lease.status().message());
  }

  static inline std::atomic<int> made{0};
  std::string folder_;
  FileCatalog catalog_;
  std::unique_ptr<ModelHost> host_ = std::make_unique<ModelHost>();
  std::unique_ptr<FolderRepository> repository_;
};

}  // namespace quire
