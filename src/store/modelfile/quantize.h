// quantize_file: a GGUF file of float weights becomes a blob of the store with fewer bits: written
// beside the blobs and hashed on its way, then placed, or removed if anything went wrong: a disk
// that is full, a client that left, weights that are quantized already. The disk must have room for
// the whole before a byte is written.
// The store is held. Any thread; blocks while it computes. Used by create.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "formats/quantize/file_types.h"
#include "store/local_store.h"

namespace quire::store {

struct Quantization {
  FileType type;
  int threads = 1;
  // What a client is told: a sentence, and of the source's bytes how many are done; 0: no numbers.
  std::function<void(const std::string& status, std::uint64_t total, std::uint64_t done)> report;
  std::function<Status(const std::string& path)> check;  // of the source, before anything is done
  const std::atomic<bool>* stop = nullptr;  // set: it ends with kUnavailable
};

// As a client writes it: "q4_K_M". kInvalidArgument names the types that there are.
Result<Quantization> parse_quantization(std::string_view type);

// Of a single file, or the first part of several. A source that has the (float) type already is
// copied as it is.
Result<StoredFile> quantize_file(const LocalStore& store, const std::string& path,
                                 const Quantization& how);

}  // namespace quire::store
