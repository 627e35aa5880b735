// Which model a request means that names none, and in which order models are shown.
#include "host/served_names.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

using NameList = std::vector<std::string>;

class ServedNamesTest : public ::testing::Test {
 protected:
  ModelHost::ModelIndex add(NameList names) {
    const auto open = []() -> Result<OpenedModel> {
      return Status(StatusCode::kInternal, "nobody loads it");
    };
    const auto model = host_.add({std::move(names), open});
    EXPECT_TRUE(model.is_ok());
    return *model;
  }
  NameList shown() {
    NameList shown;
    for (const ModelRow& row : served_rows(host_)) {
      for (const std::string& name : served_names(row)) shown.push_back(name);
    }
    return shown;
  }

  ModelHost host_;
};

TEST_F(ServedNamesTest, WhoHasTheBareNameGoesBeforeOtherVersions) {
  EXPECT_FALSE(first_served_name(host_));
  EXPECT_FALSE(only_served_name(host_));
  add({"m:3"});
  add({"m:2"});
  add({"m:1", "m"});
  EXPECT_EQ(shown(), NameList({"m", "m:1", "m:3", "m:2"}));
  EXPECT_EQ(first_served_name(host_), "m");
  EXPECT_EQ(only_served_name(host_), "m");
  add({"other", "alias"});
  EXPECT_EQ(shown(), NameList({"m", "m:1", "m:3", "m:2", "other", "alias"}));
  EXPECT_EQ(first_served_name(host_), "m");
  EXPECT_FALSE(only_served_name(host_));
}

TEST_F(ServedNamesTest, ModelsThatAreNoVersionsStandAsTheyCame) {
  add({"b", kAnyName});
  EXPECT_EQ(only_served_name(host_), "b");
  add({"a:latest"});
  add({"a:8"});
  add({"a:70"});
  EXPECT_EQ(shown(), NameList({"b", "a:latest", "a:8", "a:70"}));
  EXPECT_EQ(bare_name({"a:8"}), "");
  EXPECT_EQ(bare_name({"a:8", "b", "a"}), "a");
  EXPECT_EQ(bare_name({"a:8b", "a"}), "");
  EXPECT_EQ(bare_name({}), "");
}

}  // namespace
}  // namespace quire
