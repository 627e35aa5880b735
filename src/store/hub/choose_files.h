// choose_files: which files of a repository make the model. Of GGUF files one quantization, with
// all the parts of a split file: the one that was asked for, or the first of a list that begins
// with Q4_K_M. Without GGUF files the safetensors of the top folder with configuration, tokenizer
// and chat template. Never pickles, which can run code.
// Pure functions; any thread. Called by pull.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/hub/hub_client.h"

namespace quire::store {

struct FileChoice {
  std::vector<HubFile> files;  // small ones first
  std::string statement;       // what was chosen and what else there is, if the user left it open
};

// `choice` is a file's path or name, a quantization such as "Q8_0" in any case, or empty.
Result<FileChoice> choose_files(const std::vector<HubFile>& files, const std::string& choice);

// "Q4_K_M" of "models/Qwen3-4B-Q4_K_M-00001-of-00002.gguf", in upper case; empty if it names none.
std::string quantization_of(std::string_view path);

}  // namespace quire::store
