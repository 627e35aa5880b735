// What config.pbtxt says: the format, every field of the published message, and what becomes of it.
#include "host/repository/model_config.h"

#include <gtest/gtest.h>

#include <random>

#include "host/repository/config_schema.h"
#include "host/repository/config_text.h"
#include "host/repository/files/model_bounds.h"

namespace quire {
namespace {

ModelConfig read(std::string_view text) {
  auto config = parse_model_config(text, "m");
  EXPECT_TRUE(config.is_ok()) << config.status().message();
  return config.is_ok() ? *config : ModelConfig();
}

std::string refusal(std::string_view text, StatusCode code = StatusCode::kInvalidArgument) {
  const auto config = parse_model_config(text, "m");
  EXPECT_FALSE(config.is_ok()) << text;
  if (config.is_ok()) return {};
  EXPECT_EQ(config.status().code(), code) << config.status().message();
  return config.status().message();
}

TEST(ModelConfigTest, AnEmptyFileIsAModelWithDefaults) {
  const ModelConfig config = read("# nothing\n");
  EXPECT_EQ(config.name, "m");
  EXPECT_EQ(config.backend, "quire");
  EXPECT_EQ(config.batch_max, 0u);
  EXPECT_EQ(config.versions.kind, VersionPolicy::Kind::kLatest);
  EXPECT_EQ(config.versions.latest, 1u);
  EXPECT_FALSE(config.batching.acts());
  EXPECT_TRUE(config.warnings.empty());
  EXPECT_EQ(dump(*config.json.find("version_policy")), R"({"latest":{"num_versions":1}})");
  EXPECT_EQ(dump(*config.json.find("input")), "[]");
}

TEST(ModelConfigTest, TheFormatHasManySpellings) {
  const ModelConfig config = read(R"(
    name: "m"   # a comment
    backend: 'qu' "ire";
    max_batch_size: 0x8,
    input [ { name: "text_input" data_type: TYPE_STRING dims: [ 1 ] },
            { name: "stream", data_type: 1 dims: 1 optional: True } ]
    output: < name: "text_output"; data_type: TYPE_STRING; dims: -1 >
    output { name: "logits" data_type: TYPE_FP32 dims: [ - 1, 32 ] }
    version_policy: { specific { versions: [ 1, 3 ] versions: 7 } }
    parameters: { key: "max_model_len" value: { string_value: "40" "96" } }
    parameters [ { key: "kv_cache_dtype" value < string_value: "int8" > },
                 { key: "chat_template" value { string_value: "a\x62\143\n\u00e4\\" } } ]
    instance_group [ { count: 1 kind: KIND_CPU } ]
    batch_input []
  )");
  EXPECT_EQ(config.batch_max, 8u);
  ASSERT_EQ(config.inputs.size(), 2u);
  EXPECT_EQ(config.inputs[1].data_type, "TYPE_BOOL");
  EXPECT_TRUE(config.inputs[1].is_optional);
  ASSERT_EQ(config.outputs.size(), 2u);
  EXPECT_EQ(config.outputs[1].dims, (std::vector<std::int64_t>{-1, 32}));
  EXPECT_EQ(config.versions.specific, (std::vector<std::uint64_t>{1, 3, 7}));
  EXPECT_EQ(config.overrides.context_max, 4096u);
  EXPECT_EQ(config.overrides.kv_cache_dtype, "int8");
  EXPECT_EQ(config.overrides.chat_template, "abc\n\xC3\xA4\\");
}

TEST(ModelConfigTest, NumbersHaveTheBoundsOfTheFlags) {
  const auto with = [](std::string_view name, std::string_view value) {
    return fmt::format("parameters {{ key: '{}' value {{ string_value: '{}' }} }}", name, value);
  };
  for (const ModelBound& bound : kModelBounds) {
    if (bound.name == "data_parallel_size") continue;  // of a model.json
    for (const std::uint64_t value : {0ull, bound.max + 1ull, 4'294'967'295ull, ~0ull}) {
      EXPECT_EQ(refusal(with(bound.name, std::to_string(value))),
                fmt::format("'parameters[{}]' must be an integer from 1 to {}, not '{}'",
                            bound.name, bound.max, value));
    }
    EXPECT_TRUE(parse_model_config(with(bound.name, std::to_string(bound.max)), "m").is_ok());
  }
}

TEST(ModelConfigTest, APlatformOfAnotherKindIsRefusedBesideABackend) {
  EXPECT_EQ(refusal("backend: \"quire\" platform: \"foo\"", StatusCode::kUnsupported),
            "'platform' is not supported: 'foo' beside 'backend' \"quire\" is of files of another "
            "kind");
  EXPECT_TRUE(parse_model_config("backend: \"quire\" platform: \"quire\"", "m").is_ok());
}

TEST(ModelConfigTest, WhatIsWrongIsToldWithItsLineAndField) {
  EXPECT_EQ(refusal("name: \"m\"\n\nmax_batch: 3"),
            "line 3: 'max_batch' is no field of ModelConfig");
  EXPECT_EQ(refusal("input {\n name: 7 }"), "line 2: 'input.name' must be a string");
  EXPECT_EQ(refusal("max_batch_size: \"8\""), "line 1: 'max_batch_size' must not be in quotes");
  EXPECT_EQ(refusal("max_batch_size: 1.5"),
            "line 1: 'max_batch_size' must be an integer from -2147483648 to 2147483647, not "
            "'1.5'");
  EXPECT_EQ(refusal("max_batch_size: 1\nmax_batch_size: 2"),
            "line 2: 'max_batch_size' is there twice");
  EXPECT_EQ(refusal("version_policy { all {} latest {} }"),
            "line 1: 'version_policy.latest' excludes 'all', which is there too");
  EXPECT_EQ(refusal("name: \"other\""),
            "'name' is 'other', but the model's folder is called 'm'");
  EXPECT_EQ(refusal("parameters { key: \"temprature\" value { string_value: \"1\" } }"),
            "'parameters[temprature]' is not known");
  EXPECT_NE(refusal("input { name: \"a\" data_type: TYPE_FP31 dims: 1 }").find("one of"),
            std::string::npos);
}

TEST(ModelConfigTest, TextThatIsNoneIsRefused) {
  for (const char* text :
       {"name", "name:", "name: \"m", "name: \"m\n\"", "{", "}", "input {", "input { name: \"a\" >",
        "input [", "input [ {} {} ]", "max_batch_size: -", "[x.y]: 1", "1: 2", "name: \"\\q\"",
        "name: \"\\xg\"", "name: \"\\ud800\"", "name: \"\\777\"", "a b", "version_policy: 3",
        "parameters { value { } }", "parameters { key: 1 }", "parameters { key: \"a\" x: 1 }"}) {
    refusal(text);
  }
  refusal(std::string(kConfigBytesMax + 1, ' '));
  std::string deep;
  for (std::size_t i = 0; i <= kConfigDepthMax + 1; ++i) deep += "input {";
  EXPECT_NE(refusal(deep).find("deep"), std::string::npos);
  std::string many;
  for (std::size_t i = 0; i <= kConfigValuesMax; ++i) many += "a:1 ";
  EXPECT_NE(refusal(many).find("values"), std::string::npos);
}

TEST(ModelConfigTest, WhatThisProgramDoesNotDoIsRefusedWithTheReason) {
  for (const char* text :
       {"runtime: \"lib.so\"", "backend: \"python\"",
        "backend: \"onnxruntime\"", "platform: \"tensorrt_plan\"", "sequence_batching {}",
        "batch_input { kind: BATCH_ITEM_SHAPE }",
        "model_operations {}", "model_repository_agents { agents {} }",
        "instance_group { count: 9 }", "instance_group [ { count: 5 }, { count: 4 } ]",
        "instance_group { kind: KIND_GPU }", "instance_group { gpus: [ 0 ] }",
        "instance_group { passive: true }", "instance_group { rate_limiter {} }",
        "instance_group { profile: \"1\" }", "instance_group { secondary_devices {} }",
        "input { name: \"a\" data_type: TYPE_FP32 dims: 1 format: FORMAT_NCHW }",
        "input { name: \"a\" data_type: TYPE_FP32 dims: 1 reshape { shape: 2 } }",
        "input { name: \"a\" data_type: TYPE_FP32 dims: 1 is_shape_tensor: true }",
        "output { name: \"a\" data_type: TYPE_FP32 dims: 1 is_non_linear_format_io: true }"}) {
    const std::string message = refusal(text, StatusCode::kUnsupported);
    EXPECT_NE(message.find("is not supported"), std::string::npos) << message;
  }
  EXPECT_TRUE(read("instance_group { gpus: [] passive: false } runtime: \"\"").warnings.empty())
      << "as if it were not there";
}

TEST(ModelConfigTest, InstancesOfAllGroupsAddUpAndAreShownWithTheirNames) {
  EXPECT_EQ(read("").overrides.instances, 0u) << "as the operator says";
  EXPECT_EQ(dump(*read("").json.find("instance_group")), "[]");
  EXPECT_EQ(read("instance_group {}").overrides.instances, 1u);
  EXPECT_EQ(read("instance_group { count: 8 kind: KIND_MODEL }").overrides.instances, 8u);
  const ModelConfig config = read("instance_group [ { count: 2 kind: KIND_CPU }, {}, "
                                  "{ name: \"mine\" count: 3 kind: KIND_MODEL } ]");
  EXPECT_EQ(config.overrides.instances, 6u);
  EXPECT_TRUE(config.warnings.empty());
  const auto& groups = config.json.find("instance_group")->items();
  ASSERT_EQ(groups.size(), 3u);
  const auto shown = [&](std::size_t i) {
    return fmt::format("{} {} {}", groups[i].find("name")->as_string(),
                       groups[i].find("kind")->as_string(), groups[i].find("count")->as_int());
  };
  EXPECT_EQ(shown(0), "m_0 KIND_CPU 2");
  EXPECT_EQ(shown(1), "m_1 KIND_CPU 1");
  EXPECT_EQ(shown(2), "mine KIND_MODEL 3");
  const auto again = model_config_from_json(config.json, "m");
  ASSERT_TRUE(again.is_ok()) << again.status().message();
  EXPECT_EQ(dump(again->json), dump(config.json));
  EXPECT_NE(refusal("instance_group { count: 9 }", StatusCode::kUnsupported)
                .find("'instance_group.count' is not supported above 8, all groups together: 9"),
            std::string::npos);
  EXPECT_NE(refusal("instance_group { count: -1 }").find("'instance_group.count'"),
            std::string::npos);
  EXPECT_EQ(read("max_batch_size: 4 instance_group { count: 3 } dynamic_batching { "
                 "default_queue_policy { max_queue_size: 10 } }").overrides.queue_max,
            22u) << "who waits, and who is about to be computed by any of them";
}

TEST(ModelConfigTest, WithoutAnEngineInstancesAreToldToDoNothing) {
  for (const char* backend : {"quire_tokenizer", "quire_expression"}) {
    const std::string text = fmt::format("backend: \"{}\" instance_group {{ count: ", backend);
    EXPECT_TRUE(read(text + "1 }").warnings.empty());
    const ModelConfig config = read(text + "4 }");
    ASSERT_EQ(config.warnings.size(), 1u);
    EXPECT_NE(config.warnings[0].find("'instance_group.count' does nothing here"),
              std::string::npos);
  }
}

TEST(ModelConfigTest, AnEnsembleHasStepsAndRunsNothingItself) {
  const std::string steps = "ensemble_scheduling { step [ { model_name: \"a\" } ] } ";
  const std::string platform = "platform: \"ensemble\" ";
  const ModelConfig config = read(platform + steps);
  EXPECT_EQ(config.backend, "");
  EXPECT_EQ(dump(*config.json.find("ensemble_scheduling")),
            R"({"step":[{"model_name":"a","model_version":0,"input_map":{},"output_map":{},)"
            R"("model_namespace":""}],"max_inflight_requests":0})");
  EXPECT_NE(refusal(platform).find("go together"), std::string::npos);
  EXPECT_NE(refusal(steps).find("go together"), std::string::npos);
  EXPECT_NE(refusal(platform + steps + "backend: \"quire\"").find("'backend'"),
            std::string::npos);
  EXPECT_NE(refusal(platform + steps + "instance_group { count: 1 }").find("'instance_group'"),
            std::string::npos);
  EXPECT_NE(refusal(platform + steps + "dynamic_batching {}")
                .find("excludes 'ensemble_scheduling'"), std::string::npos);
  refusal(platform + "ensemble_scheduling { step { model_namespace: \"x\" } }",
          StatusCode::kUnsupported);
}

TEST(ModelConfigTest, WhatChangesNoAnswerIsTold) {
  for (const char* text :
       {"optimization { graph { level: 1 } }", "optimization { priority: PRIORITY_MAX }",
        "optimization { cuda { graphs: true graph_spec { batch_size: 1 input { key: \"x\" value { "
        "dim: 3 } } } } }",
        "optimization { execution_accelerators { cpu_execution_accelerator { name: \"openvino\" "
        "parameters { key: \"a\" value: \"b\" } } } }",
        "optimization { input_pinned_memory { enable: false } }",
        "optimization { eager_batching: true }", "instance_group { host_policy: \"cpu\" }",
        "metric_tags { key: \"a\" value: \"b\" }",
        "cc_model_filenames { key: \"9.0\" value: \"x\" }",
        "model_metrics { metric_control { metric_identifier { family: \"f\" } histogram_options { "
        "buckets: [ 1, 2.5e3 ] } } }",
        "dynamic_batching { preserve_ordering: true }",
        "max_batch_size: 4 dynamic_batching { preferred_batch_size: 4 }",
        "parameters { key: \"gpu_memory_utilization\" value { string_value: \"0.9\" } }"}) {
    EXPECT_EQ(read(text).warnings.size(), 1u) << text;
  }
}

TEST(ModelConfigTest, AMapHasABound) {
  std::string text;
  for (int i = 0; i < 4097; ++i) {
    text += fmt::format("metric_tags {{ key: \"k{}\" value: \"v\" }}\n", i);
  }
  const Status refused = parse_model_config(text, "m").status();
  EXPECT_NE(refused.message().find("'metric_tags' has more than 4096 entries"), std::string::npos)
      << refused.message();
}

TEST(ModelConfigTest, DynamicBatchingIsReadWhole) {
  const ModelConfig config = read(R"(
    max_batch_size: 16
    dynamic_batching {
      preferred_batch_size: [ 8, 4 ] max_queue_delay_microseconds: 500
      priority_levels: 3 default_priority_level: 2
      default_queue_policy {
        timeout_action: DELAY default_timeout_microseconds: 9 max_queue_size: 5
      }
      priority_queue_policy { key: 1 value { allow_timeout_override: true } }
    })");
  EXPECT_EQ(config.overrides.rows_max, 16u);
  const DynamicBatching& batching = config.batching;
  EXPECT_TRUE(batching.acts());
  EXPECT_EQ(batching.preferred, (std::vector<std::uint32_t>{4, 8}));
  EXPECT_EQ(batching.delay_us_max, 500u);
  EXPECT_EQ(batching.levels, 3u);
  EXPECT_TRUE(batching.policy_of(2).delays);
  EXPECT_EQ(batching.policy_of(2).size_max, 5u);
  EXPECT_TRUE(config.overrides.batching.acts());
  EXPECT_EQ(config.overrides.batching.levels, 3u);
  EXPECT_TRUE(config.warnings.empty()) << "all of it acts";
  EXPECT_EQ(config.overrides.queue_max, 0u) << "level 1 has no bound of its own";
  EXPECT_EQ(read("max_batch_size: 2 dynamic_batching { priority_levels: 2 default_priority_level: "
                 "1 default_queue_policy { max_queue_size: 300 } }").overrides.queue_max,
            602u) << "all levels fit in, and who is about to be computed";
  EXPECT_TRUE(batching.policy_of(1).may_override);
  EXPECT_FALSE(batching.policy_of(1).delays);
  refusal("dynamic_batching { preferred_batch_size: 1 }");
  refusal("max_batch_size: 4 dynamic_batching { preferred_batch_size: 5 }");
  refusal("dynamic_batching { priority_levels: 2 default_priority_level: 3 }");
  refusal("dynamic_batching { priority_levels: 2 }");
  refusal("dynamic_batching { priority_levels: 65 default_priority_level: 1 }");
  refusal("dynamic_batching { priority_queue_policy { key: 1 } }");
  refusal("dynamic_batching { priority_levels: 2 default_priority_level: 0 }");
  refusal("dynamic_batching { preserve_ordering: true priority_levels: 2 "
          "default_priority_level: 1 }");
  refusal("dynamic_batching { preserve_ordering: true default_queue_policy { timeout_action: DELAY "
          "default_timeout_microseconds: 1 } }");
  refusal("max_batch_size: -1");
  EXPECT_FALSE(read("").overrides.batching.acts());
  EXPECT_FALSE(read("max_batch_size: 8 dynamic_batching {}").overrides.batching.acts());
}

TEST(ModelConfigTest, WarmupsAreCounted) {
  const ModelConfig config = read(R"(
    model_warmup [ { name: "a" batch_size: 2 count: 3
                     inputs { key: "input_ids" value { data_type: TYPE_INT64 dims: [ 1, 12 ]
                                                       zero_data: true } } },
                   { name: "b" inputs { key: "text_input" value { data_type: TYPE_STRING dims: 1
                     input_data_file: "prompt" } } } ])");
  ASSERT_EQ(config.warmups.size(), 2u);
  EXPECT_EQ(config.warmups[0].count, 6u);
  EXPECT_EQ(config.warmups[0].tokens, 12u);
  EXPECT_EQ(config.warmups[1].count, 1u);
  EXPECT_EQ(config.warmups[1].file, "prompt");
  const Json& shown = config.json.find("model_warmup")->items()[0];
  EXPECT_EQ(dump(*shown.find("inputs")->find("input_ids")),
            R"({"data_type":"TYPE_INT64","dims":[1,12],"zero_data":true})")
      << "one choice excludes the others";
  EXPECT_TRUE(model_config_from_json(config.json, "m").is_ok()) << "what is shown can be sent back";
  EXPECT_FALSE(model_config_from_json(*parse_json(R"({"max_batch_size":null})"), "m")->says_batch);
  EXPECT_TRUE(model_config_from_json(*parse_json(R"({"max_batch_size":0})"), "m")->says_batch);
  refusal("model_warmup { count: 1001 }");
  refusal("model_warmup { inputs { key: \"a\" value { zero_data: true random_data: true } } }");
}

TEST(ModelConfigTest, PoliciesChooseVersions) {
  const std::vector<std::uint64_t> there = {1, 2, 5, 9};
  using List = std::vector<std::uint64_t>;
  EXPECT_EQ(read("").versions.choose(there), (List{9}));
  EXPECT_EQ(read("version_policy { latest { num_versions: 3 } }").versions.choose(there),
            (List{2, 5, 9}));
  EXPECT_EQ(read("version_policy { latest { num_versions: 30 } }").versions.choose(there), there);
  EXPECT_EQ(read("version_policy { all {} }").versions.choose(there), there);
  EXPECT_EQ(read("version_policy { specific { versions: [ 5, 2, 8 ] } }").versions.choose(there),
            (List{2, 5}));
  refusal("version_policy { specific { versions: 0 } }");
  refusal("version_policy { specific {} }");
}

TEST(ModelConfigTest, JsonSaysTheSame) {
  const char* text = R"(
    max_batch_size: 4 response_cache { enable: true }
    input { name: "a" data_type: TYPE_INT64 dims: [ -1 ] }
    dynamic_batching { priority_levels: 1 default_priority_level: 1
                       priority_queue_policy { key: 1 value { max_queue_size: 2 } } }
    parameters { key: "max_num_seqs" value { string_value: "3" } })";
  const ModelConfig config = read(text);
  EXPECT_EQ(config.overrides.rows_max, 3u);
  const auto again = model_config_from_json(config.json, "m");
  ASSERT_TRUE(again.is_ok()) << again.status().message();
  EXPECT_EQ(dump(again->json), dump(config.json)) << "what is shown can be given back";
  const auto strings = parse_json(
      R"({"input":[{"name":"a","data_type":"TYPE_INT64","dims":["-1"]}],"batch_output":[],)"
      R"("version_policy":{"specific":{"versions":["2"]}},"model_operations":{}})");
  const auto config2 = model_config_from_json(*strings, "m");
  ASSERT_TRUE(config2.is_ok()) << config2.status().message();
  EXPECT_EQ(config2->versions.specific, (std::vector<std::uint64_t>{2}));
  for (const char* bad : {R"({"x":1})", "[]", R"({"max_batch_size":{}})", R"({"input":[1]})",
                          R"({"input":{"name":{"a":1}}})", R"({"name":5})"}) {
    EXPECT_FALSE(model_config_from_json(*parse_json(bad), "m").is_ok()) << bad;
  }
  EXPECT_NE(refusal("response_cache { enable: true } model_transaction_policy { decoupled: true }"),
            "");
}

// Nobody waits in front of a model without an engine, so nothing can bound who does.
TEST(ModelConfigTest, AModelWithoutAnEngineHasNoQueue) {
  const std::string light = "backend: \"quire_expression\" max_batch_size: 4 ";
  const ModelConfig batching = read(
      light + "dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 9 "
              "default_queue_policy { allow_timeout_override: true } }");
  ASSERT_EQ(batching.warnings.size(), 1u);
  EXPECT_NE(batching.warnings[0].find("'dynamic_batching' does nothing here"), std::string::npos);
  const auto is_refused = [&](const std::string& batching, const std::string& field) {
    const std::string why = refusal(light + "dynamic_batching { " + batching + " }",
                                    StatusCode::kUnsupported);
    return why.starts_with("'dynamic_batching." + field + "' is not supported for a model without");
  };
  EXPECT_TRUE(is_refused("default_queue_policy { max_queue_size: 3 }",
                         "default_queue_policy.max_queue_size"));
  EXPECT_TRUE(is_refused("default_queue_policy { default_timeout_microseconds: 3 }",
                         "default_queue_policy.default_timeout_microseconds"));
  EXPECT_TRUE(is_refused("priority_levels: 2 default_priority_level: 1 "
                         "priority_queue_policy { key: 2 value { max_queue_size: 1 } }",
                         "priority_queue_policy.max_queue_size"));
  const ModelConfig kept = read(light + "response_cache { enable: true } model_warmup { }");
  EXPECT_TRUE(kept.has_response_cache);
  EXPECT_TRUE(kept.warnings.empty()) << "both act";
}

// Ten thousand texts that were a config once.
TEST(ModelConfigTest, MutatedTextsCrashNothing) {
  const std::string good = R"(name: "m" backend: "quire" max_batch_size: 8 # c
    input [ { name: "a" data_type: TYPE_FP32 dims: [ -1, 2 ] } ]
    version_policy: { latest { num_versions: 2 } }
    dynamic_batching { preferred_batch_size: [ 4 ] priority_levels: 1 default_priority_level: 1
                       priority_queue_policy { key: 1 value { max_queue_size: 3 } } }
    parameters { key: "max_model_len" value: { string_value: "9\x31" } }
    optimization { cuda { graphs: true } })";
  std::mt19937 random(1);
  int read_well = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string text = good;
    for (unsigned edit = 0; edit < 1 + i % 8u; ++edit) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, 1 + random() % 9); break;
        case 2: text.insert(at, good.substr(random() % good.size(), random() % 40)); break;
        default: text.insert(at, 1, "{}[]<>:\"'\\#-\0"[random() % 13]);
      }
      if (text.empty()) text = " ";
    }
    read_well += parse_model_config(text, "m").is_ok() ? 1 : 0;
  }
  EXPECT_GT(read_well, 0);
  EXPECT_LT(read_well, 5000);
}

}  // namespace
}  // namespace quire
