#include "formats/quantize/file_types.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace quire {
namespace {

constexpr FileType kFileTypes[] = {
    {"F32", 0, DType::kF32, true},        {"F16", 1, DType::kF16, true},
    {"BF16", 32, DType::kBF16, true},     {"Q8_0", 7, DType::kQ8_0, true},
    {"Q4_0", 2, DType::kQ4_0, true},      {"Q4_1", 3, DType::kQ4_1, true},
    {"Q5_0", 8, DType::kQ5_0, true},      {"Q5_1", 9, DType::kQ5_1, true},
    {"Q2_K", 10, DType::kQ2_K, true},     {"Q3_K_S", 11, DType::kQ3_K, true},
    {"Q3_K_M", 12, DType::kQ3_K, true},   {"Q3_K_L", 13, DType::kQ3_K, true},
    {"Q4_K_S", 14, DType::kQ4_K, true},   {"Q4_K_M", 15, DType::kQ4_K, true},
    {"Q5_K_S", 16, DType::kQ5_K, true},   {"Q5_K_M", 17, DType::kQ5_K, true},
    {"Q6_K", 18, DType::kQ6_K, true},     {"IQ4_NL", 25, DType::kIQ4_NL, true},
    {"IQ2_XXS", 19, DType::kIQ2_XXS},     {"IQ2_XS", 20, DType::kIQ2_XS},
    {"Q2_K_S", 21, DType::kQ2_K},         {"IQ3_XS", 22, DType::kIQ3_S},
    {"IQ3_XXS", 23, DType::kIQ3_XXS},     {"IQ1_S", 24, DType::kIQ1_S},
    {"IQ3_S", 26, DType::kIQ3_S},         {"IQ3_M", 27, DType::kIQ3_S},
    {"IQ2_S", 28, DType::kIQ2_XS},        {"IQ2_M", 29, DType::kIQ2_S},
    {"IQ4_XS", 30, DType::kIQ4_XS},       {"IQ1_M", 31, DType::kIQ1_M},
    {"TQ1_0", 36, DType::kTQ1_0},         {"TQ2_0", 37, DType::kTQ2_0},
    {"MXFP4", 38, DType::kMXFP4},
};

// Names that leave the mixture open.
constexpr std::pair<std::string_view, std::string_view> kShortNames[] = {
    {"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace

Result<FileType> parse_file_type(std::string_view name) {
  constexpr std::size_t kShownMax = 64;
  std::string wanted = upper(name.substr(0, kShownMax));
  for (const auto& [brief, meant] : kShortNames) {
    if (wanted == brief) wanted = meant;
  }
  std::vector<std::string_view> made;
  for (const FileType& type : kFileTypes) {
    if (!type.is_made) continue;
    if (type.name == wanted) return type;
    made.push_back(type.name);
  }
  return error(StatusCode::kInvalidArgument,
               "unsupported quantization type {} - supported types are {}", wanted,
               fmt::join(made, ", "));
}

std::string_view file_type_name(std::uint64_t number) {
  for (const FileType& type : kFileTypes) {
    if (type.number == number) return type.name;
  }
  return {};
}

}  // namespace quire
