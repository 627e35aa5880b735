#include "serve/status/status_json.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string_view>

#include "base/clock.h"

namespace quire {
namespace {

double to_ms(Nanos time) {  // to the microsecond
  return std::round(to_seconds(time) * 1e6) / 1e3;
}

double rounded(double value) { return std::round(value * 1e3) / 1e3; }

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// What is allocated, without what the allocator keeps for later.
std::uint64_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// --- one model ---

Json quantiles_json(const LatencyWindow& window, Nanos now) {
  const LatencyQuantiles quantiles = window.quantiles(now);
  const auto shown = [&](double ms) { return quantiles.count > 0 ? Json(rounded(ms)) : Json(); };
  return Json::object({{"p50", shown(quantiles.p50_ms)}, {"p90", shown(quantiles.p90_ms)},
                       {"p99", shown(quantiles.p99_ms)}, {"count", quantiles.count}});
}

Json buckets_json(const std::vector<KvInspection::Bucket>& buckets, const char* bound) {
  Json list = Json::array();
  for (const KvInspection::Bucket& bucket : buckets) {
    const bool is_rest = bucket.max == KvInspection::Bucket::kRest;
    list.push(Json::object({{bound, is_rest ? Json() : Json(bucket.max)},
                            {"blocks", bucket.blocks}}));
  }
  return list;
}

Json radix_json(const KvInspection& kv, std::uint32_t block_tokens) {
  Json largest = Json::array();
  for (const KvInspection::Run& run : kv.largest) {
    largest.push(Json::object({{"tokens", run.tokens}, {"blocks", run.blocks},
                               {"steps_ago", run.steps_ago}}));
  }
  return Json::object({{"nodes", kv.nodes}, {"blocks", kv.tree_blocks},
                       {"tokens", kv.tree_blocks * block_tokens},
                       {"by_age", buckets_json(kv.by_age, "steps_ago_max")},
                       {"by_depth", buckets_json(kv.by_depth, "tokens_max")},
                       {"largest", std::move(largest)}});
}

Json step_json(const ModelRecord::Step& step, const RequestLog& log) {
  Json rows = Json::array();
  for (const ModelRecord::Row& row : step.rows) {
    const RequestRecord* record = log.at(row.serial);
    Json entry = Json::object({{"request", record != nullptr ? record->accepted().id : ""},
                               {"phase", row.is_decode ? "decode" : "prefill"},
                               {"tokens", row.tokens}});
    if (row.choice > 0) entry.set("branch", row.choice);
    rows.push(std::move(entry));
  }
  return Json::object({{"step", step.step}, {"instance", step.instance},
                       {"ms", to_ms(step.elapsed)}, {"rows_total", step.rows_total},
                       {"rows", std::move(rows)}});
}

void add_counters(const EngineStats& stats, Json& out) {
  out.set("running", stats.requests_running);
  out.set("waiting", stats.requests_waiting);
  out.set("preemptions_total", stats.preemptions);
  const std::uint64_t prompt = stats.prompt_tokens, cached = stats.prefix_cached_tokens;
  const double share = static_cast<double>(cached) / static_cast<double>(std::max(prompt, 1ul));
  out.set("prefix", Json::object({{"prompt_tokens", prompt}, {"cached_tokens", cached},
                                  {"hit_rate", prompt > 0 ? Json(rounded(share)) : Json()}}));
}

void add_live(const ModelRecord& record, const EngineStats& stats, Nanos begun, Nanos now,
              Json& out) {
  out.set("requests_total", record.requests);
  out.set("tokens",
          Json::object({{"prompt_total", stats.prompt_tokens},
                        {"cached_total", stats.prefix_cached_tokens},
                        {"generated_total", stats.generated_tokens},
                        {"prompt_per_s", rounded(record.prompt_rate.per_second(now, begun))},
                        {"generated_per_s",
                         rounded(record.generated_rate.per_second(now, begun))}}));
  out.set("latency_ms", Json::object({{"ttft", quantiles_json(record.first_token, now)},
                                      {"itl", quantiles_json(record.next_token, now)},
                                      {"step", quantiles_json(record.step_time, now)}}));
}

// Without an inspection nobody knows yet who owns the blocks.
Json group_json(const KvGroup& group, const KvInspection::Group* inspected) {
  Json out = Json::object({{"name", group.name},
                           {"holds", holds_states(group) ? "state" : "positions"},
                           {"of", holds_encoder(group) ? "encoder" : "text"},
                           {"layers", group.layers}, {"block_tokens", group.block_tokens},
                           {"window", group.window > 0 ? Json(group.window) : Json()},
                           {"sinks", group.sinks},
                           {"k_type", group.k_type.empty() ? Json() : Json(group.k_type)},
                           {"v_type", group.v_type.empty() ? Json() : Json(group.v_type)},
                           {"bytes_per_block", group.bytes_per_block},
                           {"blocks", group.blocks - 1}});  // without the padding
  const auto known = [&](std::uint32_t KvInspection::Group::*count) {
    return inspected != nullptr ? Json(inspected->*count) : Json();
  };
  out.set("free", known(&KvInspection::Group::free));
  out.set("cached", known(&KvInspection::Group::cached));
  out.set("referenced", known(&KvInspection::Group::referenced));
  out.set("shared", known(&KvInspection::Group::shared));
  out.set("map", inspected != nullptr ? inspected->block_map : "");
  out.set("blocks_per_letter", inspected != nullptr ? inspected->blocks_per_letter : 1);
  return out;
}

void add_memory(const ModelRecord& record, const ModelFigures& model, Nanos now, Json& out) {
  const EngineStats& stats = model.stats;
  const EngineInspection* inspection = model.is_loaded ? record.inspection.get() : nullptr;
  out.set("answered", inspection != nullptr && record.answered == record.asked);
  out.set("inspected_ms_ago",
          inspection != nullptr ? Json(to_ms(now - record.inspected_at)) : Json());
  // Those of an earlier life of the model may be others.
  const bool has_groups =
      inspection != nullptr && inspection->kv.groups.size() == model.groups.size();
  const std::uint32_t block_tokens = model.groups.empty() ? 0 : model.groups[0].block_tokens;
  Json kv = Json::object({{"block_tokens", block_tokens}, {"blocks", stats.blocks_total},
                          {"free", stats.blocks_free}, {"cached", stats.blocks_cached},
                          {"referenced", stats.blocks_referenced}});
  // Of the first group, as these figures always were; the list has it too.
  kv.set("map", inspection != nullptr ? inspection->kv.groups[0].block_map : "");
  kv.set("blocks_per_letter",
         inspection != nullptr ? inspection->kv.groups[0].blocks_per_letter : 1);
  Json groups = Json::array();
  for (std::size_t g = 0; g < model.groups.size(); ++g) {
    groups.push(group_json(model.groups[g], has_groups ? &inspection->kv.groups[g] : nullptr));
  }
  kv.set("groups", std::move(groups));
  out.set("kv", std::move(kv));
  out.set("radix", inspection != nullptr ? radix_json(inspection->kv, block_tokens) : Json());
}

Json model_json(const ModelFigures& model, const ModelRecord& record, const RequestLog& log,
                Nanos begun, Nanos now) {
  Json out = Json::object({{"name", model.names.front()}});
  Json aliases = Json::array();
  for (std::size_t i = 1; i < model.names.size(); ++i) aliases.push(model.names[i]);
  out.set("aliases", std::move(aliases));
  out.set("state", model.state);
  out.set("isa", model.isa);
  out.set("context_max", model.context_max);
  out.set("rows_max", model.rows_max);
  out.set("tokens_max", model.tokens_max);
  out.set("instances", model.instances);
  add_counters(model.stats, out);
  add_live(record, model.stats, begun, now, out);
  add_memory(record, model, now, out);
  Json steps = Json::array();
  record.for_each_step([&](const ModelRecord::Step& step) { steps.push(step_json(step, log)); });
  out.set("steps", std::move(steps));
  return out;
}

// --- one request ---

constexpr std::array<std::string_view, 9> kKindNames = {
    "queued", "admitted", "prefill", "decode", "preempted", "resumed", "first_token", "finished",
    "cancelled"};

Json event_json(const RequestEvent& event, bool has_choices, const RequestLog& log) {
  using Kind = RequestEventKind;
  Json out = Json::object({{"t_ms", to_ms(event.at)},
                           {"kind", kKindNames[static_cast<std::size_t>(event.kind)]}});
  if (has_choices) out.set("branch", event.choice);
  const bool is_work = event.kind == Kind::kPrefill || event.kind == Kind::kDecode;
  if (is_work || event.kind == Kind::kQueued) out.set("ms", to_ms(event.time));
  if (event.first_step > 0) out.set("steps", Json::array({event.first_step, event.last_step}));
  if (event.kind == Kind::kAdmitted || event.kind == Kind::kResumed || event.cached > 0) {
    out.set(event.is_fork ? "forked" : "cached", event.cached);
  }
  if (event.kind == Kind::kFinished) out.set("reason", finish_reason_name(event.reason));
  if (!is_work) return out;
  out.set("step_count", event.steps);
  out.set("tokens", event.tokens);
  out.set("generated", event.generated);
  Json shared = Json::array();
  for (const std::uint64_t serial : event.sharers_shown) {
    const RequestRecord* other = log.at(serial);
    if (other != nullptr) shared.push(other->accepted().id);
  }
  out.set("shared_with", std::move(shared));
  out.set("shared_count", event.sharers);
  return out;
}

std::string_view state_name(const RequestRecord& record) {
  if (record.is_finished()) return "finished";
  return record.has_begun() ? "running" : "waiting";
}

Json summary_json(const RequestRecord& record) {
  const AcceptedRequest& accepted = record.accepted();
  const auto time = [](Nanos value) { return value > Nanos{0} ? Json(to_ms(value)) : Json(); };
  Json out = Json::object({{"id", accepted.id}, {"request_id", accepted.request_id},
                           {"model", accepted.model}, {"endpoint", accepted.endpoint},
                           {"created", accepted.created}, {"state", state_name(record)}});
  if (!accepted.trace.trace_id.empty()) out.set("trace_id", accepted.trace.trace_id);
  out.set("finish_reason",
          record.is_finished() ? Json(finish_reason_name(record.finish_reason())) : Json());
  out.set("choices", record.choices());
  out.set("prompt_tokens", record.prompt_tokens());
  out.set("cached_tokens", record.cached_tokens());
  out.set("generated_tokens", record.generated_tokens());
  out.set("preemptions", record.preemptions());
  out.set("ttft_ms", time(record.first_token_after()));
  out.set("total_ms", time(record.total()));
  out.set("events_dropped", record.events_dropped());
  return out;
}

// Where the prompt leaves the earlier one of its client that it shares most with. Null: none is
// known.
Json earlier_prompt_json(const RequestRecord& record, bool shows_words) {
  const PromptOrigin& origin = record.accepted().origin;
  if (!origin.difference) return Json();
  const PromptDifference& it = *origin.difference;
  const bool is_beginning = it.had.empty(), is_begun = it.has.empty();
  std::string says =
      is_beginning && is_begun ? fmt::format("the same {} tokens as {}", it.at, it.earlier_id)
      : is_beginning ? fmt::format("goes on where the {} tokens of {} end", it.at, it.earlier_id)
      : is_begun     ? fmt::format("the first {} tokens of {}", it.at, it.earlier_id)
                     : fmt::format("first difference at token {} from {}", it.at, it.earlier_id);
  const bool differs = !is_beginning && !is_begun;
  if (differs && shows_words) {
    says += fmt::format(": {} there, {} here", dump(Json(origin.had)), dump(Json(origin.has)));
  }
  Json out = Json::object({{"id", it.earlier_id}, {"tokens", it.earlier_tokens},
                           {"equal_tokens", it.at}, {"says", std::move(says)}});
  out.set("first_difference", differs ? Json(it.at) : Json());
  out.set("had", shows_words ? Json(origin.had) : Json());
  out.set("has", shows_words ? Json(origin.has) : Json());
  return out;
}

}  // namespace

Json snapshot_json(const ServerFacts& server, std::span<const ModelFigures> models,
                   const Chronicle& chronicle, Nanos now) {
  static const ModelRecord kUntouched;
  Json list = Json::array();
  for (const ModelFigures& model : models) {
    const ModelRecord* record = chronicle.model(model.names.front());
    list.push(model_json(model, record != nullptr ? *record : kUntouched, chronicle.requests(),
                         server.begun, now));
  }
  return Json::object({{"time", SteadyClock::unix_seconds()}, {"version", server.version},
                       {"uptime_s", rounded(to_seconds(now - server.begun))},
                       {"rss_bytes", resident_bytes()}, {"heap_bytes", heap_bytes()},
                       {"draining", server.is_draining}, {"models", std::move(list)}});
}

Json requests_json(const RequestLog& log) {
  Json list = Json::array();
  const auto& records = log.records();
  for (auto it = records.rbegin(); it != records.rend(); ++it) {
    list.push(summary_json(it->second));
  }
  return Json::object({{"requests", std::move(list)}, {"finished_max", RequestLog::kFinishedMax}});
}

Json request_json(const RequestRecord& record, const RequestLog& log, const std::string& asker,
                  Nanos now) {
  Json out = summary_json(record);
  const PromptOrigin& origin = record.accepted().origin;
  out.set("earlier_prompt", earlier_prompt_json(record, origin.tenant == asker));
  Json lines = Json::array();
  for (const VolatileLine& line : origin.volatile_lines) {
    lines.push(Json::object({{"pattern", line.pattern},
                             {"done", line.is_removed ? "removed" : "kept"}}));
  }
  out.set("volatile_lines", std::move(lines));
  Json events = Json::array();
  for (const RequestEvent& event : record.events(now)) {
    events.push(event_json(event, record.choices() > 1, log));
  }
  out.set("events", std::move(events));
  return out;
}

}  // namespace quire
