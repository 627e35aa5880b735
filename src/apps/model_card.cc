#include "apps/model_card.h"

#include <sys/stat.h>

#include <filesystem>

#include "formats/containers/gguf.h"

namespace quire {
namespace {

constexpr std::size_t kKeysMax = 512;

// The value where it is a scalar; of a list nothing but that it is one.
Json value_of(const GgufFile& file, const GgufEntry& entry) {
  const std::string_view key = entry.key;
  if (const auto text = file.string(key); text.is_ok() && *text) return std::string(**text);
  if (const auto whole = file.i64(key); whole.is_ok() && *whole) return **whole;
  if (const auto flag = file.boolean(key); flag.is_ok() && *flag) return **flag;
  if (const auto number = file.f64(key); number.is_ok() && *number) return **number;
  return {};
}

void read_keys(const std::string& path, ModelCard& card) {
  const auto file = GgufFile::open(path);
  if (!file.is_ok()) return;
  for (const GgufEntry& entry : file->entries()) {
    if (card.keys.size() >= kKeysMax) break;
    card.keys.emplace_back(entry.key, value_of(*file, entry));
  }
}

}  // namespace

ModelCard card_of(const ModelFiles& files) {
  const ModelFacts& facts = files.facts();
  ModelCard card;
  card.family = facts.architecture;
  card.path = files.path();
  card.parameters = facts.parameters;
  card.file_bytes = facts.weight_bytes;
  card.width = static_cast<std::uint32_t>(facts.width);
  card.quantization = facts.weight_types.substr(0, facts.weight_types.find(' '));
  if (card.path.empty()) return card;
  card.format = card.path.ends_with(".safetensors") ? "safetensors" : "gguf";
  struct stat info = {};
  if (::stat(card.path.c_str(), &info) == 0) card.modified_at = info.st_mtime;
  std::error_code failure;
  const std::string blob = std::filesystem::canonical(card.path, failure).filename().string();
  constexpr std::string_view kBlob = "sha256-";
  if (blob.starts_with(kBlob)) card.digest = blob.substr(kBlob.size());
  if (card.format == "gguf") read_keys(card.path, card);
  return card;
}

}  // namespace quire
