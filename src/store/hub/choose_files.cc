#include "store/hub/choose_files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <optional>
#include <set>

namespace quire::store {
namespace {

// Better first: what a person wants who does not say. Small and good, then better, then smaller.
constexpr std::string_view kQuantizations[] = {
    "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "MXFP4", "Q4_K", "Q4_K_L", "Q4_K_XL",
    "Q5_K_M", "Q5_K_S", "Q5_K", "Q5_1", "Q5_0", "Q5_K_L", "Q5_K_XL", "Q6_K", "Q6_K_L", "Q6_K_XL",
    "Q8_0", "Q8_K_XL",
    "BF16", "F16", "FP16", "F32", "FP32",
    "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q3_K", "Q3_K_XL", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS",
    "Q2_K", "Q2_K_S", "Q2_K_L", "Q2_K_XL", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS",
    "Q2_0", "IQ1_M", "IQ1_S", "TQ2_0", "TQ1_0", "Q1_0",
};

constexpr std::string_view kDirectoryFiles[] = {
    "config.json",         "generation_config.json", "tokenizer.json",
    "tokenizer.model",     "tokenizer_config.json",  "special_tokens_map.json",
    "added_tokens.json",   "chat_template.jinja",    "model.safetensors.index.json",
    "tekken.json",         "spiece.model",           "sentencepiece.bpe.model",
    "source.spm",          "qwen.tiktoken",          "tiktoken.model",
    "vocab.json",          "merges.txt",             "vocab.txt",
    "modules.json",
};

constexpr std::size_t kPartDigits = 5;

std::string upper(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return copy;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_number(std::string_view text) {
  return text.size() == kPartDigits && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isdigit(c) != 0;
         });
}

// What the parts of a split file have in common: the path without "-00001-of-00003.gguf"; of a file
// that is whole, its path without ".gguf".
std::string_view stem_of(std::string_view path) {
  constexpr std::string_view kEnd = ".gguf";
  constexpr std::string_view kOf = "-of-";
  constexpr std::size_t kTail = 1 + kPartDigits + kOf.size() + kPartDigits;
  path.remove_suffix(kEnd.size());
  if (path.size() <= kTail) return path;
  const std::string_view tail = path.substr(path.size() - kTail);
  const bool is_part = tail.front() == '-' && is_number(tail.substr(1, kPartDigits)) &&
                       tail.substr(1 + kPartDigits, kOf.size()) == kOf &&
                       is_number(tail.substr(kTail - kPartDigits));
  return is_part ? path.substr(0, path.size() - kTail) : path;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// Whether `word` stands in `text` with no letter or digit beside it. With `is_last` no '_' may
// follow either, so that "Q6_K" is not found in "Q6_K_L".
bool has_word(std::string_view text, std::string_view word, bool is_last) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_word(text[at - 1]);
    const bool ends = end == text.size() || (!is_word(text[end]) && !(is_last && text[end] == '_'));
    if (begins && ends) return true;
  }
  return false;
}

// Projectors of images, importance matrices and adapters are GGUF files, but no models. A name may
// tell how a model was made: "m-lora-merged-Q8_0" is one.
bool is_model_gguf(std::string_view path) {
  const std::string name = upper(base_name(path));
  if (!name.ends_with(".GGUF") || name.find("MMPROJ") != std::string::npos) return false;
  if (name.find("IMATRIX") != std::string::npos || has_word(name, "PROJECTOR", false)) return false;
  const bool is_merged = has_word(name, "MERGED", false);
  return is_merged || !(has_word(name, "LORA", false) || has_word(name, "ADAPTER", false));
}

// One quantization: a whole file, or the parts of one.
struct GgufGroup {
  std::string stem;
  std::string quantization;
  std::vector<HubFile> files;
};

// How long the quantization is that `text` begins with, up to a character that cannot be part of
// it; 0 if it does not: Q4_K_M, IQ2_XXS, Q4_0_4_4, TQ1_0, BF16, MXFP4 and whatever has their shape.
std::size_t quantization_size(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && (is_word(text[size]) || text[size] == '_')) ++size;
  const std::string_view word = text.substr(0, size);
  for (const std::string_view name : {"F16", "BF16", "FP16", "F32", "FP32", "MXFP4", "NVFP4"}) {
    if (word == name) return size;
  }
  std::size_t at = word.starts_with("IQ") || word.starts_with("TQ") ? 2
                   : word.starts_with("Q")                          ? 1 : 0;
  const bool has_bits = at > 0 && at < size && word[at] >= '1' && word[at] <= '8';
  return has_bits && at + 1 < size && word[at + 1] == '_' && !word.ends_with('_') ? size : 0;
}

std::vector<GgufGroup> gguf_groups(const std::vector<HubFile>& files) {
  std::map<std::string, GgufGroup, std::less<>> groups;
  for (const HubFile& file : files) {
    if (!is_model_gguf(file.path)) continue;
    const std::string stem(stem_of(file.path));
    GgufGroup& group = groups[stem];
    group.stem = stem;
    group.quantization = quantization_of(file.path);
    group.files.push_back(file);
  }
  std::vector<GgufGroup> sorted;
  for (auto& [stem, group] : groups) {
    std::sort(group.files.begin(), group.files.end(),
              [](const HubFile& a, const HubFile& b) { return a.path < b.path; });
    sorted.push_back(std::move(group));
  }
  const auto rank = [](const GgufGroup& group) {
    return std::find(std::begin(kQuantizations), std::end(kQuantizations), group.quantization) -
           std::begin(kQuantizations);
  };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const GgufGroup& a, const GgufGroup& b) {
    return rank(a) < rank(b);
  });
  return sorted;
}

std::string label(const GgufGroup& group) {
  if (group.quantization.empty()) return std::string(base_name(group.stem)) + ".gguf";
  // Some publishers have two kinds of a quantization, with a word in front of one.
  const std::string dynamic = "UD-" + group.quantization;
  return has_word(upper(base_name(group.stem)), dynamic, true) ? dynamic : group.quantization;
}

std::string labels(const std::vector<GgufGroup>& groups) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const GgufGroup& group : groups) {
    if (seen.insert(label(group)).second) names.push_back(label(group));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<FileChoice> choose_gguf(const std::vector<GgufGroup>& groups, const std::string& choice) {
  if (choice.empty()) {
    FileChoice chosen{groups.front().files, {}};
    if (groups.size() > 1) {
      chosen.statement =
          fmt::format("taking {} of {}; another one: add it behind the name, as in :{}",
                      label(groups.front()), labels(groups), label(groups.back()));
    }
    return chosen;
  }
  const std::string word = upper(choice);
  const auto is_named = [&](const GgufGroup& group) {
    return std::any_of(group.files.begin(), group.files.end(), [&](const HubFile& file) {
      return file.path == choice || base_name(file.path) == choice;
    });
  };
  // The narrowest reading that some file fits: its name, what it is called in our list, its
  // quantization, a word of its path.
  const std::function<bool(const GgufGroup&)> readings[] = {
      is_named, [&](const GgufGroup& group) { return label(group) == word; },
      [&](const GgufGroup& group) { return group.quantization == word; },
      [&](const GgufGroup& group) { return has_word(upper(group.stem), word, true); }};
  for (const auto& fits : readings) {
    const auto group = std::find_if(groups.begin(), groups.end(), fits);
    if (group != groups.end()) return FileChoice{group->files, {}};
  }
  return error(StatusCode::kNotFound, "there is no '{}' in it; there are {}", choice,
               labels(groups));
}

bool is_weights_file(std::string_view path) {
  return path.ends_with(".safetensors") && path.find('/') == std::string_view::npos;
}

// model.safetensors or model-00001-of-00002.safetensors; some repositories have the same weights
// again under other names.
bool is_usual_weights_file(std::string_view path) {
  return is_weights_file(path) && path.starts_with("model") &&
         (path == "model.safetensors" || path.starts_with("model-"));
}

// Of the modules that sentence-transformers keeps beside a model, in folders like "1_Pooling".
bool is_module_file(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos || path.find('/', slash + 1) != std::string_view::npos) {
    return false;
  }
  const bool is_module = std::isdigit(static_cast<unsigned char>(path.front())) != 0 &&
                         path.find('_') < slash;
  const std::string_view name = path.substr(slash + 1);
  return is_module && (name == "config.json" || name == "model.safetensors");
}

Result<FileChoice> choose_directory(const std::vector<HubFile>& files) {
  FileChoice chosen;
  const bool has_usual = std::any_of(files.begin(), files.end(), [](const HubFile& file) {
    return is_usual_weights_file(file.path);
  });
  const bool has_modules = std::any_of(files.begin(), files.end(), [](const HubFile& file) {
    return file.path == "modules.json";
  });
  bool has_config = false;
  bool has_weights = false;
  for (const HubFile& file : files) {
    const bool is_weights =
        has_usual ? is_usual_weights_file(file.path) : is_weights_file(file.path);
    const bool is_known = std::find(std::begin(kDirectoryFiles), std::end(kDirectoryFiles),
                                    file.path) != std::end(kDirectoryFiles);
    has_weights |= is_weights;
    has_config |= file.path == "config.json";
    const bool is_beside = has_modules && is_module_file(file.path);
    if (is_weights || is_known || is_beside) chosen.files.push_back(file);
  }
  if (has_weights && has_config) return chosen;
  const bool has_pickle = std::any_of(files.begin(), files.end(), [](const HubFile& file) {
    return file.path.ends_with(".bin") || file.path.ends_with(".pt") || file.path.ends_with(".pth");
  });
  return error(StatusCode::kUnsupported,
               "it has no GGUF file, and no safetensors with a config.json{}",
               has_pickle ? "; its weights are pickles, which can run code and are never fetched"
                          : "");
}

}  // namespace

std::string quantization_of(std::string_view path) {
  // The last word of that shape: a name may hold others ("f16games").
  const std::string stem = upper(base_name(stem_of(path)));
  std::string best;
  for (std::size_t at = 0; at < stem.size();) {
    const bool begins = at == 0 || !is_word(stem[at - 1]);
    const std::size_t size = begins ? quantization_size(std::string_view(stem).substr(at)) : 0;
    if (size > 0) best = stem.substr(at, size);
    at += std::max<std::size_t>(size, 1);
  }
  return best;
}

Result<FileChoice> choose_files(const std::vector<HubFile>& files, const std::string& choice) {
  const std::vector<GgufGroup> groups = gguf_groups(files);
  if (groups.empty() && !choice.empty()) {
    return error(StatusCode::kNotFound, "there is no '{}' in it: it has no GGUF files", choice);
  }
  auto chosen = groups.empty() ? choose_directory(files) : choose_gguf(groups, choice);
  if (!chosen.is_ok()) return chosen;
  std::set<std::string_view> names;
  for (const HubFile& file : chosen->files) {
    if (!names.insert(stored_name(file.path)).second) {
      return error(StatusCode::kUnsupported, "it has two files called {}", stored_name(file.path));
    }
  }
  std::stable_sort(chosen->files.begin(), chosen->files.end(),
                   [](const HubFile& a, const HubFile& b) { return a.size < b.size; });
  return chosen;
}

}  // namespace quire::store
