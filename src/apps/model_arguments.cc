#include "apps/model_arguments.h"

#include <charconv>

#include "apps/flags.h"

namespace quire {

void declare_model_flags(Command& command, ModelArguments& a) {
  command.value("MODEL", a.model,
                "a GGUF file, a Hugging Face directory, a llama2.c .bin file, hf:OWNER/NAME "
                "of the hub, or a name that 'quire list' shows (default: smollm2, which is "
                "SmolLM2-135M-Instruct)");
  command.value("--tokenizer", a.tokenizer,
                "tokenizer file, for models that carry none (llama2.c)");
  command.value("--chat-template", a.chat_template, "Jinja file in place of the model's own");
  declare_compute_flags(command, a);
}

void declare_compute_flags(Command& command, ModelArguments& a) {
  command.value("--max-model-len", a.max_model_len,
                "positions per sequence, prompt and answer (default: the model's context)")
      .between(1, 1 << 24);
  command.value("--max-num-seqs", a.max_num_seqs, "sequences per step")
      .between(1, 65536).shows_default();
  command.value("--max-num-batched-tokens", a.max_num_batched_tokens,
                "tokens per step (default: measured, so that a step stays near 400 ms)")
      .between(1, 65536);
  declare_kv_dtype_flag(command, a.kv_cache_dtype);
  command.toggle("--enable-prefix-caching,!--no-enable-prefix-caching", a.is_prefix_caching,
                 "reuse the KV of prompts that begin alike (default: on)");
  command.value("--threads", a.threads, "compute threads (default: every core)")
      .between(1, 1024);
  declare_huge_pages_flag(command, a.has_huge_pages);
  command.value("--packed-cache", a.packed_cache,
                "keep the packed weights in this folder, for a faster next start; 'store' is "
                "the folder packed of the local store (default: none)");
  command.value("--num-kv-blocks", a.num_kv_blocks, "KV blocks of 32 tokens")
      .between(1, (1 << 26) - 2);
  command.value("--kv-cache-memory", a.kv_cache_memory,
                "memory for KV, such as 512MiB or 2GiB (default: from free memory)");
  command.value("--max-queue", a.max_queue, "requests of one API key that may wait; beyond, 429")
      .between(1, 1 << 20).shows_default();
  declare_quantize_flag(command, a.quantize);
  command.toggle("--unpack-f32", a.is_unpacked_f32,
                 "compute with weights unpacked to float32: slow and exact, for tests");
}

void declare_quantize_flag(Command& command, std::string& quantize) {
  command.value("--quantize", quantize,
                "w8a8: the layers of an F32, F16 or BF16 model become int8 at load, with a "
                "scale per row and per token")
      .one_of({"w8a8"});
}

void declare_huge_pages_flag(Command& command, bool& has_huge_pages) {
  command.toggle("--huge-pages,!--no-huge-pages", has_huge_pages,
                 "ask the system for 2 MiB pages for weights and KV (default: on)");
}

Result<WeightScheme> weight_scheme(const ModelArguments& arguments) {
  if (arguments.is_unpacked_f32 && !arguments.quantize.empty()) {
    return error(StatusCode::kInvalidArgument, "--quantize and --unpack-f32 exclude each other");
  }
  if (arguments.is_unpacked_f32) return WeightScheme::kFloat32;
  return arguments.quantize.empty() ? WeightScheme::kAsStored : WeightScheme::kW8A8;
}

void declare_kv_dtype_flag(Command& command, std::string& dtype) {
  command.value("--kv-cache-dtype", dtype,
                "auto (f16), f32, f16, bf16, or int8 with a scale per token and head")
      .one_of({"auto", "f32", "f16", "bf16", "int8", "float32", "float16", "bfloat16",
                             "int8_per_token_head"})
      .shows_default();
}

Result<DType> parse_kv_dtype(const std::string& name) {
  if (name == "auto" || name == "f16" || name == "float16") return DType::kF16;
  if (name == "f32" || name == "float32") return DType::kF32;
  if (name == "bf16" || name == "bfloat16") return DType::kBF16;
  if (name == "int8" || name == "int8_per_token_head") return DType::kI8;
  return error(StatusCode::kInvalidArgument,
               "--kv-cache-dtype '{}' is not one of auto, f32, f16, bf16, int8", name);
}

Result<Nanos> parse_duration(const std::string& text) {
  constexpr std::int64_t kSecondsMax = std::int64_t{100} * 365 * 24 * 3600;
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  std::int64_t seconds = 0;
  if (unit.empty() || unit == "s") seconds = 1;
  if (unit == "m") seconds = 60;
  if (unit == "h") seconds = 3600;
  if (problem != std::errc() || seconds == 0 || number > kSecondsMax / seconds) {
    return error(StatusCode::kInvalidArgument,
                 "'{}' is not a duration; write seconds, or a number with s, m or h (-1: for ever)",
                 text);
  }
  if (number < 0) return Nanos::max();
  return Nanos(std::chrono::seconds(number * seconds));
}

Result<std::uint64_t> parse_bytes(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  if (unit == "K" || unit == "KiB") shift = 10;
  if (unit == "M" || unit == "MiB") shift = 20;
  if (unit == "G" || unit == "GiB") shift = 30;
  if (problem != std::errc() || shift < 0 || number > (~std::uint64_t{0} >> shift)) {
    return error(StatusCode::kInvalidArgument,
                 "'{}' is not a size; write bytes or a number with KiB, MiB or GiB", text);
  }
  return number << shift;
}

}  // namespace quire
