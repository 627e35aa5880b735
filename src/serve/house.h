// House: what the endpoints of all dialects may use beside their request. The rooms are made and
// owned by Server and outlive every request. Plain references; what a room allows to which thread
// stands in its own header.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "archive/archive.h"
#include "host/model_catalog.h"
#include "host/model_host.h"
#include "host/repository/model_repository.h"
#include "serve/background/detached_answers.h"
#include "serve/http/exchange.h"
#include "serve/intake/client_limits.h"
#include "serve/intake/tenant.h"
#include "serve/metrics.h"
#include "serve/route.h"
#include "serve/service.h"
#include "serve/status/status_feed.h"

namespace quire {

class BatchRunner;
class Errands;
class PinBook;
class ResponseCache;

struct House {
  ModelHost& host;
  Service& service;
  Metrics& metrics;
  StatusFeed& status;
  std::string version;  // of this program
  std::span<const Dialect* const> dialects;
  ClientLimits client_limits = {};
  archive::Archive* archive = nullptr;        // null: nothing is kept
  DetachedAnswers* detached = nullptr;
  BatchRunner* batches = nullptr;             // null: there are none
  const ModelCatalog* catalog = nullptr;      // null: no model is made of what is on the disk
  ModelRepository* repository = nullptr;      // null: there is no folder of versions
  ResponseCache* responses = nullptr;         // null: answers are not kept
  PinBook* pins = nullptr;                    // null: pins end with the process
  Errands* errands = nullptr;                 // null: nobody has any done
  std::function<void(std::function<void()>)> to_workers = {};  // runs it on some worker thread
  std::function<void(std::function<void()>)> to_io = {};       // runs it on the I/O thread
  // Answers a request of the house's own, as if a client of that tenant had sent it. I/O thread.
  std::function<void(std::shared_ptr<http::Exchange>, const Tenant&)> ask_inside = {};
};

// What a client may ask for; without a house the defaults.
inline ClientLimits client_limits_of(const DialectContext& context) {
  return context.house != nullptr ? context.house->client_limits : ClientLimits();
}

}  // namespace quire
