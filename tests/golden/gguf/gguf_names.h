// What tensors are called in GGUF: from the name that a checkpoint of Hugging Face has to that of
// a file made for llama.cpp. The names are facts of its converter (tensor_mapping.py), kept here
// apart from the readers under src/, which are tested by them. Pure function. Used by gguf_tensors.
#pragma once

#include <string>
#include <string_view>

namespace quire::testing {

// Empty: files of this architecture (its name in GGUF) have no such tensor. One of GGUF stays.
std::string gguf_name(std::string_view architecture, std::string_view hf_name);

}  // namespace quire::testing
