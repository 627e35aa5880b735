// Chronicle: what has happened, kept for those who may look later. Service tells it of every
// accepted request and of every step; it keeps a record of each model (by its first name) and of
// each request, all of them bounded. What it does per step and row is a look-up and a few
// additions; nothing is asked of an engine unless somebody looks (status_feed).
// I/O thread. Used by service, status_feed and status_json.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "serve/status/model_record.h"
#include "serve/status/request_log.h"

namespace quire {

class Chronicle {
 public:
  void arrive(AcceptedRequest accepted);
  void take(const StepEvents& step);

  // A question that an engine of this model is about to be asked.
  std::uint64_t ask(const std::string& model);
  void on_answer(std::function<void()> callback) { answered_ = std::move(callback); }
  // Is told of each request that has just ended.
  void on_finish(std::function<void(const RequestRecord&)> callback) {
    finished_ = std::move(callback);
  }

  const ModelRecord* model(const std::string& name) const;  // null: nothing has happened to it
  std::size_t models() const { return models_.size(); }
  void keep_only(const std::set<std::string>& models);  // the records of others are forgotten
  const RequestLog& requests() const { return requests_; }

 private:
  void take_answer(const StepEvents& step);
  void take_rows(const StepEvents& step);
  void take_event(const TokenEvent& event, Nanos at);

  static constexpr std::size_t kAskedMax = 64;

  std::map<std::string, ModelRecord> models_;
  RequestLog requests_;
  std::uint64_t questions_ = 0;
  std::map<std::uint64_t, ModelRecord*> asked_;  // not answered; at most kAskedMax
  std::function<void()> answered_;
  std::function<void(const RequestRecord&)> finished_;
  std::vector<std::uint64_t> company_;  // of the present step; kept for its memory
};

}  // namespace quire
