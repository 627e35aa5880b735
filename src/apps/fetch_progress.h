// FetchProgress: what a person sees while a model is fetched: on a terminal a line with a bar,
// speed and time left, drawn over; on a pipe a plain line now and then. All on standard error.
// TransferMeter works out the text; it is given the time. Called by the threads that fetch, one at
// a time. Made by model_path and pull.
#pragma once

#include <cstdint>
#include <string>

#include "base/nanos.h"
#include "store/hub/remote_file.h"

namespace quire {

class TransferMeter {
 public:
  // What is known after `bytes` of `total` are here at `now`: "43 %  430 MiB of 1.0 GiB  ...".
  // The first call says where the transfer begins; what was here before is not speed.
  std::string text(Nanos now, std::uint64_t bytes, std::uint64_t total);

 private:
  Nanos measured_at_{0};
  std::uint64_t measured_bytes_ = 0;
  double bytes_per_second_ = 0;  // smoothed; 0: not known yet
};

class FetchProgress : public store::FetchObserver {
 public:
  FetchProgress();
  ~FetchProgress() override;

  void announce(std::string_view sentence) override;
  void advance(std::uint64_t bytes_here, std::uint64_t bytes_total) override;

 private:
  void clear_line();

  TransferMeter meter_;
  const bool is_terminal_;
  bool is_line_shown_ = false;
  Nanos shown_at_{0};
};

}  // namespace quire
