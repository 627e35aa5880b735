#include "store/modelfile/gguf_contents.h"

#include <algorithm>

#include "formats/containers/gguf.h"

namespace quire::store {
namespace {

constexpr std::uint64_t kListMax = std::uint64_t{1} << 21;  // items of one list; longer: left out

template <typename Values>
Json list_of(const Result<Values>& values) {
  Json list = Json::array();
  if (!values.is_ok()) return Json();
  for (const auto& value : *values) list.push(Json(value));
  return list;
}

Json list_at(const GgufFile& file, const GgufEntry& entry) {
  if (entry.count > kListMax) return {};
  switch (entry.element_type) {
    case GgufType::kString: return list_of(file.strings(entry.key));
    case GgufType::kI32:
    case GgufType::kU32: return list_of(file.int32s(entry.key));
    case GgufType::kBool: {
      const auto flags = file.booleans(entry.key);
      Json list = Json::array();
      for (std::size_t i = 0; flags.is_ok() && i < flags->size(); ++i) list.push(bool{(*flags)[i]});
      return list;
    }
    case GgufType::kF32: {
      const auto numbers = file.floats(entry.key);
      Json list = Json::array();
      for (std::size_t i = 0; numbers.is_ok() && i < numbers->size(); ++i) {
        list.push(static_cast<double>((*numbers)[i]));
      }
      return list;
    }
    default: return {};
  }
}

}  // namespace

Result<GgufContents> gguf_contents(const std::string& path, bool has_lists) {
  QUIRE_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  GgufContents contents;
  for (const GgufEntry& entry : file.entries()) {
    if (!has_lists || entry.type != GgufType::kArray) continue;
    contents.lists.emplace_back(entry.key, list_at(file, entry));
  }
  for (const TensorView& tensor : file.tensors()) {
    Json shape = Json::array();
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) shape.push(*size);
    contents.tensors.push(Json::object({{"name", tensor.name}, {"type", dtype_name(tensor.dtype)},
                                        {"shape", std::move(shape)}}));
  }
  return contents;
}

}  // namespace quire::store
