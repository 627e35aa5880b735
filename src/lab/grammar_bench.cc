// What a mask costs: valid answers to the schemas of JSONSchemaBench, token by token, each token
// under a mask; per vocabulary and set the median, the 99th percentile and the largest time of a
// mask, in us, and how many tokens were forced. A mask for a forced token costs nothing and is not
// counted. Needs ../shared; without it there is nothing to measure.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "formats/words/tokenizer_files.h"
#include "text/grammar/grammar.h"
#include "text/tokenizer.h"

namespace quire {
namespace {

const std::string kShared = QUIRE_SOURCE_DIR "/../shared/";
constexpr std::size_t kSchemasMax = 60;  // of a set

struct Case {
  std::string schema;
  std::string answer;
};

std::vector<Case> read_cases(const std::string& path) {
  std::vector<Case> cases;
  std::FILE* pipe = ::popen(("gzip -dc '" + path + "'").c_str(), "r");
  std::string line;
  for (int byte = 0; pipe != nullptr && cases.size() < kSchemasMax;) {
    if ((byte = std::fgetc(pipe)) == EOF) break;
    if (byte != '\n') {
      line += static_cast<char>(byte);
      continue;
    }
    const Result<Json> row = parse_json(line);
    line.clear();
    if (!row.is_ok() || row->find("tests") == nullptr) continue;
    for (const Json& test : row->find("tests")->items()) {
      if (!test.find("valid")->as_bool()) continue;
      cases.push_back({dump(*row->find("schema")), dump(*test.find("data"))});
      break;
    }
  }
  if (pipe != nullptr) ::pclose(pipe);
  return cases;
}

std::shared_ptr<const Tokenizer> read_vocabulary(const std::string& file) {
  const Result<std::string> json = read_tokenizer_file(kShared + "tokenizers/tiktoken/" + file, 0);
  return json.is_ok() ? Tokenizer::from_json(*json).value() : nullptr;
}

struct Walked {
  std::vector<double> us;  // of each mask
  std::size_t forced = 0, tokens = 0;
};

void walk(const Grammar& grammar, const Tokenizer& tokenizer, const std::string& answer,
          std::vector<std::uint32_t>& words, Walked& out) {
  const auto state = grammar.begin().value();
  const auto ids = tokenizer.encode(answer, {.add_special = false, .parse_special = false}).value();
  std::size_t forced = 0;
  for (const TokenId id : ids) {
    if (forced == 0) forced = state->forced().value().size();
    if (forced > 0) {
      --forced, ++out.forced;
    } else {
      const Nanos begin = SteadyClock::now();
      if (!state->write_mask(words).is_ok()) return;
      out.us.push_back(static_cast<double>((SteadyClock::now() - begin).count()) / 1e3);
    }
    ++out.tokens;
    if (!state->accept(id).is_ok()) return;  // written otherwise than the grammar would
  }
}

void masks(benchmark::State& state, const char* vocabulary, const char* set) {
  const std::string path = kShared + "testdata/jsonschemabench/" + set + ".jsonl.gz";
  const auto tokenizer = std::filesystem::exists(path) ? read_vocabulary(vocabulary) : nullptr;
  if (tokenizer == nullptr) return state.SkipWithError("../shared is not here");
  const std::vector<TokenId> eos = {static_cast<TokenId>(tokenizer->vocab_size() - 1)};
  const auto factory = GrammarFactory::create(tokenizer, eos).value();
  std::vector<std::uint32_t> words((tokenizer->vocab_size() + 31) / 32);
  std::vector<double> compile_ms;
  Walked walked;
  for (auto _ : state) {
    for (const Case& it : read_cases(path)) {
      const Nanos begin = SteadyClock::now();
      const auto grammar = factory->compile({GrammarKind::kJsonSchema, it.schema});
      compile_ms.push_back(static_cast<double>((SteadyClock::now() - begin).count()) / 1e6);
      if (grammar.is_ok()) walk(**grammar, *tokenizer, it.answer, words, walked);
    }
  }
  const auto quantile = [](std::vector<double>& values, double share) {
    if (values.empty()) return 0.0;
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  state.counters["p50_us"] = quantile(walked.us, 0.5);
  state.counters["p99_us"] = quantile(walked.us, 0.99);
  state.counters["max_us"] = quantile(walked.us, 1);
  state.counters["masks"] = static_cast<double>(walked.us.size());
  state.counters["forced"] = static_cast<double>(walked.forced);
  state.counters["compile_p50_ms"] = quantile(compile_ms, 0.5);
  state.counters["compile_max_ms"] = quantile(compile_ms, 1);
}

const bool kRegistered = [] {
  for (const char* vocabulary : {"p50k_base.tiktoken", "o200k_base.tiktoken"}) {
    for (const char* set : {"Handwritten", "Glaiveai2K", "BFCL", "Github_easy", "Github_medium"}) {
      benchmark::RegisterBenchmark((std::string("masks/") + vocabulary + "/" + set).c_str(), masks,
                                   vocabulary, set)
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace quire
