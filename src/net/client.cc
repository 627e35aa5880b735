#include "net/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <thread>

#include "net/transfer.h"

namespace quire::net {

std::string_view Response::header(std::string_view name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? std::string_view() : std::string_view(at->second);
}

bool Response::is_passing() const {
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

// Who has no flag of his own for it is stopped by that of his limits.
Client::Client(const Limits& limits, const std::atomic<bool>* stop)
    : limits_(limits),
      transfer_(std::make_unique<Transfer>(limits, stop != nullptr ? stop : limits.stop)) {}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

Result<Response> Client::send(const Request& request) {
  transfer_->begin(request);
  return transfer_->outcome(curl_easy_perform(transfer_->handle()));
}

std::string_view Client::failure() const { return transfer_->failure(); }

namespace {

bool is_stopped(const Limits& limits) { return limits.stop != nullptr && *limits.stop; }

}  // namespace

bool sleep_unless_stopped(const Limits& limits, std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds kSlice{50};
  for (; time.count() > 0 && !is_stopped(limits); time -= kSlice) {
    std::this_thread::sleep_for(std::min(time, kSlice));
  }
  return !is_stopped(limits);
}

// Somebody waits for this before anything else happens: fewer attempts than a long transfer has.
Result<Response> Client::send_patiently(const Request& request) {
  constexpr int kAttemptsMax = 3;
  Limits limits = limits_;
  limits.attempts_max = std::min(limits.attempts_max, kAttemptsMax);
  for (int failures = 1;; ++failures) {
    auto response = send(request);
    const bool is_passing = response.is_ok() ? response->is_passing()
                                             : response.status().code() == StatusCode::kUnavailable;
    if (!is_passing || is_stopped(limits)) return response;
    const auto wait = wait_before_retry(limits, failures, response.is_ok() ? &*response : nullptr);
    if (!wait || !sleep_unless_stopped(limits, *wait)) return response;
  }
}

std::optional<std::chrono::milliseconds> wait_before_retry(const Limits& limits, int failures,
                                                           const Response* response) {
  constexpr int kDoublingsMax = 6;
  if (failures >= limits.attempts_max) return std::nullopt;
  std::chrono::milliseconds wait =
      limits.backoff_first * (1 << std::min(failures - 1, kDoublingsMax));
  if (response != nullptr && response->retry_after) {
    wait = std::max<std::chrono::milliseconds>(wait, *response->retry_after);
  }
  if (wait > limits.wait_max) return std::nullopt;
  return wait;
}

}  // namespace quire::net
