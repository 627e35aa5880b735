// Modelfiles: every instruction, quotes, encodings and mistakes as Ollama tells them; what is made
// of them in a store; and Ollama's own store, read where it lies.
#include "store/modelfile/modelfile.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/philox.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_store.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;

std::string problem_of(std::string_view text) {
  const auto file = parse_modelfile(text);
  return file.is_ok() ? "" : file.status().message();
}

TEST(Modelfile, EveryInstructionInAnyOrderAndCase) {
  const auto file = parse_modelfile(
      "# a comment\n\nfrom llama3.2:1b  \nTEMPLATE \"\"\"{{ .System }}\n{{ .Prompt }}\"\"\"\n"
      "SYSTEM \"You are\nMario.\"\nPARAMETER temperature 0.5\nparameter stop \"a \"\n"
      "PARAMETER stop b\nPARAMETER num_ctx 4096\nPARAMETER use_mmap true\n"
      "MESSAGE user Hi # not a comment\nMESSAGE assistant \"\"\"Hey \"you\\n\" \"\"\"\n"
      "LICENSE MIT\nLICENSE Apache\nADAPTER ./a.gguf\nADAPTER ./b.gguf\nDRAFT d\nRENDERER r\n"
      "PARSER p\nREQUIRES v0.14.0\nPARAMETER mirostat 1");
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  const ModelDress& dress = file->dress;
  EXPECT_EQ(file->from, std::vector<std::string>{"llama3.2:1b"});
  EXPECT_EQ(dress.chat_template, "{{ .System }}\n{{ .Prompt }}");
  EXPECT_EQ(dress.system, "You are\nMario.");
  EXPECT_EQ(dump(dress.parameters),
            R"({"temperature":0.5,"stop":["a ","b"],"num_ctx":4096,"use_mmap":true,"mirostat":1})");
  ASSERT_EQ(dress.messages.size(), 2u);
  EXPECT_EQ(dump(dress.messages[0]), R"({"role":"user","content":"Hi # not a comment"})");
  EXPECT_EQ(dress.messages[1].find("content")->as_string(), "Hey \"you\\n\" ");
  EXPECT_EQ(dress.licenses.size(), 2u);
  EXPECT_EQ(file->adapters, (std::vector<std::string>{"./a.gguf", "./b.gguf"}));
  EXPECT_EQ(file->drafts.size(), 1u);
  EXPECT_EQ(dress.renderer + dress.parser + dress.needs, "rpv0.14.0");
  EXPECT_EQ(file->warnings.size(), 1u);
  const auto again = parse_modelfile(modelfile_of("llama3.2:1b", dress, file->adapters));
  ASSERT_TRUE(again.is_ok()) << again.status().message();
  EXPECT_EQ(again->adapters, file->adapters);
  EXPECT_EQ(again->dress, dress);
  const auto read = parse_dress(dress_json(dress));
  ASSERT_TRUE(read.is_ok());
  EXPECT_EQ(*read, dress);
}

TEST(Modelfile, MistakesAreToldWithTheirLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no FROM line"},
      {"# nothing\n", "no FROM line"},
      {"SYSTEM x", "no FROM line"},
      {"FROM x\nFOO y", "(line 2): command must be one of \"from\", \"license\", \"template\", "
                        "\"system\", \"adapter\", \"draft\", \"renderer\", \"parser\", "
                        "\"parameter\", \"message\", or \"requires\""},
      {"FROM x\r\n\r\nMESSAGE bot hi", "(line 3): message role must be one of \"system\", "
                                       "\"user\", or \"assistant\""},
      {"FROM x\nSYSTEM \"\"\"open", "unexpected EOF"},
      {"FROM x\nSYSTEM \"open", "unexpected EOF"},
      {"FROM", "unexpected EOF"},
      {"FROM x\nPARAMETER nope 1", "(line 2): unknown parameter 'nope'"},
      {"FROM x\nPARAMETER top_k high", "(line 2): invalid int value [high] of top_k"},
      {"FROM x\nADAPTER a\nADAPTER a\nADAPTER a\nADAPTER a\nADAPTER a\nADAPTER a\nADAPTER a\n"
       "ADAPTER a\nADAPTER a", "(line 10): more than 8 adapters"},
      {"FROM x\nPARAMETER temperature -1", "(line 2): temperature must be from 0 to 100, got -1"},
      {"FROM x\nPARAMETER num_predict -5",
       "(line 2): num_predict must be from -2 to 2147483647, got -5"},
      {"FROM x\nPARAMETER top_p 1.5", "(line 2): top_p must be from 0 to 1, got 1.5"},
      {"FROM x\nPARAMETER use_mmap yes", "(line 2): invalid bool value [yes] of use_mmap"},
      {"FROM x\nPARAMETER num_gqa 1", "(line 2): unknown parameter 'num_gqa'"},
      {"FROM x\nREQUIRES new", "(line 2): requires must be a valid semver (e.g. 0.14.0)"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(problem_of(text), message) << text;
  EXPECT_EQ(problem_of("FROM x\nPARAMETER use_mmap TRUE\nPARAMETER use_mmap F"), "") << "as Go";
  std::string stops = "FROM x";
  for (int i = 0; i < 65; ++i) stops += "\nPARAMETER stop a";
  EXPECT_EQ(problem_of(stops), "(line 66): more than 64 of stop");
  EXPECT_NE(problem_of("FROM x\nPARAMETER stop " + std::string(5000, 'a')), "");
  EXPECT_EQ(problem_of("\xEF\xBB\xBF" "FROM x"), "");
  EXPECT_EQ(problem_of(std::string("\xFF\xFE" "F\0R\0O\0M\0 \0x\0", 14)), "");
  EXPECT_EQ(problem_of(std::string("\xFE\xFF" "\0F\0R\0O\0M\0 \0x", 14)), "");
  EXPECT_NE(problem_of("FROM \xFF"), "");
  EXPECT_NE(problem_of("FROM x\n" + std::string(kModelfileMax, '#')), "");
}

TEST(Modelfile, MutatedFilesNeverCrash) {
  const std::string source =
      "FROM x\nTEMPLATE \"\"\"a\nb\"\"\"\nPARAMETER stop \"c\"\nMESSAGE user d\n# e\nLICENSE f\n";
  const std::string pieces[] = {"\"", "\"\"\"", "\n", "\r", "#", " ", "PARAMETER ", "MESSAGE ",
                                "FROM", "\xFF\xFE", "\0"};
  std::uint64_t draws = 0;
  const auto draw = [&](std::size_t bound) {
    return static_cast<std::size_t>(philox(7, draws++, 0)[0] % bound);
  };
  int good = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = source;
    for (std::size_t change = 0; change <= draw(5); ++change) {
      const std::size_t at = draw(text.size() + 1);
      if (draw(2) == 0) text.insert(at, pieces[draw(std::size(pieces))]);
      else text.erase(at, draw(6));
    }
    good += parse_modelfile(text).is_ok() ? 1 : 0;
  }
  EXPECT_GT(good, 100);
}

class ModelfileStoreTest : public ::testing::Test {
 protected:
  ModelfileStoreTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("modelfile" + std::to_string(::getpid()) + "." +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())),
        store_((folder_ / "store").string()) {
    fs::create_directories(folder_);
  }
  ~ModelfileStoreTest() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  // Of Ollama's store, under its checksum.
  std::string layer(const std::string& type, const std::string& text) {
    Digest digest;
    digest.update(text);
    const std::string hex = digest.finish().hex;
    write("theirs/blobs/sha256-" + hex, text);
    return R"({"mediaType":"application/vnd.ollama.image.)" + type + R"(","digest":"sha256:)" +
           hex + R"(","size":)" + std::to_string(text.size()) + "}";
  }

  fs::path folder_;
  LocalStore store_;
};

TEST_F(ModelfileStoreTest, AModelIsMadeOfAFileAndAnotherOfThatModel) {
  const std::string path = write("x.gguf", "GGUF and more");
  const auto held = store_.hold();
  ASSERT_TRUE(held.is_ok());
  const auto weights = import_weights(store_, path);
  ASSERT_TRUE(weights.is_ok()) << weights.status().message();
  ModelDress dress;
  dress.system = "S";
  dress.parameters = Json::object({{"top_k", 1}, {"seed", 2}});
  const auto made = create_model(store_, "mario:7b", *weights, dress, nullptr);
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  const auto found = store_.find("mario:7b");
  ASSERT_TRUE(found.is_ok()) << found.status().message();
  EXPECT_EQ(found->dress, dress);
  EXPECT_TRUE(fs::exists(*store_.path_of(*found)));
  ModelDress over;
  over.chat_template = "{{ .Prompt }}";
  over.parameters = Json::object({{"seed", 3}});
  const auto other = create_model(store_, "luigi", {found->files, found->dress, "mario:7b"}, over,
                                  nullptr);
  ASSERT_TRUE(other.is_ok());
  EXPECT_EQ(other->dress.system, "S");
  EXPECT_EQ(dump(other->dress.parameters), R"({"top_k":1,"seed":3})");
  EXPECT_FALSE(import_weights(store_, write("y.gguf", "no such thing")).is_ok());
  const auto refused = create_model(store_, "bad", *weights, dress, [](const auto&, const auto&) {
    return Status(StatusCode::kCorrupt, "no");
  });
  EXPECT_FALSE(refused.is_ok());
  EXPECT_FALSE(store_.find("bad").is_ok());
}

TEST_F(ModelfileStoreTest, AFolderIsReadTwoLevelsDeepWhateverLiesBelow) {
  write("model/model.safetensors", "weights");
  write("model/config.json", "{}");
  write("model/1_Pooling/pooling.json", "{}");
  write("model/.cache/huggingface/download/x/y.json", "{}");
  write("model/z/a/b/c.json", "{}");
  const auto held = store_.hold();
  ASSERT_TRUE(held.is_ok());
  const auto weights = import_weights(store_, (folder_ / "model").string());
  ASSERT_TRUE(weights.is_ok()) << weights.status().message();
  EXPECT_EQ(weights->files.size(), 3u);
}

TEST_F(ModelfileStoreTest, OllamasStoreIsReadWhereItLies) {
  const std::string manifest =
      R"({"schemaVersion":2,"layers":[)" + layer("model", "GGUF weights") + "," +
      layer("template", "{{ .Prompt }}") + "," + layer("system", "S") + "," +
      layer("params", R"({"stop":["x"],"temperature":0.5})") + "," +
      layer("messages", R"([{"role":"user","content":"hi"}])") + "," + layer("license", "MIT") +
      "]}";
  write("theirs/manifests/registry.ollama.ai/library/mario/latest", manifest);
  write("theirs/manifests/registry.ollama.ai/me/luigi/7b", manifest);
  const OllamaStore theirs((folder_ / "theirs").string());
  EXPECT_EQ(theirs.names(), (std::vector<std::string>{"mario", "me/luigi:7b"}));
  const auto model = theirs.find("mario:latest");
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_TRUE(fs::exists(model->path));
  EXPECT_EQ(model->dress.chat_template, "{{ .Prompt }}");
  EXPECT_EQ(model->dress.system, "S");
  EXPECT_EQ(model->dress.messages.size(), 1u);
  EXPECT_EQ(dump(model->dress.parameters), R"({"stop":["x"],"temperature":0.5})");
  EXPECT_EQ(theirs.find("nobody").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(theirs.find("../../etc").status().code(), StatusCode::kNotFound);
  write("theirs/manifests/registry.ollama.ai/library/bad/latest", R"({"layers":[{}]})");
  EXPECT_EQ(theirs.find("bad").status().code(), StatusCode::kCorrupt);
  write("theirs/manifests/registry.ollama.ai/library/vision/latest",
        R"({"layers":[)" + layer("model", "GGUF") + "," + layer("projector", "p") + "]}");
  EXPECT_EQ(theirs.find("vision").status().code(), StatusCode::kUnsupported);
  fs::remove(model->path);
  EXPECT_EQ(theirs.find("mario").status().code(), StatusCode::kCorrupt);
}

TEST_F(ModelfileStoreTest, AdaptersOfOllamasModelsAreFoundInTheirOrder) {
  const auto manifest = [&](int adapters) {
    std::string layers = layer("model", "GGUF weights");
    for (int i = 0; i < adapters; ++i) layers += "," + layer("adapter", "b" + std::to_string(i));
    return R"({"layers":[)" + layers + "]}";
  };
  write("theirs/manifests/registry.ollama.ai/library/mario/latest", manifest(2));
  write("theirs/manifests/registry.ollama.ai/library/many/latest", manifest(9));
  const OllamaStore theirs((folder_ / "theirs").string());
  const auto model = theirs.find("mario");
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  ASSERT_EQ(model->adapters.size(), 2u);
  EXPECT_EQ(*read_file(model->adapters[0], 10), "b0");
  EXPECT_EQ(*read_file(model->adapters[1], 10), "b1");
  EXPECT_EQ(model->bytes, std::string("GGUF weightsb0b1").size());
  EXPECT_EQ(theirs.find("many").status().code(), StatusCode::kCorrupt);
  fs::remove(model->adapters[1]);
  EXPECT_EQ(theirs.find("mario").status().code(), StatusCode::kCorrupt);
}

}  // namespace
}  // namespace quire::store
