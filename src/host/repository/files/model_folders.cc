#include "host/repository/files/model_folders.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytesMax = 128;
constexpr std::size_t kRefusedMax = 100;  // that are told of

bool is_good_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && !name.starts_with('.') &&
         name.find_first_of("/\\:") == name.npos && name.find('\0') == name.npos;
}

void find_in(const std::string& folder, FoundModels& found) {
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    std::error_code problem;
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') || !it->is_directory(problem)) continue;  // hidden ones are none
    std::string why;
    if (!is_good_name(name)) why = "the name of a model has at most 128 bytes, and neither ':' nor "
                                   "'\\'";
    else if (found.names.size() == kFolderModelsMax && !found.names.contains(name))
      why = "there are 1000 models already";
    if (why.empty()) {
      found.names.insert(name);
    } else if (found.refused.size() < kRefusedMax) {
      found.refused.emplace(name, why);
    }
  }
  if (failure) found.unread.emplace(folder, failure.message());
}

}  // namespace

bool is_folder(const std::string& path) {
  std::error_code failure;
  return fs::is_directory(path, failure);
}

bool is_file(const std::string& path) {
  std::error_code failure;
  return fs::exists(fs::symlink_status(path, failure));
}

std::string find_model_root(const std::vector<std::string>& folders, std::string_view name) {
  if (!is_good_name(name)) return {};
  for (const std::string& folder : folders) {
    std::error_code failure;
    if (fs::is_directory(fs::path(folder) / name, failure)) return folder;
  }
  return {};
}

std::string find_model_folder(const std::vector<std::string>& folders, std::string_view name) {
  const std::string root = find_model_root(folders, name);
  return root.empty() ? root : (fs::path(root) / name).string();
}

std::string why_unseen(const std::string& folder, std::string_view name) {
  if (!is_good_name(name)) return {};
  const fs::path path = fs::path(folder) / name;
  std::error_code failure, problem;
  static_cast<void>(fs::status(path, failure));
  if (!failure) return {};
  const fs::file_status entry = fs::symlink_status(path, problem);
  if (entry.type() == fs::file_type::not_found) return {};
  return failure.message();
}

std::string why_unsure(const std::vector<std::string>& folders, std::string_view name) {
  for (const auto& [folder, why] : find_models(folders).unread) {
    return fmt::format("'{}' cannot be read: {}", folder, why);
  }
  for (const std::string& folder : folders) {
    const std::string why = why_unseen(folder, name);
    if (!why.empty()) return fmt::format("the folder of '{}' cannot be looked at: {}", name, why);
  }
  return {};
}

FoundModels find_models(const std::vector<std::string>& folders) {
  FoundModels found;
  for (const std::string& folder : folders) find_in(folder, found);
  return found;
}

}  // namespace quire
