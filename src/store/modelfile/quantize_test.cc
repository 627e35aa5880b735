// Quantized weights in the store: what is placed, what is told meanwhile, which sources are refused
// and that nothing stays behind where it went wrong.
#include "store/modelfile/quantize.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "formats/containers/gguf.h"
#include "formats/testing/temp_folder.h"
#include "store/modelfile/create.h"
#include "store/testing/small_gguf.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;
using quire::testing::TempFolder;
using testing::small_gguf;

class QuantizeTest : public ::testing::Test {
 protected:
  QuantizeTest() : store_(folder_.path() + "/store"), held_(store_.hold().value()) {}

  Quantization how(std::string_view type) {
    Quantization quantization = *parse_quantization(type);
    quantization.report = [this](const std::string& status, std::uint64_t total,
                                 std::uint64_t done) {
      if (said_.empty() || said_.back() != status) said_.push_back(status);
      EXPECT_GE(total, done);
    };
    return quantization;
  }
  std::string refusal(const std::string& path, std::string_view type) {
    const Quantization quantization = how(type);
    const auto weights = import_weights(store_, path, &quantization);
    return weights.is_ok() ? "accepted" : weights.status().message();
  }
  bool is_clean() {
    return fs::is_empty(store_.folder() + "/partial") && fs::is_empty(store_.folder() + "/models");
  }
  std::string type_in(const StoredFile& file) {
    const auto gguf = GgufFile::open(store_.blob_path(file.checksum));
    EXPECT_TRUE(gguf.is_ok()) << gguf.status().message();
    return std::string(dtype_name(gguf->find_tensor("blk.0.ffn_up.weight")->dtype));
  }

  TempFolder folder_;
  LocalStore store_;
  FileLock held_;
  std::vector<std::string> said_;
};

TEST_F(QuantizeTest, AFileBecomesABlobThatItsChecksumNames) {
  const std::string path = folder_.write("m.gguf", small_gguf());
  const Quantization quantization = how("q4_K_M");
  const auto weights = import_weights(store_, path, &quantization);
  ASSERT_TRUE(weights.is_ok()) << weights.status().message();
  ASSERT_EQ(weights->files.size(), 1u);
  const StoredFile& file = weights->files[0];
  EXPECT_EQ(file.name, "model.Q4_K_M.gguf");
  EXPECT_TRUE(store_.has_blob(file.checksum, file.size));
  EXPECT_EQ(*checksum_of_file(store_.blob_path(file.checksum)), file.checksum);
  EXPECT_EQ(type_in(file), "Q4_K");
  EXPECT_EQ(said_, (std::vector<std::string>{"quantizing F32 model to Q4_K_M",
                                             "verifying conversion"}));
  EXPECT_TRUE(is_clean());
  EXPECT_EQ(std::distance(fs::directory_iterator(store_.folder() + "/blobs"), {}), 1)
      << "the source is not copied";
}

TEST_F(QuantizeTest, AModelOfTheStoreIsASourceAndStaysAsItIs) {
  Weights weights = *import_weights(store_, folder_.write("m.gguf", small_gguf(64, true)));
  const StoredFile source = weights.files[0];
  weights.files.push_back(*[&]() -> Result<StoredFile> {
    QUIRE_ASSIGN_OR_RETURN(const Weights other,
                           import_weights(store_, folder_.write("n.gguf", small_gguf(8))));
    StoredFile beside = other.files[0];
    beside.name = "tokenizer.json";  // what stands beside weights stays
    return beside;
  }());
  const auto made = quantize_weights(store_, weights, how("q8_0"));
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  ASSERT_EQ(made->files.size(), 2u);
  EXPECT_EQ(type_in(made->files[0]), "Q8_0");
  EXPECT_EQ(made->files[1].name, "tokenizer.json");
  EXPECT_EQ(type_in(source), "F16");
  EXPECT_EQ(said_.front(), "quantizing F16 model to Q8_0");
  EXPECT_TRUE(is_clean());
  const auto twice = quantize_weights(store_, *made, how("q4_0"));
  EXPECT_EQ(twice.status().message(),
            "quantization is only supported for F16, BF16 and F32 models; tensor "
            "'blk.0.ffn_up.weight' is Q8_0");
  EXPECT_TRUE(is_clean());
}

TEST_F(QuantizeTest, OtherSourcesAreRefusedByName) {
  folder_.write("hf/model.safetensors", "x");
  folder_.write("hf/config.json", "{}");
  const std::string hf = folder_.path() + "/hf";
  EXPECT_EQ(refusal(hf, "q8_0"), "quantize: the weights of '" + hf + "' are safetensors; only "
                                 "GGUF files of F16, BF16 or F32 are quantized");
  folder_.write("two/a.gguf", small_gguf());
  folder_.write("two/b.gguf", small_gguf());
  const std::string two = folder_.path() + "/two";
  EXPECT_EQ(refusal(two, "q8_0"),
            "quantize: '" + two + "' has 2 GGUF files; one model is quantized at once");
  EXPECT_NE(refusal(folder_.write("text.gguf", "hello"), "q8_0").find("not in GGUF format"),
            std::string::npos);
  EXPECT_TRUE(parse_quantization("q7").status().message().starts_with(
      "unsupported quantization type Q7 - supported types are F32, F16,"));
  folder_.write("one/a.gguf", small_gguf());
  EXPECT_EQ(refusal(folder_.path() + "/one", "q8_0"), "accepted");
}

TEST_F(QuantizeTest, ADiskThatIsFullIsToldAndNothingStays) {
  const std::string path = folder_.write("m.gguf", small_gguf(4096));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto on_signal = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto made = quantize_file(store_, path, how("q8_0"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, on_signal);
  ASSERT_FALSE(made.is_ok());
  EXPECT_EQ(made.status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(made.status().message().starts_with("cannot write the quantized weights to '"))
      << made.status().message();
  EXPECT_TRUE(is_clean());
  EXPECT_TRUE(fs::is_empty(store_.folder() + "/blobs"));
}

TEST_F(QuantizeTest, WhatIsStoppedLeavesNothing) {
  std::atomic<bool> stop{false};
  Quantization quantization = how("q8_0");
  quantization.stop = &stop;
  quantization.check = [&](const std::string&) {
    stop = true;  // the client leaves while the source is looked at
    return ok_status();
  };
  const std::string path = folder_.write("m.gguf", small_gguf());
  EXPECT_EQ(quantize_file(store_, path, quantization).status().code(), StatusCode::kUnavailable);
  quantization.check = [](const std::string&) {
    return error(StatusCode::kUnsupported, "no such architecture");
  };
  EXPECT_EQ(quantize_file(store_, path, quantization).status().message(), "no such architecture");
  EXPECT_TRUE(is_clean());
  EXPECT_TRUE(fs::is_empty(store_.folder() + "/blobs"));
}

}  // namespace
}  // namespace quire::store
