// quantize_gguf: a GGUF file of float weights becomes the bytes of one of a FileType: the same
// metadata but for general.file_type and general.quantization_version, the same tensors in the same
// order. It is planned as a whole, so that its size is known before a byte is written, and made a
// piece of a tensor at a time: memory is bounded by kPieceBytes for each way, whatever the model.
// The bytes depend on the source and the type alone, not on the number of threads.
// Blocks; the sink is called by the caller's thread, in order. Used by store/modelfile/quantize.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/containers/gguf.h"
#include "formats/quantize/file_types.h"

namespace quire {

struct QuantizePlan {
  FileType type;
  std::string from;           // what the weights are now: "F16"
  std::vector<DType> dtypes;  // [tensors of the source]
  std::string header;         // the file up to its first tensor
  std::size_t alignment = 32;
  std::uint64_t bytes = 0;         // of the whole new file
  std::uint64_t source_bytes = 0;  // of the source's tensors
};

// kInvalidArgument: the source is quantized already; the message names a tensor.
Result<QuantizePlan> plan_quantization(const GgufFile& source, const FileType& type);

struct QuantizeSink {
  std::function<Status(std::span<const std::byte>)> write;
  std::function<void(std::uint64_t source_bytes)> advance;  // of the plan's source_bytes, so far
  const std::atomic<bool>* stop = nullptr;                  // set: it ends with kUnavailable
};

// Values that are not finite, or too large for the type, are an error that names tensor and row.
Status quantize_gguf(const GgufFile& source, const QuantizePlan& plan, int threads,
                     const QuantizeSink& sink);

}  // namespace quire
