#include "store/local_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "base/file.h"
#include "formats/testing/temp_folder.h"
#include "store/model_name.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;
using quire::testing::TempFolder;

class LocalStoreTest : public ::testing::Test {
 protected:
  // A blob with these bytes, as a finished fetch leaves it.
  StoredFile make_blob(const std::string& name, const std::string& bytes) {
    Digest digest;
    digest.update(std::string_view(bytes));
    const StoredFile file{name, bytes.size(), digest.finish()};
    const auto held = store_.hold();
    EXPECT_TRUE(held.is_ok());
    const std::string path = folder_.write("fetched", bytes);
    EXPECT_TRUE(store_.place_blob(path, file.checksum).is_ok());
    return file;
  }

  Manifest add_model(const std::string& name, std::vector<StoredFile> files) {
    const Manifest manifest{name, "hf:a/b", "0123456789", 5, std::move(files)};
    const Status status = store_.add(manifest);
    EXPECT_TRUE(status.is_ok()) << status.message();
    return manifest;
  }

  bool has_blob(const StoredFile& file) const { return store_.has_blob(file.checksum, file.size); }

  // As if nobody had touched it for eight days.
  static void make_old(const std::string& path) {
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(8 * 24));
  }

  TempFolder folder_;
  LocalStore store_{folder_.path() + "/store"};
};

// Sets a variable, or unsets it for null, and puts back what was there.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }

 private:
  void set(const char* value) { value ? ::setenv(name_, value, 1) : ::unsetenv(name_); }

  const char* name_;
  std::optional<std::string> before_;
};

TEST_F(LocalStoreTest, FolderIsTheOneThatIsSetOrBelowTheHome) {
  const Variable home("HOME", "/nonexistent/home");
  {
    const Variable unset("QUIRE_HOME", nullptr);
    EXPECT_EQ(store_folder().value(), "/nonexistent/home/.local/share/quire");
  }
  const Variable set("QUIRE_HOME", "/nonexistent/quire");
  EXPECT_EQ(store_folder().value(), "/nonexistent/quire");
}

TEST_F(LocalStoreTest, AnAbsentStoreIsAnEmptyOne) {
  EXPECT_TRUE(store_.list().models.empty());
  const Status status = store_.find("m").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("has no model 'm'"), std::string::npos) << status.message();
  EXPECT_FALSE(fs::exists(store_.folder())) << "asking makes nothing";
}

TEST_F(LocalStoreTest, AModelIsFoundUnderItsNameAndItsFilesUnderTheirs) {
  const StoredFile file = make_blob("weights.gguf", "bytes of weights");
  const Manifest manifest = add_model("hf:a/b@v1:Q8_0", {file});
  EXPECT_EQ(store_.find("hf:a/b@v1:Q8_0").value(), manifest);
  const std::string path = store_.path_of(manifest).value();
  EXPECT_EQ(fs::path(path).filename(), "weights.gguf");
  EXPECT_EQ(read_file(path, 100).value(), "bytes of weights");
  EXPECT_EQ(store_.list().models, std::vector<Manifest>{manifest});
  EXPECT_EQ(fs::status(path).permissions() & fs::perms::all, static_cast<fs::perms>(0444))
      << "nobody writes to a blob by mistake";
}

TEST_F(LocalStoreTest, ASplitFileIsOpenedAtItsFirstPartAndADirectoryAsAWhole) {
  const StoredFile second = make_blob("m-00002-of-00002.gguf", "2");
  const StoredFile first = make_blob("m-00001-of-00002.gguf", "1");
  const Manifest split = add_model("split", {second, first});
  EXPECT_TRUE(store_.path_of(split).value().ends_with("/models/split/m-00001-of-00002.gguf"));
  const StoredFile config = make_blob("config.json", "{}");
  const StoredFile weights = make_blob("model.safetensors", "w");
  const Manifest directory = add_model("directory", {config, weights});
  const std::string path = store_.path_of(directory).value();
  EXPECT_TRUE(path.ends_with("/models/directory"));
  EXPECT_EQ(read_file(path + "/config.json", 10).value(), "{}");
}

TEST_F(LocalStoreTest, AFolderOfAModelStaysAsLongAsTheModelHasFilesInIt) {
  const StoredFile config = make_blob("config.json", "{}");
  StoredFile pooling = make_blob("pooling.json", "{1}");
  pooling.name = "1_Pooling/config.json";
  const Manifest both = add_model("m", {config, pooling});
  const std::string path = store_.path_of(both).value();
  EXPECT_EQ(read_file(path + "/1_Pooling/config.json", 10).value(), "{1}");
  add_model("m", {config});
  EXPECT_FALSE(fs::exists(path + "/1_Pooling"));
  EXPECT_TRUE(fs::exists(path + "/config.json"));
}

TEST_F(LocalStoreTest, LinksAreMendedAndThoseOfAnOlderVersionGo) {
  const StoredFile a = make_blob("a.gguf", "a");
  const StoredFile b = make_blob("b.gguf", "b");
  add_model("m", {a, b});
  const Manifest now = add_model("m", {b});
  const std::string folder = store_.model_folder("m");
  EXPECT_FALSE(fs::exists(folder + "/a.gguf"));
  fs::remove(folder + "/b.gguf");
  fs::create_symlink("/nonexistent", folder + "/b.gguf");
  EXPECT_EQ(read_file(store_.path_of(now).value(), 10).value(), "b");
}

TEST_F(LocalStoreTest, ABlobThatWasLostIsSaid) {
  const StoredFile a = make_blob("a.gguf", "a");
  const Manifest manifest = add_model("m", {a});
  fs::remove(store_.blob_path(a.checksum));
  const Status status = store_.path_of(manifest).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("quire pull m"), std::string::npos) << status.message();
}

TEST_F(LocalStoreTest, ACopySharesBlobsAndTheLastNameFreesThem) {
  const StoredFile a = make_blob("a.gguf", "aaaa");
  const StoredFile b = make_blob("b.gguf", "bb");
  add_model("one", {a, b});
  ASSERT_TRUE(store_.copy("one", "two").is_ok());
  add_model("other", {b});
  EXPECT_EQ(store_.remove("one").value(), 0u);
  EXPECT_EQ(read_file(store_.path_of(store_.find("two").value()).value(), 10).value(), "aaaa");
  EXPECT_EQ(store_.remove("two").value(), 4u);
  EXPECT_FALSE(has_blob(a));
  EXPECT_TRUE(has_blob(b));
  EXPECT_FALSE(fs::exists(store_.model_folder("two")));
  EXPECT_EQ(store_.remove("two").status().code(), StatusCode::kNotFound);
}

TEST_F(LocalStoreTest, AdaptersLieBesideTheModelAndAreItsOwn) {
  const StoredFile weights = make_blob("m.gguf", "weights");
  const StoredFile gguf = make_blob("a.gguf", "gguf");  // of a name that goes before the model's
  const StoredFile config = make_blob("adapter_config.json", "{}");
  const StoredFile pairs = make_blob("adapter_model.safetensors", "pairs");
  Manifest manifest{"one", "hf:a/b", "0123456789", 5, {weights}};
  manifest.adapters = {{{gguf}}, {{config, pairs}}, {{gguf}}};
  ASSERT_TRUE(store_.add(manifest).is_ok());
  EXPECT_EQ(store_.find("one").value(), manifest);
  EXPECT_EQ(manifest.bytes(), std::string("weightsgguf{}pairsgguf").size());
  const std::string path = store_.path_of(manifest).value();
  EXPECT_TRUE(path.ends_with("/models/one/m.gguf")) << path;
  const std::vector<std::string> paths = store_.adapter_paths(manifest);
  ASSERT_EQ(paths.size(), 3u);
  EXPECT_EQ(read_file(paths[0], 10).value(), "gguf");
  EXPECT_EQ(read_file(paths[1] + "/adapter_model.safetensors", 10).value(), "pairs");
  EXPECT_EQ(read_file(paths[1] + "/adapter_config.json", 10).value(), "{}");
  EXPECT_EQ(read_file(paths[2], 10).value(), "gguf");
  ASSERT_TRUE(store_.copy("one", "two").is_ok());
  EXPECT_EQ(store_.find("two").value().adapters, manifest.adapters);
  EXPECT_EQ(store_.remove("one").value(), 0u);
  EXPECT_TRUE(has_blob(gguf));
  manifest.name = "two";
  manifest.adapters.pop_back();
  ASSERT_TRUE(store_.add(manifest).is_ok());
  EXPECT_FALSE(fs::exists(store_.adapter_paths(manifest)[0] + "/../../.adapter-3"));
  fs::remove(store_.blob_path(pairs.checksum));
  EXPECT_EQ(store_.path_of(manifest).status().code(), StatusCode::kCorrupt) << "it is lost";
  EXPECT_EQ(store_.remove("two").value(), std::string("weightsgguf{}").size());
  EXPECT_FALSE(fs::exists(store_.model_folder("two")));
}

TEST_F(LocalStoreTest, LinksThatNoManifestNamesGoWithTheirFolders) {
  const StoredFile file = make_blob("a.gguf", "a");
  Manifest manifest{"m", "hf:a/b", "0123456789", 5, {file}};
  manifest.adapters = {{{file}}};
  ASSERT_TRUE(store_.path_of(manifest).is_ok());
  ASSERT_TRUE(store_.collect().is_ok());
  EXPECT_FALSE(fs::exists(store_.model_folder("m")));
}

TEST_F(LocalStoreTest, CopyRefusesNamesThatAreTakenOrNoNames) {
  add_model("one", {make_blob("a.gguf", "a")});
  EXPECT_EQ(store_.copy("none", "two").code(), StatusCode::kNotFound);
  for (const char* bad : {"one", "hf:a/b", "../x", "", ".hidden", "a b"}) {
    EXPECT_EQ(store_.copy("one", bad).code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST_F(LocalStoreTest, AFileThatIsMappedOutlivesItsRemoval) {
  const Manifest manifest = add_model("m", {make_blob("a.gguf", "still here")});
  const auto map = MappedFile::open(store_.path_of(manifest).value());
  EXPECT_EQ(store_.remove("m").value(), 10u);
  EXPECT_EQ(std::memcmp(map->bytes().data(), "still here", 10), 0);
}

TEST_F(LocalStoreTest, NothingIsFreedWhileSomebodyHoldsTheStore) {
  const StoredFile a = make_blob("a.gguf", "a");
  add_model("m", {a});
  {
    const auto held = store_.hold();
    EXPECT_EQ(store_.remove("m").value(), 0u);
    EXPECT_TRUE(has_blob(a));
  }
  EXPECT_EQ(store_.collect().value(), 0u) << "it may be of a fetch that is to go on";
  make_old(store_.blob_path(a.checksum));
  EXPECT_EQ(store_.collect().value(), 1u);
}

TEST_F(LocalStoreTest, CollectFreesWhatWasLeftAWeekAgo) {
  const StoredFile a = make_blob("a.gguf", "a");
  for (const std::string& name : {std::string("new"), std::string("old"), a.checksum.text()}) {
    fs::create_directories(store_.folder() + "/partial/" + name);
    std::ofstream(store_.folder() + "/partial/" + name + "/data") << "x";
  }
  make_old(store_.folder() + "/partial/old/data");
  make_old(store_.folder() + "/partial/old");
  std::ofstream(store_.lock_path(a.checksum)) << "";
  ASSERT_TRUE(store_.collect().is_ok());
  EXPECT_TRUE(has_blob(a)) << "of a fetch that was cut off a moment ago";
  EXPECT_TRUE(fs::exists(store_.folder() + "/partial/new/data"));
  EXPECT_FALSE(fs::exists(store_.folder() + "/partial/old"));
  EXPECT_FALSE(fs::exists(store_.partial_folder(a.checksum))) << "its blob is there";
  EXPECT_FALSE(fs::exists(store_.lock_path(a.checksum)));
}

TEST_F(LocalStoreTest, AManifestThatCannotBeReadIsSaidAndNothingIsFreed) {
  const StoredFile a = make_blob("a.gguf", "a");
  make_old(store_.blob_path(a.checksum));
  add_model("good", {make_blob("b.gguf", "b")});
  std::ofstream(store_.folder() + "/manifests/bad.json") << "{\"schema\": 3}";
  const LocalStore::Listing listing = store_.list();
  EXPECT_EQ(listing.models.size(), 1u);
  ASSERT_EQ(listing.problems.size(), 1u);
  EXPECT_NE(listing.problems[0].message().find("schema 3"), std::string::npos);
  EXPECT_EQ(store_.collect().value(), 0u);
  EXPECT_TRUE(has_blob(a)) << "the bad manifest may name it";
}

TEST_F(LocalStoreTest, ManyThreadsAddAndRemoveTheSameNames) {
  const StoredFile a = make_blob("a.gguf", "aaaa");
  add_model("stays", {a});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) {
        const std::string name = "m" + std::to_string((t + i) % 3);
        static_cast<void>(store_.copy("stays", name).is_ok());
        static_cast<void>(store_.remove(name).is_ok());
        const auto path = store_.path_of(store_.find("stays").value());
        EXPECT_TRUE(path.is_ok()) << path.status().message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(store_.list().problems.empty());
  EXPECT_TRUE(has_blob(a));
}

TEST(ManifestTest, EveryFieldIsCheckedWhenItIsRead) {
  const Checksum checksum = Checksum::git(std::string(40, 'a')).value();
  const Manifest manifest{"m", "hf:a/b", "r", 7, {{"f", 3, checksum}}};
  const std::string good = dump_manifest(manifest);
  EXPECT_EQ(parse_manifest(good).value(), manifest);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return parse_manifest(text).is_ok();
  };
  EXPECT_TRUE(changed("\"m\"", "\"n\""));
  EXPECT_FALSE(changed("\"m\"", "\"..\""));
  EXPECT_FALSE(changed("\"schema\":1", "\"schema\":2"));
  EXPECT_FALSE(changed("\"name\":\"f\"", "\"name\":\"../f\""));
  EXPECT_FALSE(changed("\"name\":\"f\"", "\"name\":\".f\""));
  EXPECT_TRUE(changed("\"name\":\"f\"", "\"name\":\"1_Pooling/f\""));
  for (const char* name : {"a/../f", "../f", "a/b/f", "/f", "a/", "a//f", "a/.f"}) {
    EXPECT_FALSE(changed("\"name\":\"f\"", fmt::format("\"name\":\"{}\"", name))) << name;
  }
  EXPECT_FALSE(changed("\"size\":3", "\"size\":-3"));
  EXPECT_FALSE(changed("git-aaaa", "md5-aaaa"));
  EXPECT_FALSE(changed("git-aaaa", "git-aaa"));
  EXPECT_FALSE(changed("\"files\":[", "\"files\":[],\"x\":["));
  EXPECT_FALSE(parse_manifest(good.substr(0, good.size() / 2)).is_ok());
}

TEST(ManifestTest, AModelWithAdaptersHasASchemaThatOlderProgramsRefuse) {
  const Checksum checksum = Checksum::git(std::string(40, 'a')).value();
  Manifest manifest{"m", "hf:a/b", "r", 7, {{"f", 3, checksum}}};
  EXPECT_NE(dump_manifest(manifest).find("\"schema\":1"), std::string::npos);
  manifest.adapters = {{{{"a.gguf", 3, checksum}}},
                       {{{"adapter_config.json", 1, checksum},
                         {"adapter_model.safetensors", 2, checksum}}}};
  const std::string good = dump_manifest(manifest);
  EXPECT_NE(good.find("\"schema\":2"), std::string::npos);
  EXPECT_EQ(parse_manifest(good).value(), manifest);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return parse_manifest(text).status().code();
  };
  EXPECT_EQ(changed("\"schema\":2", "\"schema\":1"), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"adapters\":[", "\"others\":["), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"adapters\":[", "\"adapters\":[],\"x\":["), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"adapters\":[", "\"adapters\":[[],"), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"adapters\":[", "\"adapters\":{},\"x\":["), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"a.gguf\"", "\"../a.gguf\""), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"a.gguf\"", "\"a.bin\""), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"adapter_config.json\"", "\"x.json\""), StatusCode::kCorrupt);
  EXPECT_EQ(changed("\"size\":2", "\"size\":-2"), StatusCode::kCorrupt);
  manifest.adapters.resize(9, manifest.adapters.front());
  EXPECT_FALSE(parse_manifest(dump_manifest(manifest)).is_ok());
}

TEST(ModelNameTest, NamesOfTheHubHaveFourParts) {
  const ModelName full = ModelName::parse("hf:Qwen/Qwen3-0.6B@refs/pr/3:Q4_K_M").value();
  EXPECT_EQ(full.repository(), "Qwen/Qwen3-0.6B");
  EXPECT_EQ(full.revision, "refs/pr/3");
  EXPECT_EQ(full.choice, "Q4_K_M");
  const ModelName file = ModelName::parse("hf:a/b:sub/c-Q8_0.gguf").value();
  EXPECT_EQ(file.choice, "sub/c-Q8_0.gguf");
  EXPECT_TRUE(file.revision.empty());
  EXPECT_FALSE(ModelName::parse("smollm2").value().is_remote());
  for (const char* bad : {"hf:", "hf:a", "hf:a/", "hf:/b", "hf:a/b/c", "hf:a/b:", "hf:a/b@",
                          "hf:a/b:../x", "hf:a/..", "hf:a /b", "hf:a/b@x y", "a:", ":b", "a:b:c",
                          "a//b", "/a", "a/", "a/../b", "a/b:c/d", "a/b/c/d"}) {
    EXPECT_FALSE(ModelName::parse(bad).is_ok()) << bad;
  }
  for (const char* good : {"a:b", "a/b", "a/b:c", "host:5000/a/b:c"}) {  // as Ollama has them
    EXPECT_FALSE(ModelName::parse(good).value().is_remote()) << good;
  }
  EXPECT_EQ(escaped_name("hf:a/b@v:Q"), "hf%3Aa%2Fb%40v%3AQ");
}

}  // namespace
}  // namespace quire::store
