// Target: one reader of bytes from outside, as a function that a fuzzer calls with bytes of its own
// making. It returns what went wrong as a sentence, and nothing if all is well: that the bytes are
// refused is well, that the process ends is not. Targets keep nothing between two calls but what
// takes long to make, so that a finding is its bytes alone.
// One thread. Used by libfuzzer.cc (the fuzzers) and replay_test.cc (seeds and findings).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace quire::fuzz {

struct Target {
  std::string_view name;  // also the folder of its seeds
  std::string (*run)(std::string_view input);
  std::size_t size_max;  // bytes that a fuzzer makes
};

std::span<const Target> all_targets();
const Target* find_target(std::string_view name);  // null: none

// Whoever wrote the bytes has to be told what is wrong with them, and that it is not us.
std::string fault_of(const Status& status);

// A folder that lives as long as the process, in memory where TMPDIR says so.
// Writes `bytes` to that file in it and returns its path.
std::string write_input(const std::string& name, std::string_view bytes);
std::string input_folder();

}  // namespace quire::fuzz
