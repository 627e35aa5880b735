// Folders of models: which names are there, and where each one's folder is. Of two folders with one
// name the first is meant. A folder of models that cannot be read now says nothing of its models:
// whoever looks is told of it, apart from models that are gone.
// Bounds: kFolderModelsMax names, of at most 128 bytes. Reads names only; any thread. Used by
// folder_repository.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

inline constexpr std::size_t kFolderModelsMax = 1000;

bool is_folder(const std::string& path);
bool is_file(const std::string& path);  // or something else of that name, or a link to nothing

// Empty: there is none. Its root: which of `folders` it is in.
std::string find_model_folder(const std::vector<std::string>& folders, std::string_view name);
std::string find_model_root(const std::vector<std::string>& folders, std::string_view name);

// Why nothing can be said of FOLDER/NAME: a disk that fails, a link that leads nowhere just now.
// Empty: it is a folder, or there is none.
std::string why_unseen(const std::string& folder, std::string_view name);

// Why a model that has no folder in them may have one all the same, as a sentence. Empty: it has
// none.
std::string why_unsure(const std::vector<std::string>& folders, std::string_view name);

struct FoundModels {
  std::set<std::string> names;
  std::map<std::string, std::string> refused;  // names that no model can have, and why
  std::map<std::string, std::string> unread;   // of `folders` those that cannot be read, and why
  std::map<std::string, std::string> hidden;   // models whose folders are there, and cannot be
                                               // looked at; filled by whoever knows them
};
FoundModels find_models(const std::vector<std::string>& folders);

}  // namespace quire
