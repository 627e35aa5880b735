// DetachedAnswers: answers that go on although no connection waits for them. Each has an exchange
// of its own, which Service writes to as to any other and which is left when it is cancelled; what
// it has said so far stays here until it is over, for those who come to read along.
// The list, and what an answer shows: any thread. Everything that touches an exchange: I/O thread.
// Used by dialects.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/exchange.h"

namespace quire {

class DetachedAnswer {
 public:
  DetachedAnswer(std::string id, std::string tenant, http::Request request);

  const std::string& id() const { return id_; }
  const std::string& tenant() const { return tenant_; }

  // --- any thread ---

  void show(std::string body);  // as who asks for it sees it from now on
  std::string shown() const;
  bool is_cancelled() const { return is_cancelled_; }

  // --- I/O thread ---

  const std::shared_ptr<http::Exchange>& exchange() const { return exchange_; }
  void add(std::string_view event);  // one event of its stream, as bytes
  void end();                        // nothing follows
  std::size_t events() const { return events_.size(); }
  // The exchange gets the events from number `first` on, and those to come, until the end.
  void follow(std::shared_ptr<http::Exchange> exchange, std::size_t first, http::Response head);
  // False: it is over, or about to be.
  bool cancel();
  void commit() { is_committed_ = true; }  // too late to cancel

 private:
  const std::string id_, tenant_;
  std::shared_ptr<http::Exchange> exchange_;
  std::vector<std::string> events_;
  std::vector<std::shared_ptr<http::Exchange>> followers_;
  bool is_over_ = false;
  bool is_committed_ = false;
  std::atomic<bool> is_cancelled_ = false;
  mutable std::mutex mutex_;
  std::string shown_;  // guarded by mutex_
};

class DetachedAnswers {
 public:
  // Of one tenant that may be under way at once.
  static constexpr std::size_t kPerTenantMax = 256;

  // False: the tenant has too many.
  bool add(std::shared_ptr<DetachedAnswer> answer);
  std::shared_ptr<DetachedAnswer> find(std::string_view id, std::string_view tenant) const;
  void remove(std::string_view id);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<DetachedAnswer>, std::less<>> answers_;
};

}  // namespace quire
