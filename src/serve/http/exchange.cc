#include "serve/http/exchange.h"

#include <utility>

#include "base/check.h"

namespace quire::http {

void Exchange::respond(Response response) {
  QUIRE_CHECK(!is_started(), "an exchange is answered once");
  is_whole_ = true;
  is_done_ = true;
  pending_ = std::move(response.body);
  head_ = std::move(response);
  announce();
}

void Exchange::start(Response head) {
  QUIRE_CHECK(!is_started(), "an exchange is answered once");
  pending_ = std::move(head.body);
  head_ = std::move(head);
  announce();
}

bool Exchange::write(std::string_view piece) {
  QUIRE_CHECK(is_started() && !is_done_, "a piece outside of a stream");
  if (is_gone_) return false;
  if (pending_.size() > pending_max_) {
    gone_ = nullptr;
    leave();
    return false;
  }
  pending_ += piece;
  announce();
  return true;
}

void Exchange::finish() {
  QUIRE_CHECK(is_started(), "a stream ends after it began");
  is_done_ = true;
  announce();
}

std::string Exchange::take_pending() {
  is_new_ = false;
  return std::exchange(pending_, {});
}

void Exchange::leave() {
  if (is_gone_) return;
  is_gone_ = true;
  // The callback may let go of the last reference to what it captured, itself included.
  if (const auto gone = std::exchange(gone_, nullptr); gone && !is_done_) gone();
  if (output_) output_();
}

void Exchange::announce() {
  is_new_ = true;
  if (output_) output_();
}

}  // namespace quire::http
