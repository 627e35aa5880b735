// ModelDress: what a Modelfile says of a model beside its weights: template, system message,
// parameters, turns that come first, licences. Kept in the manifest of a model of the store; an
// empty dress is that of a model whose files say everything.
// Plain value; any thread. Used by manifest, by apps and host for what is loaded, by serve.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire::store {

struct ModelDress {
  static constexpr std::size_t kTextMax = std::size_t{1} << 20;  // bytes of each text
  static constexpr std::size_t kMessagesMax = 1024;
  static constexpr std::size_t kLicensesMax = 64;

  std::string from;            // whose weights it wears, as it was said
  std::string chat_template;   // Go's; empty: that of the files
  std::string system;
  Json parameters = Json::object();  // by name; "stop" is a list
  std::vector<Json> messages;        // {"role": ..., "content": ...}
  std::vector<std::string> licenses;
  std::string renderer, parser, needs;  // RENDERER, PARSER, REQUIRES: told, not acted on

  bool is_empty() const { return *this == ModelDress(); }
  bool operator==(const ModelDress&) const = default;
};

Json dress_json(const ModelDress& dress);
// kCorrupt: it is not of this form, or larger than it may be.
Result<ModelDress> parse_dress(const Json& json);

// The Modelfile that says it; `from` stands behind FROM, each of `adapters` behind an ADAPTER.
std::string modelfile_of(const std::string& from, const ModelDress& dress,
                         const std::vector<std::string>& adapters = {});

}  // namespace quire::store
