// House: what the endpoints of all dialects may use beside their request. The rooms are made and
// owned by Server and outlive every request. Plain references; what a room allows to which thread
// stands in its own header.
#pragma once

#include <string>

#include "host/model_host.h"
#include "serve/metrics.h"
#include "serve/service.h"
#include "serve/status/status_feed.h"

namespace quire {

struct House {
  ModelHost& host;
  Service& service;
  Metrics& metrics;
  StatusFeed& status;
  std::string version;  // of this program
};

}  // namespace quire
