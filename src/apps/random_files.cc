// The tensors of lab/random_model, all of them made at once, as ModelFiles.
#include "apps/random_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/cpu/cpu_info.h"
#include "formats/words/tokenizer_files.h"
#include "lab/random_model.h"

namespace quire {
namespace {

constexpr std::string_view kPrefix = "random:";

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

bool is_random_model(const std::string& path) { return path.starts_with(kPrefix); }

Result<std::unique_ptr<ModelFiles>> open_random_model(const std::string& path,
                                                      const std::string& tokenizer_path,
                                                      int threads) {
  const std::size_t colon = path.rfind(':');
  const std::string type = upper(path.substr(colon + 1));
  const auto known = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                  [&](const DTypeInfo& info) {
                                    return weight_type_name(info.dtype) == type;
                                  });
  if (colon < kPrefix.size() || known == std::end(kDTypes)) {
    return error(StatusCode::kInvalidArgument,
                 "'{}' is not random:SHAPE:TYPE, such as random:llama-1b:q8_0", path);
  }
  if (tokenizer_path.empty()) {
    return error(StatusCode::kInvalidArgument,
                 "random weights have no tokenizer; name one with --tokenizer FILE");
  }
  RandomModelOptions options;
  options.dtype = known->dtype;
  options.threads = threads == 0 ? cpu_info().cores : threads;
  QUIRE_ASSIGN_OR_RETURN(
      RandomModel random,
      make_random_model(path.substr(kPrefix.size(), colon - kPrefix.size()), options));
  ModelFiles::Parts parts;
  TensorMap tensors;
  for (const TensorRule& rule : random.design.tensors.rules) {
    QUIRE_ASSIGN_OR_RETURN(const TensorView tensor, random.find(rule.canonical));
    tensors.emplace(rule.canonical, tensor);
  }
  parts.tensors = MatchedTensors(std::move(tensors));
  parts.owner = std::make_shared<TensorFinder>(std::move(random.find));
  parts.tokenizer_json = [tokenizer_path, vocab = random.design.facts.vocab] {
    return read_tokenizer_file(tokenizer_path, vocab);
  };
  parts.design = std::move(random.design);
  return std::make_unique<ModelFiles>(std::move(parts));
}

}  // namespace quire
