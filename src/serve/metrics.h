// Metrics: what /metrics shows, in Prometheus' text format: the engines' counters and gauges by
// model, read when asked, and histograms of times that the front door measures. A model's counters
// go on where they were when it is loaded again. Every family is there from the start. The names
// stand in metrics.cc. Any thread may observe; what is counted by tenant, and text(), whose own
// computing is shown, are for the I/O thread. Dashboards that know vLLM find its names where the
// operator wants them (metrics_vllm.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host/model_host.h"

namespace quire {

class Metrics {
 public:
  enum class Names : std::uint8_t { kQuire, kVllm, kBoth };

  Metrics(const ModelHost& host, std::string version, Names names = Names::kQuire);
  ~Metrics();

  void observe_step(double seconds, const StepPhases& phases);
  // By model; since the request arrived, since the choice's token before, from arrival to the last
  // byte. I/O thread.
  void observe_first_token(const std::string& model, double seconds);
  void observe_next_token(const std::string& model, double seconds);
  void observe_request(const std::string& model, double seconds);
  void count_finish(const std::string& model, FinishReason reason, const Usage& usage);
  void count_answer(int status);              // an HTTP answer was chosen
  void count_left();                          // a client left, or read too slowly
  void count_unknown_fields(std::size_t count);
  void count_volatile_line(bool is_removed);  // at the head of a prompt

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
