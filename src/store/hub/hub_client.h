// HubClient: a hub of models that speaks like Hugging Face's: which files a repository has at a
// revision, their sizes and checksums, and the sentence for each way in which it may refuse. The
// revision is pinned to a commit by the first answer. Endpoint and token come from HF_ENDPOINT and
// HF_TOKEN. Nothing it says is trusted: names, sizes and sums are checked, bodies are bounded.
// One thread. Called by pull.
#pragma once

#include <string>
#include <vector>

#include "store/hub/remote_file.h"
#include "store/model_name.h"

namespace quire::store {

struct HubOptions {
  std::string endpoint;  // "https://host", without a slash at its end
  std::string token;     // empty: none
  net::Limits limits;
};

// From HF_ENDPOINT (default: the public hub) and HF_TOKEN.
Result<HubOptions> hub_options();

// What a repository has; names are paths inside it.
struct HubFile {
  std::string path;
  std::uint64_t size = 0;
  Checksum checksum;      // empty hex: the listing does not tell
};

// What a file of a repository is called in the store: parts of a split GGUF lie side by side; what
// a directory has in folders stays there.
std::string_view stored_name(std::string_view path);

struct HubListing {
  std::string commit;
  std::vector<HubFile> files;
};

class HubClient {
 public:
  explicit HubClient(HubOptions options);

  Result<HubListing> list(const ModelName& name);
  // Asks for what the listing did not tell: size and checksum.
  Status complete(const ModelName& name, const std::string& commit, HubFile& file);
  RemoteFile remote(const ModelName& name, const std::string& commit, const HubFile& file) const;

  const net::Limits& limits() const { return options_.limits; }

 private:
  std::string file_url(const ModelName& name, const std::string& commit,
                       const std::string& path) const;

  HubOptions options_;
  net::Client client_;
};

}  // namespace quire::store
