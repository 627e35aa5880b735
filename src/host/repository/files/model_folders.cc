#include "host/repository/files/model_folders.h"

#include <filesystem>

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytesMax = 128;

bool is_good_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && !name.starts_with('.') &&
         name.find_first_of("/\\:") == name.npos && name.find('\0') == name.npos;
}

}  // namespace

bool is_folder(const std::string& path) {
  std::error_code failure;
  return fs::is_directory(path, failure);
}

bool is_file(const std::string& path) {
  std::error_code failure;
  return fs::exists(path, failure);
}

std::string find_model_folder(const std::vector<std::string>& folders, std::string_view name) {
  if (!is_good_name(name)) return {};
  for (const std::string& folder : folders) {
    const fs::path path = fs::path(folder) / name;
    std::error_code failure;
    if (fs::is_directory(path, failure)) return path.string();
  }
  return {};
}

std::set<std::string> find_model_names(const std::vector<std::string>& folders) {
  std::set<std::string> names;
  for (const std::string& folder : folders) {
    std::error_code failure;
    for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
         it.increment(failure)) {
      std::error_code problem;
      const std::string name = it->path().filename().string();
      const bool is_full = names.size() == kFolderModelsMax;
      if (is_full || !is_good_name(name) || !it->is_directory(problem)) continue;
      names.insert(name);
    }
  }
  return names;
}

}  // namespace quire
