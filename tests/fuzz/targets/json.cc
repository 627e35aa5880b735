// The JSON reader and the writer: what is read is written, and what is written reads as the same.
#include "base/json.h"

#include "target.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

std::string round_trip(std::string_view input, const JsonLimits& limits) {
  const Result<Json> value = parse_json(input, limits);
  if (!value.is_ok()) return fault_of(value.status());
  const std::string text = dump(*value);
  JsonLimits wide = limits;
  wide.bytes_max = JsonLimits().bytes_max;  // numbers may come out longer than they went in
  const Result<Json> again = parse_json(text, wide);
  if (!again.is_ok()) return "what dump() wrote: " + again.status().message();
  if (*again != *value) return "another value after dump(): " + text;
  return dump(*again) == text ? "" : "another text of the same value: " + text;
}

}  // namespace

std::string json(std::string_view input) {
  std::string fault = round_trip(input, {});
  if (!fault.empty()) return fault;
  return round_trip(input, {.bytes_max = 1024, .depth_max = 4, .values_max = 16,
                            .huge_integers_are_doubles = true});
}

}  // namespace quire::fuzz
