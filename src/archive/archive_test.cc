// What is kept comes back, to whom it belongs, after the end of the process too; what is too much,
// too large or too old goes, and a disk that fails is an error of one call.
#include "archive/archive.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "archive/batch_shelf.h"
#include "base/clock.h"

namespace quire::archive {
namespace {

class ArchiveTest : public ::testing::Test {
 protected:
  ArchiveTest() {
    char name[] = "/tmp/quire-archive-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ArchiveTest() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/made/answers.sqlite3"; }
  std::unique_ptr<Archive> open(Bounds bounds = {}) {
    auto opened = Archive::open(path(), bounds);
    EXPECT_TRUE(opened.is_ok()) << opened.status().message();
    return opened.is_ok() ? std::move(*opened) : nullptr;
  }
  static Kept answer(const std::string& id, const std::string& before = "",
                     const std::string& tenant = "a") {
    return {.kind = "response", .id = id, .tenant = tenant, .created = 100, .before = before,
            .model = "m", .state = "completed", .body = "{\"id\":\"" + id + "\"}", .input = "[]",
            .item_ids = {"item-of-" + id}};
  }

  std::string folder_;
};

TEST_F(ArchiveTest, WhatIsKeptComesBackAfterAnEnd) {
  {
    auto archive = open();
    ASSERT_TRUE(archive->keep(answer("r1")).is_ok());
  }
  auto archive = open();
  const auto found = archive->find("response", "r1", "a");
  ASSERT_TRUE(found.is_ok() && found->has_value());
  EXPECT_EQ((*found)->body, "{\"id\":\"r1\"}");
  EXPECT_EQ((*found)->created, 100);
  EXPECT_EQ(archive->rows(), 1);
}

TEST_F(ArchiveTest, ATenantSeesItsOwn) {
  auto archive = open();
  ASSERT_TRUE(archive->keep(answer("r1", "", "a")).is_ok());
  EXPECT_FALSE(archive->find("response", "r1", "b")->has_value());
  EXPECT_FALSE(archive->find("response", "r1", "")->has_value());
  EXPECT_FALSE(*archive->remove("response", "r1", "b"));
  EXPECT_FALSE(archive->find_owner("item-of-r1", "b")->has_value());
  EXPECT_TRUE(archive->find_chain("response", "r1", "b")->empty());
  EXPECT_TRUE(archive->list("response", "b", {})->empty());
  EXPECT_TRUE(archive->find_owner("item-of-r1", "a")->has_value());
  EXPECT_FALSE(archive->keep(answer("r1", "", "b")).is_ok()) << "nor writes over it";
  EXPECT_TRUE(archive->find("response", "r1", "a")->has_value());
}

TEST_F(ArchiveTest, AChainComesInItsOrderOrNotAtAll) {
  auto archive = open();
  ASSERT_TRUE(archive->keep(answer("r1")).is_ok());
  ASSERT_TRUE(archive->keep(answer("r2", "r1")).is_ok());
  ASSERT_TRUE(archive->keep(answer("r3", "r2")).is_ok());
  auto chain = archive->find_chain("response", "r3", "a");
  ASSERT_EQ(chain->size(), 3u);
  EXPECT_EQ(chain->front().id, "r1");
  ASSERT_TRUE(*archive->remove("response", "r2", "a"));
  EXPECT_TRUE(archive->find_chain("response", "r3", "a")->empty());
}

TEST_F(ArchiveTest, WhoWasUsedLongestAgoGoesFirst) {
  auto archive = open({.rows_max = 3});
  for (const char* id : {"r1", "r2", "r3"}) ASSERT_TRUE(archive->keep(answer(id)).is_ok());
  ASSERT_EQ(archive->find_chain("response", "r1", "a")->size(), 1u);  // used again
  ASSERT_TRUE(archive->keep(answer("r4")).is_ok());
  EXPECT_EQ(archive->rows(), 3);
  EXPECT_TRUE(archive->find("response", "r1", "a")->has_value());
  EXPECT_FALSE(archive->find("response", "r2", "a")->has_value());
}

TEST_F(ArchiveTest, BytesAreBounded) {
  auto archive = open({.bytes_max = 4096});
  Kept large = answer("large");
  large.input = std::string(5000, 'x');
  EXPECT_EQ(archive->keep(large).code(), StatusCode::kResourceExhausted);
  large.input = std::string(1500, 'x');
  for (const char* id : {"r1", "r2", "r3"}) {
    large.id = id;
    ASSERT_TRUE(archive->keep(large).is_ok());
    EXPECT_LE(archive->bytes(), 4096);
  }
  EXPECT_EQ(archive->rows(), 2);
  EXPECT_FALSE(archive->find("response", "r1", "a")->has_value());
  archive = nullptr;
  EXPECT_EQ(open({.rows_max = 1})->rows(), 1) << "narrower bounds hold from the start";
}

TEST_F(ArchiveTest, AgeIsBounded) {
  auto archive = open({.unused_seconds_max = -1});  // whatever is kept now is too old already
  ASSERT_TRUE(archive->keep(answer("r1")).is_ok());
  EXPECT_FALSE(archive->find("response", "r1", "a")->has_value());
}

TEST_F(ArchiveTest, ListsGoPageByPage) {
  auto archive = open();
  for (const char* id : {"r1", "r2", "r3"}) ASSERT_TRUE(archive->keep(answer(id)).is_ok());
  const auto newest = archive->list("response", "a", {.limit = 2});
  ASSERT_EQ(newest->size(), 2u);
  EXPECT_EQ((*newest)[0].id, "r3");
  const auto rest = archive->list("response", "a", {.after = "r2", .limit = 2});
  ASSERT_EQ(rest->size(), 1u);
  EXPECT_EQ((*rest)[0].id, "r1");
}

TEST_F(ArchiveTest, OneProcessHoldsTheFile) {
  auto archive = open();
  const auto second = Archive::open(path(), {});
  ASSERT_FALSE(second.is_ok());
  EXPECT_NE(second.status().message().find("another process holds it"), std::string::npos);
}

TEST_F(ArchiveTest, AFileThatIsNoneOfOursIsLeftAlone) {
  std::filesystem::create_directories(folder_ + "/made");
  std::ofstream(path()) << std::string(8192, 'n');
  EXPECT_EQ(Archive::open(path(), {}).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(Archive::open("/dev/null/x/answers", {}).status().code(), StatusCode::kUnavailable);
}

// A limit on the size of files stands for a full disk: writes beyond it fail.
TEST_F(ArchiveTest, AFullDiskIsAnErrorOfTheCall) {
  auto archive = open();
  ASSERT_TRUE(archive->keep(answer("r1")).is_ok());
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit usual = {};
  getrlimit(RLIMIT_FSIZE, &usual);
  rlimit tight = usual;
  tight.rlim_cur = 256 << 10;
  setrlimit(RLIMIT_FSIZE, &tight);
  Kept large = answer("large");
  large.input = std::string(1 << 20, 'x');
  const Status refused = archive->keep(large);
  setrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, before);
  EXPECT_FALSE(refused.is_ok());
  EXPECT_TRUE(archive->find("response", "r1", "a")->has_value());
  EXPECT_EQ(archive->rows(), 1);
  EXPECT_TRUE(archive->keep(large).is_ok()) << "and when there is room again it goes on";
}

TEST_F(ArchiveTest, FilesAreListedReadAndRemoved) {
  auto archive = open({.bytes_max = 10});
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(archive->add_file({.id = "f1", .tenant = "a", .purpose = "batch", .name = "n",
                                 .content = bytes}).is_ok());
  EXPECT_EQ((*archive->find_file("f1", "a", true))->content, bytes);
  EXPECT_EQ((*archive->find_file("f1", "a", false))->size, 3);
  EXPECT_FALSE(archive->find_file("f1", "b", true)->has_value());
  EXPECT_EQ(archive->list_files("a", "batch", {})->size(), 1u);
  EXPECT_TRUE(archive->list_files("a", "other", {})->empty());
  EXPECT_EQ(archive->add_file({.id = "f2", .tenant = "a", .content = "12345678"}).code(),
            StatusCode::kResourceExhausted);
  EXPECT_TRUE(*archive->remove_file("f1", "a"));
  EXPECT_TRUE(archive->add_file({.id = "f2", .tenant = "a", .content = "12345678"}).is_ok());
}

TEST_F(ArchiveTest, FilesExpire) {
  auto archive = open();
  ASSERT_TRUE(archive->add_file({.id = "f1", .tenant = "a",
                                 .expires = SteadyClock::unix_seconds() - 1,
                                 .content = "x"}).is_ok());
  EXPECT_FALSE(archive->find_file("f1", "a", true)->has_value());
}

TEST_F(ArchiveTest, ALineIsAnsweredOnce) {
  auto archive = open();
  BatchShelf shelf(*archive);
  ASSERT_TRUE(shelf.add({.id = "b1", .tenant = "a", .state = "in_progress", .body = "{}"},
                        {"one", "two", "three"}).is_ok());
  ASSERT_TRUE(shelf.answer_line("b1", 1, false, "first").is_ok());
  ASSERT_TRUE(shelf.answer_line("b1", 1, true, "again").is_ok());
  ASSERT_TRUE(shelf.answer_line("b1", 3, true, "wrong").is_ok());
  const auto open_lines = shelf.open_lines("b1", 0, 10);
  ASSERT_EQ(open_lines->size(), 1u);
  EXPECT_EQ((*open_lines)[0].request, "two");
  const auto counts = shelf.counts("b1");
  EXPECT_EQ(counts->answered, 2);
  EXPECT_EQ(counts->failed, 1);
  ASSERT_TRUE(shelf.close({.id = "b1", .tenant = "a", .state = "completed", .is_finished = true},
                          {.id = "out", .tenant = "a"}, {.id = "err", .tenant = "a"},
                          [](const BatchLine& line) { return "left " + line.request; },
                          [](KeptBatch& batch, const KeptFile& output, const KeptFile&,
                             BatchCounts) { batch.body = output.id; }).is_ok());
  EXPECT_EQ((*archive->find_file("out", "a", true))->content, "first\n");
  EXPECT_EQ((*archive->find_file("err", "a", true))->content, "left two\nwrong\n");
  EXPECT_EQ((*shelf.find("b1", "a"))->body, "out");
  EXPECT_TRUE(shelf.unfinished()->empty());
  EXPECT_EQ(shelf.counts("b1")->total, 0);
}

// A child answers lines until it is killed in the middle; what it said is done is there, once.
TEST_F(ArchiveTest, AKillLosesNothingThatWasSaidToBeDone) {
  const std::vector<std::string> lines(400, "line");
  {
    auto archive = open();
    ASSERT_TRUE(BatchShelf(*archive).add({.id = "b", .tenant = "a", .state = "in_progress"}, lines)
                    .is_ok());
  }
  std::int64_t done = 0;
  for (int round = 0; round < 5; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto opened = Archive::open(path(), {});
      if (!opened.is_ok()) _exit(1);
      BatchShelf shelf(**opened);
      // However late the parent is to kill: lines are left for the rounds to come.
      for (int answered = 0; answered < 60; ++answered) {
        auto next = shelf.open_lines("b", 0, 1);
        if (!next.is_ok() || next->empty()) _exit(1);
        if (!shelf.answer_line("b", (*next)[0].number, false, "answer").is_ok()) _exit(1);
        if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
      }
      while (true) pause();
    }
    close(pipe_ends[1]);
    char said[30];
    for (int read_so_far = 0; read_so_far < 30;) {
      const ssize_t count = read(pipe_ends[0], said, static_cast<std::size_t>(30 - read_so_far));
      ASSERT_GT(count, 0);
      read_so_far += static_cast<int>(count);
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(pipe_ends[0]);
    auto archive = open();
    const std::int64_t answered = BatchShelf(*archive).counts("b")->answered;
    EXPECT_GE(answered, done + 30);
    done = answered;
  }
}

}  // namespace
}  // namespace quire::archive
