#include "apps/fetch_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "store/human.h"

namespace quire {
namespace {

constexpr Nanos kMeasureEvery = std::chrono::milliseconds(500);
constexpr Nanos kDrawEvery = std::chrono::milliseconds(200);
constexpr Nanos kPrintEvery = std::chrono::seconds(5);
constexpr double kSmoothing = 0.3;  // weight of the newest measurement
constexpr int kBarWidth = 16;  // so that the line fits 80 columns

std::string bar(std::uint64_t bytes, std::uint64_t total) {
  const int full = total == 0 ? kBarWidth : static_cast<int>(kBarWidth * bytes / total);
  std::string text;
  for (int i = 0; i < kBarWidth; ++i) text += i < full ? "━" : "┄";
  return text;
}

}  // namespace

std::string TransferMeter::text(Nanos now, std::uint64_t bytes, std::uint64_t total) {
  if (measured_at_.count() == 0 || bytes < measured_bytes_) {
    measured_at_ = now;
    measured_bytes_ = bytes;
  } else if (now - measured_at_ >= kMeasureEvery) {
    const double rate =
        static_cast<double>(bytes - measured_bytes_) / to_seconds(now - measured_at_);
    bytes_per_second_ = bytes_per_second_ == 0
                            ? rate
                            : bytes_per_second_ + kSmoothing * (rate - bytes_per_second_);
    measured_at_ = now;
    measured_bytes_ = bytes;
  }
  std::string line = fmt::format("{:3} %  {} of {}", total == 0 ? 100 : 100 * bytes / total,
                                 store::human_bytes(bytes), store::human_bytes(total));
  if (bytes_per_second_ < 1) return line;
  line += fmt::format("  {}/s", store::human_bytes(static_cast<std::uint64_t>(bytes_per_second_)));
  const double left = static_cast<double>(total - std::min(bytes, total)) / bytes_per_second_;
  constexpr double kLeftMax = 100.0 * 3600;  // beyond, nobody believes it
  if (left < kLeftMax) {
    line += fmt::format("  {} left", store::human_seconds(static_cast<std::uint64_t>(left + 0.5)));
  }
  return line;
}

FetchProgress::FetchProgress() : is_terminal_(::isatty(STDERR_FILENO) != 0) {
  if (!is_terminal_) shown_at_ = SteadyClock::now();  // what is quick needs no line
}

FetchProgress::~FetchProgress() { clear_line(); }

void FetchProgress::clear_line() {
  if (is_line_shown_) std::fputs("\r\033[K", stderr);
  is_line_shown_ = false;
}

void FetchProgress::announce(std::string_view sentence) {
  clear_line();
  std::fprintf(stderr, "quire: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
}

void FetchProgress::advance(std::uint64_t bytes_here, std::uint64_t bytes_total) {
  const Nanos now = SteadyClock::now();
  const bool is_due = now - shown_at_ >= (is_terminal_ ? kDrawEvery : kPrintEvery);
  if (!is_due) return;
  shown_at_ = now;
  const std::string text = meter_.text(now, bytes_here, bytes_total);
  if (is_terminal_) {
    std::fprintf(stderr, "\r%s %s\033[K", bar(bytes_here, bytes_total).c_str(), text.c_str());
    is_line_shown_ = true;
  } else {
    std::fprintf(stderr, "quire: %s\n", text.c_str());
  }
  std::fflush(stderr);
}

}  // namespace quire
