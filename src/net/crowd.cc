#include "net/crowd.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/check.h"
#include "net/transfer.h"

namespace quire::net {

struct Crowd::Exchange {
  Request request;
  Done done;
  Transfer transfer;

  Exchange(Request asked, Done then, const Limits& limits)
      : request(std::move(asked)), done(std::move(then)), transfer(limits, nullptr) {}
};

struct Crowd::State {
  Limits limits;
  CURLM* multi = curl_multi_init();
  std::map<CURL*, std::unique_ptr<Exchange>> exchanges;

  ~State() {
    for (const auto& [curl, exchange] : exchanges) curl_multi_remove_handle(multi, curl);
    exchanges.clear();
    curl_multi_cleanup(multi);
  }
  void end_finished();
};

Crowd::Crowd(const Limits& limits) : state_(std::make_unique<State>()) {
  QUIRE_CHECK(state_->multi != nullptr, "libcurl gives no handle");
  state_->limits = limits;
}

Crowd::~Crowd() = default;

void Crowd::begin(Request request, Done done) {
  auto exchange =
      std::make_unique<Exchange>(std::move(request), std::move(done), state_->limits);
  exchange->transfer.begin(exchange->request);
  CURL* curl = exchange->transfer.handle();
  curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  const CURLMcode code = curl_multi_add_handle(state_->multi, curl);
  QUIRE_CHECK(code == CURLM_OK, "libcurl takes no handle: {}", curl_multi_strerror(code));
  state_->exchanges.emplace(curl, std::move(exchange));
}

// `done` may begin others, so each is out of the table before it is called.
void Crowd::State::end_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const int code = message->data.result;  // the message is gone once the handle is removed
    const auto at = exchanges.find(message->easy_handle);
    QUIRE_CHECK(at != exchanges.end(), "libcurl ended a transfer that nobody began");
    curl_multi_remove_handle(multi, at->first);
    const std::unique_ptr<Exchange> exchange = std::move(at->second);
    exchanges.erase(at);
    exchange->done(exchange->transfer.outcome(code));
  }
}

void Crowd::advance(std::chrono::milliseconds wait_max) {
  int running = 0;
  const int wait = static_cast<int>(std::max<std::chrono::milliseconds::rep>(wait_max.count(), 0));
  curl_multi_perform(state_->multi, &running);
  state_->end_finished();
  if (wait == 0) return;
  curl_multi_poll(state_->multi, nullptr, 0, wait, nullptr);
  curl_multi_perform(state_->multi, &running);
  state_->end_finished();
}

std::size_t Crowd::under_way() const { return state_->exchanges.size(); }

}  // namespace quire::net
