// PinBook: which models are pinned (ModelHost::set_pinned), kept over restarts in a small file of
// the server's own: {"pinned": ["NAME", ...]}, by all names that a model had when it was pinned,
// so that whoever has taken its place under one of them is pinned, too; a version of a model that
// has the bare name (host/served_names.h) not by its own, unless it was pinned by that. The file
// is written beside and renamed: it is whole or as it was. Servers that share it add and take
// away what they are asked to, under a lock, and leave the rest: what one of them does not serve
// another may. What is in it is checked when it is read; a file that is something else is passed
// over with a line in the log.
// Bounds: kNamesMax names, kFileBytesMax of the file. Any thread; keep() writes and waits for it.
// Used by serve (quire's pins) and by apps, who applies it.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "host/model_host.h"

namespace quire {

class PinBook {
 public:
  static constexpr std::size_t kNamesMax = 2048;
  static constexpr std::size_t kNameBytesMax = 512;
  static constexpr std::size_t kFileBytesMax = std::size_t{2} << 20;

  explicit PinBook(std::string path);  // of the file, which is read now, if it is there

  // Those of the host that are in it are pinned from now on; others may come later.
  void apply(ModelHost& host) const;
  // Tells in the log whom the host has not and `is_awaited` does not know; they stay in the book.
  std::vector<std::string> tell_missing(
      const ModelHost& host, const std::function<bool(const std::string&)>& is_awaited) const;

  // The names of a model that is to be pinned, or no more, in the host as in the book.
  // kNotFound: the host has it not. kResourceExhausted: too many are kept; else why the file cannot
  // be written: it holds all the same as long as the process lives.
  // `asked`: by which name; empty: by none of them rather than another.
  Status set(ModelHost& host, ModelHost::ModelIndex model, bool is_pinned,
             std::string_view asked = {});
  // In the book alone.
  Status keep(const std::vector<std::string>& names, bool is_pinned);

  std::set<std::string> names() const;

 private:
  void read();
  Status keep_locked(const std::vector<std::string>& names, bool is_pinned);
  Status replace(const std::set<std::string>& names) const;

  const std::string path_;
  mutable std::mutex mutex_;
  std::set<std::string> names_;
};

}  // namespace quire
