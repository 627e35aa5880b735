// Fills a KernelTable from the generics of this instruction set. An instruction set that does an op
// by another algorithm replaces the slot after calling this.
// Included once per instruction set, after the other generics (see cpu/*.cc).

constexpr KernelTable make_table(std::string_view name,
                                 Bf16Products bf16_products = Bf16Products::kWidened) {
  KernelTable table = {.name = name, .bf16_products = bf16_products, .tile_rows = kLanes};
  const auto slot = [&](DType dtype) -> auto& { return table.matmul[static_cast<int>(dtype)]; };
  slot(DType::kF32) = matmul<WideCore<float>>;
  slot(DType::kF16) = matmul<WideCore<std::uint16_t>>;
  slot(DType::kBF16) = matmul<Bf16Core>;
  slot(DType::kQ4_0) = matmul<Int8Core<FormatQ4_0>>;
  slot(DType::kQ4_1) = matmul<Int8Core<FormatQ4_1>>;
  slot(DType::kQ5_0) = matmul<Int8Core<FormatQ5_0>>;
  slot(DType::kQ5_1) = matmul<Int8Core<FormatQ5_1>>;
  slot(DType::kQ8_0) = matmul<Int8Core<FormatQ8_0>>;
  slot(DType::kQ4_K) = matmul<Int8Core<FormatQ4_K>>;
  slot(DType::kQ5_K) = matmul<Int8Core<FormatQ5_K>>;
  slot(DType::kQ6_K) = matmul<Int8Core<FormatQ6_K>>;
  slot(DType::kQ2_K) = matmul<Int8Core<FormatQ2_K>>;
  slot(DType::kQ3_K) = matmul<Int8Core<FormatQ3_K>>;
  slot(DType::kIQ4_NL) = matmul<Int8Core<FormatIQ4_NL>>;
  slot(DType::kIQ4_XS) = matmul<Int8Core<FormatIQ4_XS>>;
  slot(DType::kMXFP4) = matmul<Int8Core<FormatMXFP4>>;
  for (const DType dtype : {DType::kTQ1_0, DType::kTQ2_0}) slot(dtype) = slot(DType::kQ2_K);
  for (const DType dtype : {DType::kIQ1_S, DType::kIQ1_M, DType::kIQ2_XXS, DType::kIQ2_XS,
                            DType::kIQ2_S, DType::kIQ3_XXS, DType::kIQ3_S}) {
    slot(dtype) = matmul<Int8Core<FormatSignedBlock>>;
  }
  for (const DType dtype : {DType::kQ1_0, DType::kQ2_0}) slot(dtype) = slot(DType::kQ4_0);
  slot(DType::kI8) = matmul<ChannelCore>;
  slot(DType::kF8) = matmul_scaled<E4m3Fours>;
  slot(DType::kI8A16) = matmul_scaled<SignedFours>;
  slot(DType::kNVFP4) = matmul<Int8Core<FormatNVFP4>>;
  slot(DType::kNF4) = matmul<CodebookCore<kCodebookNF4>>;
  slot(DType::kFP4) = matmul<CodebookCore<kCodebookFP4>>;
  slot(DType::kQ4_Z) = matmul<Int8Core<FormatQ4_Z>>;
  slot(DType::kQ4_F) = matmul<Int8Core<FormatQ4_F>>;
  table.quantize_int8 = quantize_int8;
  table.quantize_token = quantize_token;
  table.narrow_bf16 = narrow<store_bf16>;
  table.narrow_half = narrow<store_half>;
  table.rmsnorm = rmsnorm;
  table.rope = rope;
  table.layernorm = layernorm;
  table.l2norm = l2norm;
  table.rmsnorm_gated = rmsnorm_gated;
  table.silu_mul = silu_mul;
  table.act = act;
  table.act_mul = act_mul;
  table.soft_cap = soft_cap;
  table.add_scaled = add_scaled;
  table.scaled = scaled;
  table.quantize_head = quantize_head;
  table.quantize_e4m3 = quantize_e4m3;
  table.quantize_nibbles = quantize_nibbles;
  table.attention_clear = attention_clear;
  table.attention_split = attention_split;
  table.attention_fold = attention_fold;
  table.attention_finish = attention_finish;
  table.decays = decays;
  table.scan = scan;
  table.conv = conv;
  table.selective = selective;
  table.gated_unit = gated_unit;
  table.softmax = softmax;
  table.max_value = max_value;
  table.sum_exp = sum_exp;
  table.first_above = first_above;
  table.philox_words = philox_words;
  return table;
}
