// QuantizeProgress: --quantize of `quire create`: the type that was named, all cores of this
// process, and what a person sees meanwhile: a line with a bar on a terminal, a sentence on a pipe.
// One thread. Used by create.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "apps/fetch_progress.h"
#include "store/modelfile/quantize.h"

namespace quire {

class QuantizeProgress {
 public:
  Status choose(const std::string& type);  // empty: nothing is quantized

  // Null: nothing is to be quantized. As long as this object. `check` is asked about the source.
  const store::Quantization* quantization(std::function<Status(const std::string&)> check) {
    if (chosen_) chosen_->check = std::move(check);
    return chosen_ ? &*chosen_ : nullptr;
  }

 private:
  void show(const std::string& status, std::uint64_t total, std::uint64_t done);

  std::optional<store::Quantization> chosen_;
  FetchProgress line_;
  std::string said_;
};

}  // namespace quire
