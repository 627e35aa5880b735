// Each row of the launcher's table, by flag and by variable: what it becomes for quire serve, what
// the operator is told, why it is refused.
#include "apps/tgi_launcher.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "apps/flags.h"
#include "apps/serve_arguments.h"

namespace quire {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Result<ServeWords> launch(const std::vector<std::string>& words, const Variables& variables = {}) {
  return serve_words_of_launcher(words, [&](std::string_view name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}

// Without what the launcher does unasked.
std::string told(const Result<ServeWords>& result) {
  if (!result.is_ok()) return "refused: " + result.status().message();
  std::string out;
  for (const std::string& word : result->words) out += (out.empty() ? "" : " ") + word;
  const std::string unasked =
      " --host 0.0.0.0 --port 3000 --served-model-name * --metrics-names all --drain-timeout 90";
  for (const std::string& each : {std::string(" --tgi-limits concurrent_requests=128"), unasked}) {
    const std::size_t at = out.find(each);
    if (at != std::string::npos) out.erase(at, each.size());
  }
  for (const std::string& note : result->notes) out += " | " + note;
  return out;
}

struct Row {
  const char* flag;
  const char* variable;
  const char* value;  // "": a switch
  const char* becomes;
};

const Row kRows[] = {
    {"--model-id", "MODEL_ID", "org/name", "serve hf:org/name"},
    {"--validation-workers", "VALIDATION_WORKERS", "3",
     "serve | {}: two threads read requests, whatever is said here"},
    {"--sharded", "SHARDED", "false", "serve"},
    {"--sharded", "SHARDED", "true",
     "refused: {} true: one process serves, and computes, on this machine"},
    {"--num-shard", "NUM_SHARD", "1", "serve"},
    {"--num-shard", "NUM_SHARD", "2",
     "refused: {} 2: one process serves, and computes, on this machine"},
    {"--quantize", "QUANTIZE", "bitsandbytes", "serve --quantize w8a8"},
    {"--quantize", "QUANTIZE", "eetq", "serve --quantize w8a8"},
    {"--quantize", "QUANTIZE", "awq",
     "serve | {} awq: the model's own files say how it is quantized"},
    {"--quantize", "QUANTIZE", "gptq",
     "serve | {} gptq: the model's own files say how it is quantized"},
    {"--quantize", "QUANTIZE", "bitsandbytes-nf4",
     "refused: {} bitsandbytes-nf4: weights are not made into 4 bits at load: serve a GGUF file of "
     "that size"},
    {"--quantize", "QUANTIZE", "fp8",
     "refused: {} fp8: a checkpoint in FP8 is read as it is, without this; others are not made "
     "into one (bitsandbytes makes 8-bit integers)"},
    {"--quantize", "QUANTIZE", "no",
     "refused: {} no: expected awq, compressed-tensors, eetq, exl2, gptq, marlin, bitsandbytes, "
     "bitsandbytes-nf4, bitsandbytes-fp4 or fp8"},
    {"--speculate", "SPECULATE", "2",
     "serve | {}: nothing is speculated; answers are the same without it"},
    {"--dtype", "DTYPE", "float16", "serve | {}: weights are computed with as they are stored"},
    {"--kv-cache-dtype", "KV_CACHE_DTYPE", "fp8_e4m3fn", "serve --kv-cache-dtype fp8"},
    {"--kv-cache-dtype", "KV_CACHE_DTYPE", "fp8_e5m2", "serve --kv-cache-dtype fp8_e5m2"},
    {"--trust-remote-code", "TRUST_REMOTE_CODE", "",
     "serve | {}: no code that comes with a model is ever run"},
    {"--max-concurrent-requests", "MAX_CONCURRENT_REQUESTS", "50",
     "serve --max-queue 50 --tgi-limits concurrent_requests=50"},
    {"--max-concurrent-requests", "MAX_CONCURRENT_REQUESTS", "x",
     "refused: {} x: expected a number from 1 to 1048576"},
    {"--max-best-of", "MAX_BEST_OF", "4", "serve --tgi-limits best_of=4"},
    {"--max-stop-sequences", "MAX_STOP_SEQUENCES", "8", "serve --tgi-limits stop_sequences=8"},
    {"--max-top-n-tokens", "MAX_TOP_N_TOKENS", "9", "serve --tgi-limits top_n_tokens=9"},
    {"--max-input-tokens", "MAX_INPUT_TOKENS", "100", "serve --tgi-limits input_tokens=100"},
    {"--max-input-length", "MAX_INPUT_LENGTH", "100", "serve --tgi-limits input_tokens=100"},
    {"--max-input-length", "MAX_INPUT_LENGTH", "x",
     "refused: {} x: expected a number from 1 to 16777216"},
    {"--max-input-tokens", "MAX_INPUT_TOKENS", "0",
     "refused: {} 0: expected a number from 1 to 16777216"},
    {"--max-total-tokens", "MAX_TOTAL_TOKENS", "abc",
     "refused: {} abc: expected a number from 1 to 16777216"},
    {"--payload-limit", "PAYLOAD_LIMIT", "100",
     "refused: {} 100: expected a number from 1024 to 1073741824"},
    {"--max-total-tokens", "MAX_TOTAL_TOKENS", "200", "serve --max-model-len 200"},
    {"--waiting-served-ratio", "WAITING_SERVED_RATIO", "1.2",
     "serve | {}: every step takes prompts and answers together: neither waits for a turn"},
    {"--max-batch-prefill-tokens", "MAX_BATCH_PREFILL_TOKENS", "300",
     "serve --max-num-batched-tokens 300"},
    {"--max-batch-total-tokens", "MAX_BATCH_TOTAL_TOKENS", "1000", "serve --num-kv-blocks 32"},
    {"--max-waiting-tokens", "MAX_WAITING_TOKENS", "20",
     "serve | {}: every step takes prompts and answers together: neither waits for a turn"},
    {"--max-batch-size", "MAX_BATCH_SIZE", "16", "serve --max-num-seqs 16"},
    {"--cuda-graphs", "CUDA_GRAPHS", "1,2",
     "serve | {}: this server computes on the processor"},
    {"--hostname", "HOSTNAME", "127.0.0.1",
     "serve --host 127.0.0.1 --port 3000 --served-model-name * --metrics-names all "
     "--drain-timeout 90"},
    {"--port", "PORT", "80",
     "serve --port 80 --host 0.0.0.0 --served-model-name * --metrics-names all "
     "--drain-timeout 90"},
    {"--prometheus-port", "PROMETHEUS_PORT", "9000",
     "serve | {}: /metrics is on the one port"},
    {"--shard-uds-path", "SHARD_UDS_PATH", "/x",
     "serve | {}: one process serves, and computes, on this machine"},
    {"--master-addr", "MASTER_ADDR", "h",
     "serve | {}: one process serves, and computes, on this machine"},
    {"--master-port", "MASTER_PORT", "1",
     "serve | {}: one process serves, and computes, on this machine"},
    {"--huggingface-hub-cache", "HUGGINGFACE_HUB_CACHE", "/data",
     "serve | {}: models are kept in the store of QUIRE_HOME"},
    {"--weights-cache-override", "WEIGHTS_CACHE_OVERRIDE", "/data",
     "serve | {}: models are kept in the store of QUIRE_HOME"},
    {"--disable-custom-kernels", "DISABLE_CUSTOM_KERNELS", "",
     "serve | {}: this server computes on the processor"},
    {"--cuda-memory-fraction", "CUDA_MEMORY_FRACTION", "1.0", "serve"},
    {"--cuda-memory-fraction", "CUDA_MEMORY_FRACTION", "0.5",
     "refused: {} 0.5: this server computes on the processor: --kv-cache-memory bounds what it "
     "keeps"},
    {"--rope-scaling", "ROPE_SCALING", "linear",
     "refused: {} linear: the model's own files say how its positions are scaled"},
    {"--rope-factor", "ROPE_FACTOR", "2.0",
     "refused: {} 2.0: the model's own files say how its positions are scaled"},
    {"--json-output", "JSON_OUTPUT", "", "serve | {}: the log is lines of text"},
    {"--otlp-endpoint", "OTLP_ENDPOINT", "http://x", "serve --otlp-traces-endpoint http://x"},
    {"--otlp-service-name", "OTLP_SERVICE_NAME", "n", "serve --otlp-service-name n"},
    {"--cors-allow-origin", "CORS_ALLOW_ORIGIN", "https://a.b,https://c.d",
     "serve --allowed-origins https://a.b --allowed-origins https://c.d"},
    {"--api-key", "API_KEY", "sesame", "serve --api-key sesame"},
    {"--watermark-gamma", "WATERMARK_GAMMA", "0.5", "refused: {} 0.5: this server marks no text"},
    {"--watermark-delta", "WATERMARK_DELTA", "2", "refused: {} 2: this server marks no text"},
    {"--ngrok", "NGROK", "",
     "refused: {} true: this server opens no tunnel: put one in front of it"},
    {"--ngrok-authtoken", "NGROK_AUTHTOKEN", "x",
     "refused: {} x: this server opens no tunnel: put one in front of it"},
    {"--ngrok-edge", "NGROK_EDGE", "x",
     "refused: {} x: this server opens no tunnel: put one in front of it"},
    {"--tokenizer-config-path", "TOKENIZER_CONFIG_PATH", "x",
     "refused: {} x: give the chat template itself: --chat-template FILE"},
    {"--disable-grammar-support", "DISABLE_GRAMMAR_SUPPORT", "",
     "serve --tgi-limits grammar=off"},
    {"--max-client-batch-size", "MAX_CLIENT_BATCH_SIZE", "7",
     "serve --tgi-limits client_batch_size=7"},
    {"--lora-adapters", "LORA_ADAPTERS", "a/b",
     "refused: {} a/b: requests choose no adapters here; quire serve --adapter adds one to a "
     "model"},
    {"--usage-stats", "USAGE_STATS", "off",
     "serve | {}: nothing is collected and nothing is sent"},
    {"--payload-limit", "PAYLOAD_LIMIT", "2000000", "serve --max-body-size 2000000"},
    {"--graceful-termination-timeout", "GRACEFUL_TERMINATION_TIMEOUT", "30",
     "serve --drain-timeout 30 --host 0.0.0.0 --port 3000 --served-model-name * "
     "--metrics-names all"},
    {"--enable-prefill-logprobs", "ENABLE_PREFILL_LOGPROBS", "",
     "serve | {}: whoever asks for them gets them"},
};

std::string with(std::string text, const std::string& where) {
  const std::size_t at = text.find("{}");
  return at == std::string::npos ? text : text.replace(at, 2, where);
}

TEST(TgiLauncherTest, EachFlagAndItsVariableBecomeTheSame) {
  std::set<std::string_view> tried;
  for (const Row& row : kRows) {
    tried.insert(row.flag);
    const bool is_switch = *row.value == '\0';
    std::vector<std::string> words = {row.flag};
    if (!is_switch) words.emplace_back(row.value);
    EXPECT_EQ(told(launch(words)), with(row.becomes, row.flag));
    if (!is_switch) {
      EXPECT_EQ(told(launch({std::string(row.flag) + "=" + row.value})),
                with(row.becomes, row.flag));
    }
    EXPECT_EQ(told(launch({}, {{row.variable, is_switch ? "true" : row.value}})),
              with(row.becomes, row.variable));
    EXPECT_EQ(told(launch({}, {{row.variable, ""}})), "serve") << "an empty variable is none";
    if (!is_switch) continue;
    EXPECT_EQ(told(launch({}, {{row.variable, "false"}})), "serve");
    EXPECT_FALSE(launch({}, {{row.variable, "perhaps"}}).is_ok());
  }
  for (const LauncherRow& row : launcher_rows()) {
    const bool is_elsewhere = row.flag == "--revision" || row.flag == "--env";
    EXPECT_TRUE(is_elsewhere || tried.contains(row.flag)) << row.flag << " is not tried";
  }
}

TEST(TgiLauncherTest, ASwitchMayHaveItsValueBehindIt) {
  EXPECT_EQ(told(launch({"--trust-remote-code", "true", "--model-id", "m"})),
            "serve m | --trust-remote-code: no code that comes with a model is ever run");
  EXPECT_EQ(told(launch({"--disable-grammar-support", "false", "--model-id", "m"})), "serve m");
}

TEST(TgiLauncherTest, InputsAreShorterThanInputsAndAnswers) {
  EXPECT_EQ(told(launch({"--max-input-tokens", "2000"}, {{"MAX_TOTAL_TOKENS", "1024"}})),
            "refused: --max-input-tokens 2000: it must be below MAX_TOTAL_TOKENS, which is 1024");
  EXPECT_FALSE(launch({"--max-input-length", "7", "--max-total-tokens", "7"}).is_ok());
  EXPECT_TRUE(launch({"--max-input-length", "6", "--max-total-tokens", "7"}).is_ok());
}

TEST(TgiLauncherTest, WhatItDoesUnasked) {
  const auto plain = launch({});
  ASSERT_TRUE(plain.is_ok());
  const auto has = [](const ServeWords& out, std::string_view word) {
    return std::find(out.words.begin(), out.words.end(), word) != out.words.end();
  };
  EXPECT_TRUE(has(*plain, "concurrent_requests=128")) << "as many requests at once as TGI";
  EXPECT_FALSE(has(*launch({"--max-concurrent-requests", "2"}), "concurrent_requests=128"));
  EXPECT_FALSE(has(*launch({"--tgi-limits", "concurrent_requests=500"}),
                   "concurrent_requests=128"));
  EXPECT_FALSE(has(*launch({"--tgi-limits=concurrent_requests=500"}), "concurrent_requests=128"));
  EXPECT_TRUE(has(*launch({"--tgi-limits", "best_of=4"}), "concurrent_requests=128"));
  EXPECT_EQ(launch({}, {{"COMPUTE_TYPE", "gpu"}})->notes.front(),
            "COMPUTE_TYPE: answers say x-compute-type: cpu+optimized, as it is");
}

TEST(TgiLauncherTest, AModelIsAFolderOrOfTheHubOrOfTheStore) {
  EXPECT_EQ(told(launch({"--model-id", "org/name", "--revision", "refs/pr/2"})),
            "serve hf:org/name@refs/pr/2");
  EXPECT_EQ(told(launch({"--model-id", "hf:org/name"})), "serve hf:org/name");
  EXPECT_EQ(told(launch({"--model-id", "smollm2"})), "serve smollm2");
  EXPECT_EQ(told(launch({"--model-id", "/"})), "serve /");
  EXPECT_EQ(told(launch({"--model-id", "smollm2", "--revision", "main"})),
            "refused: --revision main: the model is not one of the hub");
  EXPECT_EQ(told(launch({"--revision", "main"})),
            "refused: --revision main: there is no --model-id that it could be of");
}

TEST(TgiLauncherTest, FlagsGoBeforeVariablesAndOthersPass) {
  EXPECT_EQ(told(launch({"--api-key", "a", "--threads", "2"}, {{"API_KEY", "b"}})),
            "serve --threads 2 --api-key a");
  EXPECT_EQ(told(launch({"--max_total_tokens", "7"})), "serve --max-model-len 7");
  EXPECT_EQ(told(launch({"-p", "80", "--hostname", "::", "--served-model-name", "m",
                         "--metrics-names=tgi"})),
            "serve --served-model-name m --metrics-names=tgi --host :: --port 80 "
            "--drain-timeout 90");
  EXPECT_EQ(told(launch({}, {{"HOSTNAME", "box"}})),
            "serve | HOSTNAME box: this is no address; 0.0.0.0 is taken");
  EXPECT_EQ(launch({"--hostname", "localhost"})->words[2], "127.0.0.1");
  EXPECT_EQ(told(launch({"--port"})), "refused: --port: a value is missing");
  EXPECT_EQ(told(launch({"-e"})), "serve | -e: 'quire --version' and the first lines of the log "
                                  "say what runs");
}

// Whatever a row becomes, quire serve takes.
TEST(TgiLauncherTest, QuireServeKnowsTheWords) {
  for (const Row& row : kRows) {
    const bool is_switch = *row.value == '\0';
    auto words = launch(is_switch ? std::vector<std::string>{row.flag}
                                  : std::vector<std::string>{row.flag, row.value});
    if (!words.is_ok()) continue;
    CommandLine line("quire", "0", [](const Command&) { return std::string(); });
    ServeArguments arguments;
    Command command = line.root().command("serve", "");
    declare_serve_flags(command, arguments);
    const auto problem = line.parse(words->words);
    EXPECT_FALSE(problem.has_value()) << row.flag << ": " << (problem ? problem->surplus : "");
    EXPECT_TRUE(set_client_limits(arguments).is_ok()) << row.flag;
  }
}

TEST(TgiLauncherTest, LimitsOfClientsAreChecked) {
  ServeArguments a;
  a.tgi_limits = {"best_of=1", "stop_sequences=2", "top_n_tokens=0", "input_tokens=4",
                  "client_batch_size=5", "concurrent_requests=6", "grammar=off"};
  ASSERT_TRUE(set_client_limits(a).is_ok());
  EXPECT_EQ(a.server.client_limits.best_of_max, 1);
  EXPECT_EQ(a.server.client_limits.stop_sequences_max, 2);
  EXPECT_EQ(a.server.client_limits.top_n_tokens_max, 0);
  EXPECT_EQ(a.server.client_limits.input_tokens_max, 4);
  EXPECT_EQ(a.server.client_limits.batch_size_max, 5);
  EXPECT_EQ(a.server.client_limits.concurrent_max, 6);
  EXPECT_FALSE(a.server.client_limits.has_grammars);
  EXPECT_TRUE(a.server.client_limits.said.batch_size);
  EXPECT_TRUE(a.server.client_limits.said.stop_sequences);
  ServeArguments nothing;
  ASSERT_TRUE(set_client_limits(nothing).is_ok());
  EXPECT_FALSE(nothing.server.client_limits.said.batch_size);
  EXPECT_EQ(nothing.server.client_limits.concurrent_max, 0);
  EXPECT_EQ(nothing.server.client_limits.concurrent_told, 64 + 256);
  nothing.tgi_limits = {"input_tokens=7"};
  nothing.common.max_model_len = 7;
  EXPECT_FALSE(set_client_limits(nothing).is_ok());
  for (const char* bad : {"best_of", "best_of=0", "best_of=x", "nothing=1", "grammar=maybe",
                          "best_of=1000000", "top_n_tokens=21"}) {
    a.tgi_limits = {bad};
    EXPECT_FALSE(set_client_limits(a).is_ok()) << bad;
  }
}

}  // namespace
}  // namespace quire
