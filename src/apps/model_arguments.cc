#include "apps/model_arguments.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "apps/adapter_arguments.h"
#include "apps/flags.h"
#include "base/text/go_duration.h"
#include "host/repository/files/model_bounds.h"
#include "runtime/capacity.h"

namespace quire {

void declare_model_flags(Command& command, ModelArguments& a) {
  command.value("MODEL", a.model,
                "a GGUF file, a Hugging Face directory, a llama2.c .bin file, hf:OWNER/NAME "
                "of the hub, or a name that 'quire list' shows (default: smollm2, which is "
                "SmolLM2-135M-Instruct)");
  command.value("--tokenizer", a.tokenizer,
                "tokenizer file, for models that carry none (llama2.c)");
  command.value("--chat-template", a.chat_template, "Jinja file in place of the model's own");
  declare_adapter_flag(command, a.adapters);
  declare_compute_flags(command, a);
}

void declare_compute_flags(Command& command, ModelArguments& a) {
  command.value("--max-model-len", a.max_model_len,
                "positions per sequence, prompt and answer (default: the model's context)")
      .between(1, model_bound("max_model_len"));
  command.value("--max-num-seqs", a.max_num_seqs, "sequences per step")
      .between(1, model_bound("max_num_seqs")).shows_default();
  command.value("--max-num-batched-tokens", a.max_num_batched_tokens,
                "tokens per step (default: measured, so that a step stays near 400 ms)")
      .between(1, model_bound("max_num_batched_tokens"));
  declare_kv_dtype_flag(command, a.kv_cache_dtype);
  command.value("--attention-sinks", a.attention_sinks,
                "with --sliding-window: every token sees the first so many positions and the last "
                "ones, and a text of any length takes the same memory (4 is usual; default: none)")
      .between(1, kSinksMax);
  command.value("--sliding-window", a.sliding_window,
                "with --attention-sinks: the last positions that a token sees, itself included")
      .between(1, 1 << 24);
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
      .between(1, model_bound("max_queue")).shows_default();
  declare_quantize_flag(command, a.quantize);
  command.value("--activations", a.activations,
                "float: as precise as weights allow; as-asked: rounded to FP8, FP4 or int8 where a "
                "quantized checkpoint asks for that")
      .one_of({"float", "as-asked"}).shows_default();
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
  if (arguments.activations == "as-asked") {
    if (!arguments.is_unpacked_f32 && arguments.quantize.empty()) return WeightScheme::kAsAsked;
    return error(StatusCode::kInvalidArgument,
                 "--activations as-asked excludes --quantize and --unpack-f32");
  }
  if (arguments.is_unpacked_f32) return WeightScheme::kFloat32;
  if (!arguments.quantize.empty() && arguments.quantize != "w8a8") {
    return error(StatusCode::kInvalidArgument, "quantize '{}' is not known: it is w8a8, or missing",
                 arguments.quantize.substr(0, 64));
  }
  return arguments.quantize.empty() ? WeightScheme::kAsStored : WeightScheme::kW8A8;
}

void declare_kv_dtype_flag(Command& command, std::string& dtype) {
  command.value("--kv-cache-dtype", dtype,
                "auto (f16), f32, f16, bf16, fp8 (E4M3) or int8 with a scale per token and head, "
                "int4 with a scale and a minimum per token and 32 values; of keys and of values "
                "apart: k=int8,v=int4")
      .shows_default();
}

namespace {

Result<DType> parse_kv_type(std::string_view name) {
  static constexpr std::pair<std::string_view, DType> kNames[] = {
      {"auto", DType::kF16},           {"f16", DType::kF16},
      {"float16", DType::kF16},        {"f32", DType::kF32},
      {"float32", DType::kF32},        {"bf16", DType::kBF16},
      {"bfloat16", DType::kBF16},      {"fp8", DType::kF8},
      {"fp8_e4m3", DType::kF8},        {"fp8_per_token_head", DType::kF8},
      {"int8", DType::kI8},            {"int8_per_token_head", DType::kI8},
      {"int4", DType::kQ4_1},          {"int4_per_token_head", DType::kQ4_1},
  };
  for (const auto& [known, dtype] : kNames) {
    if (name == known) return dtype;
  }
  if (name == "fp8_e5m2") {
    return error(StatusCode::kUnsupported,
                 "--kv-cache-dtype fp8_e5m2: floats of eight bits are kept as fp8_e4m3, which has "
                 "a bit more of each value and a scale per token and head for its range");
  }
  return error(StatusCode::kInvalidArgument,
               "--kv-cache-dtype '{}' is not one of auto, f32, f16, bf16, fp8, int8, int4, nor "
               "such as k=int8,v=int4",
               name.substr(0, 64));
}

}  // namespace

Result<KvTypes> parse_kv_types(const std::string& text) {
  KvTypes types;
  if (text.find('=') == std::string::npos) {
    QUIRE_ASSIGN_OR_RETURN(types, parse_kv_type(text));
    return types;
  }
  bool has_keys = false, has_values = false;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const bool is_keys = part.starts_with("k="), is_values = part.starts_with("v=");
    if ((!is_keys && !is_values) || (is_keys ? has_keys : has_values)) {
      return error(StatusCode::kInvalidArgument,
                   "--kv-cache-dtype '{}': '{}' is neither k= nor v=, each once",
                   text.substr(0, 64), part.substr(0, 64));
    }
    (is_keys ? has_keys : has_values) = true;
    QUIRE_ASSIGN_OR_RETURN((is_keys ? types.k : types.v), parse_kv_type(part.substr(2)));
  }
  return types;
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
  if (problem != std::errc() || seconds == 0) {
    const auto asked = parse_go_duration(text);  // "1h30m", "300ms"
    if (asked && *asked < Nanos{0}) return Nanos::max();
    if (asked && *asked <= Nanos(std::chrono::seconds(kSecondsMax))) return *asked;
  }
  if (problem != std::errc() || seconds == 0 || number > kSecondsMax / seconds) {
    return error(StatusCode::kInvalidArgument,
                 "'{}' is not a duration; write seconds, or numbers with h, m, s or ms: 90, 5m, "
                 "1h30m (-1: for ever)", text);
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
