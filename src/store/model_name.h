// ModelName: the names that the store knows: "smollm2" (letters, digits, . _ -), perhaps with a tag
// and an owner as Ollama's users write them ("me/mario:7b"), and names of a hub,
// "hf:owner/name", with "@revision" and ":quant" or ":file.gguf" behind it where one wants them.
// Whatever is not of this form is a path. Plain value; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace quire::store {

struct ModelName {
  std::string text;      // as it is written
  std::string owner;     // of a hub's name; empty otherwise
  std::string name;      // of a hub's name; empty otherwise
  std::string revision;  // empty: the hub's default, "main"
  std::string choice;    // a file or a quantization; empty: chosen

  bool is_remote() const { return !owner.empty(); }
  std::string repository() const { return owner + "/" + name; }

  // kInvalidArgument with what is wrong and the form that is right.
  static Result<ModelName> parse(std::string_view text);
};

// Whether it begins with "hf:", so that it can be no path.
bool is_remote_name(std::string_view text);

// The name as a file name: what is not a letter, a digit or one of . _ - becomes %XX.
std::string escaped_name(std::string_view text);

}  // namespace quire::store
