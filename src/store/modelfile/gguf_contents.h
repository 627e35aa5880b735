// gguf_contents: what a GGUF file has beside the scalars of its head: its lists (tokens, merges)
// and which tensors it holds, as Ollama's clients are shown them.
// Any thread; reads the head of the file. Used by serve's Ollama dialect.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire::store {

struct GgufContents {
  std::vector<Json::Member> lists;  // of texts, numbers and flags, by key
  Json tensors = Json::array();     // name, type, shape with its columns first, as the file has it
};

// `has_lists`: false leaves them out.
Result<GgufContents> gguf_contents(const std::string& path, bool has_lists);

}  // namespace quire::store
