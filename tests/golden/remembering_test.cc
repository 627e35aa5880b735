// What models remember, through EngineCore and the real executor, on tiny checkpoints: recurrent
// layers hit the prefix cache turn after turn and without room for snapshots only compute more;
// windows hold as many blocks as they see; a latent takes the bytes it should. Work and blocks are
// counted, and every answer is compared, by hashes of raw logits rows, with that of a run that
// computes or keeps everything. The same with a scripted executor is engine/states_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "base/hash.h"
#include "model/model_files.h"
#include "testbed.h"
#include "tiny_checkpoint.h"

namespace quire {
namespace {

using testing::Branch;
using testing::Branches;
using testing::Setting;
using testing::TempFolder;
using testing::TinyFixture;
using testing::TinySpelling;
using testing::run_to_end;

constexpr std::uint32_t kBlock = 32;

// A tiny model in memory, its configuration changed as a test needs it.
struct Tiny {
  Tiny(const std::string& name, const std::vector<std::pair<std::string, int>>& changes) {
    const TinyFixture fixture = testing::read_tiny(name);
    TinySpelling spelling = fixture.spellings.front();
    for (const auto& [key, value] : changes) spelling.config.set(key, value);
    write_tiny_checkpoint(fixture, spelling, DType::kF32, folder);
    auto opened = open_model(folder.path());
    QUIRE_CHECK(opened.is_ok(), "{}", opened.status().message());
    files = std::move(opened).value();
  }
  std::unique_ptr<LocalExecutor> executor(const Setting& setting) const {
    return testing::make_test_executor(
        files->design(), [this](std::string_view name) { return files->find(name); }, setting);
  }

  TempFolder folder;
  std::unique_ptr<ModelFiles> files;
};

// The same executor with other groups: fewer states, or windows that forget nothing.
class Regrouped : public Executor {
 public:
  explicit Regrouped(Executor& real) : real_(&real), capacity_(real.capacity()) {}

  Regrouped& states(std::uint32_t count) {
    for (KvGroup& group : capacity_.groups) {
      if (!holds_states(group)) continue;
      QUIRE_CHECK(count < group.blocks, "{} states of {}", count, group.blocks - 1);
      group.blocks = count + 1;
    }
    return *this;
  }
  Regrouped& keep_everything() {
    for (KvGroup& group : capacity_.groups) group.window = 0;
    return *this;
  }

  const Capacity& capacity() const override { return capacity_; }
  Ticket launch(const StepPlan& plan) override { return real_->launch(plan); }
  void sample(Ticket ticket, const SampleSpec& spec) override { real_->sample(ticket, spec); }
  StepResult finish(Ticket ticket) override { return real_->finish(ticket); }

 private:
  Executor* real_;
  Capacity capacity_;
};

EngineOptions hashing(bool is_caching = true) {
  EngineOptions options;
  options.is_hashing_logits = true;
  options.is_checking_invariants = true;
  options.scheduler.is_prefix_caching = is_caching;
  return options;
}

std::vector<TokenId> words(std::size_t count, std::uint64_t seed) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i) {
    tokens[i] = static_cast<TokenId>(mix64(seed * 10'000 + i) % 331);
  }
  return tokens;
}

Request ask(std::uint64_t id, std::vector<TokenId> prompt, int tokens_max) {
  Request request;
  request.id = {id};
  request.prompt = std::move(prompt);
  request.params.temperature = 0;
  request.params.ignore_eos = true;
  request.params.tokens_max = tokens_max;
  return request;
}

class HybridTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Models, HybridTest,
                         ::testing::Values("bamba", "falcon_h1", "falcon_mamba", "granite_hybrid",
                                           "jamba", "kimi_linear", "lfm2", "lfm2_moe", "mamba",
                                           "mamba2", "nemotron_h", "qwen3_5", "qwen3_5_moe",
                                           "qwen3_next", "recurrent_gemma", "zamba2"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(HybridTest, AConversationComputesItsNewTokensAndOneBlockATurn) {
  const Tiny model(GetParam(), {});
  const auto executor = model.executor({.kv_dtype = DType::kF32, .blocks = 200});
  std::string figures;
  std::vector<TokenId> text;
  EngineCore core(hashing(), *executor, nullptr);
  for (std::uint64_t turn = 1; turn <= 10; ++turn) {
    const std::vector<TokenId> message = words(20 + 3 * turn, turn);
    text.insert(text.end(), message.begin(), message.end());
    const std::uint64_t fresh = message.size() + (turn > 1 ? 1 : 0);  // the answer's last token
    const Request request = ask(turn, text, 10);
    const std::uint64_t before = core.stats().computed_tokens;
    const Branch answer = run_to_end(core, {{request}, {}}).at({turn, 0});
    const std::uint64_t computed = core.stats().computed_tokens - before - 9;
    EXPECT_LE(computed, fresh + kBlock) << "turn " << turn;
    figures += " " + std::to_string(computed) + "/" + std::to_string(fresh);
    EngineCore anew(hashing(false), *executor, nullptr);
    EXPECT_EQ(run_to_end(anew, {{request}, {}}).at({turn, 0}), answer) << "turn " << turn;
    text.insert(text.end(), answer.tokens.begin(), answer.tokens.end());
  }
  std::printf("FIGURE %s, ten turns to %zu tokens, computed of new:%s\n", GetParam(), text.size(),
              figures.c_str());
}

TEST_P(HybridTest, SixteenEqualPromptsAtOnceComputeOne) {
  const Tiny model(GetParam(), {});
  const auto executor = model.executor({.kv_dtype = DType::kF32, .blocks = 400});
  testing::Crowd crowd;
  for (std::uint64_t id = 1; id <= 16; ++id) crowd.requests.push_back(ask(id, words(300, 5), 3));
  EngineCore core(hashing(), *executor, nullptr);
  const Branches answers = run_to_end(core, crowd);
  const std::uint64_t computed = core.stats().computed_tokens - 16 * 2;
  EXPECT_LE(computed, 300 + 15 * kBlock);
  EngineCore anew(hashing(false), *executor, nullptr);
  const Branch alone = run_to_end(anew, {{crowd.requests[0]}, {}}).at({1, 0});
  for (const auto& [key, answer] : answers) EXPECT_EQ(answer, alone) << key.first;
  std::printf("FIGURE %s, 16 equal prompts of 300 at once: %llu prompt tokens computed\n",
              GetParam(), static_cast<unsigned long long>(computed));
}

// Four talks of six turns, all four at once.
std::vector<Branch> talk(Executor& executor, std::uint64_t& computed) {
  EngineCore core(hashing(), executor, nullptr);
  std::vector<std::vector<TokenId>> texts(4);
  std::vector<Branch> answers;
  for (std::uint64_t turn = 0; turn < 6; ++turn) {
    testing::Crowd crowd;
    for (std::uint64_t i = 0; i < texts.size(); ++i) {
      const std::vector<TokenId> message = words(40, 100 + turn * 10 + i);
      texts[i].insert(texts[i].end(), message.begin(), message.end());
      crowd.requests.push_back(ask(turn * 10 + i + 1, texts[i], 12));
    }
    for (const auto& [key, answer] : run_to_end(core, crowd)) {
      std::vector<TokenId>& text = texts[(key.first - 1) % 10];
      text.insert(text.end(), answer.tokens.begin(), answer.tokens.end());
      answers.push_back(answer);
    }
  }
  computed = core.stats().computed_tokens;
  return answers;
}

TEST_P(HybridTest, APoolTooSmallForSnapshotsOnlyComputesMore) {
  const Tiny model(GetParam(), {});
  const auto executor = model.executor({.kv_dtype = DType::kF32, .blocks = 400});
  std::vector<Branch> ample;
  std::uint64_t computed_before = 0, first = 0;
  for (const std::uint32_t states : {60u, 6u, 3u, 2u, 1u}) {
    Regrouped narrow(*executor);
    std::uint64_t computed = 0;
    const std::vector<Branch> answers = talk(narrow.states(states), computed);
    if (ample.empty()) ample = answers, first = computed;
    EXPECT_EQ(answers.size(), 24u);
    EXPECT_EQ(answers, ample) << states << " states";
    EXPECT_GE(computed, computed_before) << states << " states";
    computed_before = computed;
    std::printf("FIGURE %s, 4 talks of 6 turns, %u states: %llu tokens computed\n", GetParam(),
                states, static_cast<unsigned long long>(computed));
  }
  EXPECT_GT(computed_before, first);
}

// --- windows ---

struct Reading {
  Branch branch;
  std::uint32_t held_max = 0;  // blocks of a group with a window
  std::uint32_t held_all = 0;  // of one without
};

Reading read_long(Executor& executor, const std::vector<KvGroup>& groups, const Request& request) {
  EngineCore core(hashing(), executor, nullptr);
  QUIRE_CHECK(core.submit(request).is_ok(), "refused");
  Reading reading;
  while (core.has_work()) {
    for (const TokenEvent& event : core.advance(Nanos(0)).events) {
      Branch& branch = reading.branch;
      branch.tokens.insert(branch.tokens.end(), event.accepted.begin(), event.accepted.end());
      branch.logits_hashes.insert(branch.logits_hashes.end(), event.logits_hashes.begin(),
                                  event.logits_hashes.end());
    }
    const Sequence* seq = core.scheduler().find(SeqId{1});
    for (std::size_t g = 0; seq != nullptr && g < groups.size(); ++g) {
      const auto& table = seq->tables[g];
      const auto held = static_cast<std::uint32_t>(
          std::count_if(table.begin(), table.end(), [](BlockId block) { return block != 0; }));
      std::uint32_t& most = groups[g].window > 0 ? reading.held_max : reading.held_all;
      most = std::max(most, held);
    }
  }
  return reading;
}

// A prompt of 8,160 positions and an answer beyond 8,192. Beside every group with a window of 512
// gemma3 has one that sees everything.
TEST(WindowTest, EighteenBlocksAreHeldAt8192PositionsAndTheTextIsTheSame) {
  for (const char* name : {"mistral", "gemma3"}) {
    const Tiny model(name, {{"sliding_window", 512}, {"max_position_embeddings", 8320}});
    const auto executor = model.executor({.blocks = 2200});
    const std::vector<KvGroup> groups = executor->capacity().groups;
    ASSERT_TRUE(std::any_of(groups.begin(), groups.end(),
                            [](const KvGroup& group) { return group.window == 512; }));
    const Request request = ask(1, words(8160, 7), 48);
    const Reading windowed = read_long(*executor, groups, request);
    Regrouped everything(*executor);
    const Reading kept = read_long(everything.keep_everything(), groups, request);
    EXPECT_EQ(windowed.branch.tokens.size(), 48u);
    EXPECT_EQ(windowed.branch, kept.branch) << name;
    EXPECT_LE(windowed.held_max, 18u) << name;
    EXPECT_GE(kept.held_max, 256u) << name;
    std::printf("FIGURE %s, window 512 at 8192 positions: %u blocks held (at most 18) where a run "
                "that keeps everything holds %u; %zu logits rows equal\n", name,
                windowed.held_max, kept.held_max, windowed.branch.logits_hashes.size());
  }
}

// --- latents ---

TEST(LatentTest, APositionTakesRankAndRopeInEveryLayer) {
  for (const char* name : {"deepseek_v2", "deepseek_v3"}) {
    const Tiny model(name, {});
    const auto executor = model.executor({.kv_dtype = DType::kF16, .blocks = 20});
    ASSERT_EQ(executor->capacity().groups.size(), 1u);
    const KvGroup& group = executor->capacity().groups[0];
    constexpr int kRank = 32, kRope = 16, kNope = 20, kValue = 24, kHeads = 4;
    const std::uint64_t latent = group.bytes_per_block / kBlock;
    const std::uint64_t plain = group.layers * kHeads * (kNope + kRope + kValue) * 2ull;
    EXPECT_EQ(latent, group.layers * (kRank + kRope) * 2ull);
    std::printf("FIGURE %s tiny: %llu bytes a token, %llu with plain heads\n", name,
                static_cast<unsigned long long>(latent), static_cast<unsigned long long>(plain));
  }
}

}  // namespace
}  // namespace quire
