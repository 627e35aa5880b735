// Shares, mirrors and canaries over engines whose time is virtual: what becomes of every request of
// a model's bare name, counted.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <thread>

#include "host/leased_turn.h"
#include "host/repository/folder_repository.h"
#include "host/testing/file_catalog.h"
#include "host/testing/script_model.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

class TrafficTest : public ::testing::Test {
 protected:
  TrafficTest() {
    write("a/config.pbtxt", "version_policy { all {} }");
    version(1, "good");
  }
  ~TrafficTest() override {
    repository_.reset();
    ear_.reset();
    host_.reset();
    fs::remove_all(folder_);
    fs::remove_all(folder_ + "_canaries");
  }

  // Another process over the same folders.
  void restart() {
    repository_.reset();
    ear_.reset();
    host_ = std::make_unique<ModelHost>();
    ear_ = std::make_unique<Ear>(*host_);
    ids_ = 0;
    repository_ = std::make_unique<FolderRepository>(
        RepositoryOptions{.folders = {folder_}, .control = ModelRepository::Control::kExplicit,
                          .canary_folder = folder_ + "_canaries"},
        *host_, catalog_);
  }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(folder_ + "/" + path).parent_path());
    std::ofstream(folder_ + "/" + path) << text;
  }
  void version(int number, const std::string& text) {
    write(fmt::format("a/{}/model.gguf", number), text);
  }
  Status load(const std::string& traffic) {
    write("a/traffic.json", traffic);
    return repository_->load("a");
  }
  // As Service does, one after the other; the names of those who answered.
  std::map<std::string, int> ask(int count) {
    std::map<std::string, int> answered;
    for (int i = 0; i < count; ++i) {
      const auto lease = host_->lease("a");
      if (!lease.is_ok()) {
        ++answered["nobody"];
        continue;
      }
      ++answered[(*lease)->name()];
      Request request = small_request(++ids_);
      request.params.tokens_max = 4;
      request.params.seed = ids_;
      give(*lease, std::move(request));
      ear_->wait_for_ends(static_cast<int>(ids_));
      wait_for_mirrors();
    }
    return answered;
  }
  void give(const ModelLease& lease, Request request) {
    end_turn(lease, TurnEnd::kKept);
    lease->tap->submitted(request);
    EXPECT_TRUE(lease->engine->submit(std::move(request)).is_ok());
  }
  void wait_for_mirrors() {
    const auto is_over = [](const TrafficRow& row) {
      return row.mirrored == row.compared + row.mirrors_failed;
    };
    const auto waits = [&] {
      for (const TrafficRow& row : repository_->traffic()) {
        if (!is_over(row)) return true;
      }
      return false;
    };
    while (waits()) std::this_thread::yield();
  }
  TrafficRow row(std::uint64_t version) {
    for (const TrafficRow& row : repository_->traffic()) {
      if (row.version == version) return row;
    }
    return {};
  }
  std::string canary(const char* bounds) {
    return fmt::format(
        R"({{"stable":1,"canary":{{"version":2,"steps":[20,50,100],"requests":10,"bounds":{}}}}})",
        bounds);
  }

  static inline std::atomic<int> made{0};
  std::string folder_ =
      (fs::temp_directory_path() / fmt::format("quire_traffic_{}_{}", getpid(), ++made)).string();
  FileCatalog catalog_;
  std::unique_ptr<ModelHost> host_ = std::make_unique<ModelHost>();
  std::unique_ptr<Ear> ear_ = std::make_unique<Ear>(*host_);
  std::unique_ptr<FolderRepository> repository_ = std::make_unique<FolderRepository>(
      RepositoryOptions{.folders = {folder_}, .control = ModelRepository::Control::kExplicit},
      *host_, catalog_);
  std::uint64_t ids_ = 0;
};

TEST_F(TrafficTest, ASplitHoldsToTheRequest) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":1,"split":{"1":3,"2":1}})").is_ok());
  const auto answered = ask(40);
  EXPECT_EQ(answered.at("a:1"), 30);
  EXPECT_EQ(answered.at("a:2"), 10);
  EXPECT_EQ(row(1).percent, 75);
  EXPECT_EQ(row(2).requests, 10u);
  EXPECT_EQ(repository_->resolve("a", 0)->version, 1u);
  fs::remove(folder_ + "/a/traffic.json");
  ASSERT_TRUE(repository_->load("a").is_ok());
  EXPECT_EQ(ask(5).at("a:2"), 5) << "without the file the newest answers";
  EXPECT_TRUE(repository_->traffic().empty());
}

TEST_F(TrafficTest, WhatIsAnsweredWithoutAnEngineCostsNobodyAShare) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":1,"split":{"1":1,"2":1}})").is_ok());
  std::map<std::string, int> looked, answered;
  for (int i = 0; i < 50; ++i) {
    for (int k = 0; k <= i % 20; ++k) ++looked[(*host_->lease("a"))->name()];
    for (const auto& [name, count] : ask(1)) answered[name] += count;
  }
  EXPECT_EQ(answered.at("a:1"), 25);
  EXPECT_EQ(answered.at("a:2"), 25);
  EXPECT_EQ(looked.size(), 2u) << "by whoever is to answer next";
}

TEST_F(TrafficTest, ARequestThatIsRefusedCostsNobodyAShare) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":1,"split":{"1":9,"2":1}})").is_ok());
  std::map<std::string, int> answered;
  for (int i = 0; i < 100; ++i) {
    for (int k = 0; k <= i % 3; ++k) end_turn(*host_->lease("a"), TurnEnd::kRefused);
    for (const auto& [name, count] : ask(1)) answered[name] += count;
  }
  EXPECT_EQ(answered.at("a:1"), 90);
  EXPECT_EQ(answered.at("a:2"), 10);
}

TEST_F(TrafficTest, SharesHoldAmongThoseWhoComeTogether) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":1,"split":{"1":7,"2":3}})").is_ok());
  std::atomic<int> second{0}, bad{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        QuestionTurns turns;
        const auto lease = host_->lease("a");
        const auto again = host_->lease("a");  // one question means one version
        if (!lease.is_ok() || !again.is_ok() || *lease != *again) ++bad;
        if (i % 5 == 4) {
          turns.refuse();
          continue;
        }
        end_turn(*lease, TurnEnd::kKept);
        second += (*lease)->name() == "a:2" ? 1 : 0;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(bad, 0);
  EXPECT_NEAR(second, 48, 8) << "of 160, but for the turns that were out when the last came";
}

TEST_F(TrafficTest, AShadowIsAskedAndAnswersNobody) {
  version(2, "other");
  ASSERT_TRUE(load(R"({"stable":1,"shadow":{"version":2,"percent":50}})").is_ok());
  EXPECT_EQ(ask(20).at("a:1"), 20);
  EXPECT_EQ(ear_->ended(), 20) << "its events go nowhere";
  EXPECT_EQ(row(2).mirrored, 10u);
  EXPECT_EQ(row(2).compared, 10u);
  EXPECT_GT(row(2).different, 0u);
  version(2, "good");
  ASSERT_TRUE(repository_->load("a").is_ok());
  EXPECT_EQ(ask(20).at("a:1"), 20);
  EXPECT_EQ(row(2).compared, 10u) << "another version 2: counted anew";
  EXPECT_EQ(row(2).different, 0u) << "equal models answer equally, whatever the noise";
}

TEST_F(TrafficTest, MirrorsUnderWayAreBounded) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":1,"shadow":{"version":2,"percent":100}})").is_ok());
  host_->pause(true);
  for (int i = 0; i < 100; ++i) {
    const auto lease = host_->lease("a");
    ASSERT_TRUE(lease.is_ok());
    Request request = small_request(++ids_);
    request.params.tokens_max = 1;
    (*lease)->tap->submitted(request);
    ASSERT_TRUE((*lease)->engine->submit(std::move(request)).is_ok());
  }
  EXPECT_EQ(row(2).mirrored, Traffic::kMirrorsMax);
  host_->pause(false);
  ear_->wait_for_ends(100);
  wait_for_mirrors();
  ask(1);
  EXPECT_EQ(row(2).mirrored, Traffic::kMirrorsMax + 1) << "there is room again";
}

TEST_F(TrafficTest, AMirrorOfAPromptThatFillsTheContextIsAnswered) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":1,"shadow":{"version":2}})").is_ok());
  const auto lease = host_->lease("a");
  ASSERT_TRUE(lease.is_ok());
  Request request = small_request(++ids_);
  request.prompt.assign((*lease)->info.context_max, TokenId{1});
  request.params.tokens_max = 1;
  request.params.raw_logits = true;
  request.params.prompt_logprobs = 1;
  give(*lease, std::move(request));
  ear_->wait_for_ends(static_cast<int>(ids_));
  wait_for_mirrors();
  EXPECT_EQ(row(2).mirrored, 1u);
  EXPECT_EQ(row(2).compared, 1u);
}

TEST_F(TrafficTest, ACanaryThatTakesNoRequestsEndsUnlessTheyComeAgain) {
  version(2, "good");
  ASSERT_TRUE(load(canary(R"({"errors":0,"latency":1.5,"divergence":0})")).is_ok());
  const auto refuse = [&](int count, bool comes_again) {
    for (int i = 0; i < count && row(2).role == "canary"; ++i) {
      const auto lease = host_->lease("a");
      ASSERT_TRUE(lease.is_ok());
      if ((*lease)->name() != "a:2") {
        end_turn(*lease, TurnEnd::kKept);
        continue;
      }
      const Request request = small_request(++ids_);
      end_turn(*lease, TurnEnd::kKept);
      (*lease)->tap->submitted(request);
      (*lease)->tap->refused(request.id, comes_again);
    }
  };
  refuse(500, true);
  EXPECT_EQ(row(2).role, "canary") << row(2).reason;
  EXPECT_EQ(row(2).requests, 0u);
  refuse(500, false);
  EXPECT_EQ(row(2).role, "rolled back");
  EXPECT_NE(row(2).reason.find("refused"), std::string::npos) << row(2).reason;
}

TEST_F(TrafficTest, AGoodCanaryGetsAll) {
  version(2, "good");
  ASSERT_TRUE(load(canary(R"({"errors":0,"latency":1.5,"divergence":0})")).is_ok());
  EXPECT_EQ(row(2).role, "canary");
  const auto first = ask(40);
  EXPECT_EQ(first.at("a:2"), 8) << "a fifth";
  ask(60);
  EXPECT_EQ(row(2).role, "promoted") << row(2).reason;
  EXPECT_EQ(ask(10).at("a:2"), 10);
  EXPECT_EQ(repository_->resolve("a", 0)->version, 2u);
  ASSERT_TRUE(repository_->load("a").is_ok());
  EXPECT_EQ(ask(10).at("a:2"), 10) << "a load that changes nothing changes nothing";
}

TEST_F(TrafficTest, ACanaryWhoseClientsLeaveIsJudgedByThoseWhoStay) {
  version(2, "good");
  ASSERT_TRUE(load(canary(R"({"errors":0,"latency":1.5,"divergence":0})")).is_ok());
  std::uint64_t cut = 0;
  for (int i = 0; i < 200; ++i) {
    host_->pause(true);
    const auto lease = host_->lease("a");
    ASSERT_TRUE(lease.is_ok());
    cut += (*lease)->name() == "a:2" ? 1 : 0;
    give(*lease, small_request(++ids_));
    (*lease)->engine->cancel(RequestId{ids_});
    host_->pause(false);
    ear_->wait_for_ends(static_cast<int>(ids_));
    wait_for_mirrors();
  }
  EXPECT_GT(cut, 30u) << "it keeps its share of a fifth";
  EXPECT_EQ(row(2).role, "canary") << row(2).reason;
  EXPECT_EQ(row(2).percent, 20) << "and nothing is known of it";
  EXPECT_EQ(row(2).failed, 0u);
  EXPECT_EQ(row(1).compared, 0u);
  EXPECT_EQ(row(1).mirrors_failed, cut);
  ask(100);
  EXPECT_EQ(row(2).role, "promoted") << row(2).reason;
  EXPECT_EQ(row(1).compared, 30u);
}

TEST_F(TrafficTest, ACanaryThatNobodyCanCompareIsNotPromoted) {
  version(1, "wrong");  // what the stable version answers is worth nothing
  version(2, "good");
  ASSERT_TRUE(load(canary(R"({"errors":0,"latency":1.5,"divergence":0})")).is_ok());
  ask(100);
  EXPECT_EQ(row(2).role, "rolled back");
  EXPECT_EQ(row(2).reason, "10 requests in a step of 10 could not be compared");
  EXPECT_EQ(row(1).compared, 0u);
  version(3, "good");
  ASSERT_TRUE(load(R"({"stable":1,"canary":{"version":3,"steps":[100],"requests":10,)"
                   R"("mirror_percent":0}})").is_ok());
  ask(10);
  EXPECT_EQ(row(3).role, "promoted") << "nobody was to compare it: " << row(3).reason;
}

TEST_F(TrafficTest, WhoeverCannotBeMirroredForWantOfRoomIsNoneOfTheStep) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":1,"canary":{"version":2,"steps":[100],"requests":80}})").is_ok());
  host_->pause(true);
  for (int i = 0; i < 80; ++i) {
    const auto lease = host_->lease("a");
    ASSERT_TRUE(lease.is_ok());
    EXPECT_EQ((*lease)->name(), "a:2");
    give(*lease, small_request(++ids_));
  }
  host_->pause(false);
  ear_->wait_for_ends(80);
  wait_for_mirrors();
  EXPECT_EQ(row(1).compared, Traffic::kMirrorsMax);
  EXPECT_EQ(row(2).role, "canary");
  EXPECT_EQ(ask(16).at("a:2"), 16);
  EXPECT_EQ(row(2).role, "promoted") << row(2).reason;
  EXPECT_EQ(row(1).compared, 80u);
}

TEST_F(TrafficTest, ABadCanaryGetsItsShareForAWhileAndThenNone) {
  const std::pair<const char*, const char*> cases[] = {
      {"slow", "times as long"}, {"wrong", "failed"}, {"other", "answered otherwise"}};
  int number = 1;
  for (const auto& [text, reason] : cases) {
    version(++number, text);
    const std::string plan = fmt::format(
        R"({{"stable":1,"canary":{{"version":{},"steps":[20,50,100],"requests":10,)"
        R"("bounds":{{"errors":0.1,"latency":1.5,"divergence":0.2}}}}}})",
        number);
    ASSERT_TRUE(load(plan).is_ok());
    const std::string name = fmt::format("a:{}", number);
    auto answered = ask(200);
    EXPECT_GT(answered[name], 0) << text;
    EXPECT_LE(answered[name], 10) << text;
    EXPECT_EQ(answered["nobody"], 0);
    const TrafficRow end = row(static_cast<std::uint64_t>(number));
    EXPECT_EQ(end.role, "rolled back") << text;
    EXPECT_NE(end.reason.find(reason), std::string::npos) << end.reason;
    EXPECT_EQ(end.percent, 0);
    answered = ask(50);
    EXPECT_EQ(answered["a:1"], 50) << text;
  }
}

TEST_F(TrafficTest, WhatCameOfACanaryOutlastsTheProcess) {
  const std::string plan = canary(R"({"errors":0,"latency":1.5,"divergence":0})");
  restart();
  version(2, "good");
  ASSERT_TRUE(load(plan).is_ok());
  ask(60);  // fifty for the first step, ten of the second
  EXPECT_EQ(row(2).percent, 50);
  restart();
  ASSERT_TRUE(repository_->load("a").is_ok());
  EXPECT_EQ(row(2).role, "canary");
  EXPECT_EQ(row(2).percent, 50) << "its second step";
  ask(40);
  ASSERT_EQ(row(2).role, "promoted") << row(2).reason;
  const std::string reason = row(2).reason;
  EXPECT_EQ(reason, "30 requests in 3 steps stayed within the bounds");
  restart();
  ASSERT_TRUE(repository_->load("a").is_ok());
  EXPECT_EQ(row(2).role, "promoted");
  EXPECT_EQ(row(2).reason, reason);
  EXPECT_EQ(repository_->resolve("a", 0)->version, 2u);
  EXPECT_EQ(ask(10).at("a:2"), 10);
}

TEST_F(TrafficTest, ACanaryThatWasRolledBackStaysSoUntilSomethingOfItIsAnother) {
  const std::string plan = canary(R"({"errors":0.1,"latency":1.5,"divergence":0.2})");
  const auto begin = [&](const std::string& text) {
    restart();
    EXPECT_TRUE(load(text).is_ok());
    return row(2).role;
  };
  version(2, "other");
  EXPECT_EQ(begin(plan), "canary");
  ask(100);
  ASSERT_EQ(row(2).role, "rolled back");
  EXPECT_EQ(begin(plan), "rolled back");
  EXPECT_EQ(ask(30).at("a:1"), 30);
  EXPECT_EQ(begin(plan + " "), "canary") << "another text";
  EXPECT_EQ(begin(plan), "rolled back");
  version(2, "good one");
  EXPECT_EQ(begin(plan), "canary") << "another version";
  for (const auto& file : fs::directory_iterator(folder_ + "_canaries")) {
    std::ofstream(file.path()) << "{ damaged";
  }
  version(2, "other");
  EXPECT_EQ(begin(plan), "canary") << "nobody knows any more";
}

TEST_F(TrafficTest, APlanOfVersionsThatAreNotServedLeavesAllAsItWas) {
  version(2, "good");
  ASSERT_TRUE(load(R"({"stable":2})").is_ok());
  EXPECT_EQ(load(R"({"stable":2,"split":{"7":1}})").message(),
            "traffic.json: version 7 is not among those that the policy serves");
  EXPECT_EQ(load("{").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ask(3).at("a:2"), 3);
  ASSERT_TRUE(repository_->unload("a").is_ok());
  EXPECT_TRUE(repository_->traffic().empty());
  EXPECT_EQ(ask(1).at("nobody"), 1);
}

}  // namespace
}  // namespace quire
