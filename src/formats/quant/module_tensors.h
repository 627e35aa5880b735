// ModuleTensors: the parts of quantized modules, found by name and checked for shape and type, each
// taken once; what nobody took stays as it is. The methods with packed integers read through it.
// One thread; lives while a checkpoint is opened.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/quant/grouped_codes.h"
#include "formats/quant/quantization.h"

namespace quire {

class ModuleTensors {
 public:
  using Shape = std::vector<std::size_t>;

  explicit ModuleTensors(const FileTensors& file);

  // The modules that have a tensor of this ending; an error if there is none.
  Result<std::vector<std::string>> modules(std::string_view ending) const;
  bool has(const std::string& name) const;
  const TensorView* floats(const std::string& name) const;  // null: none; not taken by this

  // Integers of 32 bits. With an empty shape any of two dimensions, neither 0.
  Result<const IntegerTensor*> take_words(const std::string& name, const Shape& shape = {});
  // Any integers whatever, or null.
  const IntegerTensor* take_any(const std::string& name);
  // F32, F16 or BF16.
  Result<const TensorView*> take_scales(const std::string& name, const Shape& shape);
  // Bytes.
  Result<const TensorView*> take_bytes(const std::string& name, const Shape& shape);
  // Floats or codes of one type.
  Result<const TensorView*> take_of(DType dtype, const std::string& name, const Shape& shape);
  // Any floats or codes whatever, or null.
  const TensorView* take_floats(const std::string& name);
  // U8. With an empty shape any of so many dimensions, none of them 0.
  Result<const IntegerTensor*> take_octets(const std::string& name, const Shape& shape = {},
                                           std::size_t dimensions = 2);

  // The group of each column, where the file has such a list and it is not the usual one; else
  // empty. Checked: each is one of columns / group.
  Result<std::vector<std::uint32_t>> take_groups(const std::string& name, std::size_t columns,
                                                 std::size_t group);

  // The one scale that a module states for its input, by any of the names in use, or 0; of several,
  // for matrices that lie together, the largest. An error if it is no positive number.
  Result<float> take_input_scale(const std::string& module);

  // The weight of a module in the place of its parts.
  Status put(GroupedCodes codes);
  // The same of a weight that is made, with the reason why it is rounded, if it is, and with the
  // scales that its view says the places of.
  Status put(TensorView view, std::shared_ptr<const LateTensor> late, std::string reason,
             std::vector<float> scales = {});
  // `view` in the place of `codes`, a tensor of the file.
  void put(const TensorView& codes, TensorView view, std::vector<float> scales);

  // All weights, and what was not taken. An error names integers that are left.
  Result<ScaledTensors> result();

 private:
  const std::uint32_t* keep_order(std::vector<std::uint32_t> order);
  Result<const TensorView*> take_view(const std::string& name, const Shape& shape);

  FileTensors file_;
  std::unordered_map<std::string_view, const TensorView*> views_;
  std::unordered_map<std::string_view, const IntegerTensor*> integers_;
  std::set<std::string_view> taken_;
  ScaledTensors made_;
};

}  // namespace quire
