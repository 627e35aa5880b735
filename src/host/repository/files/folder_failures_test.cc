// What goes wrong with a repository, and what is told of it: reasons beside what serves, versions
// that stand for themselves, folders that cannot be read, models that have left the memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>

#include "host/testing/folder_fixture.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

using Control = ModelRepository::Control;

class FolderFailuresTest : public FolderFixture {
 protected:
  bool has_failed(const std::string& name) const {
    const auto rows = repository_->index();
    return std::any_of(rows.begin(), rows.end(), [&](const RepositoryRow& row) {
      return row.name == name && row.has_failed;
    });
  }
};

TEST_F(FolderFailuresTest, TheReasonIsToldBesideWhatServes) {
  version("a", 1);
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_FALSE(has_failed("a"));
  write("a/config.pbtxt", "max_batch: 3");
  EXPECT_FALSE(repository.load("a").is_ok());
  EXPECT_EQ(index(), "a 1 READY config.pbtxt: line 1: 'max_batch' is no field of ModelConfig; ");
  EXPECT_TRUE(has_failed("a"));
  write("a/config.pbtxt", "");
  write("a/traffic.json", "{");
  EXPECT_FALSE(repository.load("a").is_ok());
  EXPECT_EQ(index().substr(0, 23), "a 1 READY traffic.json:") << index();
  fs::remove(folder_ + "/a/traffic.json");
  version("a", 1, "bad");
  touch("a/1/model.gguf");
  EXPECT_FALSE(repository.load("a").is_ok());
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(index(), "a 1 READY The model 'a:1' cannot be loaded: byte 7 is wrong; ");
  version("a", 1);
  touch("a/1/model.gguf");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(index(), "a 1 READY; ");
  EXPECT_FALSE(has_failed("a"));
  write("b/config.pbtxt", "max_batch: 3");
  EXPECT_FALSE(repository.load("b").is_ok());
  EXPECT_NE(index().find("b 0 UNAVAILABLE config.pbtxt: line 1"), std::string::npos) << index();
  ASSERT_TRUE(repository.unload("a").is_ok());
  write("a/config.pbtxt", "max_batch: 3");
  EXPECT_FALSE(repository.load("a").is_ok());
  EXPECT_EQ(index().substr(0, 30), "a 1 UNAVAILABLE config.pbtxt: ") << index();
  ASSERT_TRUE(repository.unload("a").is_ok());
  EXPECT_FALSE(has_failed("a")) << "nobody wants it";
}

TEST_F(FolderFailuresTest, AWishThatFailedIsForgottenWithTheNextThatGoesWell) {
  version("a", 1);
  version("a", 2, "bad");
  FolderRepository& repository = open();
  write("a/config.pbtxt", "version_policy { specific { versions: 1 } }");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_FALSE(
      repository.load("a", *parse_json(R"({"version_policy":{"specific":{"versions":[2]}}})"))
          .is_ok());
  EXPECT_NE(index().find("a 2 UNAVAILABLE The model"), std::string::npos) << index();
  EXPECT_EQ(serving("a"), "a:1");
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(index(), "a 1 READY; ");
}

TEST_F(FolderFailuresTest, VersionsStandForThemselvesUnlessTheConfigIsAnother) {
  version("a", 1);
  write("a/config.pbtxt", "version_policy { all {} }");
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  version("a", 2, "bad");
  version("a", 3);
  EXPECT_FALSE(repository.load("a").is_ok());
  EXPECT_EQ(serving("a"), "a:3");
  EXPECT_EQ(serving("a:1"), "a:1");
  EXPECT_EQ(index(), "a 1 READY; a 2 UNAVAILABLE The model 'a:2' cannot be loaded: byte 7 is "
                     "wrong; a 3 READY; ");
  write("a/config.pbtxt", "version_policy { all {} } max_batch_size: 3");
  EXPECT_FALSE(repository.load("a").is_ok()) << "a version fails with it";
  EXPECT_EQ(repository.config("a")->batch_max, 0u);
  version("b", 1);
  version("b", 2, "bad");
  EXPECT_FALSE(repository.load("b").is_ok());
  version("b", 3);
  version("b", 4, "bad");
  EXPECT_FALSE(repository.load("b").is_ok());
  EXPECT_EQ(serving("b"), "b:3") << "the newest that there is";
  version("b", 5);
  fs::remove_all(folder_ + "/b/2");
  ASSERT_TRUE(repository.load("b").is_ok());
  EXPECT_EQ(index().substr(index().find("b 1")),
            "b 1 UNAVAILABLE unloaded; b 3 UNAVAILABLE unloaded; b 4 UNAVAILABLE The model 'b:4' "
            "cannot be loaded: byte 7 is wrong; b 5 READY; ") << "4 is as it was, 2 is gone";
}

TEST_F(FolderFailuresTest, WhoHasNoVersionAnyMoreIsUnloadedByALook) {
  version("a", 1);
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  fs::remove_all(folder_ + "/a/1");
  repository.look();
  EXPECT_FALSE(host_->find("a"));
  EXPECT_EQ(index(), "a 1 UNAVAILABLE it has no version any more; ");
  version("a", 2);
  repository.look();
  EXPECT_EQ(serving("a"), "a:2");
}

TEST_F(FolderFailuresTest, ARepositoryThatCannotBeReadLeavesItsModelsServing) {
  version("a", 1);
  version("b", 1);
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  fs::rename(folder_, folder_ + ".away");
  for (int i = 0; i < 3; ++i) repository.look();
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(index(), "a 1 READY; b 1 READY; ");
  EXPECT_TRUE(repository.has("a"));
  fs::rename(folder_ + ".away", folder_);
  fs::remove_all(folder_ + "/b");
  repository.look();
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(catalog_.opened, 2) << "nothing was loaded anew";
  EXPECT_FALSE(host_->find("b")) << "this one is gone";
}

TEST_F(FolderFailuresTest, AnOrderToLoadBringsBackWhatHasLeftTheMemory) {
  version("a", 1);
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  const auto model = *host_->find("a");
  const auto unload = [&] {
    ASSERT_TRUE(host_->unload(model).is_ok());
    while (host_->row(model)->state != ModelState::kUnloaded) std::this_thread::yield();
  };
  unload();
  EXPECT_EQ(index(), "a 1 UNAVAILABLE unloaded: the next request or order loads it; ");
  EXPECT_FALSE(has_failed("a"));
  ASSERT_TRUE(repository.load("a").is_ok());
  EXPECT_EQ(index(), "a 1 READY; ");
  EXPECT_EQ(host_->row(model)->state, ModelState::kReady);
  unload();
  catalog_.is_broken = true;
  EXPECT_FALSE(repository.load("a").is_ok());
  EXPECT_TRUE(has_failed("a"));
  EXPECT_EQ(index().substr(0, 26), "a 1 UNAVAILABLE The model ") << index();
}

TEST_F(FolderFailuresTest, WhoIsStillBeingAnsweredByAVersionKeepsItUnloading) {
  version("a", 1);
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  auto lease = host_->lease("a");
  ASSERT_TRUE(lease.is_ok());
  ASSERT_TRUE(repository.unload("a").is_ok());
  EXPECT_EQ(index(), "a 1 UNLOADING unloaded; ");
  lease = ModelLease();
  EXPECT_EQ(index(), "a 1 UNAVAILABLE unloaded; ");
}

TEST_F(FolderFailuresTest, FoldersThatNoModelCanBeCalledAfterAreTold) {
  version("a", 1);
  version("a:b", 1);
  version(std::string(129, 'x'), 1);
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  EXPECT_NE(index().find("a:b 0 UNAVAILABLE the name of a model has at most 128 bytes"),
            std::string::npos) << index();
  EXPECT_NE(index().find("xxx 0 UNAVAILABLE the name"), std::string::npos);
  EXPECT_TRUE(has_failed("a:b")) << "all models that are there should serve";
  open(Control::kExplicit);
  EXPECT_FALSE(has_failed("a:b"));
}

TEST_F(FolderFailuresTest, AConfigThatLeadsNowhereIsNotTakenForNone) {
  version("a", 1);
  fs::create_symlink("nowhere", folder_ + "/a/config.pbtxt");
  EXPECT_FALSE(open().load("a").is_ok());
  fs::remove(folder_ + "/a/config.pbtxt");
  fs::create_symlink("nowhere", folder_ + "/a/traffic.json");
  EXPECT_FALSE(repository_->load("a").is_ok());
  fs::remove(folder_ + "/a/traffic.json");
  EXPECT_TRUE(repository_->load("a").is_ok());
}

TEST_F(FolderFailuresTest, AnEnsembleWhoseStepsHaveChangedIsNoMoreSound) {
  version("s", 1);
  const auto declare = [&](const std::string& out) {
    write("s/config.pbtxt", "input { name: 'in' data_type: TYPE_STRING dims: 1 } "
                            "output { name: '" + out + "' data_type: TYPE_STRING dims: 1 }");
  };
  declare("out");
  write("e/1/empty", "");
  write("e/config.pbtxt",
        "platform: 'ensemble' input { name: 'IN' data_type: TYPE_STRING dims: 1 } "
        "output { name: 'OUT' data_type: TYPE_STRING dims: 1 } "
        "ensemble_scheduling { step { model_name: 's' input_map { key: 'in' value: 'IN' } "
        "output_map { key: 'out' value: 'OUT' } } }");
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("e").is_ok());
  declare("other");
  ASSERT_TRUE(repository.load("s").is_ok());
  EXPECT_FALSE(repository.soundness("e").is_ok());
  EXPECT_TRUE(has_failed("e"));
  EXPECT_EQ(index().substr(0, 37), "e 1 UNAVAILABLE in ensemble 'e', step") << index();
  declare("out");
  ASSERT_TRUE(repository.load("s").is_ok());
  EXPECT_TRUE(repository.soundness("e").is_ok());
  EXPECT_EQ(index(), "e 1 READY; s 1 READY; ");
}

TEST_F(FolderFailuresTest, WhatAnOrdersConfigRepeatsOfTheFoldersItMayName) {
  version("a", 1);
  write("words.json", "{}");
  const std::string words = folder_ + "/words.json";
  write("a/config.pbtxt",
        "parameters { key: 'tokenizer' value { string_value: '" + words + "' } }");
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  Json shown = repository.config("a")->json;  // as a client asks for it, and changes it
  shown.set("max_batch_size", 4);
  ASSERT_TRUE(repository.load("a", shown).is_ok());
  EXPECT_EQ(repository.config("a")->batch_max, 4u);
  const Json other = Json::object({{"string_value", "/etc/passwd"}});
  shown.set("parameters", Json::object({{"tokenizer", other}}));
  EXPECT_EQ(repository.load("a", shown).code(), StatusCode::kInvalidArgument);
}

TEST_F(FolderFailuresTest, AModelJsonHasTheBoundsOfTheFlags) {
  version("a", 1);
  FolderRepository& repository = open();
  const auto load = [&](const std::string& field) {
    write("a/1/model.json", R"({"model":"model.gguf",")" + field + "}");
    return repository.load("a").message();
  };
  for (const char* value : {"0", "-1", "65537", "1073741824", "1e30", "\"3\""}) {
    EXPECT_NE(load(std::string("max_num_seqs\":") + value)
                  .find("'max_num_seqs' must be an integer from 1 to 65536"),
              std::string::npos) << value;
  }
  EXPECT_EQ(load("max_num_seqs\":65536"), "");
  EXPECT_EQ(catalog_.overrides("a:1").rows_max, 65'536u);
}

TEST_F(FolderFailuresTest, WhatDoesNothingIsToldOfWhatServes) {
  version("a", 1);
  write("a/labels.txt", "x\n");
  write("a/config.pbtxt", "metric_tags { key: 'a' value: 'b' } output { name: 'o' data_type: "
                          "TYPE_FP32 dims: 2 label_filename: 'labels.txt' }");
  FolderRepository& repository = open();
  ASSERT_TRUE(repository.load("a").is_ok());
  const auto warnings = repository.warnings("a");
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[1].find("label_filename"), std::string::npos);
  EXPECT_EQ((*host_->lease("a"))->info.warnings, warnings);
}

TEST_F(FolderFailuresTest, AFolderThatCannotBeLookedAtIsNotGone) {
  version("a", 1);
  version("b", 1);
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  fs::rename(folder_ + "/a", folder_ + "/.a");
  fs::create_symlink("mount/a", folder_ + "/a");  // as while the mount is away
  repository.look();
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(index(), "a 1 READY; b 1 READY; ");
  open(Control::kExplicit);
  EXPECT_EQ(repository_->load("a").code(), StatusCode::kUnavailable);
  EXPECT_EQ(repository_->load("c").code(), StatusCode::kNotFound);
  open(Control::kPoll);
}

TEST_F(FolderFailuresTest, AFolderThatComesBackIsNotLoadedAnewAndOneThatGoesIsUnloaded) {
  version("a", 1);
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  fs::rename(folder_ + "/a", folder_ + "/.a");
  fs::create_symlink("mount/a", folder_ + "/a");
  repository.look();
  fs::remove(folder_ + "/a");
  fs::rename(folder_ + "/.a", folder_ + "/a");
  repository.look();
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(catalog_.opened, 1);
  fs::remove_all(folder_ + "/a");
  repository.look();
  EXPECT_FALSE(host_->find("a"));
}

TEST_F(FolderFailuresTest, AVersionThatCannotBeLookedAtServesOnAndIsPassedOverAtTheStart) {
  version("a", 1);
  write(".mount/2/model.gguf", "good");
  fs::create_symlink("../.mount/2", folder_ + "/a/2");
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  EXPECT_EQ(serving("a"), "a:2");
  fs::rename(folder_ + "/.mount", folder_ + "/.away");
  repository.look();
  EXPECT_EQ(serving("a"), "a:2");
  EXPECT_NE(index().find("a 2 READY '"), std::string::npos) << index();
  fs::rename(folder_ + "/.away", folder_ + "/.mount");
  repository.look();
  EXPECT_EQ(index().substr(index().find("a 2")), "a 2 READY; ");
  EXPECT_EQ(catalog_.opened, 1) << "it is as it was";
}

TEST_F(FolderFailuresTest, AVersionThatLeadsNowhereIsPassedOver) {
  version("a", 1);
  fs::create_symlink("nowhere", folder_ + "/a/2");
  FolderRepository& repository = open();
  EXPECT_EQ(repository.load("a").code(), StatusCode::kUnavailable);
  EXPECT_EQ(serving("a"), "a:1");
}

TEST_F(FolderFailuresTest, WhoServesIsNotUnloadedBecauseThereAreTooManyFolders) {
  version("z", 1);
  version("a", 1);
  FolderRepository& repository = open(Control::kPoll);
  ASSERT_TRUE(repository.start().is_ok());
  for (std::size_t i = 0; i < kFolderModelsMax + 150; ++i) {
    fs::create_directories(fmt::format("{}/m{}", folder_, i));
  }
  repository.look();
  EXPECT_EQ(serving("z"), "z:1");
  EXPECT_EQ(serving("a"), "a:1");
  EXPECT_EQ(index().substr(0, 10), "a 1 READY;");
}

TEST_F(FolderFailuresTest, WhatIsKnownIsToldWithoutTheDisk) {
  version("a", 1);
  version("b", 1);
  version("a:b", 1);
  FolderRepository& repository = open(Control::kExplicit, {"a"});
  ASSERT_TRUE(repository.start().is_ok());
  const auto known = [&] {
    std::string names;
    for (const RepositoryRow& row : repository_->known_rows()) names += row.name + " ";
    return names;
  };
  EXPECT_EQ(known(), "a a:b b ") << "by name";
  version("c", 1);
  EXPECT_EQ(known(), "a a:b b ") << "nobody has looked";
  EXPECT_FALSE(repository.has("c"));
  EXPECT_NE(index().find("c 0 UNAVAILABLE"), std::string::npos);
  EXPECT_EQ(known(), "a a:b b c ");
  fs::remove_all(folder_);
  EXPECT_EQ(known(), "a a:b b c ");
  EXPECT_TRUE(repository.has("c"));
  EXPECT_EQ(index(), "a 1 READY; ");
  EXPECT_FALSE(repository.has("c"));
  EXPECT_TRUE(repository.has("a")) << "it serves";
  EXPECT_EQ(repository.config("a"), repository.config("a")) << "not copied";
  EXPECT_EQ(repository.config("c"), nullptr);
}

}  // namespace
}  // namespace quire
