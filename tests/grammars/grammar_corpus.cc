// Grammars of others, by the thousand: which compile, what they cost, and that no text that a
// schema refuses is let through. The program of tests/holds/schemas, which names the files; no unit
// test, for it has nothing to read without them.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/grammar.h"
#include "text/grammar/lark.h"
#include "text/grammar/pattern.h"
#include "text/grammar/schema_blame.h"
#include "text/grammar/schema_check.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

constexpr double kCpuMax = 1.0;                              // seconds of one grammar
constexpr std::size_t kMemoryMax = std::size_t{64} << 20;  // bytes of one grammar

std::shared_ptr<const GrammarFactory> make_factory() {
  static const auto factory =
      GrammarFactory::create(byte_level_tokenizer(), std::vector<TokenId>{257}).value();
  return factory;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// As whoever serves does it.
Result<std::shared_ptr<const Grammar>> compile(const Result<GrammarSource>& source) {
  if (!source.is_ok()) return source.status();
  auto grammar = make_factory()->compile(*source);
  if (grammar.is_ok() || source->kind != GrammarKind::kJsonSchema ||
      grammar.status().code() != StatusCode::kInvalidArgument) {
    return grammar;
  }
  return blame_schema(*source, grammar.status(), [](const GrammarSource& part) {
    return make_factory()->compile(part).status();
  });
}

bool is_whole(const Grammar& grammar, const std::string& text) {
  auto state = grammar.begin();
  if (!state.is_ok()) return false;
  const auto verdict = (*state)->accept_text(text);
  return verdict.is_ok() && *verdict == GrammarState::Verdict::kWhole;
}

struct Tally {
  std::size_t schemas = 0, compiles_as_is = 0, accepted = 0, accepted_of_those = 0, more = 0;
  std::size_t placed = 0;  // refusals that name a place
  std::size_t valid = 0, valid_taken = 0, invalid = 0, invalid_taken = 0;
  double cpu_max = 0;
  std::map<std::string, std::size_t> lost;  // refused, though it compiles: why
};

void judge(const Json& line, Tally& tally, std::ofstream& log) {
  const Json& schema = *line.find("schema");
  ++tally.schemas;
  const bool compiles =
      make_factory()->compile({GrammarKind::kJsonSchema, dump(schema)}).is_ok();
  tally.compiles_as_is += compiles;
  const double start = cpu_seconds();
  const auto grammar = compile(source_of_schema(schema));
  const double cpu = cpu_seconds() - start;
  tally.cpu_max = std::max(tally.cpu_max, cpu);
  const std::string name = line.find("name")->as_string();
  if (cpu > kCpuMax) log << "SLOW " << cpu << " " << name << "\n";
  if (!grammar.is_ok()) {
    const std::string& message = grammar.status().message();
    // A pointer, behind the name of the resource that it is in where that has one of its own.
    tally.placed += message.find('/') < message.find(": ") || message.starts_with("the schema");
    log << (compiles ? "LOST " : "REFUSED ") << name << ": " << message << "\n";
    return;
  }
  ++tally.accepted;
  if (compiles) ++tally.accepted_of_those; else ++tally.more;
  const Json* tests = line.find("tests");
  if (tests == nullptr) return;
  for (const Json& test : tests->items()) {
    const bool is_valid = test.find("valid")->as_bool();
    const bool is_taken = is_whole(**grammar, dump(*test.find("data")));
    (is_valid ? tally.valid : tally.invalid) += 1;
    (is_valid ? tally.valid_taken : tally.invalid_taken) += is_taken;
    if (!is_valid && is_taken) log << "WRONG " << name << " takes " << dump(*test.find("data"))
                                   << "\n";
  }
}

TEST(GrammarCorpus, SchemasOfOthers) {
  const char* path = std::getenv("QUIRE_SCHEMA_LINES");
  if (path == nullptr) GTEST_SKIP() << "no schemas were named";
  std::ifstream lines(path);
  ASSERT_TRUE(lines.good()) << path;
  std::ofstream log(std::string(path) + ".log");
  Tally tally;
  for (std::string text; std::getline(lines, text);) {
    const auto line = parse_json(text, {.depth_max = 200, .huge_integers_are_doubles = true});
    if (line.is_ok()) judge(*line, tally, log);
    else log << "UNREAD " << line.status().message() << "\n";
  }
  std::printf("FIGURE schemas %zu, of which the compiler takes %zu; accepted of those %zu (%.2f %%)"
              ", and %zu others\n", tally.schemas, tally.compiles_as_is, tally.accepted_of_those,
              100.0 * static_cast<double>(tally.accepted_of_those) /
                  static_cast<double>(std::max<std::size_t>(tally.compiles_as_is, 1)), tally.more);
  std::printf("FIGURE refusals %zu, of which name a place %zu; CPU of one at most %.0f ms\n",
              tally.schemas - tally.accepted, tally.placed, tally.cpu_max * 1e3);
  std::printf("FIGURE valid instances %zu, taken as they are written %zu; invalid %zu, taken %zu\n",
              tally.valid, tally.valid_taken, tally.invalid, tally.invalid_taken);
  const char* least = std::getenv("QUIRE_SCHEMA_SHARE");
  if (least != nullptr) {
    EXPECT_GE(static_cast<double>(tally.accepted_of_those),
              std::atof(least) * static_cast<double>(tally.compiles_as_is));
  }
  EXPECT_EQ(tally.placed, tally.schemas - tally.accepted);
  EXPECT_EQ(tally.invalid_taken, 0u);
}

// A text drawn at random under the masks; nothing: it did not end within `steps`. Ends of texts,
// objects and lists come more often than chance has them, or nothing would end.
std::optional<std::string> draw(const Grammar& grammar, std::mt19937& dice, int steps) {
  constexpr TokenId kEnd = 257;
  auto state = grammar.begin();
  if (!state.is_ok()) return std::nullopt;
  std::string text;
  std::vector<std::uint32_t> words(9);
  for (int step = 0; step < steps; ++step) {
    if (!(*state)->write_mask(words).is_ok()) return std::nullopt;
    const auto allows = [&](TokenId token) {
      return (words[static_cast<std::size_t>(token) / 32] >> (token % 32) & 1) != 0;
    };
    std::vector<TokenId> allowed;
    for (TokenId token = 0; token <= kEnd; ++token) {
      if (allows(token)) allowed.push_back(token);
    }
    if (allowed.empty()) return std::nullopt;
    TokenId token = allowed[dice() % allowed.size()];
    for (const TokenId end : {kEnd, TokenId{'}'}, TokenId{']'}, TokenId{'"'}}) {
      if (allows(end) && dice() % 3 == 0) {
        token = end;
        break;
      }
    }
    if (token == kEnd) return text;
    if (!(*state)->accept(token).is_ok()) return std::nullopt;
    text += token == 256 ? "he" : std::string(1, static_cast<char>(token));
  }
  return std::nullopt;
}

// Whether they are of their schemas, a validator says, behind tests/holds/schemas.
TEST(GrammarCorpus, TextsDrawnAtRandom) {
  const char* path = std::getenv("QUIRE_SCHEMA_LINES");
  const char* answers = std::getenv("QUIRE_ANSWERS");
  if (path == nullptr || answers == nullptr) GTEST_SKIP() << "no schemas were named";
  std::ifstream lines(path);
  std::ofstream out(answers);
  std::mt19937 dice(7);
  std::size_t schemas = 0, finished = 0;
  for (std::string text; std::getline(lines, text);) {
    const auto line = parse_json(text, {.depth_max = 200, .huge_integers_are_doubles = true});
    if (!line.is_ok()) continue;
    const auto source = source_of_schema(*line->find("schema"));
    if (!source.is_ok()) continue;
    const auto grammar = make_factory()->compile(*source);
    if (!grammar.is_ok()) continue;
    ++schemas;
    for (int i = 0; i < 2; ++i) {
      const auto drawn = draw(**grammar, dice, 1000);
      if (!drawn) continue;
      ++finished;
      std::string quoted;
      append_json_string(*drawn, quoted);
      out << R"({"schema":)" << dump(*line->find("schema")) << R"(,"answer":)" << quoted << "}\n";
    }
  }
  std::printf("FIGURE texts drawn at random: %zu finished, of %zu schemas\n", finished, schemas);
  EXPECT_GT(finished, 0u);
}

struct Cost {
  double cpu = 0;
  std::size_t bytes = 0;
  bool is_taken = false;
  bool is_alive = true;  // the process ended by itself
  std::string message;
};

// In a process of its own, whose memory is counted from here.
template <typename Work>
Cost cost_of(const Work& work) {
  int pipe_ends[2];
  EXPECT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::size_t before = resident_bytes();
    const double start = cpu_seconds();
    const Status status = work();
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const std::size_t peak = static_cast<std::size_t>(used.ru_maxrss) * 1024;
    const std::string report = std::to_string(cpu_seconds() - start) + " " +
                               std::to_string(peak > before ? peak - before : 0) + " " +
                               (status.is_ok() ? "1" : "0") + " " +
                               status.message().substr(0, 300);
    [[maybe_unused]] const auto sent = write(pipe_ends[1], report.data(), report.size());
    _exit(0);
  }
  close(pipe_ends[1]);
  std::string report(1024, '\0');
  const ssize_t size = read(pipe_ends[0], report.data(), report.size());
  close(pipe_ends[0]);
  int how = 0;
  waitpid(child, &how, 0);
  Cost cost;
  cost.is_alive = WIFEXITED(how) && size > 0;
  if (size > 0) {
    char taken = '0';
    int read = 0;
    std::sscanf(report.c_str(), "%lf %zu %c %n", &cost.cpu, &cost.bytes, &taken, &read);
    cost.is_taken = taken == '1';
    cost.message = report.substr(static_cast<std::size_t>(read), static_cast<std::size_t>(size));
    cost.message.resize(std::min(cost.message.find('\0'), cost.message.size()));
  }
  return cost;
}

Result<GrammarSource> source_of_file(const std::string& name, const std::string& text) {
  if (name.starts_with("gbnf")) return source_of_gbnf(text);
  if (name.starts_with("lark")) return source_of_lark(text);
  if (name.starts_with("regex")) {
    QUIRE_ASSIGN_OR_RETURN(std::string pattern, rewrite_pattern(text));
    return GrammarSource{GrammarKind::kRegex, std::move(pattern)};
  }
  QUIRE_ASSIGN_OR_RETURN(const Json schema, parse_json(text));
  return source_of_schema(schema);
}

TEST(GrammarCorpus, BadGrammarsCostLittle) {
  const char* path = std::getenv("QUIRE_BAD_GRAMMARS");
  if (path == nullptr) GTEST_SKIP() << "no bad grammars were named";
  make_factory();  // before the processes
  std::size_t files = 0, taken = 0;
  double cpu_max = 0;
  std::size_t bytes_max = 0;
  std::vector<std::filesystem::path> all;
  for (const auto& entry : std::filesystem::directory_iterator(path)) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  for (const auto& file : all) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const Cost cost = cost_of([&] {
      return compile(source_of_file(file.filename().string(), text)).status();
    });
    ++files;
    taken += cost.is_taken;
    cpu_max = std::max(cpu_max, cost.cpu);
    bytes_max = std::max(bytes_max, cost.bytes);
    EXPECT_TRUE(cost.is_alive) << file;
    EXPECT_LT(cost.cpu, kCpuMax) << file << ": " << cost.message;
    EXPECT_LT(cost.bytes, kMemoryMax) << file << ": " << cost.message;
    std::printf("%-40s %s %6.1f ms %5.1f MiB %s\n", file.filename().c_str(),
                cost.is_taken ? "taken  " : "refused", cost.cpu * 1e3,
                static_cast<double>(cost.bytes) / (1 << 20), cost.message.substr(0, 120).c_str());
  }
  EXPECT_GT(files, 0u);
  std::printf("FIGURE bad grammars %zu, refused %zu; CPU at most %.0f ms, memory at most %.1f "
              "MiB\n", files, files - taken, cpu_max * 1e3,
              static_cast<double>(bytes_max) / (1 << 20));
}

}  // namespace
}  // namespace quire
