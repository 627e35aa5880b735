// docs/architectures.md is written by this test from the tiny fixtures: each is opened as a user
// would open it, and what Quire finds in it becomes a row. So the page lists what is compared
// with transformers, and nothing else. With QUIRE_WRITE_DOCS=1 in the environment the page is
// written; without, it must be as it would be written.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "../gguf/gguf_form.h"
#include "model/model_files.h"
#include "tiny_checkpoint.h"

namespace quire {
namespace {

using testing::TinyFixture;

constexpr std::string_view kHead =
    R"(# Architectures

Written by `golden_test` from the tiny checkpoints of `tests/golden/tiny`; do not edit. Anew:
`QUIRE_WRITE_DOCS=1 build/release/golden_test --gtest_filter='ArchitecturesPage*'`.

Each row is a checkpoint of a few layers with random weights for which the reference implementation
(`transformers`, float32, CPU) has computed once: log-probabilities of every next token, some whole
rows, and greedy ids with their margins; of encoders, states and pooled vectors. Quire must give
them within 2e-4 with float32 weights and KV, and 2e-2 with bf16 weights. Where the column GGUF has
a name, the same checkpoint is also written in that form and compared (docs/models.md says with
what). That logits are the same bits alone, in a crowd, in chunks, after a prefix hit, a preemption
or a fork, with drafts accepted in part and on one thread or two is tested apart from these, on a
tiny shape of every architecture (drafts: of those that answer).

| checkpoint | `model_type` | kind | remembers | more | config.json | GGUF |
|---|---|---|---|---|---|---|
)";

std::string kind_word(const ModelFacts& facts) {
  if (facts.kind == ModelKind::kEncoder) return "encoder";
  return facts.kind == ModelKind::kDecoder ? "decoder" : "encoder and decoder";
}

// "all positions in 4 layers; 64 positions in 2"
std::string memory_text(const ModelFacts& facts) {
  std::vector<std::string> parts;
  for (const GroupFacts& group : facts.groups) {
    std::string what = group.is_encoder_long ? "the encoder's positions" : "all positions";
    if (group.window > 0) what = fmt::format("{} positions", group.window);
    if (group.holds_state) what = "a state";
    if (!group.holds_state && group.v_width == 0) what += " as one latent";
    if (group.sinks > 0) what += fmt::format(" and the first {}", group.sinks);
    parts.push_back(fmt::format("{} in {} of {} layers", what, group.layers.size(), facts.layers));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string more_text(const ModelFacts& facts) {
  std::vector<std::string> parts;
  if (facts.experts > 0) {
    parts.push_back(fmt::format("{} experts, {} used", facts.experts, facts.experts_active));
  }
  if (facts.has_tied_head) parts.push_back("tied head");
  for (const auto& [name, text] : facts.notes) parts.push_back(fmt::format("{}: {}", name, text));
  std::string text = fmt::format("{}", fmt::join(parts, "; "));
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return text;
}

std::string row(const TinyFixture& fixture) {
  const testing::TempFolder folder;
  testing::write_tiny_checkpoint(fixture, fixture.spellings.front(), DType::kF32, folder);
  const auto files = open_model(folder.path());
  if (!files.is_ok()) {
    ADD_FAILURE() << fixture.name << ": " << files.status().message();
    return "";
  }
  const ModelFacts& facts = (*files)->facts();
  const Json* type = fixture.spellings.front().config.find("model_type");
  const testing::GgufForm form = testing::gguf_form(fixture);
  const std::size_t spellings = fixture.spellings.size();
  return fmt::format("| {} | `{}` | {} | {} | {} | {} spelling{} | {} |\n", fixture.name,
                     type == nullptr ? facts.architecture : type->as_string(), kind_word(facts),
                     memory_text(facts), more_text(facts), spellings, spellings == 1 ? "" : "s",
                     form.architecture.empty() ? "none" : '`' + form.architecture + '`');
}

TEST(ArchitecturesPageTest, IsWhatTheFixturesSay) {
  std::string page(kHead);
  for (const std::string& name : testing::tiny_names()) page += row(testing::read_tiny(name));
  const std::string path = std::string(QUIRE_SOURCE_DIR) + "/docs/architectures.md";
  if (std::getenv("QUIRE_WRITE_DOCS") != nullptr) std::ofstream(path) << page;
  std::stringstream found;
  found << std::ifstream(path).rdbuf();
  EXPECT_EQ(found.str(), page) << "write it anew: QUIRE_WRITE_DOCS=1 golden_test "
                                  "--gtest_filter='ArchitecturesPage*'";
}

}  // namespace
}  // namespace quire
