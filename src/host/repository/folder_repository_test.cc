// The repository: what is chosen, loaded, warmed and switched; what is bad and leaves the old
// serving; who may order what; and users who are answered through all of it.
#include "host/repository/folder_repository.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "host/repository/ensemble/light_model.h"
#include "host/testing/folder_fixture.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

using Control = ModelRepository::Control;

class FolderRepositoryTest : public FolderFixture {};

TEST_F(FolderRepositoryTest, TheNewestVersionServesAndOthersAreThereIfThePolicySaysSo) {
  version("a", 1);
  version("a", 2);
  version("a", 10);
  write("a/03/model.gguf", "good");    // no version
  write("a/notes/model.gguf", "good");  // nor this
  version("b", 1);
  version("b", 2);
  write("b/config.pbtxt", "version_policy { all {} }");
  FolderRepository& repository = open(Control::kNone);
  ASSERT_TRUE(repository.start().is_ok());
  EXPECT_EQ(index(), "a 10 READY; b 1 READY; b 2 READY; ");
  EXPECT_EQ(serving("a"), "a:10");
  EXPECT_EQ(serving("b"), "b:2");
  EXPECT_EQ(serving("b:1"), "b:1");
  EXPECT_EQ(serving("a:2"), "The model is no longer served");
  EXPECT_EQ(repository.resolve("a", 0)->version, 10u);
  EXPECT_EQ(repository.resolve("b", 1)->host_name, "b:1");
  EXPECT_EQ(repository.resolve("a", 1).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(repository.resolve("c", 0).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(repository.versions("b").size(), 2u);
  EXPECT_EQ(repository.config("b")->versions.kind, VersionPolicy::Kind::kAll);
}

TEST_F(FolderRepositoryTest, LoadAndUnloadAreOrdersOfTheExplicitMode) {
  version("a", 1);
  version("b", 1);
  FolderRepository& repository = open(Control::kExplicit, {"b"});
  ASSERT_TRUE(repository.start().is_ok());
  EXPECT_EQ(index(), "a 0 UNAVAILABLE; b 1 READY; ");
  EXPECT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(repository.load("c").code(), StatusCode::kNotFound);
  EXPECT_EQ(repository.load("../x").code(), StatusCode::kNotFound);
  EXPECT_EQ(repository.load("").code(), StatusCode::kNotFound);
  EXPECT_EQ(repository.unload("c").code(), StatusCode::kNotFound);
  EXPECT_TRUE(repository.unload("a").is_ok());
  EXPECT_TRUE(repository.unload("a").is_ok()) << "twice is once";
  EXPECT_EQ(index(), "a 1 UNAVAILABLE unloaded; b 1 READY; ");
  EXPECT_FALSE(host_->find("a"));
  EXPECT_EQ(repository.config("a"), nullptr);
  EXPECT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(index(), "a 1 READY; b 1 READY; ");
}

// Of one step, whose model has `in` and `out`.
std::string ensemble(const std::string& model, const std::string& more = "",
                     const std::string& in = "text_input",
                     const std::string& out = "text_output") {
  return "platform: \"ensemble\" "
         "input { name: \"IN\" data_type: TYPE_STRING dims: 1 } "
         "output { name: \"OUT\" data_type: TYPE_STRING dims: 1 } "
         "ensemble_scheduling { step { model_name: \"" + model + "\" " + more +
         " input_map { key: \"" + in + "\" value: \"IN\" } "
         "output_map { key: \"" + out + "\" value: \"OUT\" } } }";
}

TEST_F(FolderRepositoryTest, AnEnsembleIsCheckedAgainstItsModels) {
  version("a", 1);
  write("e/1/empty", "");
  FolderRepository& repository = open(Control::kExplicit, {"a"});
  ASSERT_TRUE(repository.start().is_ok());
  write("e/config.pbtxt", ensemble("b"));
  EXPECT_EQ(repository.load("e").message(),
            "in ensemble 'e', step 0 (model 'b'): the repository has no model 'b'");
  write("e/config.pbtxt", ensemble("a", "model_version: 4"));
  EXPECT_EQ(repository.load("e").message(),
            "in ensemble 'e', step 0 (model 'a'): the repository has no version 4 of that model");
  write("e/config.pbtxt", ensemble("a", "model_version: 1"));
  ASSERT_TRUE(repository.load("e").is_ok());
  EXPECT_EQ(index(), "a 1 READY; e 1 READY; ");
  EXPECT_FALSE(host_->find("e")) << "nothing is hosted for it";
  const auto served = repository.resolve("e", 0);
  ASSERT_TRUE(served.is_ok());
  EXPECT_EQ(served->light->graph.steps.front().model, "a");
  write("e/traffic.json", R"({"stable": 1})");
  EXPECT_EQ(repository.load("e").code(), StatusCode::kUnsupported);
  EXPECT_EQ(repository.resolve("e", 1)->light, served->light) << "the old one serves on";
  EXPECT_EQ(serving("a"), "a:1") << "others are not disturbed";
}

TEST_F(FolderRepositoryTest, AnEnsembleBringsItsStepsAndMayTakeThemAlong) {
  for (const char* name : {"a", "b", "c"}) version(name, 1);
  for (const char* name : {"e", "f", "g"}) write(std::string(name) + "/1/empty", "");
  write("e/config.pbtxt", ensemble("a"));
  write("f/config.pbtxt", ensemble("e", "", "IN", "OUT"));
  write("g/config.pbtxt", ensemble("a"));
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("f").is_ok());
  EXPECT_EQ(index(), "a 1 READY; b 0 UNAVAILABLE; c 0 UNAVAILABLE; e 1 READY; f 1 READY; "
                     "g 0 UNAVAILABLE; ");
  ASSERT_TRUE(repository.load("g").is_ok());
  EXPECT_EQ(catalog_.opened, 1) << "once for all";
  ASSERT_TRUE(repository.unload("f", true).is_ok());
  EXPECT_EQ(repository.versions("e").size(), 0u);
  EXPECT_EQ(serving("a"), "a:1") << "another ensemble uses it";
  ASSERT_TRUE(repository.unload("g", true).is_ok());
  EXPECT_EQ(repository.versions("a").size(), 0u);
  version("a", 2, "bad");
  write("a/config.pbtxt", "version_policy { specific { versions: 2 } }");
  EXPECT_NE(repository.load("g").message().find("in ensemble 'g', its step's model 'a' cannot be "
                                                "loaded: version 2: "), std::string::npos);
}

TEST_F(FolderRepositoryTest, NoEnsembleLeadsBackToItself) {
  version("a", 1);
  for (const char* name : {"e", "f"}) write(std::string(name) + "/1/empty", "");
  write("e/config.pbtxt", ensemble("f", "", "IN", "OUT"));
  write("f/config.pbtxt", ensemble("e", "", "IN", "OUT"));
  FolderRepository& repository = open();
  EXPECT_NE(repository.load("e").message().find("leads back to itself"), std::string::npos);
  write("f/config.pbtxt", ensemble("a"));
  ASSERT_TRUE(repository.load("e").is_ok());
  write("f/config.pbtxt", ensemble("e", "", "IN", "OUT"));
  EXPECT_NE(repository.load("f").message().find("leads back to itself"), std::string::npos);
  EXPECT_EQ(repository.resolve("f", 0)->light->graph.steps.front().model, "a");
}

TEST_F(FolderRepositoryTest, PollingLooksAtAnEnsembleAndAtItsSteps) {
  version("b", 1);
  write("e/1/empty", "");
  write("e/config.pbtxt", ensemble("b"));
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  EXPECT_EQ(index(), "b 1 READY; e 1 READY; ");
  const auto first = repository.resolve("e", 0)->light;
  repository.look();
  EXPECT_EQ(repository.resolve("e", 0)->light, first) << "nothing has changed";
  version("a", 1);
  write("e/config.pbtxt", ensemble("a"));
  repository.look();
  EXPECT_EQ(repository.resolve("e", 0)->light->graph.steps.front().model, "a");
  fs::remove_all(folder_ + "/a");
  repository.look();
  EXPECT_EQ(repository.versions("a").size(), 0u);
  const auto second = repository.resolve("e", 0)->light;
  ASSERT_NE(second, nullptr) << "who asks it is told which model is not there";
  version("a", 2);
  repository.look();
  EXPECT_EQ(index().substr(0, 34), "a 1 UNAVAILABLE its folder is gone") << index();
  EXPECT_EQ(serving("a"), "a:2");
  fs::remove_all(folder_ + "/e");
  repository.look();
  EXPECT_EQ(repository.versions("e").size(), 0u);
}

TEST_F(FolderRepositoryTest, OtherModesTakeNoOrders) {
  version("a", 1);
  for (const Control control : {Control::kNone, Control::kPoll}) {
    FolderRepository& repository = open(control);
    ASSERT_TRUE(repository.start().is_ok());
    EXPECT_EQ(repository.load("a").code(), StatusCode::kUnavailable);
    EXPECT_EQ(repository.unload("a").code(), StatusCode::kUnavailable);
    repository_.reset();
    host_ = std::make_unique<ModelHost>();
  }
}

TEST_F(FolderRepositoryTest, ALoadLoadsWhatHasChangedAndNothingElse) {
  version("a", 1);
  version("a", 2);
  write("a/config.pbtxt", "version_policy { all {} }");
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(catalog_.opened, 2);
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(catalog_.opened, 2);
  version("a", 3);
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(catalog_.opened, 3);
  touch("a/1/model.gguf");
  const auto before = host_->find("a:1");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(catalog_.opened, 4);
  EXPECT_NE(host_->find("a:1"), before) << "another model under the same name";
  write("a/config.pbtxt", "version_policy { specific { versions: [ 1, 3 ] } }");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(index(), "a 1 READY; a 2 UNAVAILABLE unloaded; a 3 READY; ");
  EXPECT_FALSE(host_->find("a:2"));
}

TEST_F(FolderRepositoryTest, ABadNewVersionLeavesTheOldServing) {
  version("a", 1);
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  version("a", 2, "bad");
  const Status failed = repository.load("a");
  EXPECT_EQ(failed.code(), StatusCode::kInternal);
  EXPECT_NE(failed.message().find("byte 7 is wrong"), std::string::npos) << failed.message();
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_NE(index().find("a 1 READY; a 2 UNAVAILABLE The model 'a:2' cannot be loaded: byte 7"),
            std::string::npos) << index();
  version("a", 2, "faulty");
  EXPECT_TRUE(repository.load("a").is_ok()) << "nobody asks it for anything";
  version("a", 3, "faulty");
  write("a/config.pbtxt", "model_warmup { name: \"w\" }");
  EXPECT_FALSE(repository.load("a").is_ok());
  EXPECT_EQ(serving("a"), "a:2") << "a version that fails its warm-up does not serve";
  version("a", 3);
  EXPECT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(serving("a"), "a:3");
  while (catalog_.alive != 1) std::this_thread::yield();
}

TEST_F(FolderRepositoryTest, AVersionHasTheInstancesOfItsConfigAndAllAreWarmed) {
  version("a", 1);
  write("a/config.pbtxt", "instance_group [ { count: 2 }, {} ] model_warmup { count: 2 }");
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  {
    const auto lease = host_->lease("a");
    ASSERT_TRUE(lease.is_ok());
    const Engine& engine = *(*lease)->engine;
    EXPECT_EQ(engine.instances(), 3u);
    EXPECT_EQ(engine.stats().blocks_total, 3u * 16);
    const auto row = host_->row(*host_->find("a"));
    EXPECT_EQ(row->stats.prompt_tokens, 6u) << "of one token each, twice for each of them";
  }
  version("a", 2);
  write("a/2/model.json", R"({"model":"model.gguf","data_parallel_size":2})");
  write("a/config.pbtxt", "");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ((*host_->lease("a"))->engine->instances(), 2u);
  version("a", 3);
  write("a/3/model.json", R"({"model":"model.gguf","data_parallel_size":9})");
  EXPECT_EQ(repository.load("a").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(serving("a"), "a:2");
}

TEST_F(FolderRepositoryTest, ABadConfigLeavesTheOldServing) {
  version("a", 1);
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  version("a", 2);
  write("a/config.pbtxt", "max_batch: 3");
  EXPECT_EQ(repository.load("a").message(),
            "config.pbtxt: line 1: 'max_batch' is no field of ModelConfig");
  write("a/config.pbtxt", "instance_group { count: 40 }");
  EXPECT_EQ(repository.load("a").code(), StatusCode::kUnsupported);
  write("a/config.pbtxt", "version_policy { specific { versions: 7 } }");
  EXPECT_EQ(repository.load("a").code(), StatusCode::kInvalidArgument);
  write("a/config.pbtxt", "output { name: \"o\" data_type: TYPE_FP32 dims: 2 label_filename: "
                          "\"labels.txt\" }");
  EXPECT_EQ(repository.load("a").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(serving("a"), "a:1");
  write("a/labels.txt", "cat\r\ndog\n\n");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(serving("a"), "a:2");
  EXPECT_EQ(repository.config("a")->outputs[0].labels, (std::vector<std::string>{"cat", "dog"}));
}

TEST_F(FolderRepositoryTest, AfterARestartWhatCannotBeLoadedIsPassedOver) {
  version("a", 1);
  version("a", 2);
  version("a", 3, "bad");
  FolderRepository& repository = open();
  EXPECT_FALSE(repository.load("a").is_ok()) << "it is told";
  EXPECT_EQ(serving("a"), "a:2");
  EXPECT_NE(index().find("a 2 READY; a 3 UNAVAILABLE"), std::string::npos) << index();
  version("b", 1);
  version("b", 2, "bad");
  write("b/config.pbtxt", "version_policy { specific { versions: 2 } }");
  EXPECT_FALSE(repository.load("b").is_ok());
  EXPECT_FALSE(host_->find("b")) << "version 1 is excluded";
}

TEST_F(FolderRepositoryTest, AConfigMayComeWithTheOrder) {
  version("a", 1);
  version("a", 2);
  FolderRepository& repository = open();
  const Json config = *parse_json(
      R"({"version_policy":{"specific":{"versions":[1]}},"max_batch_size":3,)"
      R"("parameters":{"max_model_len":{"string_value":"17"}}})");
  ASSERT_TRUE(repository.load("a", config).is_ok());
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(catalog_.overrides("a:1").context_max, 17u);
  EXPECT_EQ(catalog_.overrides("a:1").rows_max, 3u);
  EXPECT_EQ(repository.load("a", *parse_json(R"({"x":1})")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(serving("a"), "a:1");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(serving("a"), "a:2") << "the file again";
}

TEST_F(FolderRepositoryTest, AConfigThatCameWithTheOrderNamesNoFilesElsewhere) {
  version("a", 1);
  write("a/1/own.jinja", "{{ messages }}");
  write("elsewhere.jinja", "{{ messages }}");
  FolderRepository& repository = open();
  const auto load = [&](std::string_view parameter, const std::string& path) {
    Json config = Json::object();
    config.set("parameters", Json::object({{std::string(parameter),
                                            Json::object({{"string_value", path}})}}));
    return repository.load("a", config);
  };
  std::filesystem::create_symlink("../../elsewhere.jinja", folder_ + "/a/1/link.jinja");
  for (const char* path : {"/etc/passwd", "../../elsewhere.jinja", "link.jinja", "nothing.jinja"}) {
    EXPECT_EQ(load("chat_template", path).code(), StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(load("tokenizer", path).code(), StatusCode::kInvalidArgument) << path;
  }
  for (const char* path : {"/etc/passwd", "../1/../../elsewhere.jinja", "some/model"}) {
    EXPECT_EQ(load("model", path).code(), StatusCode::kInvalidArgument) << path;
  }
  ASSERT_TRUE(load("chat_template", "own.jinja").is_ok());
  EXPECT_EQ(load("model", "stored").code(), StatusCode::kNotFound) << "it may be of the store";
}

TEST_F(FolderRepositoryTest, AVersionSaysItselfWhatItServes) {
  write("a/1/model.json",
        R"({"model":"file.gguf","max_model_len":33,"gpu_memory_utilization":0.5})");
  write("a/1/file.gguf", "good");
  write("b/1/x.gguf", "good");
  write("b/1/y.gguf", "good");
  write("c/1/readme", "");
  write("d/1/model.json", R"({"model":"m","tensor_parallel":2})");
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(catalog_.overrides("a:1").context_max, 33u);
  EXPECT_NE(repository.load("b").message().find("2 model files"), std::string::npos);
  write("b/config.pbtxt", "default_model_filename: \"y.gguf\"");
  EXPECT_TRUE(repository.load("b").is_ok());
  EXPECT_NE(repository.load("c").message().find("there is no model"), std::string::npos);
  EXPECT_NE(repository.load("d").message().find("'tensor_parallel' is not known"),
            std::string::npos);
}

TEST_F(FolderRepositoryTest, PollingFollowsTheFolder) {
  version("a", 1);
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  repository.look();
  EXPECT_EQ(catalog_.opened, 1) << "nothing has changed";
  version("a", 2);
  version("b", 1);
  repository.look();
  EXPECT_EQ(serving("a"), "a:2");
  EXPECT_EQ(serving("b"), "b:1");
  version("a", 3, "bad");
  repository.look();
  const int tried = catalog_.opened;
  repository.look();
  EXPECT_EQ(catalog_.opened, tried) << "what is bad is not tried again before it changes";
  EXPECT_EQ(serving("a"), "a:2");
  fs::remove_all(folder_ + "/b");
  repository.look();
  EXPECT_FALSE(host_->find("b"));
  version("b", 2);
  repository.look();
  EXPECT_EQ(serving("b"), "b:2");
}

TEST_F(FolderRepositoryTest, ANameOfAnotherModelIsNotTakenOver) {
  version("a", 1);
  write("other.gguf", "good");
  auto recipe = catalog_.recipe(folder_ + "/other.gguf", {"a"}, {});
  ASSERT_TRUE(host_->add(std::move(*recipe)).is_ok());
  FolderRepository& repository = open();
  EXPECT_EQ(repository.load("a").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(serving("a"), "The model 'a' is not loaded");
  EXPECT_EQ(host_->size(), 1u);
}

// Users of two models, whose versions change ten times under them: nobody is turned away, and who
// comes after a switch is not answered by a version that it has excluded.
TEST_F(FolderRepositoryTest, NobodyIsLostWhileVersionsChange) {
  version("a", 1);
  version("b", 1);
  FolderRepository& repository = open(Control::kExplicit, {"*"});
  ASSERT_TRUE(repository.start().is_ok());
  std::atomic<bool> is_over{false};
  std::atomic<int> served{0}, lost{0}, stale{0};
  std::atomic<std::uint64_t> floor_a{1}, floor_b{1};
  std::vector<std::thread> users;
  for (int i = 0; i < 3; ++i) {
    users.emplace_back([&, i] {
      for (int turn = i; !is_over; ++turn) {
        const bool is_a = turn % 2 == 0;
        const std::uint64_t floor = is_a ? floor_a : floor_b;
        const auto lease = host_->lease(is_a ? "a" : "b");
        lost += lease.is_ok() ? 0 : 1;
        if (!lease.is_ok()) continue;
        stale += std::stoull((*lease)->name().substr(2)) < floor ? 1 : 0;
        ++served;
      }
    });
  }
  for (int number = 2; number <= 11; ++number) {
    const bool is_a = number % 2 == 0;
    version(is_a ? "a" : "b", number, number == 8 ? "bad" : "good");
    const bool is_loaded = repository.load(is_a ? "a" : "b").is_ok();
    EXPECT_EQ(is_loaded, number != 8);
    if (is_loaded) (is_a ? floor_a : floor_b) = static_cast<std::uint64_t>(number);
    const int before = served;
    while (served < before + 10) std::this_thread::yield();
  }
  is_over = true;
  for (std::thread& user : users) user.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(stale, 0);
  EXPECT_EQ(serving("a"), "a:10");
  EXPECT_EQ(serving("b"), "b:11");
}

TEST_F(FolderRepositoryTest, AnEnsembleIsServedByAStepThatFellBack) {
  version("a", 1);
  version("a", 2, "bad");
  write("e/1/empty", "");
  write("e/config.pbtxt", ensemble("a"));
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("e").is_ok());
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(repository.versions("e").size(), 1u);
}

TEST_F(FolderRepositoryTest, TheShownBatchOfASilentConfigChangesNoEngine) {
  version("a", 1);
  version("b", 1);
  write("b/config.pbtxt", "max_batch_size: 8");
  FolderRepository& repository = open();
  const auto rows = [&](const char* name, const char* config) {
    EXPECT_TRUE(repository.load(name, *parse_json(config)).is_ok());
    return catalog_.overrides(std::string(name) + ":1").rows_max;
  };
  EXPECT_EQ(rows("a", R"({"max_batch_size":64})"), 0u) << "as if nobody had said it";
  EXPECT_EQ(repository.config("a")->batch_max, 64u);
  ASSERT_EQ(repository.warnings("a").size(), 1u);
  EXPECT_EQ(repository.warnings("a").front().substr(0, 26), "'max_batch_size' 64 is wha");
  EXPECT_EQ(rows("a", R"({"max_batch_size":63})"), 63u);
  EXPECT_EQ(rows("a", R"({"max_batch_size":64,)"
                      R"("parameters":{"max_num_seqs":{"string_value":"32"}}})"), 32u);
  EXPECT_EQ(rows("b", R"({"max_batch_size":64})"), 64u) << "its own says another";
}

}  // namespace
}  // namespace quire
