// What scrapers and dashboards rely on, over a running server: families that stand together and add
// up, every name from the start, gauges that come back, reasons and tokens that are those of the
// requests, times that fit into each other, labels with any name, old names by wish.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

constexpr const char* kCompletions = "/v1/completions";

// One line: a name, its labels by name with their values as they were meant, a value.
struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

struct Family {
  std::string name, type;
  std::vector<Sample> samples;
};

// The labels behind '{'; false: they are not in the format.
bool read_labels(std::string_view& rest, Sample& sample) {
  while (!rest.starts_with('}')) {
    const std::size_t equals = rest.find("=\"");
    if (equals == rest.npos) return false;
    const std::string label(rest.substr(0, equals));
    std::string value;
    rest.remove_prefix(equals + 2);
    while (!rest.empty() && rest.front() != '"') {
      char c = rest.front();
      if (c == '\n') return false;
      if (c == '\\') {
        rest.remove_prefix(1);
        if (rest.empty() || std::string_view("n\\\"").find(rest.front()) == rest.npos) return false;
        c = rest.front() == 'n' ? '\n' : rest.front();
      }
      value += c;
      rest.remove_prefix(1);
    }
    if (rest.empty() || !sample.labels.emplace(label, value).second) return false;
    rest.remove_prefix(1);
    if (rest.starts_with(',')) rest.remove_prefix(1);
  }
  rest.remove_prefix(1);
  return true;
}

std::optional<Sample> read_sample(std::string_view line) {
  Sample sample;
  const std::size_t end = line.find_first_of("{ ");
  if (end == line.npos || end == 0) return std::nullopt;
  sample.name = line.substr(0, end);
  line.remove_prefix(end);
  if (line.starts_with('{')) {
    line.remove_prefix(1);
    if (!read_labels(line, sample)) return std::nullopt;
  }
  if (!line.starts_with(' ')) return std::nullopt;
  std::size_t used = 0;
  const std::string number(line.substr(1));
  sample.value = std::stod(number, &used);
  return used == number.size() ? std::optional(sample) : std::nullopt;
}

// The name of the family that a sample belongs to.
bool belongs_to(const std::string& sample, const Family& family) {
  if (sample == family.name) return family.type != "histogram";
  if (family.type != "histogram" || !sample.starts_with(family.name)) return false;
  const std::string rest = sample.substr(family.name.size());
  return rest == "_bucket" || rest == "_sum" || rest == "_count";
}

// As strict as promtool: HELP and TYPE once, samples behind them and together, no series twice.
std::vector<Family> read_families(const std::string& text) {
  std::vector<Family> families;
  std::set<std::string> names, series;
  std::istringstream lines(text);
  std::string line, helped;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string hash, kind, name, type;
    if (line.starts_with('#')) {
      words >> hash >> kind >> name >> type;
      if (kind == "HELP") helped = name;
      if (kind != "TYPE") continue;
      EXPECT_EQ(helped, name) << "HELP comes before TYPE";
      EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
      EXPECT_TRUE(type == "counter" || type == "gauge" || type == "histogram") << line;
      families.push_back({name, type, {}});
      continue;
    }
    const auto sample = read_sample(line);
    EXPECT_TRUE(sample.has_value()) << line;
    if (!sample || families.empty()) continue;
    EXPECT_TRUE(belongs_to(sample->name, families.back())) << line;
    EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << line;
    families.back().samples.push_back(*sample);
  }
  return families;
}

void check_histogram(const Family& family) {
  std::map<std::string, std::vector<double>> buckets;  // by the labels but for le
  std::map<std::string, double> infinite, counts;
  for (const Sample& sample : family.samples) {
    std::string key;
    for (const auto& [label, value] : sample.labels) {
      if (label != "le") key += label + "=" + value + ";";
    }
    if (sample.name.ends_with("_count")) counts[key] = sample.value;
    if (!sample.name.ends_with("_bucket")) continue;
    buckets[key].push_back(sample.value);
    if (sample.labels.at("le") == "+Inf") infinite[key] = sample.value;
  }
  EXPECT_EQ(infinite, counts) << family.name;
  for (const auto& [key, values] : buckets) {
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end())) << family.name << key;
  }
}

const Family* find_family(const std::vector<Family>& families, const std::string& name) {
  const auto found = std::find_if(families.begin(), families.end(),
                                  [&](const Family& it) { return it.name == name; });
  return found == families.end() ? nullptr : &*found;
}

double sum_of(const std::vector<Family>& families, const std::string& name,
              const std::string& part = "") {
  const Family* family = find_family(families, name);
  double sum = 0;
  EXPECT_NE(family, nullptr) << name;
  if (family == nullptr) return sum;
  for (const Sample& sample : family->samples) {
    if (sample.name == name + part) sum += sample.value;
  }
  return sum;
}

std::vector<Family> scrape(const TestServer& server) {
  const TestResponse answer = server.client().get("/metrics");
  EXPECT_EQ(answer.status, 200);
  return read_families(answer.body);
}

std::string body_of(const std::string& fields) {
  return R"({"model":"m","prompt":"abcd",)" + fields + "}";
}

// Row 1.
TEST(MetricsRows, APickyParserReadsAllOfThem) {
  TestServer server({.metric_names = Metrics::Names::kAll, .has_old_metric_names = true});
  for (int round = 0; round < 2; ++round) {  // before and behind some traffic
    const std::vector<Family> families = scrape(server);
    EXPECT_GT(families.size(), 100u);
    for (const Family& family : families) {
      EXPECT_FALSE(family.samples.empty()) << family.name << " has no series";
      if (family.type == "histogram") check_histogram(family);
    }
    server.client().post(kCompletions, body_of(R"("max_tokens":5,"n":2)"));
    server.client().post(kCompletions, body_of(R"("max_tokens":-5)"));
  }
}

// Row 2. Those with numbers that only guesses bring (spec_decode_...) are not among them, nor the
// ones that vLLM samples by wish (kv_block_...).
TEST(MetricsRows, EveryNameOfVllmIsThereFromTheStart) {
  TestServer server({.metric_names = Metrics::Names::kVllm});
  const std::vector<Family> families = scrape(server);
  const std::pair<const char*, const char*> names[] = {
      {"num_requests_running", "gauge"}, {"num_requests_waiting", "gauge"},
      {"num_requests_waiting_by_reason", "gauge"}, {"kv_cache_usage_perc", "gauge"},
      {"engine_sleep_state", "gauge"}, {"lora_requests_info", "gauge"},
      {"cache_config_info", "gauge"}, {"prefix_cache_queries_total", "counter"},
      {"prefix_cache_hits_total", "counter"}, {"external_prefix_cache_queries_total", "counter"},
      {"external_prefix_cache_hits_total", "counter"}, {"mm_cache_queries_total", "counter"},
      {"mm_cache_hits_total", "counter"}, {"num_preemptions_total", "counter"},
      {"prompt_tokens_total", "counter"}, {"prompt_tokens_by_source_total", "counter"},
      {"prompt_tokens_cached_total", "counter"}, {"generation_tokens_total", "counter"},
      {"request_success_total", "counter"}, {"corrupted_requests_total", "counter"},
      {"request_prompt_tokens", "histogram"}, {"request_generation_tokens", "histogram"},
      {"request_max_num_generation_tokens", "histogram"},
      {"request_params_max_tokens", "histogram"},
      {"request_prefill_kv_computed_tokens", "histogram"}, {"iteration_tokens_total", "histogram"},
      {"request_params_n", "histogram"}, {"time_to_first_token_seconds", "histogram"},
      {"inter_token_latency_seconds", "histogram"},
      {"request_time_per_output_token_seconds", "histogram"},
      {"e2e_request_latency_seconds", "histogram"}, {"request_queue_time_seconds", "histogram"},
      {"request_inference_time_seconds", "histogram"},
      {"request_prefill_time_seconds", "histogram"}, {"request_decode_time_seconds", "histogram"}};
  for (const auto& [name, type] : names) {
    const Family* family = find_family(families, std::string("vllm:") + name);
    ASSERT_NE(family, nullptr) << name;
    EXPECT_EQ(family->type, type) << name;
    EXPECT_FALSE(family->samples.empty()) << name;
  }
  const auto reasons = find_family(families, "vllm:request_success_total")->samples;
  std::set<std::string> told;
  for (const Sample& sample : reasons) told.insert(sample.labels.at("finished_reason"));
  EXPECT_EQ(told, (std::set<std::string>{"abort", "error", "length", "repetition", "stop"}));
  const Sample cache = find_family(families, "vllm:cache_config_info")->samples.at(0);
  EXPECT_EQ(cache.labels.at("block_size"), "32");
  EXPECT_EQ(cache.labels.at("num_gpu_blocks"), "512");
}

// Row 3.
TEST(MetricsRows, GaugesComeBackToNothing) {
  TestServer server({.metric_names = Metrics::Names::kBoth}, {.rows_max = 2});
  server.gate().close();
  std::vector<TestClient> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(server.client());
    clients.back().send(post_bytes(kCompletions, body_of(R"("max_tokens":9,"ignore_eos":true)")));
  }
  server.wait_for_metric("quire_requests_total{outcome=\"accepted\"}", 6);
  while (server.metric("vllm:num_requests_waiting") < 1) server.gate().let_pass(1);
  EXPECT_GE(server.metric("vllm:num_requests_running"), 1);
  server.gate().open();
  for (TestClient& client : clients) EXPECT_EQ(client.receive().status, 200);
  for (const char* name : {"vllm:num_requests_running", "vllm:num_requests_waiting",
                           "vllm:num_requests_waiting_by_reason{reason=\"capacity\"}"}) {
    server.wait_for_metric(name, 0);
  }
}

// Rows 4 and 5.
TEST(MetricsRows, ReasonsAddUpToRequestsAndTokensToUsage) {
  TestServer server({.metric_names = Metrics::Names::kBoth}, {.token_non_finite = '@'});
  std::int64_t tokens = 0;
  for (int i = 0; i < 5; ++i) {
    const TestResponse answer = server.client().post(
        kCompletions, body_of(R"("max_tokens":7,"n":2,"seed":)" + std::to_string(i)));
    ASSERT_EQ(answer.status, 200);
    tokens += parse_json(answer.body)->find("usage")->find("completion_tokens")->as_int();
  }
  EXPECT_EQ(sum_of(scrape(server), "vllm:request_success_total"), 10);
  EXPECT_EQ(sum_of(scrape(server), "vllm:generation_tokens_total"), static_cast<double>(tokens));
  EXPECT_EQ(sum_of(scrape(server), "vllm:request_generation_tokens", "_sum"),
            static_cast<double>(tokens));
  EXPECT_EQ(server.client().post(kCompletions, R"({"model":"m","prompt":"a@b"})").status, 500);
  EXPECT_EQ(server.metric("vllm:request_success_total{finished_reason=\"error\"}"), 1);
  EXPECT_EQ(server.metric("vllm:corrupted_requests_total"), 1);
  server.gate().close();
  TestClient client = server.client();
  client.send(post_bytes(kCompletions, body_of(R"("max_tokens":900,"n":3,"ignore_eos":true)")));
  server.wait_for_metric("quire_requests_total{outcome=\"accepted\"}", 7);
  client.close();
  server.wait_for_metric("quire_clients_left_total", 1);
  EXPECT_EQ(server.metric("vllm:request_success_total{finished_reason=\"abort\"}"), 3);
  EXPECT_EQ(server.metric("quire_choices_total{finish=\"cancelled\"}"), 3);
  server.gate().open();
  EXPECT_EQ(sum_of(scrape(server), "vllm:request_success_total"), 14);
}

// Row 6: sums of one set of requests.
TEST(MetricsRows, TimesFitIntoEachOther) {
  TestServer server({.metric_names = Metrics::Names::kBoth});
  for (int i = 0; i < 5; ++i) {
    server.client().post(kCompletions, body_of(R"("max_tokens":6,"ignore_eos":true)"));
  }
  const std::vector<Family> families = scrape(server);
  const auto sum = [&](const char* name) { return sum_of(families, name, "_sum"); };
  const double whole = sum("vllm:e2e_request_latency_seconds");
  constexpr double kRounding = 1e-6;
  EXPECT_GT(whole, 0);
  EXPECT_LE(sum("vllm:time_to_first_token_seconds"), whole);
  EXPECT_NEAR(sum("quire_request_parse_seconds") + sum("vllm:request_queue_time_seconds") +
                  sum("vllm:request_inference_time_seconds"), whole, kRounding);
  EXPECT_NEAR(sum("vllm:request_prefill_time_seconds") + sum("vllm:request_decode_time_seconds"),
              sum("vllm:request_inference_time_seconds"), kRounding);
  EXPECT_EQ(sum_of(families, "vllm:request_prefill_time_seconds", "_count"), 5);
  EXPECT_EQ(sum("vllm:request_params_n"), 5);
  EXPECT_EQ(sum("vllm:request_params_max_tokens"), 30);
  EXPECT_EQ(sum("vllm:request_prompt_tokens"),
            sum("vllm:request_prefill_kv_computed_tokens") +
                sum_of(families, "vllm:prefix_cache_hits_total"));
  EXPECT_EQ(sum("vllm:iteration_tokens_total"), sum_of(families, "quire_computed_tokens_total"));
}

// Row 7: no request chooses an adapter, and the lists say so.
TEST(MetricsRows, TheListsOfAdaptersAreEmpty) {
  TestServer server({.metric_names = Metrics::Names::kVllm});
  const Sample info = find_family(scrape(server), "vllm:lora_requests_info")->samples.at(0);
  EXPECT_EQ(info.labels, (std::map<std::string, std::string>{
                             {"max_lora", "0"}, {"running_lora_adapters", ""},
                             {"waiting_lora_adapters", ""}}));
}

// Row 8.
TEST(MetricsRows, ANameMayHaveQuotesAndLineEnds) {
  const std::string odd = "a\"b\\c\nd";
  TestServer server({.metric_names = Metrics::Names::kAll}, {.names = {odd}});
  for (const char* name : {"quire_requests_running", "vllm:num_requests_running",
                           "nv_inference_pending_request_count"}) {
    const std::vector<Family> families = scrape(server);
    const Family* family = find_family(families, name);
    ASSERT_NE(family, nullptr) << name;
    const auto& labels = family->samples.at(0).labels;
    const bool has_it = std::any_of(labels.begin(), labels.end(),
                                    [&](const auto& label) { return label.second == odd; });
    EXPECT_TRUE(has_it) << name;
  }
}

// Row 11: whoever scrapes waits for no step.
TEST(MetricsRows, AStepThatDoesNotEndHoldsUpNoScrape) {
  TestServer server;
  server.gate().close();
  TestClient client = server.client();
  client.send(post_bytes(kCompletions, body_of(R"("max_tokens":3,"ignore_eos":true)")));
  server.wait_for_metric("quire_requests_total{outcome=\"accepted\"}", 1);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(scrape(server).empty());
  server.gate().open();
  EXPECT_EQ(client.receive().status, 200);
}

// Row 12.
TEST(MetricsRows, OldNamesAreThereByWish) {
  constexpr const char* kOld[] = {
      "vllm:gpu_cache_usage_perc", "vllm:gpu_prefix_cache_queries_total",
      "vllm:gpu_prefix_cache_hits_total", "vllm:num_requests_swapped",
      "vllm:time_per_output_token_seconds"};
  TestServer plain({.metric_names = Metrics::Names::kAll});
  TestServer asked({.metric_names = Metrics::Names::kVllm, .has_old_metric_names = true});
  for (const char* name : kOld) {
    EXPECT_EQ(find_family(scrape(plain), name), nullptr) << name;
    EXPECT_NE(find_family(scrape(asked), name), nullptr) << name;
  }
}

}  // namespace
}  // namespace quire
