// The types of a KV cache as the command line names them.
#include "apps/model_arguments.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

std::string refusal(const std::string& text) {
  const auto types = parse_kv_types(text);
  return types.is_ok() ? "" : types.status().message();
}

TEST(KvTypesArgumentTest, OneNameIsForKeysAndValues) {
  EXPECT_EQ(*parse_kv_types("auto"), KvTypes(DType::kF16));
  EXPECT_EQ(*parse_kv_types("float32"), KvTypes(DType::kF32));
  EXPECT_EQ(*parse_kv_types("bf16"), KvTypes(DType::kBF16));
  for (const char* name : {"fp8", "fp8_e4m3", "fp8_per_token_head"}) {
    EXPECT_EQ(*parse_kv_types(name), KvTypes(DType::kF8)) << name;
  }
  EXPECT_EQ(*parse_kv_types("int8_per_token_head"), KvTypes(DType::kI8));
  EXPECT_EQ(*parse_kv_types("int4_per_token_head"), KvTypes(DType::kQ4_1));
  EXPECT_EQ(*parse_kv_types("int4"), KvTypes(DType::kQ4_1));
}

TEST(KvTypesArgumentTest, KeysAndValuesMayDiffer) {
  EXPECT_EQ(*parse_kv_types("k=int8,v=int4"), KvTypes(DType::kI8, DType::kQ4_1));
  EXPECT_EQ(*parse_kv_types("v=fp8,k=f32"), KvTypes(DType::kF32, DType::kF8));
  EXPECT_EQ(*parse_kv_types("v=int8"), KvTypes(DType::kF16, DType::kI8));
}

TEST(KvTypesArgumentTest, WhatIsNoTypeIsRefusedByName) {
  EXPECT_NE(refusal("fp8_e5m2").find("fp8_e5m2"), std::string::npos);
  EXPECT_NE(refusal("k=int8,v=fp8_e5m2").find("fp8_e5m2"), std::string::npos);
  EXPECT_NE(refusal("int2").find("'int2' is not one of"), std::string::npos);
  EXPECT_NE(refusal("").find("is not one of"), std::string::npos);
  EXPECT_NE(refusal("k=int8,k=int4").find("each once"), std::string::npos);
  EXPECT_NE(refusal("k=int8,int4").find("'int4' is neither"), std::string::npos);
  EXPECT_NE(refusal("k=int8,v=").find("'' is not one of"), std::string::npos);
  EXPECT_NE(refusal("q=int8").find("'q=int8' is neither"), std::string::npos);
}

TEST(ModelArgumentsTest, WeightsAreQuantizedInOneWayOnly) {
  ModelArguments arguments;
  arguments.quantize = "w8a8";
  EXPECT_EQ(*weight_scheme(arguments), WeightScheme::kW8A8);
  arguments.quantize = "zzz";
  EXPECT_EQ(weight_scheme(arguments).status().message(),
            "quantize 'zzz' is not known: it is w8a8, or missing");
}

}  // namespace
}  // namespace quire
