// Metrics: what /metrics shows, in Prometheus' text format: the engines' counters and gauges by
// model, read when asked, and histograms of times that the front door measures. A model's counters
// go on where they were when it is loaded again. Every family is there from the start. The names
// stand in metrics.cc. Any thread may observe; what is counted by tenant, and text(), whose own
// computing is shown, are for the I/O thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host/model_host.h"

namespace quire {

class Metrics {
 public:
  Metrics(const ModelHost& host, std::string version);
  ~Metrics();

  void observe_step(double seconds, const StepPhases& phases);
  void observe_first_token(double seconds);   // since the request arrived
  void observe_next_token(double seconds);    // since the choice's token before
  void observe_request(double seconds);       // from arrival to its last byte
  void count_answer(int status);              // an HTTP answer was chosen
  void count_left();                          // a client left, or read too slowly
  void count_unknown_fields(std::size_t count);

  // Tenants have a series each, as they come, up to kTenantsMax; the others share one.
  static constexpr std::size_t kTenantsMax = 64;
  void show_tenant(const std::string& tenant);  // from now on, with zeros
  void count_prompt(const std::string& tenant, std::uint32_t tokens, std::uint32_t cached);
  void count_generated(const std::string& tenant, std::size_t tokens);

  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quire
