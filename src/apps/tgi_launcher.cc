#include "apps/tgi_launcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

#include "base/text/ascii.h"
#include "host/repository/files/model_bounds.h"
#include "serve/intake/client_limits.h"

namespace quire {
namespace {

using Fate = LauncherFate;

constexpr std::string_view kOneProcess = "one process serves, and computes, on this machine";
constexpr std::string_view kNoGpu = "this server computes on the processor";
constexpr std::string_view kNoTurns = "every step takes prompts and answers together: neither "
                                      "waits for a turn";
constexpr std::string_view kNoTunnel = "this server opens no tunnel: put one in front of it";
constexpr std::string_view kNoMark = "this server marks no text";
constexpr std::string_view kOwnStore = "models are kept in the store of QUIRE_HOME";
constexpr std::string_view kOwnScaling = "the model's own files say how its positions are scaled";
constexpr int kBlockTokens = 32;  // of --num-kv-blocks

constexpr std::array kRows = {
    LauncherRow{"--model-id", "MODEL_ID", true, Fate::kOwn, "MODEL"},
    LauncherRow{"--revision", "REVISION", true, Fate::kOwn, "MODEL@REVISION"},
    LauncherRow{"--validation-workers", "VALIDATION_WORKERS", true, Fate::kNote, "",
                "two threads read requests, whatever is said here"},
    LauncherRow{"--sharded", "SHARDED", true, Fate::kRefused, "", kOneProcess, "false"},
    LauncherRow{"--num-shard", "NUM_SHARD", true, Fate::kRefused, "", kOneProcess, "1"},
    LauncherRow{"--quantize", "QUANTIZE", true, Fate::kOwn, "--quantize w8a8"},
    LauncherRow{"--speculate", "SPECULATE", true, Fate::kNote, "",
                "nothing is speculated; answers are the same without it"},
    LauncherRow{"--dtype", "DTYPE", true, Fate::kNote, "",
                "weights are computed with as they are stored"},
    LauncherRow{"--kv-cache-dtype", "KV_CACHE_DTYPE", true, Fate::kOwn, "--kv-cache-dtype"},
    LauncherRow{"--trust-remote-code", "TRUST_REMOTE_CODE", false, Fate::kNote, "",
                "no code that comes with a model is ever run"},
    LauncherRow{"--max-concurrent-requests", "MAX_CONCURRENT_REQUESTS", true, Fate::kOwn,
                "--tgi-limits concurrent_requests=N"},
    LauncherRow{"--max-best-of", "MAX_BEST_OF", true, Fate::kLimit, "best_of"},
    LauncherRow{"--max-stop-sequences", "MAX_STOP_SEQUENCES", true, Fate::kLimit,
                "stop_sequences"},
    LauncherRow{"--max-top-n-tokens", "MAX_TOP_N_TOKENS", true, Fate::kLimit, "top_n_tokens"},
    LauncherRow{"--max-input-tokens", "MAX_INPUT_TOKENS", true, Fate::kLimit, "input_tokens"},
    LauncherRow{"--max-input-length", "MAX_INPUT_LENGTH", true, Fate::kLimit, "input_tokens"},
    LauncherRow{"--max-total-tokens", "MAX_TOTAL_TOKENS", true, Fate::kServe, "--max-model-len"},
    LauncherRow{"--waiting-served-ratio", "WAITING_SERVED_RATIO", true, Fate::kNote, "", kNoTurns},
    LauncherRow{"--max-batch-prefill-tokens", "MAX_BATCH_PREFILL_TOKENS", true, Fate::kServe,
                "--max-num-batched-tokens"},
    LauncherRow{"--max-batch-total-tokens", "MAX_BATCH_TOTAL_TOKENS", true, Fate::kOwn,
                "--num-kv-blocks"},
    LauncherRow{"--max-waiting-tokens", "MAX_WAITING_TOKENS", true, Fate::kNote, "", kNoTurns},
    LauncherRow{"--max-batch-size", "MAX_BATCH_SIZE", true, Fate::kServe, "--max-num-seqs"},
    LauncherRow{"--cuda-graphs", "CUDA_GRAPHS", true, Fate::kNote, "", kNoGpu},
    LauncherRow{"--hostname", "HOSTNAME", true, Fate::kOwn, "--host"},
    LauncherRow{"--port", "PORT", true, Fate::kServe, "--port", "", "", "-p"},
    LauncherRow{"--prometheus-port", "PROMETHEUS_PORT", true, Fate::kNote, "",
                "/metrics is on the one port"},
    LauncherRow{"--shard-uds-path", "SHARD_UDS_PATH", true, Fate::kNote, "", kOneProcess},
    LauncherRow{"--master-addr", "MASTER_ADDR", true, Fate::kNote, "", kOneProcess},
    LauncherRow{"--master-port", "MASTER_PORT", true, Fate::kNote, "", kOneProcess},
    LauncherRow{"--huggingface-hub-cache", "HUGGINGFACE_HUB_CACHE", true, Fate::kNote, "",
                kOwnStore},
    LauncherRow{"--weights-cache-override", "WEIGHTS_CACHE_OVERRIDE", true, Fate::kNote, "",
                kOwnStore},
    LauncherRow{"--disable-custom-kernels", "DISABLE_CUSTOM_KERNELS", false, Fate::kNote, "",
                kNoGpu},
    LauncherRow{"--cuda-memory-fraction", "CUDA_MEMORY_FRACTION", true, Fate::kRefused, "",
                "this server computes on the processor: --kv-cache-memory bounds what it keeps",
                "1 1.0"},
    LauncherRow{"--rope-scaling", "ROPE_SCALING", true, Fate::kRefused, "", kOwnScaling},
    LauncherRow{"--rope-factor", "ROPE_FACTOR", true, Fate::kRefused, "", kOwnScaling, "1 1.0"},
    LauncherRow{"--json-output", "JSON_OUTPUT", false, Fate::kNote, "",
                "the log is lines of text"},
    LauncherRow{"--otlp-endpoint", "OTLP_ENDPOINT", true, Fate::kServe, "--otlp-traces-endpoint"},
    LauncherRow{"--otlp-service-name", "OTLP_SERVICE_NAME", true, Fate::kServe,
                "--otlp-service-name"},
    LauncherRow{"--cors-allow-origin", "CORS_ALLOW_ORIGIN", true, Fate::kOwn,
                "--allowed-origins"},
    LauncherRow{"--api-key", "API_KEY", true, Fate::kServe, "--api-key"},
    LauncherRow{"--watermark-gamma", "WATERMARK_GAMMA", true, Fate::kRefused, "", kNoMark},
    LauncherRow{"--watermark-delta", "WATERMARK_DELTA", true, Fate::kRefused, "", kNoMark},
    LauncherRow{"--ngrok", "NGROK", false, Fate::kRefused, "", kNoTunnel},
    LauncherRow{"--ngrok-authtoken", "NGROK_AUTHTOKEN", true, Fate::kRefused, "", kNoTunnel},
    LauncherRow{"--ngrok-edge", "NGROK_EDGE", true, Fate::kRefused, "", kNoTunnel},
    LauncherRow{"--tokenizer-config-path", "TOKENIZER_CONFIG_PATH", true, Fate::kRefused, "",
                "give the chat template itself: --chat-template FILE"},
    LauncherRow{"--disable-grammar-support", "DISABLE_GRAMMAR_SUPPORT", false, Fate::kLimit,
                "grammar"},
    LauncherRow{"--env", "", false, Fate::kNote, "",
                "'quire --version' and the first lines of the log say what runs", "", "-e"},
    LauncherRow{"--max-client-batch-size", "MAX_CLIENT_BATCH_SIZE", true, Fate::kLimit,
                "client_batch_size"},
    LauncherRow{"--lora-adapters", "LORA_ADAPTERS", true, Fate::kRefused, "",
                "requests choose no adapters here; quire serve --adapter adds one to a model"},
    LauncherRow{"--usage-stats", "USAGE_STATS", true, Fate::kNote, "",
                "nothing is collected and nothing is sent"},
    LauncherRow{"--payload-limit", "PAYLOAD_LIMIT", true, Fate::kServe, "--max-body-size"},
    LauncherRow{"--graceful-termination-timeout", "GRACEFUL_TERMINATION_TIMEOUT", true,
                Fate::kServe, "--drain-timeout"},
    LauncherRow{"--enable-prefill-logprobs", "ENABLE_PREFILL_LOGPROBS", false, Fate::kNote, "",
                "whoever asks for them gets them"},
};

// Numbers, as what they become takes them; those that are limits are bounded by kClientLimits.
struct Span {
  std::string_view flag;
  std::int64_t least, most;
};
constexpr std::array kSpans = {
    Span{"--max-total-tokens", 1, model_bound("max_model_len")},
    Span{"--max-batch-prefill-tokens", 1, model_bound("max_num_batched_tokens")},
    Span{"--max-batch-total-tokens", 1, std::int64_t{kBlockTokens} * ((1 << 26) - 2)},
    Span{"--max-batch-size", 1, model_bound("max_num_seqs")},
    Span{"--port", 0, 65535},
    Span{"--payload-limit", 1024, std::int64_t{1} << 30},
    Span{"--graceful-termination-timeout", 0, 86'400},
};

std::optional<Span> span_of(const LauncherRow& row) {
  for (const Span& span : kSpans) {
    if (span.flag == row.flag) return span;
  }
  for (const ClientLimit& limit : kClientLimits) {
    const bool is_it = limit.name == row.to || (limit.name == "concurrent_requests" &&
                                                row.flag == "--max-concurrent-requests");
    if (is_it) return Span{row.flag, limit.min, limit.max};
  }
  return std::nullopt;
}

// What somebody said, and where.
struct Said {
  std::string value;
  std::string where;  // "--port" or "PORT"
};
using AllSaid = std::map<std::string_view, Said>;  // by flag

Status refused(const Said& said, std::string_view why) {
  return error(StatusCode::kInvalidArgument, "{}{}: {}", said.where,
               said.value.empty() ? "" : " " + said.value, why);
}

bool is_among(std::string_view words, std::string_view value) {
  return !value.empty() &&
         fmt::format(" {} ", words).find(fmt::format(" {} ", value)) != std::string::npos;
}

std::optional<bool> switch_of(const std::string& value) {
  const std::string word = lower_ascii(value);
  if (is_among("true 1 yes on t y", word)) return true;
  if (is_among("false 0 no off f n", word)) return false;
  return std::nullopt;
}

std::optional<std::int64_t> number_of(const std::string& value) {
  std::int64_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, problem] = std::from_chars(value.data(), end, number);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return number;
}

Status check_number(const LauncherRow& row, const Said& said) {
  const auto span = span_of(row);
  if (!span) return ok_status();
  const auto number = number_of(said.value);
  if (number && *number >= span->least && *number <= span->most) return ok_status();
  return refused(said, fmt::format("expected a number from {} to {}", span->least, span->most));
}

// TGI starts with none of these, either.
Status check_lengths(const AllSaid& all) {
  const auto total = all.find("--max-total-tokens");
  if (total == all.end()) return ok_status();
  for (const std::string_view flag : {"--max-input-tokens", "--max-input-length"}) {
    const auto input = all.find(flag);
    if (input == all.end()) continue;
    if (number_of(input->second.value) < number_of(total->second.value)) continue;
    return refused(input->second, fmt::format("it must be below {}, which is {}",
                                              total->second.where, total->second.value));
  }
  return ok_status();
}

const LauncherRow* find_row(std::string_view word) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const LauncherRow& it) {
    return word == it.flag || (!it.short_flag.empty() && word == it.short_flag);
  });
  return row == kRows.end() ? nullptr : row;
}

// "--max_total_tokens" is "--max-total-tokens", as its users write both.
std::string with_dashes(std::string flag) {
  if (flag.starts_with("--")) std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

Status take_words(std::span<const std::string> words, AllSaid& said, ServeWords& out) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t equals = words[i].starts_with("-") ? words[i].find('=') : std::string::npos;
    const std::string name = words[i].substr(0, equals);
    const LauncherRow* row = find_row(with_dashes(name));
    if (row == nullptr) {
      out.words.push_back(words[i]);  // of quire serve
      continue;
    }
    Said it{.value = {}, .where = name};
    if (equals != std::string::npos) {
      it.value = words[i].substr(equals + 1);
    } else if (row->takes_value) {
      if (++i == words.size()) return refused(it, "a value is missing");
      it.value = words[i];
    } else if (i + 1 < words.size() && (words[i + 1] == "true" || words[i + 1] == "false")) {
      it.value = words[++i];  // no model is called so
    }
    if (!row->takes_value && it.value.empty()) it.value = "true";
    said[row->flag] = std::move(it);
  }
  return ok_status();
}

void take_environment(const Environment& environment, AllSaid& said) {
  for (const LauncherRow& row : kRows) {
    if (row.variable.empty() || said.contains(row.flag)) continue;
    const auto value = environment(row.variable);
    if (value && !value->empty()) said[row.flag] = {*value, std::string(row.variable)};
  }
}

// A folder, or a model of the hub; a word without a slash is a name of the store.
Status add_model(const AllSaid& all, ServeWords& out) {
  const auto id = all.find("--model-id"), revision = all.find("--revision");
  if (id == all.end()) {
    if (revision == all.end()) return ok_status();
    return refused(revision->second, "there is no --model-id that it could be of");
  }
  std::string model = id->second.value;
  std::error_code failure;
  const bool is_path = std::filesystem::exists(model, failure);
  const bool is_of_hub = model.starts_with("hf:") ||
                         (!is_path && std::count(model.begin(), model.end(), '/') == 1);
  if (is_of_hub && !model.starts_with("hf:")) model = "hf:" + model;
  if (revision != all.end()) {
    if (!is_of_hub) return refused(revision->second, "the model is not one of the hub");
    model += "@" + revision->second.value;
  }
  out.words.insert(out.words.begin() + 1, model);
  return ok_status();
}

Status add_quantize(const Said& said, ServeWords& out) {
  if (is_among("bitsandbytes eetq", said.value)) {
    out.words.insert(out.words.end(), {"--quantize", "w8a8"});
    return ok_status();
  }
  if (is_among("awq gptq marlin compressed-tensors", said.value)) {
    out.notes.push_back(fmt::format("{} {}: the model's own files say how it is quantized",
                                    said.where, said.value));
    return ok_status();
  }
  if (said.value == "fp8") {
    return refused(said, "a checkpoint in FP8 is read as it is, without this; others are not made "
                         "into one (bitsandbytes makes 8-bit integers)");
  }
  if (is_among("bitsandbytes-nf4 bitsandbytes-fp4 exl2", said.value)) {
    return refused(said, "weights are not made into 4 bits at load: serve a GGUF file of that "
                         "size");
  }
  return refused(said, "expected awq, compressed-tensors, eetq, exl2, gptq, marlin, bitsandbytes, "
                       "bitsandbytes-nf4, bitsandbytes-fp4 or fp8");
}

// REQUIRES: it is a number.
void add_number(const Said& said, const char* flag, std::int64_t per, ServeWords& out) {
  const std::int64_t number = number_of(said.value).value_or(per);
  out.words.insert(out.words.end(), {flag, std::to_string((number + per - 1) / per)});
}

// Containers set HOSTNAME to a name of their own, which is no address to listen on.
void add_host(const LauncherRow& row, const Said& said, ServeWords& out) {
  std::string host = said.value == "localhost" ? "127.0.0.1" : said.value;
  const bool is_address = host.find(':') != std::string::npos ||
                          host.find_first_not_of("0123456789.") == std::string::npos;
  if (!is_address && said.where == row.variable) {
    out.notes.push_back(fmt::format("{} {}: this is no address; 0.0.0.0 is taken", said.where,
                                    said.value));
    host = "0.0.0.0";
  }
  out.words.insert(out.words.end(), {"--host", host});
}

Status add_own(const LauncherRow& row, const Said& said, ServeWords& out) {
  if (row.flag == "--quantize") return add_quantize(said, out);
  if (row.flag == "--kv-cache-dtype") {
    const std::string type = said.value == "fp8_e4m3fn" ? "fp8" : said.value;
    out.words.insert(out.words.end(), {"--kv-cache-dtype", type});
  } else if (row.flag == "--hostname") {
    add_host(row, said, out);
  } else if (row.flag == "--max-concurrent-requests") {
    add_number(said, "--max-queue", 1, out);  // all but one of them may be waiting
    out.words.insert(out.words.end(), {"--tgi-limits", "concurrent_requests=" + said.value});
  } else if (row.flag == "--max-batch-total-tokens") {
    add_number(said, "--num-kv-blocks", kBlockTokens, out);
  } else if (row.flag == "--cors-allow-origin") {
    for (std::string_view rest = said.value; !rest.empty();) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      out.words.insert(out.words.end(), {"--allowed-origins", std::string(rest.substr(0, end))});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return ok_status();
}

Status add_row(const LauncherRow& row, const Said& said, ServeWords& out) {
  std::optional<bool> is_on = true;
  if (!row.takes_value) is_on = switch_of(said.value);
  if (!is_on) return refused(said, "expected true or false");
  if (!*is_on) return ok_status();
  QUIRE_RETURN_IF_ERROR(check_number(row, said));
  switch (row.fate) {
    case Fate::kServe:
      out.words.insert(out.words.end(), {std::string(row.to), said.value});
      return ok_status();
    case Fate::kLimit: {
      const std::string value = row.takes_value ? said.value : "off";
      out.words.insert(out.words.end(), {"--tgi-limits", fmt::format("{}={}", row.to, value)});
      return ok_status();
    }
    case Fate::kOwn: return add_own(row, said, out);
    case Fate::kNote:
      out.notes.push_back(fmt::format("{}: {}", said.where, row.why));
      return ok_status();
    case Fate::kRefused:
      return is_among(row.neutral, said.value) ? ok_status() : refused(said, row.why);
  }
  return ok_status();
}

std::string fate_text(const LauncherRow& row) {
  switch (row.fate) {
    case Fate::kServe:
    case Fate::kOwn: return std::string(row.to);
    case Fate::kLimit:
      return fmt::format("--tgi-limits {}={}", row.to, row.takes_value ? "N" : "off");
    case Fate::kNote: return fmt::format("nothing: {}", row.why);
    case Fate::kRefused:
      return row.neutral.empty() ? fmt::format("refused: {}", row.why)
                                 : fmt::format("refused unless {}: {}", row.neutral, row.why);
  }
  return {};
}

}  // namespace

std::span<const LauncherRow> launcher_rows() { return kRows; }

Result<ServeWords> serve_words_of_launcher(std::span<const std::string> words,
                                           const Environment& environment) {
  ServeWords out;
  out.words = {"serve"};
  AllSaid said;
  QUIRE_RETURN_IF_ERROR(take_words(words, said, out));
  take_environment(environment, said);
  QUIRE_RETURN_IF_ERROR(add_model(said, out));
  for (const LauncherRow& row : kRows) {
    const auto it = said.find(row.flag);
    if (it != said.end()) QUIRE_RETURN_IF_ERROR(add_row(row, it->second, out));
  }
  QUIRE_RETURN_IF_ERROR(check_lengths(said));
  if (const auto type = environment("COMPUTE_TYPE"); type && !type->empty()) {
    out.notes.emplace_back("COMPUTE_TYPE: answers say x-compute-type: cpu+optimized, as it is");
  }
  // What the launcher does unasked.
  if (!said.contains("--hostname")) out.words.insert(out.words.end(), {"--host", "0.0.0.0"});
  if (!said.contains("--port")) out.words.insert(out.words.end(), {"--port", "3000"});
  const auto has = [&](std::string_view flag) {
    return std::any_of(out.words.begin(), out.words.end(), [&](const std::string& word) {
      return word == flag || word.starts_with(fmt::format("{}=", flag));
    });
  };
  const bool limits_requests =
      said.contains("--max-concurrent-requests") ||
      std::any_of(out.words.begin(), out.words.end(), [](const std::string& word) {
        return word.find("concurrent_requests=") != word.npos;  // of --tgi-limits
      });
  if (!limits_requests) {
    out.words.insert(out.words.end(), {"--tgi-limits", "concurrent_requests=128"});
  }
  if (!has("--served-model-name")) {  // its clients call a model "tgi", or whatever
    out.words.insert(out.words.end(), {"--served-model-name", "*"});
  }
  if (!has("--metrics-names")) out.words.insert(out.words.end(), {"--metrics-names", "all"});
  if (!has("--drain-timeout")) out.words.insert(out.words.end(), {"--drain-timeout", "90"});
  return out;
}

std::string launcher_page() {
  std::string page = "Flags of text-generation-launcher, the variables that stand for them, and "
                     "what they are here:\n\n";
  for (const LauncherRow& row : kRows) {
    page += fmt::format("  {}{}\n      {}\n", row.flag,
                        row.variable.empty() ? "" : fmt::format(", {}", row.variable),
                        fate_text(row));
  }
  return page + "\nWhat else stands there goes to 'quire serve' as it is. Unless told otherwise "
                "it\nlistens on 0.0.0.0:3000, answers to any model name and to none, takes 128\n"
                "requests at once and shows the metrics of TGI and vLLM beside ours.\n";
}

}  // namespace quire
