#include "apps/quantize_progress.h"

#include "base/cpu/cpu_info.h"

namespace quire {

Status QuantizeProgress::choose(const std::string& type) {
  if (type.empty()) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(chosen_, store::parse_quantization(type));
  chosen_->threads = cpu_info().cores;
  chosen_->report = [this](const std::string& status, std::uint64_t total, std::uint64_t done) {
    show(status, total, done);
  };
  return ok_status();
}

void QuantizeProgress::show(const std::string& status, std::uint64_t total, std::uint64_t done) {
  if (status != said_) line_.announce(status);
  said_ = status;
  if (total > 0) line_.advance(done, total);
}

}  // namespace quire
