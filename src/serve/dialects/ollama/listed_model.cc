#include "serve/dialects/ollama/listed_model.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "serve/answer/formats/format.h"
#include "store/local_store.h"
#include "store/modelfile/ollama_store.h"
#include "text/fill_in_middle.h"
#include "text/go_template/go_template.h"

namespace quire {
namespace {

// What a store says of a model without a look at its weights.
struct Stored {
  std::uint64_t bytes = 0;
  std::int64_t modified_at = 0;
  std::string digest;
  store::ModelDress dress;
  Status problem;
  bool is_listed = true;
};

// Of all that answers depend on: a copy, or the same model fetched anew, has the same.
std::string digest_of(store::Manifest manifest) {
  manifest.name = manifest.source = manifest.revision = "";
  manifest.fetched_at = 0;
  store::Digest digest;
  digest.update(dump_manifest(manifest));
  return digest.finish().hex;
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code failure;
  return std::filesystem::equivalent(a, b, failure);
}

// `path`: of the weights, where they are known; those of another file make it another model.
std::optional<Stored> find_ours(const std::string& name, const std::string& path) {
  const auto store = store::LocalStore::open();
  const auto manifest = store.is_ok() ? store->find(name) : store.status();
  if (!manifest.is_ok()) return std::nullopt;
  const bool is_it =
      path.empty() || std::any_of(manifest->files.begin(), manifest->files.end(),
                                  [&](const store::StoredFile& file) {
                                    return is_same_file(store->blob_path(file.checksum), path);
                                  });
  if (!is_it) return std::nullopt;
  return Stored{.bytes = manifest->bytes(), .modified_at = manifest->fetched_at,
                .digest = digest_of(*manifest), .dress = manifest->dress, .problem = {}};
}

std::optional<Stored> find_theirs(const std::string& name, const std::string& path) {
  const auto store = store::OllamaStore::open();
  if (!store) return std::nullopt;
  const auto listing = store->listing(name);
  if (listing.status().code() == StatusCode::kNotFound) return std::nullopt;
  const auto model = store->find(name);
  const bool is_other = !path.empty() && (!model.is_ok() || !is_same_file(model->path, path));
  if (is_other) return std::nullopt;
  Stored stored;
  stored.problem = model.status();
  stored.is_listed = listing.is_ok();
  if (model.is_ok()) stored.dress = model->dress;
  if (!listing.is_ok()) return stored;
  stored.bytes = listing->bytes;
  stored.modified_at = listing->modified_at;
  stored.digest = listing->digest;
  return stored;
}

struct Look {
  ModelLook of_files;
  bool fills_gaps = false, thinks = false;
  LookDepth depth = LookDepth::kHead;
};

// As GGUF files name the tokens before and behind a gap; those with `prefix` are older.
bool names_gap_tokens(const ModelCard& card) {
  const auto has = [&](std::string_view word) {
    return std::any_of(card.keys.begin(), card.keys.end(), [&](const auto& key) {
      return key.first == fmt::format("tokenizer.ggml.{}_token_id", word);
    });
  };
  return (has("fim_pre") && has("fim_suf")) || (has("prefix") && has("suffix"));
}

Result<Look> look_at(const ModelCatalog& catalog, const std::string& source,
                     const store::ModelDress& dress, LookDepth depth) {
  Look look{.of_files = {}, .depth = depth};
  QUIRE_ASSIGN_OR_RETURN(look.of_files, catalog.look(source));
  const std::string& worn =
      dress.chat_template.empty() ? look.of_files.chat_template : dress.chat_template;
  look.thinks = !worn.empty() && format_of_template(worn).thoughts != nullptr;
  if (!dress.chat_template.empty()) {
    const auto compiled = GoTemplate::compile(dress.chat_template);
    look.fills_gaps = compiled.is_ok() && (*compiled)->has_field("Suffix");
  }
  if (look.fills_gaps || !look.of_files.info.generates) return look;
  look.fills_gaps = names_gap_tokens(look.of_files.info.card);
  if (depth == LookDepth::kHead) return look;
  const auto tokenizer = catalog.tokenizer(source, "");
  look.fills_gaps = tokenizer.is_ok() && find_gap_tokens(**tokenizer).has_value();
  return look;
}

// For lists, which programs ask for again and again; of what cannot be read, why. Bounded.
class Looks {
 public:
  // `stamp`: of what the source is now.
  Result<Look> of(const ModelCatalog& catalog, const std::string& source,
                  const store::ModelDress& dress, const std::string& stamp, LookDepth depth) {
    constexpr std::size_t kMax = 1024;
    const auto key = std::pair(source, stamp);
    {
      const std::lock_guard lock(mutex_);
      const auto found = looks_.find(key);
      const bool is_known = found != looks_.end() &&
                            (!found->second.is_ok() || found->second->depth >= depth);
      if (is_known) return found->second;
    }
    Result<Look> look = look_at(catalog, source, dress, depth);
    const std::lock_guard lock(mutex_);
    if (looks_.size() >= kMax) looks_.clear();
    looks_.insert_or_assign(key, look);
    return look;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Result<Look>> looks_;
};

std::string stamp_of_file(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return fmt::format("{} {}.{}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

}  // namespace

ListedModel listed_model(const DialectContext& context, const ModelRow& row, LookDepth depth) {
  static Looks looks;
  const std::string& name = row.names.front();
  const std::string& path = row.info.card.path;
  ListedModel facts{.info = row.info, .dress = {}, .chat_template = {}, .problem = {}};
  std::optional<Stored> stored = find_ours(name, path);
  if (!stored) stored = find_theirs(name, path);
  if (stored) {
    facts.dress = stored->dress;
    facts.problem = stored->problem;
    facts.is_listed = stored->is_listed;
  }
  const ModelCatalog* catalog = context.models.catalog;
  const std::string& source = stored ? name : path;
  if (catalog != nullptr && !source.empty() && facts.problem.is_ok()) {
    const Result<Look> look = looks.of(
        *catalog, source, facts.dress,
        stored ? fmt::format("{} {}", stored->modified_at, stored->digest) : stamp_of_file(path),
        depth);
    const bool was_loaded = row.info.context_max > 0;
    if (look.is_ok()) {
      if (!was_loaded) facts.info = look->of_files.info;
      facts.info.chats |= !facts.dress.chat_template.empty();
      facts.chat_template = look->of_files.chat_template;
      facts.fills_gaps = look->fills_gaps;
      facts.thinks = look->thinks;
    } else if (!was_loaded) {
      facts.problem = look.status();
    }
  }
  if (!facts.info.thought_format.empty()) {
    facts.thinks = find_thought_format(facts.info.thought_format) != nullptr;
  }
  if (stored) {
    facts.info.card.file_bytes = stored->bytes;
    facts.info.card.modified_at = stored->modified_at;
    facts.info.card.digest = stored->digest;
  }
  return facts;
}

}  // namespace quire
