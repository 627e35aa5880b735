#include "terminal/progress_line.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "terminal/terminal.h"

namespace quire {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

ProgressLine::ProgressLine(std::string text) : text_(std::move(text)) {
  if (can_move_cursor(STDERR_FILENO)) thread_ = std::thread([this] { show(); });
}

ProgressLine::~ProgressLine() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  over_.notify_one();
  thread_.join();
}

void ProgressLine::say(std::string text) {
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
}

void ProgressLine::show() {
  std::unique_lock lock(mutex_);
  if (over_.wait_for(lock, kPatience, [this] { return is_over_; })) return;
  std::string shown;
  do {
    if (text_ != shown) std::fprintf(stderr, "\r\033[K%s", text_.c_str());
    shown = text_;
  } while (!over_.wait_for(lock, kInterval, [this] { return is_over_; }));
  std::fputs("\r\033[K", stderr);
}

}  // namespace quire
