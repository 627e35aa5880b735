// The algorithms, once per instruction set, after its `vec` definitions (see cpu/*.cc).
// Each builds on those before it.
// clang-format off
#include "kernels/generic/lanes.inl"
#include "kernels/generic/math.inl"
#include "kernels/generic/gates.inl"
#include "kernels/generic/norms.inl"
#include "kernels/generic/activations.inl"
#include "kernels/generic/matmul/matmul.inl"
#include "kernels/generic/matmul/weight_formats.inl"
#include "kernels/generic/matmul/matmul_int8.inl"
#include "kernels/generic/matmul/matmul_float.inl"
#include "kernels/generic/matmul/matmul_channel.inl"
#include "kernels/generic/attention/fold.inl"
#include "kernels/generic/attention/softmax.inl"
#include "kernels/generic/attention/scores.inl"
#include "kernels/generic/attention/float_tile.inl"
#include "kernels/generic/attention/int8_tile.inl"
#include "kernels/generic/attention/split.inl"
#include "kernels/generic/recurrence/scan.inl"
#include "kernels/generic/recurrence/conv.inl"
#include "kernels/generic/logits.inl"
#include "kernels/generic/table.inl"
// clang-format on
