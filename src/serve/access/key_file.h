// KeyFile: API keys from a file, one a line, beside those of the command line:
//
//   sk-0f3a9c...                          # a key; what follows a # is for people
//   sk-77b1d2... name=billing share=3     # with a name for metrics, and a share of the machine
//
// Lines of one name are one tenant: a new key can be added before the old one is taken away. The
// file is read again when it changes; one that cannot be read or understood changes nothing. What
// is told of it names lines, never keys.
// I/O thread. Used by Server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serve/http/watched_file.h"

namespace quire {

struct KeyLine {
  std::string key;
  std::string name;  // empty: none given
  std::uint32_t share = 1;
  std::size_t line = 0;  // from 1
};

// An error names the line and what is wrong with it.
Result<std::vector<KeyLine>> parse_keys(std::string_view text);

class KeyFile {
 public:
  explicit KeyFile(std::string path);

  Result<std::vector<KeyLine>> read();
  bool has_changed() { return file_.has_changed(); }

  // The same with the flag and the file's name.
  Status told(const Status& status) const;

 private:
  WatchedFile file_;
};

}  // namespace quire
