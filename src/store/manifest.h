// Manifest: one model of the store: its name, where it came from, and its files and those of its
// adapters with the blobs that hold them. A small JSON file, written whole or not at all, with a
// schema number; everything in it is checked when it is read, because it may be damaged, newer than
// this program or made by hand. A model with adapters has a schema of its own: a program that knows
// none must not serve it without them.
// Plain value; any thread. Written by pull, read by local_store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/checksum.h"
#include "store/modelfile/model_dress.h"

namespace quire::store {

struct StoredFile {
  std::string name;  // a file name, without folders
  std::uint64_t size = 0;
  Checksum checksum;
  bool operator==(const StoredFile&) const = default;
};

// What is added to the weights of a model: a GGUF file, or the two files of a folder as PEFT writes
// it.
struct StoredAdapter {
  static constexpr std::size_t kMax = 8;  // of one model
  static constexpr std::string_view kConfig = "adapter_config.json";
  static constexpr std::string_view kWeights = "adapter_model.safetensors";

  std::vector<StoredFile> files;
  bool operator==(const StoredAdapter&) const = default;
};

// Whether these are the files of an adapter, all of them and no other.
bool is_whole(const StoredAdapter& adapter);

struct Manifest {
  std::string name;      // what the user calls it
  std::string source;    // where it was fetched from, for people: "hf:owner/name"
  std::string revision;  // the commit or version that was fetched
  std::int64_t fetched_at = 0;  // seconds since 1970
  std::vector<StoredFile> files;
  ModelDress dress;      // what a Modelfile said beside them; mostly nothing
  std::vector<StoredAdapter> adapters;  // applied in this order

  std::vector<StoredFile> all_files() const;  // and those of its adapters
  std::uint64_t bytes() const;                // of all files
  bool operator==(const Manifest&) const = default;
};

std::string dump_manifest(const Manifest& manifest);
Result<Manifest> parse_manifest(std::string_view text);

// Whether `name` can be a file of a model: no folders, nothing hidden, no control characters.
bool is_file_name(std::string_view name);
// The same, perhaps in one folder: what stands beside a model has some ("1_Pooling/config.json").
bool is_stored_name(std::string_view name);

}  // namespace quire::store
