#include "tiny_checkpoint.h"

#include <map>

#include "base/check.h"
#include "base/hash.h"
#include "formats/testing/safetensors_writer.h"
#include "tensor/float_bits.h"

namespace quire::testing {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ull;  // of weights.py

std::uint64_t fnv1a(const std::string& name) {
  std::uint64_t value = 0xCBF29CE484222325ull;
  for (const unsigned char byte : name) value = (value ^ byte) * 0x100000001B3ull;
  return value;
}

std::string renamed(const std::string& name, const TinySpelling& spelling) {
  for (const auto& [from, to] : spelling.rename) {
    if (name.starts_with(from)) return to + name.substr(from.size());
  }
  return name;
}

}  // namespace

std::vector<float> tiny_values(std::uint64_t seed, const GoldenTensor& tensor) {
  const std::uint64_t key = mix64(fnv1a(tensor.name) ^ mix64(seed));
  std::size_t count = 1;
  for (const std::size_t extent : tensor.shape) count *= extent;
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t bits = mix64(key + i * kGolden) >> 40;
    const float unit = static_cast<float>(bits) * 0x1p-23f - 1.0f;
    const float scaled = tensor.scale * unit;
    values[i] = bf16_to_float(float_to_bf16(tensor.mean + scaled));
  }
  return values;
}

void write_tiny_checkpoint(const TinyFixture& fixture, const TinySpelling& spelling, DType dtype,
                           const TempFolder& folder) {
  QUIRE_CHECK(dtype == DType::kF32 || dtype == DType::kBF16, "{} is not written",
              dtype_name(dtype));
  std::map<std::string, SafetensorsWriter> writers;  // by folder
  for (const GoldenTensor& tensor : fixture.tensors) {
    const std::vector<float> values = tiny_values(fixture.seed, tensor);
    const std::size_t slash = tensor.name.find('/');
    const std::string folder_name =
        slash == std::string::npos ? "" : tensor.name.substr(0, slash + 1);
    const std::string name = renamed(tensor.name.substr(folder_name.size()), spelling);
    SafetensorsWriter& writer = writers[folder_name];
    if (dtype == DType::kF32) {
      writer.add(name, "F32", tensor.shape, values);
      continue;
    }
    std::vector<std::uint16_t> halves(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) halves[i] = float_to_bf16(values[i]);
    writer.add(name, "BF16", tensor.shape, halves);
  }
  folder.write("config.json", dump(spelling.config));
  for (const auto& [path, contents] : fixture.files) folder.write(path, dump(contents));
  for (const auto& [name, writer] : writers) {
    folder.write(name + "model.safetensors", writer.bytes());
  }
}

}  // namespace quire::testing
