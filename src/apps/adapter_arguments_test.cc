// What --adapter says, and that a model with an adapter is another one: to whoever looks for it by
// its name, in its fingerprint, its digest and the name of its packed weights.
#include "apps/adapter_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "apps/assemble.h"
#include "apps/flags.h"
#include "apps/load.h"
#include "apps/model_path.h"
#include "base/file.h"
#include "formats/testing/gguf_writer.h"
#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"
#include "store/modelfile/adapters.h"
#include "store/modelfile/create.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class AdapterArgumentsTest : public ::testing::Test {
 protected:
  AdapterArgumentsTest() {
    ::setenv("QUIRE_HOME", (folder_.path() + "/home").c_str(), 1);
    ::setenv("OLLAMA_MODELS", (folder_.path() + "/theirs").c_str(), 1);
  }
  ~AdapterArgumentsTest() override {
    ::unsetenv("QUIRE_HOME");
    ::unsetenv("OLLAMA_MODELS");
  }

  std::string adapter(const std::string& name, float strength = 1) {
    testing::GgufWriter writer;
    writer.set("general.architecture", "llama").set("general.type", "adapter")
        .set("adapter.type", "lora").set("adapter.lora.alpha", 1.0F);
    writer.add_tensor("blk.0.ffn_up.weight.lora_a", {1, 8}, std::vector<float>(8, strength));
    writer.add_tensor("blk.0.ffn_up.weight.lora_b", {16, 1}, std::vector<float>(16, 1));
    return folder_.write(name, writer.bytes());
  }
  std::string model() { return folder_.write("m.gguf", testing::tiny_gguf().bytes()); }

  Result<std::string> text_of(const std::vector<std::string>& texts) {
    QUIRE_ASSIGN_OR_RETURN(const auto adapters, parse_adapters(texts));
    return adapters_text(adapters);
  }
  std::string refusal(const std::string& text) { return text_of({text}).status().message(); }

  static Result<ModelInfo> loaded(const std::string& source,
                                  const std::vector<std::string>& adapters) {
    NamedModel named{.arguments = {}, .names = {"m"}};
    named.arguments.model = source;
    named.arguments.adapters = adapters;
    named.arguments.threads = 1;
    named.arguments.num_kv_blocks = 8;
    const ModelRecipe recipe =
        make_recipe(named, nullptr, {}, [](const GreetedModel&, double) {});
    QUIRE_ASSIGN_OR_RETURN(OpenedModel opened, recipe.open());
    QUIRE_ASSIGN_OR_RETURN(const auto hosted, opened.load([](const auto&...) {}));
    return hosted->info;
  }

  testing::TempFolder folder_;
};

TEST_F(AdapterArgumentsTest, EachIsAPathPerhapsWithAScale) {
  const std::string a = adapter("a.gguf"), odd = adapter("x=2");
  EXPECT_EQ(text_of({a, a + "=0.5", a + "=-2", a + "=0", folder_.path()}).value(),
            fmt::format(" {0}=1 {0}=0.5 {0}=-2 {0}=0 {1}=1", a, folder_.path()));
  EXPECT_EQ(text_of({odd, odd + "=3"}).value(), fmt::format(" {0}=1 {0}=3", odd));
  EXPECT_THAT(refusal(a + "=strong"), HasSubstr("'strong' is no scale"));
  EXPECT_THAT(refusal(a + "="), HasSubstr("'' is no scale"));
  EXPECT_THAT(refusal(a + "=1.5x"), HasSubstr("'1.5x' is no scale"));
  EXPECT_THAT(refusal(a + "=nan"), HasSubstr("'nan' is no scale"));
  EXPECT_THAT(refusal(a + "=1e39"), HasSubstr("'1e39' is no scale"));
  EXPECT_THAT(refusal("/nowhere/a.gguf=1"), HasSubstr("no file or folder '/nowhere/a.gguf'"));
  EXPECT_THAT(refusal("/nowhere/a.gguf"), HasSubstr("no file or folder '/nowhere/a.gguf'"));
  EXPECT_THAT(text_of(std::vector<std::string>(9, a)).status().message(), HasSubstr("at most 8"));
}

TEST_F(AdapterArgumentsTest, TheFlagTakesOneWordEachTime) {
  CommandLine line("quire", "1", [](const Command&) { return std::string(); });
  std::vector<std::string> adapters, models;
  Command root = line.root();
  root.value("MODEL", models);
  declare_adapter_flag(root, adapters);
  EXPECT_FALSE(line.parse({"--adapter", "a", "m", "--adapter", "b=2", "n"}));
  EXPECT_EQ(adapters, (std::vector<std::string>{"a", "b=2"}));
  EXPECT_EQ(models, (std::vector<std::string>{"m", "n"}));
}

TEST_F(AdapterArgumentsTest, ServingSeveralModelsItIsSaidByTheirModelfiles) {
  ServeArguments a;
  a.adapters = {adapter("a.gguf")};
  EXPECT_EQ(pair_models(a).value().front().arguments.adapters, a.adapters);
  a.models = {"x.gguf", "y.gguf"};
  EXPECT_THAT(pair_models(a).status().message(), HasSubstr("--adapter is for one model, and 2"));
  a.models.clear();
  a.repositories = {"r"};
  EXPECT_FALSE(pair_models(a).is_ok());
  a = {.adapters = {"/nowhere"}};
  EXPECT_EQ(pair_models(a).status().code(), StatusCode::kNotFound);
}

TEST_F(AdapterArgumentsTest, AModelWithAnAdapterIsAnotherModel) {
  const std::string base = model(), a = adapter("a.gguf"), b = adapter("b.gguf", 2);
  std::set<std::string> fingerprints;
  const std::vector<std::string> cases[] = {{}, {a}, {a + "=0.5"}, {b}, {a, b}, {b, a}};
  for (const std::vector<std::string>& adapters : cases) {
    const auto info = loaded(base, adapters);
    ASSERT_TRUE(info.is_ok()) << info.status().message();
    EXPECT_TRUE(fingerprints.insert(info->fingerprint).second) << adapters.size();
    ASSERT_EQ(info->card.adapters.size(), adapters.size());
    if (adapters.empty()) continue;
    EXPECT_THAT(adapters.front(), HasSubstr(info->card.adapters.front().path));
  }
  EXPECT_EQ(loaded(base, {a}).value().fingerprint, loaded(base, {a}).value().fingerprint);
  EXPECT_THAT(loaded(base, {base}).status().message(), HasSubstr("m.gguf")) << "it is no adapter";
  EXPECT_THAT(loaded("random:tiny:f32", {a}).status().message(), HasSubstr("--adapter"));
}

TEST_F(AdapterArgumentsTest, AModelOfTheStoreHasItsOwnFirst) {
  const std::string base = model(), a = adapter("a.gguf"), b = adapter("b.gguf", 2);
  const store::LocalStore store = open_store().value();
  const store::FileLock held = store.hold().value();
  store::Weights weights = store::import_weights(store, base).value();
  ASSERT_TRUE(store::create_model(store, "plain", weights, {}, check_opens).is_ok());
  weights.adapters.push_back(store::import_adapter(store, a).value());
  const auto made = store::create_model(store, "mario", weights, {}, check_opens);
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  ASSERT_TRUE(store::create_model(store, "same", weights, {}, check_opens).is_ok());
  const FoundModel found = find_model("mario").value();
  ASSERT_EQ(found.adapters.size(), 1u);
  EXPECT_TRUE(found.adapters[0].path.ends_with("/models/mario/.adapter-1/a.gguf"));
  const ModelInfo plain = loaded("plain", {}).value(), own = loaded("mario", {}).value();
  EXPECT_NE(plain.card.digest, own.card.digest);
  EXPECT_EQ(own.card.digest.size(), 64u);
  EXPECT_EQ(own.card.digest, loaded("same", {}).value().card.digest) << "the same blobs";
  const ModelInfo both = loaded("mario", {b}).value();
  ASSERT_EQ(both.card.adapters.size(), 2u);
  EXPECT_EQ(both.card.adapters[1].path, b);
  EXPECT_NE(both.card.digest, own.card.digest);
  EXPECT_NE(both.fingerprint, own.fingerprint);
  // Of another model: the sentence names the file.
  testing::GgufWriter other;
  other.set("general.architecture", "llama").set("general.type", "adapter")
      .set("adapter.type", "lora").set("adapter.lora.alpha", 1.0F);
  other.add_tensor("blk.7.ffn_up.weight.lora_a", {1, 8}, std::vector<float>(8, 1));
  other.add_tensor("blk.7.ffn_up.weight.lora_b", {16, 1}, std::vector<float>(16, 1));
  weights.adapters = {store::import_adapter(store, folder_.write("o.gguf", other.bytes())).value()};
  const auto refused = store::create_model(store, "bad", weights, {}, check_opens);
  EXPECT_THAT(refused.status().message(), HasSubstr("o.gguf"));
  EXPECT_THAT(refused.status().message(), HasSubstr("blk.7.ffn_up"));
}

}  // namespace
}  // namespace quire
