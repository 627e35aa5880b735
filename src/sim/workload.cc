#include "sim/workload.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/file.h"
#include "base/hash.h"
#include "base/philox.h"

namespace quire {
namespace {

constexpr std::size_t kTraceSizeMax = std::size_t{1} << 28;  // bytes
constexpr std::uint64_t kLengthMax = 10'000'000;             // tokens of a request
constexpr std::uint32_t kMooncakeBlock = 512;                // tokens per hash id

double exponential(std::uint64_t seed, std::uint64_t index, std::uint64_t what) {
  return -std::log(philox_uniform(seed, index, what));
}

std::uint32_t scaled(std::uint64_t tokens, double scale) {
  const double wanted = std::ceil(static_cast<double>(std::min(tokens, kLengthMax)) * scale);
  return static_cast<std::uint32_t>(std::clamp(wanted, 1.0, static_cast<double>(kLengthMax)));
}

// Takes the next line off the text.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// What follows `"name":` and blanks.
std::optional<std::string_view> member(std::string_view line, std::string_view name) {
  const std::size_t at = line.find("\"" + std::string(name) + "\":");
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + name.size() + 3);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line;
}

std::optional<std::uint64_t> number_member(std::string_view line, std::string_view name) {
  auto value = member(line, name);
  return value ? take_number(*value) : std::nullopt;
}

Status bad_line(std::size_t line, const char* what) {
  return error(StatusCode::kCorrupt, "trace line {}: {}", line, what);
}

// "2023-11-16 18:17:03.9799600" as time since the month began; a trace is shorter than a month.
std::optional<Nanos> parse_timestamp(std::string_view text) {
  std::uint64_t fields[6];  // year month day hour minute second
  for (int i = 0; i < 6; ++i) {
    const auto value = take_number(text);
    if (!value || *value > 9999) return std::nullopt;
    fields[i] = *value;
    if (i < 5 && text.empty()) return std::nullopt;
    if (i < 5) text.remove_prefix(1);
  }
  std::int64_t fraction = 0, unit = 1'000'000'000;
  if (!text.empty() && text.front() == '.') {
    for (text.remove_prefix(1); !text.empty() && unit > 1; text.remove_prefix(1)) {
      if (text.front() < '0' || text.front() > '9') return std::nullopt;
      unit /= 10;
      fraction += (text.front() - '0') * unit;
    }
  }
  const std::uint64_t seconds = ((fields[2] * 24 + fields[3]) * 60 + fields[4]) * 60 + fields[5];
  return Nanos(static_cast<std::int64_t>(seconds) * 1'000'000'000 + fraction);
}

}  // namespace

Workload make_workload(const SyntheticOptions& options, std::uint64_t seed) {
  Workload workload;
  workload.name = "synthetic";
  double seconds = 0;
  for (std::uint32_t i = 0; i < options.requests; ++i) {
    seconds += exponential(seed, i, 0) / options.requests_per_second;
    SimArrival arrival;
    arrival.at = from_seconds(seconds);
    const std::uint32_t own =
        scaled(1, exponential(seed, i, 1) * static_cast<double>(options.prompt_tokens_mean));
    arrival.answer_tokens =
        scaled(1, exponential(seed, i, 2) * static_cast<double>(options.answer_tokens_mean));
    arrival.segment_tokens = options.shared_tokens > 0 ? options.shared_tokens : own;
    if (options.shared_tokens > 0 && options.prefixes > 0) {
      arrival.segments.push_back(mix64(seed) + philox(seed, i, 3)[0] % options.prefixes);
    }
    arrival.prompt_tokens =
        static_cast<std::uint32_t>(arrival.segments.size()) * options.shared_tokens + own;
    while (arrival.segments.size() * arrival.segment_tokens < arrival.prompt_tokens) {
      arrival.segments.push_back(mix64(seed ^ mix64(i + 1)) + arrival.segments.size());
    }
    workload.arrivals.push_back(std::move(arrival));
  }
  return workload;
}

void assign_tenants(Workload& workload, const std::vector<double>& rates, std::uint64_t seed) {
  double sum = 0;
  for (const double rate : rates) sum += rate;
  for (std::size_t i = 0; i < workload.arrivals.size(); ++i) {
    double left = philox_uniform(seed, i, 4) * sum;
    std::uint32_t tenant = 0;
    while (tenant + 1 < rates.size() && left > rates[tenant]) left -= rates[tenant++];
    workload.arrivals[i].tenant = tenant;
  }
}

Result<Workload> parse_mooncake(std::string_view text, const TraceOptions& options) {
  Workload workload;
  workload.name = "mooncake";
  for (std::size_t number = 1; !text.empty() && workload.arrivals.size() < options.requests_max;
       ++number) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    const auto at = number_member(line, "timestamp");  // ms
    const auto prompt = number_member(line, "input_length");
    const auto answer = number_member(line, "output_length");
    auto ids = member(line, "hash_ids");
    if (!at || !prompt || !answer || !ids || ids->empty() || ids->front() != '[') {
      return bad_line(number, "timestamp, input_length, output_length or hash_ids is missing");
    }
    if (*at > 1'000'000'000'000 || *prompt == 0 || *prompt > kLengthMax || *answer > kLengthMax) {
      return bad_line(number, "a number is out of range");
    }
    SimArrival arrival;
    arrival.at = from_seconds(static_cast<double>(*at) * 1e-3 * options.time_scale);
    arrival.prompt_tokens = scaled(*prompt, options.length_scale);
    arrival.answer_tokens = scaled(*answer, options.length_scale);
    arrival.segment_tokens = scaled(kMooncakeBlock, options.length_scale);
    for (ids->remove_prefix(1); !ids->empty() && ids->front() != ']';) {
      const auto id = take_number(*ids);
      if (!id) return bad_line(number, "hash_ids is not a list of numbers");
      arrival.segments.push_back(*id);
      while (!ids->empty() && (ids->front() == ',' || ids->front() == ' ')) ids->remove_prefix(1);
    }
    workload.arrivals.push_back(std::move(arrival));
  }
  return workload;
}

Result<Workload> parse_azure(std::string_view text, const TraceOptions& options) {
  Workload workload;
  workload.name = "azure";
  if (take_line(text) != "TIMESTAMP,ContextTokens,GeneratedTokens") {
    return bad_line(1, "expected TIMESTAMP,ContextTokens,GeneratedTokens");
  }
  std::optional<Nanos> first;
  for (std::size_t number = 2; !text.empty() && workload.arrivals.size() < options.requests_max;
       ++number) {
    std::string_view line = take_line(text);
    if (line.empty()) continue;
    const std::size_t comma = line.find(',');
    const auto at = parse_timestamp(line.substr(0, comma));
    if (!at || comma == std::string_view::npos) return bad_line(number, "no timestamp");
    line.remove_prefix(comma + 1);
    const auto prompt = take_number(line);
    if (!prompt || line.empty() || line.front() != ',') return bad_line(number, "no ContextTokens");
    line.remove_prefix(1);
    const auto answer = take_number(line);
    if (!answer || *prompt > kLengthMax || *answer > kLengthMax) {
      return bad_line(number, "a number is missing or out of range");
    }
    if (!first) first = at;
    SimArrival arrival;
    arrival.at = from_seconds(to_seconds(*at - *first) * options.time_scale);
    arrival.prompt_tokens = scaled(*prompt, options.length_scale);
    arrival.answer_tokens = scaled(*answer, options.length_scale);
    arrival.segment_tokens = arrival.prompt_tokens;
    arrival.segments = {mix64(number)};
    workload.arrivals.push_back(std::move(arrival));
  }
  return workload;
}

Result<Workload> read_trace(const std::string& path, const TraceOptions& options) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kTraceSizeMax));
  const bool is_azure = path.ends_with(".csv");
  if (!is_azure && !path.ends_with(".jsonl")) {
    return error(StatusCode::kUnsupported, "'{}' is no trace: .jsonl and .csv are", path);
  }
  auto workload = is_azure ? parse_azure(text, options) : parse_mooncake(text, options);
  if (!workload.is_ok()) {
    return error(workload.status().code(), "'{}': {}", path, workload.status().message());
  }
  std::stable_sort(workload->arrivals.begin(), workload->arrivals.end(),
                   [](const SimArrival& a, const SimArrival& b) { return a.at < b.at; });
  if (workload->arrivals.empty()) {
    return error(StatusCode::kInvalidArgument, "'{}' has no requests", path);
  }
  return workload;
}

std::vector<TokenId> prompt_of(const SimArrival& arrival, std::uint32_t vocab) {
  std::vector<TokenId> prompt(arrival.prompt_tokens);
  for (std::uint32_t i = 0; i < arrival.prompt_tokens; ++i) {
    const std::size_t segment = i / std::max(1u, arrival.segment_tokens);
    // A prompt longer than its named segments goes on with tokens of the last one's name.
    const std::uint64_t name =
        arrival.segments.empty() ? 0
                                 : arrival.segments[std::min(segment, arrival.segments.size() - 1)];
    prompt[i] = static_cast<TokenId>(mix64(mix64(name) + i) % vocab);
  }
  return prompt;
}

}  // namespace quire
