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
  bool awaits_end = false;  // of a load, however it ends
};

// The code of an ApiError with an `awaited_model` that is in the way: the request is read again
// when its load has ended, well or not, and begins none.
inline constexpr const char* kAwaitsEnd = "awaits_end";

bool is_loading(const ModelHost& host, ModelHost::ModelIndex model);

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
