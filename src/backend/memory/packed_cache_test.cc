// The packed cache: a second backend maps what a first one packed, with the same bits; whatever
// does not agree (bytes, stamp, shape, source) is packed anew; a crash or a rival leaves a whole
// file.
#include "backend/memory/packed_cache.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "backend/testing/one_op.h"
#include "kernels/random_weights_for_tests.h"
#include "kernels/select.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr int kColumns = 512;
constexpr DType kTypes[] = {DType::kQ8_0, DType::kQ4_K, DType::kBF16};

class PackedCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "quire-packed-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::mt19937 engine(5);
    for (const DType dtype : kTypes) {
      const std::size_t rows = 100 + 40 * sources_.size();
      sources_.emplace_back(rows * row_bytes(dtype, kColumns));
      ::quire::testing::fill_random_weights(dtype, engine, 0.05f, sources_.back());
      views_.push_back({names_[views_.size()], dtype, {rows, kColumns}, sources_.back().data()});
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "model.packed").string(); }

  struct Start {
    std::vector<float> products;
    std::size_t mapped = 0;  // matrices that came from the file
  };

  // A start of the process: packs or maps all matrices, multiplies, keeps them for the next.
  Start start(std::uint64_t stamp = 7, int steps = 0, bool has_huge_pages = true) {
    CpuBackendOptions options;
    options.packed_path = path();
    options.packed_stamp = stamp;
    options.has_huge_pages = has_huge_pages;
    CpuBackend backend(**select_kernels(""), std::make_shared<CpuDevice>(2), options);
    std::vector<Weight> weights;
    for (const TensorView& view : views_) weights.push_back(backend.adopt(view).value());
    for (const Weight& weight : weights) EXPECT_TRUE(backend.pack(weight).is_ok());
    Start result;
    result.mapped = backend.mapped_weights();
    backend.finish_packing();
    const Status written = backend.packed_cache()->wait();
    EXPECT_TRUE(written.is_ok()) << written.message();
    const Buffer row = backend.buffer(Rows::kTokens, 1, kColumns);
    Program gather;
    gather.gather(weights[0], row);
    for (int i = 0; i < steps; ++i) ::quire::testing::PlainBatch(1).run(backend, gather);
    const std::size_t moved = std::min<std::size_t>(steps, result.mapped);
    EXPECT_EQ(backend.mapped_weights(), result.mapped - moved);
    for (const Weight& weight : weights) multiply(backend, weight, result.products);
    return result;
  }

  static void multiply(CpuBackend& backend, const Weight& weight, std::vector<float>& out) {
    std::mt19937 engine(9);
    std::normal_distribution<float> normal;
    std::vector<float> x(kColumns);
    for (float& value : x) value = normal(engine);
    const Buffer input = backend.buffer(Rows::kTokens, 1, kColumns);
    const Buffer output = backend.buffer(Rows::kTokens, 1, weight.rows);
    ::quire::testing::fill(input, x);
    Program program;
    program.linear(input, {{&weight, &output}});
    ::quire::testing::PlainBatch(1).run(backend, program);
    const std::vector<float> product = ::quire::testing::read(output, 1);
    out.insert(out.end(), product.begin(), product.end());
  }

  void change_byte(std::uint64_t offset) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  std::string names_[3] = {"first", "second", "third"};
  fs::path folder_;
  std::vector<std::vector<std::byte>> sources_;
  std::vector<TensorView> views_;
};

TEST_F(PackedCacheTest, ASecondStartMapsWhatTheFirstPacked) {
  const Start first = start();
  EXPECT_EQ(first.mapped, 0u);
  const auto written_at = fs::last_write_time(path());
  const Start second = start();
  EXPECT_EQ(second.mapped, views_.size());
  EXPECT_EQ(second.products, first.products);
  EXPECT_EQ(fs::last_write_time(path()), written_at) << "nothing had to be written";
}

TEST_F(PackedCacheTest, MappedWeightsMoveIntoHugePagesOneAStep) {
  const Start first = start();
  for (const int steps : {1, 2, 3, 5}) EXPECT_EQ(start(7, steps).products, first.products) << steps;
}

TEST_F(PackedCacheTest, WithoutHugePagesTheyStayMapped) {
  const Start first = start(7, 0, false);
  EXPECT_EQ(start(7, 0, false).products, first.products);
}

TEST_F(PackedCacheTest, ADamagedMatrixIsPackedAnewAndTheFileMended) {
  const Start first = start();
  for (const std::uint64_t offset : {std::uint64_t{4096 + 1000}, fs::file_size(path()) / 2}) {
    change_byte(offset);
    const Start hurt = start();
    EXPECT_EQ(hurt.mapped, views_.size() - 1);
    EXPECT_EQ(hurt.products, first.products);
    EXPECT_EQ(start().mapped, views_.size());
  }
}

TEST_F(PackedCacheTest, ADamagedHeaderOrIndexOrLengthEmptiesTheCache) {
  const Start first = start();
  const std::uint64_t size = fs::file_size(path());
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{25},
                                     std::uint64_t{33}, std::uint64_t{40}, size - 1, size - 60}) {
    change_byte(offset);
    const Start hurt = start();
    EXPECT_EQ(hurt.mapped, 0u) << offset;
    EXPECT_EQ(hurt.products, first.products) << offset;
  }
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{100}, std::uint64_t{4096},
                                     size / 2, size - 1}) {
    fs::resize_file(path(), length);
    EXPECT_EQ(start().mapped, 0u) << length;
    EXPECT_EQ(fs::file_size(path()), size) << length;
  }
}

TEST_F(PackedCacheTest, AnotherStampShapeOrSourceIsNotTaken) {
  const Start first = start(7);
  EXPECT_EQ(start(8).mapped, 0u);  // the file is now of stamp 8
  EXPECT_EQ(start(8).mapped, views_.size());
  sources_[1][0] ^= std::byte{1};  // a sample sees it though the stamp does not
  EXPECT_EQ(start(8).mapped, views_.size() - 1);
  views_[2].shape[0] -= 16;
  EXPECT_EQ(start(8).mapped, views_.size() - 1);
  EXPECT_EQ(start(8).mapped, views_.size());
}

TEST_F(PackedCacheTest, FilesOfAbandonedWritersGoAndThoseOfLivingOnesStay) {
  const std::string dead = path() + ".tmp-1-dead", alive = path() + ".tmp-2-alive";
  std::ofstream(dead) << "half";
  std::ofstream(alive) << "half";
  const int fd = ::open(alive.c_str(), O_RDONLY);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  start();
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(alive));
  ::close(fd);
}

TEST_F(PackedCacheTest, RivalsLeaveAWholeFile) {
  const Start first = start();
  fs::remove(path());
  std::vector<std::thread> rivals;
  for (int i = 0; i < 4; ++i) {
    rivals.emplace_back([&] { EXPECT_EQ(start().products, first.products); });
  }
  for (std::thread& rival : rivals) rival.join();
  EXPECT_EQ(start().mapped, views_.size());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(PackedCacheTest, AFolderThatCannotBeWrittenIsReported) {
  CpuBackendOptions options;
  options.packed_path = "/proc/quire/model.packed";
  CpuBackend backend(**select_kernels(""), std::make_shared<CpuDevice>(1), options);
  const Weight weight = backend.adopt(views_[0]).value();
  ASSERT_TRUE(backend.pack(weight).is_ok());
  backend.finish_packing();
  const Status written = backend.packed_cache()->wait();
  EXPECT_FALSE(written.is_ok());
  EXPECT_NE(written.message().find("/proc/quire"), std::string::npos) << written.message();
}

}  // namespace
}  // namespace quire
