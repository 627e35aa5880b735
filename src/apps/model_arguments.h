// ModelArguments: which model and how to run it: the flags that serve and run share. Flags carry
// vLLM's names where vLLM has the flag, and mean what they mean there.
// Plain values; main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/nanos.h"
#include "base/status.h"
#include "core/batching.h"

namespace quire {

class Command;

struct ModelArguments {
  std::string model;                 // a file, a directory, a name; empty: the default model
  std::string tokenizer;             // --tokenizer FILE
  std::string chat_template;         // --chat-template FILE
  std::vector<std::string> adapters;  // --adapter; parse_adapters
  std::string tool_call_parser;      // --tool-call-parser NAME; empty: as the template shows
  std::string reasoning_parser;      // --reasoning-parser NAME; likewise
  std::string template_kwargs;       // a JSON object, or empty: what templates read by default
  std::uint32_t max_model_len = 0;   // 0: the model's
  std::uint32_t max_num_seqs = 64;
  std::uint32_t max_num_batched_tokens = 0;  // 0: measured at start, so that a step stays short
  std::string kv_cache_dtype = "auto";       // parse_kv_types
  std::uint32_t attention_sinks = 0;         // with sliding_window: a text without an end
  std::uint32_t sliding_window = 0;
  bool is_prefix_caching = true;
  int threads = 0;                   // 0: every core
  bool has_huge_pages = true;
  std::string packed_cache;          // --packed-cache: empty, "store" or a folder
  std::uint32_t num_kv_blocks = 0;   // 0: from kv_cache_memory
  std::string kv_cache_memory;       // "512MiB", "2G", bytes; empty: from free memory
  std::uint32_t max_queue = 256;
  DynamicBatching batching;          // of a repository's model
  std::uint32_t instances = 1;       // copies of the model; of what serves, which is not asked else
  std::string quantize;              // w8a8; empty: weights as stored
  std::string activations = "float";  // as-asked: rounded as a quantized checkpoint asks
  bool is_unpacked_f32 = false;      // a test setting
};

void declare_model_flags(Command& command, ModelArguments& arguments);

// The same without MODEL, --tokenizer and --chat-template, for commands that take several models.
void declare_compute_flags(Command& command, ModelArguments& arguments);

// --quantize, for commands that have their own arguments too.
void declare_quantize_flag(Command& command, std::string& quantize);

Result<WeightScheme> weight_scheme(const ModelArguments& arguments);

// --huge-pages, for commands that have their own arguments too.
void declare_huge_pages_flag(Command& command, bool& has_huge_pages);

// --kv-cache-dtype, for commands that have their own arguments too.
void declare_kv_dtype_flag(Command& command, std::string& dtype);

// "int8", or "k=int8,v=int4" in either order; what is not named is the default.
Result<KvTypes> parse_kv_types(const std::string& text);

// "90", "90s", "5m", "1h30m", "300ms" -> nanoseconds; what is negative: for ever (Nanos::max()).
Result<Nanos> parse_duration(const std::string& text);

// "4096", "512MiB", "2GiB", "2G" -> bytes.
Result<std::uint64_t> parse_bytes(const std::string& text);

}  // namespace quire
