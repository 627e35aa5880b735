// upload_blob: bytes that are named by their checksum into a repository of a registry: nothing
// where it has them already, else in parts, each where the answer to the one before said. A part
// that fails goes on where the registry says that it is, or once more from its beginning; a run of
// failures that bring nothing ends it. What a redirect asks for goes to where that leads, as
// Ollama's registry has it (X-Redirect-Uploads).
// Memory: what the reader and the socket hold, not the blob. One thread; blocks. Used by push.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "store/checksum.h"
#include "store/registry/registry_session.h"

namespace quire::store {

struct BlobSource {
  Checksum checksum;       // of kind SHA-256
  std::uint64_t size = 0;  // bytes
  std::function<Status(std::uint64_t offset, std::span<std::byte> into)> read;

  std::string digest() const { return "sha256:" + checksum.hex; }
};

// Where a blob goes, and by how much at a time.
struct UploadPlan {
  std::string repository;  // "space/model", as it stands in addresses
  std::string mount_from;  // a repository of the same registry that may have it; empty: none
  std::uint64_t part_bytes_min = 100'000'000, part_bytes_max = 1'000'000'000;  // as Ollama's
};

// `advance` is told how many bytes are there or under way; fewer after a failure.
Status upload_blob(RegistrySession& session, const UploadPlan& plan, const BlobSource& blob,
                   const std::function<void(std::uint64_t)>& advance);

}  // namespace quire::store
