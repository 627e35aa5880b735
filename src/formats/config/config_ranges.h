// The range of every number of a model's configuration, in one place: wide enough for any published
// dense model, narrow enough that products of two fit an int and tables of one fit memory.
// Constants. Used by the readers of formats and of model/arch.
#pragma once

#include <cstddef>

namespace quire {

inline constexpr int kLayersMax = 1024;
inline constexpr int kModelWidthMax = 65536;
inline constexpr int kFfnMax = 1 << 20;
inline constexpr int kHeadsMax = 1024;
inline constexpr int kExpertsMax = 4096;
inline constexpr int kHeadDimMax = 1024;
inline constexpr int kHeadsWidthMax = 1 << 18;  // heads * head_dim
inline constexpr int kVocabMax = 1 << 20;
inline constexpr int kContextMax = 1 << 24;
inline constexpr double kRmsEpsMin = 9.9e-13;  // 1e-12 as a float32 is a little below
inline constexpr double kRmsEpsMax = 0.1;
inline constexpr double kThetaMin = 1;
inline constexpr double kThetaMax = 1e12;
inline constexpr double kRopeFactorMin = 1e-3;
inline constexpr double kRopeFactorMax = 1e4;
inline constexpr std::size_t kChatTemplateSizeMax = std::size_t{1} << 20;  // bytes
inline constexpr std::size_t kConfigFileSizeMax = std::size_t{16} << 20;   // bytes
inline constexpr std::size_t kConfigValuesMax = 1 << 18;                   // JSON values
inline constexpr std::size_t kTokenizerFileSizeMax = std::size_t{256} << 20;

}  // namespace quire
