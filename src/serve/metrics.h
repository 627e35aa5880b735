// Metrics: what /metrics shows, in Prometheus' text format: the engines' counters and gauges by
// model, read when asked, and histograms of times that the front door measures. A model's counters
// go on where they were when it is loaded again, and its series end when it is removed. Every
// family is there from the start. The names stand in metrics.cc. Any thread may observe; what is
// counted by tenant, and text(), whose own computing is shown, are for the I/O thread. Dashboards
// that know vLLM, TGI or Triton find their names where the operator wants them (metric_names/).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "host/model_host.h"
#include "serve/call.h"
#include "serve/trace/span_fate.h"

namespace quire {

class ModelRepository;
class ResponseCache;

class Metrics {
 public:
  // Both: ours and vLLM's.
  enum class Names : std::uint8_t { kQuire, kVllm, kBoth, kTgi, kTriton, kAll };

  // `responses`: answers that are kept, which outlive this; null: none are. `has_old`: names that
  // vLLM itself shows no more by default, beside its others.
  Metrics(const ModelHost& host, std::string version, Names names = Names::kQuire,
          ResponseCache* responses = nullptr, bool has_old = false);
  ~Metrics();

  // `model`: whose step it was; empty: nobody of it is here any more.
  void observe_step(const std::string& model, const StepEvents& step);
  // By model; since the request arrived, since the choice's token before, from arrival to the last
  // byte. I/O thread.
  void observe_first_token(const std::string& model, double seconds);
  void observe_next_token(const std::string& model, double seconds);
  void observe_request(const std::string& model, const CallTimes& times, std::uint64_t generated);
  // Of one that failed, or whose client left; with so many choices that ended by nothing of their
  // own: their client left, or their call failed for another's sake. I/O thread.
  void observe_failure(const std::string& model, const CallTimes& times, std::size_t cancelled);
  // A request of an engine with its choices, and what it may generate; nothing: it is pooled.
  void count_accepted(const std::string& model, int choices, std::optional<int> tokens_max);
  void count_call();  // of a client, with all its prompts and choices: engines have it
  void count_refused(int status);  // a request that no engine has had, by what its client was told
  void count_finish(const std::string& model, FinishReason reason, const Usage& usage);
  void count_answer(int status);              // an HTTP answer was chosen
  void count_left();                          // a client left, or read too slowly
  void count_unknown_fields(std::size_t count);
  void count_tools_not_enforced();
  void count_volatile_line(bool is_removed);  // at the head of a prompt
  void count_spans(SpanFate fate, std::size_t count);  // any thread

  // Tenants have a series each, as they come, up to kTenantsMax; the others share one.
  static constexpr std::size_t kTenantsMax = 64;
  void show_tenant(const std::string& tenant);  // from now on, with zeros
  void count_prompt(const std::string& tenant, std::uint32_t tokens, std::uint32_t cached);
  void count_generated(const std::string& tenant, std::size_t tokens);

  void keep_only(const std::set<std::string>& models);  // series of others end

  // What has become of a model's requests so far. I/O thread.
  struct ModelCounts {
    std::uint64_t requests = 0, choices = 0;
    std::uint64_t failures = 0;            // choices that ended by a fault or were cut off
    std::uint64_t queued = 0;              // requests that were computed at all
    double request_seconds = 0, queue_seconds = 0;  // of all of them together
    double failed_seconds = 0;             // of requests that failed
    std::uint64_t last_request_ms = 0;     // when one ended, since 1970; 0: none has
    std::uint64_t steps = 0;               // in which any of them was computed
    struct Steps {
      std::uint64_t count = 0, ns = 0;  // of the executor
    };
    std::map<std::size_t, Steps> steps_of;  // by their rows; as many as a step has at most
  };
  ModelCounts counts(const std::string& model) const;

  // `has_triton`: Triton's names are among them, whatever was chosen. `repository`: whose versions
  // and models without an engine Triton's names tell of; null: there is none.
  std::string text(bool has_triton = false, const ModelRepository* repository = nullptr) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quire
