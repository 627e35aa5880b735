// Configs of ensembles for tests, from few words: what goes in and out, and steps whose maps are
// written "model's=ensemble's other=other".
// Pure.
#pragma once

#include <fmt/format.h>

#include <sstream>
#include <string>

namespace quire {

inline std::string test_maps(const std::string& field, const std::string& pairs) {
  std::string text;
  std::istringstream words(pairs);
  for (std::string word; words >> word;) {
    const std::size_t middle = word.find('=');
    text += fmt::format("{} {{ key: \"{}\" value: \"{}\" }} ", field, word.substr(0, middle),
                        word.substr(middle + 1));
  }
  return text;
}

inline std::string test_step(const std::string& model, const std::string& in,
                             const std::string& out, const std::string& more = "") {
  return fmt::format("step {{ model_name: \"{}\" {} {} {} }} ", model,
                     test_maps("input_map", in), test_maps("output_map", out), more);
}

// A tensor "NAME TYPE dims", of an input or an output.
inline std::string test_tensor(const std::string& field, const std::string& name,
                               const std::string& type, const std::string& dims = "1",
                               const std::string& more = "") {
  return fmt::format("{} {{ name: \"{}\" data_type: TYPE_{} dims: [ {} ] {} }} ", field, name, type,
                     dims, more);
}

inline std::string test_ensemble(const std::string& ends, const std::string& steps,
                                 int batch_max = 8) {
  return fmt::format("platform: \"ensemble\" max_batch_size: {} {} ensemble_scheduling {{ {} }}",
                     batch_max, ends, steps);
}

// A text in, a text out: IN, OUT.
inline std::string test_text_ends() {
  return test_tensor("input", "IN", "STRING") + test_tensor("output", "OUT", "STRING");
}

}  // namespace quire
