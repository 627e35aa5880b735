// ProgressLine: one line on standard error, at a terminal only, about work that takes over a
// second: what is being done and how far it is. It is erased when the work is over. A thread of its
// own writes it, because the work may be one long call. say(): any thread; the rest: who made it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace quire {

class ProgressLine {
 public:
  explicit ProgressLine(std::string text);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void say(std::string text);

 private:
  void show();

  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;  // guarded by mutex_
  std::string text_;      // guarded by mutex_
  std::thread thread_;    // none where nobody would see it
};

}  // namespace quire
