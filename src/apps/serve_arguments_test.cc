// Which names, tokenizers and templates belong to which of several models, and what durations mean.
#include "apps/serve_arguments.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(ServeArgumentsTest, OneModelMayHaveSeveralNames) {
  ServeArguments a;
  a.models = {"some/folder/M.Q8_0.gguf"};
  a.names = {"m", "other"};
  a.tokenizers = {"words.json"};
  const auto paired = pair_models(a);
  ASSERT_TRUE(paired.is_ok()) << paired.status().message();
  ASSERT_EQ(paired->size(), 1u);
  EXPECT_EQ((*paired)[0].names, a.names);
  EXPECT_EQ((*paired)[0].arguments.model, a.models[0]);
  EXPECT_EQ((*paired)[0].arguments.tokenizer, "words.json");
}

TEST(ServeArgumentsTest, NobodyNamedIsTheDefaultModel) {
  const auto paired = pair_models({});
  ASSERT_TRUE(paired.is_ok());
  ASSERT_EQ(paired->size(), 1u);
  EXPECT_EQ((*paired)[0].arguments.model, "");
  EXPECT_EQ((*paired)[0].names, std::vector<std::string>{"SmolLM2-135M-Instruct"});
}

TEST(ServeArgumentsTest, SeveralModelsPairUpInOrder) {
  ServeArguments a;
  a.models = {"x.gguf", "y.bin"};
  a.names = {"a", "b"};
  a.tokenizers = {"-", "y.tok"};
  a.common.max_num_seqs = 3;
  const auto paired = pair_models(a);
  ASSERT_TRUE(paired.is_ok()) << paired.status().message();
  EXPECT_EQ((*paired)[0].names, std::vector<std::string>{"a"});
  EXPECT_EQ((*paired)[0].arguments.tokenizer, "");
  EXPECT_EQ((*paired)[1].names, std::vector<std::string>{"b"});
  EXPECT_EQ((*paired)[1].arguments.tokenizer, "y.tok");
  EXPECT_EQ((*paired)[1].arguments.max_num_seqs, 3u);
  a.names.clear();
  EXPECT_EQ((*pair_models(a))[1].names, std::vector<std::string>{"y"});
}

TEST(ServeArgumentsTest, CountsThatDifferAndNamesThatCollideAreRefused) {
  ServeArguments a;
  a.models = {"x.gguf", "y.gguf", "folder/x.gguf"};
  EXPECT_NE(pair_models(a).status().message().find("would both be called 'x'"), std::string::npos);
  a.names = {"a", "b"};
  EXPECT_EQ(pair_models(a).status().message(),
            "--served-model-name: 2 given for 3 models; give one for each, in their order");
  a.names = {"a", "b", "c"};
  EXPECT_TRUE(pair_models(a).is_ok());
  a.tokenizers = {"t"};
  EXPECT_EQ(pair_models(a).status().code(), StatusCode::kInvalidArgument);
}

TEST(ServeArgumentsTest, AModelMayAnswerToAnyNameAndHaveAliases) {
  ServeArguments a;
  a.models = {"x.gguf", "y.gguf"};
  a.names = {"a", "*"};
  a.aliases = {"small=a", "large=y"};
  const auto paired = pair_models(a);
  ASSERT_TRUE(paired.is_ok()) << paired.status().message();
  EXPECT_EQ((*paired)[0].names, (std::vector<std::string>{"a", "small"}));
  EXPECT_EQ((*paired)[1].names, (std::vector<std::string>{"y", "*", "large"}));
  for (const char* bad : {"small", "=a", "small=", "small=nobody"}) {
    a.aliases = {bad};
    EXPECT_NE(pair_models(a).status().message().find(bad), std::string::npos) << bad;
  }
}

TEST(ServeArgumentsTest, EachKeyHasAShareOrNone) {
  ServeArguments a;
  a.server.api_keys = {"one", "two"};
  EXPECT_TRUE(check_shares(a).is_ok());
  a.server.api_key_shares = {2};
  EXPECT_EQ(check_shares(a).message(),
            "--api-key-share: 1 given for 2 of --api-key; give one for each, in their order");
  a.server.api_key_shares = {2, 1};
  EXPECT_TRUE(check_shares(a).is_ok());
}

TEST(ServeArgumentsTest, TheResponseStoreHasAPlaceAndBounds) {
  ServeArguments a;
  a.response_store = "none";
  ASSERT_TRUE(set_archive(a).is_ok());
  EXPECT_TRUE(a.server.archive_path.empty());
  a.response_store = "memory";
  ASSERT_TRUE(set_archive(a).is_ok());
  EXPECT_EQ(a.server.archive_path, ":memory:");
  a.response_store = "some/file";
  a.response_store_bytes = "1MiB";
  a.response_store_age = "1h";
  ASSERT_TRUE(set_archive(a).is_ok());
  EXPECT_EQ(a.server.archive_path, "some/file");
  EXPECT_FALSE(a.server.archive_is_wish);
  EXPECT_EQ(a.server.archive_bounds.bytes_max, 1 << 20);
  EXPECT_EQ(a.server.archive_bounds.unused_seconds_max, 3600);
  a.response_store.clear();
  ASSERT_TRUE(set_archive(a).is_ok());
  EXPECT_TRUE(a.server.archive_is_wish);
  for (const char* bad : {"", "0", "x"}) {
    a.response_store_bytes = bad;
    EXPECT_FALSE(set_archive(a).is_ok()) << bad;
  }
}

TEST(ServeArgumentsTest, DurationsAndSizes) {
  EXPECT_EQ(*parse_duration("0"), Nanos{0});
  EXPECT_EQ(*parse_duration("300"), std::chrono::minutes(5));
  EXPECT_EQ(*parse_duration("5m"), std::chrono::minutes(5));
  EXPECT_EQ(*parse_duration("24h"), std::chrono::hours(24));
  EXPECT_EQ(*parse_duration("90s"), std::chrono::seconds(90));
  EXPECT_EQ(*parse_duration("-1"), kForever);
  EXPECT_EQ(*parse_duration("-1m"), kForever);
  EXPECT_EQ(*parse_duration("1h30m"), std::chrono::minutes(90));
  EXPECT_EQ(*parse_duration("1.5h"), std::chrono::minutes(90));
  EXPECT_EQ(*parse_duration("300ms"), std::chrono::milliseconds(300));
  EXPECT_EQ(*parse_duration("-1h30m"), kForever);
  for (const char* bad : {"", "m", "5 m", "5x", "1h30", "-", "9223372036854775807h"}) {
    EXPECT_FALSE(parse_duration(bad).is_ok()) << bad;
  }
  ServeArguments a;
  a.keep_alive = "5m";
  a.model_memory = "8GiB";
  const auto options = shelf_options(a);
  ASSERT_TRUE(options.is_ok());
  EXPECT_EQ(options->bytes_max, std::uint64_t{8} << 30);
  a.model_memory = "0";
  EXPECT_FALSE(shelf_options(a).is_ok());
}

TEST(ServeArgumentsTest, AllModelsAreNamedAlone) {
  ServeArguments a;
  a.repositories = {"models"};
  a.control_mode = "explicit";
  a.repository_models = {"*"};
  EXPECT_TRUE(repository_options(a).is_ok());
  a.repository_models = {"*", "zz"};
  EXPECT_EQ(repository_options(a).status().message(),
            "--load-model '*' means all models that are there: no other may be named beside it");
}

TEST(ServeArgumentsTest, TheResponseCacheHasASize) {
  ServeArguments a;
  a.repositories = {"models"};
  ASSERT_TRUE(set_response_cache(a).is_ok());
  EXPECT_EQ(a.server.response_cache_bytes, 0u);
  EXPECT_FALSE(repository_options(a)->keeps_answers);
  a.cache_config = {"local,size=1048576"};
  ASSERT_TRUE(set_response_cache(a).is_ok());
  EXPECT_EQ(a.server.response_cache_bytes, 1u << 20);
  EXPECT_TRUE(repository_options(a)->keeps_answers);
  a.cache_config = {"local,size=2MiB"};
  ASSERT_TRUE(set_response_cache(a).is_ok());
  EXPECT_EQ(a.server.response_cache_bytes, 2u << 20);
  for (const char* bad : {"", "local", "local,", "local,size", "local,size=", "local,size=x",
                          "local,bytes=5", "redis,host=localhost", "size=5", "local,size=-1"}) {
    a.cache_config = {bad};
    EXPECT_EQ(set_response_cache(a).code(), StatusCode::kInvalidArgument) << bad;
  }
  a.cache_config = {"local,size=5", "local,size=6"};
  EXPECT_EQ(set_response_cache(a).code(), StatusCode::kInvalidArgument);
  a.cache_config.clear();
  a.response_cache_size = "4096";
  ASSERT_TRUE(set_response_cache(a).is_ok());
  EXPECT_EQ(a.server.response_cache_bytes, 4096u);
  a.repositories.clear();
  EXPECT_EQ(set_response_cache(a).code(), StatusCode::kInvalidArgument) << "of nothing";
}

}  // namespace
}  // namespace quire
