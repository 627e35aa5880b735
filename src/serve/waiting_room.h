// WaitingRoom: requests whose model is on its way into memory. They are read anew when it is there,
// because nothing of them can be understood without its words. So many places for each model and
// tenant, and those of clients that have left are free again. I/O thread; used by Service.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "serve/route.h"

namespace quire {

// A request as it came in.
struct Arrival {
  std::shared_ptr<http::Exchange> exchange;
  const Dialect* dialect = nullptr;
  Parsed<Call> (*parse)(const DialectContext&, const http::Request&) = nullptr;
  DialectContext context;
  Nanos at{0};
};

class WaitingRoom {
 public:
  explicit WaitingRoom(std::size_t places) : places_(places) {}

  // Moves from `arrival` if there is a place.
  bool add(ModelHost::ModelIndex model, Arrival& arrival);
  std::vector<Arrival> take(ModelHost::ModelIndex model);  // in the order they came
  std::vector<Arrival> take_all();
  std::size_t size() const;

 private:
  std::size_t places_;
  std::map<ModelHost::ModelIndex, std::vector<Arrival>> waiting_;
};

}  // namespace quire
