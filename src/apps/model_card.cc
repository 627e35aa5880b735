#include "apps/model_card.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "formats/containers/gguf.h"
#include "formats/quantize/file_types.h"
#include "store/checksum.h"
#include "store/manifest.h"

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
  if (const auto type = file->u64("general.file_type"); type.is_ok() && *type) {
    const std::string_view name = file_type_name(**type);
    if (!name.empty()) card.quantization = name;  // "Q4_K_M" says more than what most of it is
  }
  for (const GgufEntry& entry : file->entries()) {
    if (card.keys.size() >= kKeysMax) break;
    card.keys.emplace_back(entry.key, value_of(*file, entry));
  }
}

// The checksum of a file of a store, which names it; empty: the file is of none.
std::string checksum_of(const std::filesystem::path& path) {
  constexpr std::string_view kBlob = "sha256-";
  std::error_code failure;
  const std::string blob = std::filesystem::canonical(path, failure).filename().string();
  return blob.starts_with(kBlob) ? blob.substr(kBlob.size()) : std::string();
}

// Of what is added to the weights, too: the answers are others.
std::string with_adapters(const std::string& base, const ModelFiles& files,
                          const std::vector<AdapterChoice>& adapters) {
  if (adapters.empty() || base.empty()) return base;
  store::Digest digest;
  digest.update(base);
  bool is_of_stores = true;
  for (const AdapterChoice& adapter : adapters) {
    const std::filesystem::path path = adapter.path;
    std::error_code failure;
    std::vector<std::filesystem::path> parts = {path};
    if (std::filesystem::is_directory(path, failure)) {
      parts = {path / store::StoredAdapter::kConfig, path / store::StoredAdapter::kWeights};
    }
    for (const std::filesystem::path& part : parts) {
      const std::string hex = checksum_of(part);
      is_of_stores = is_of_stores && !hex.empty();
      digest.update(hex);
    }
    digest.update(fmt::format(" {} ", adapter.scale));
  }
  if (!is_of_stores) digest.update(fmt::format("{:x}", files.stamp()));
  return digest.finish().hex;
}

}  // namespace

ModelCard card_of(const ModelFiles& files, const std::vector<AdapterChoice>& adapters) {
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
  if (::stat(card.path.c_str(), &info) == 0) {
    card.modified_at = info.st_mtime;  // of one file all of it counts, not its weights alone
    card.file_bytes = std::max(card.file_bytes, static_cast<std::uint64_t>(info.st_size));
  }
  card.digest = with_adapters(checksum_of(card.path), files, adapters);
  for (const AdapterChoice& adapter : adapters) {
    card.adapters.push_back({adapter.path, adapter.scale});
  }
  if (card.format == "gguf") read_keys(card.path, card);
  return card;
}

}  // namespace quire
