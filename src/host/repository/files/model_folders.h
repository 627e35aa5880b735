// Folders of models: which names are there, and where each one's folder is. Of two folders with one
// name the first is meant.
// Bounds: kFolderModelsMax names, of at most 128 bytes. Reads names only; any thread. Used by
// folder_repository.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

inline constexpr std::size_t kFolderModelsMax = 1000;

bool is_folder(const std::string& path);
bool is_file(const std::string& path);  // or something else of that name

// Empty: there is none.
std::string find_model_folder(const std::vector<std::string>& folders, std::string_view name);
std::set<std::string> find_model_names(const std::vector<std::string>& folders);

}  // namespace quire
