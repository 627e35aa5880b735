#include "serve/dialects/ollama/manage/registry_place.h"

#include "serve/dialects/ollama/library.h"
#include "serve/intake/names/model_names.h"
#include "store/model_name.h"
#include "store/modelfile/create.h"

namespace quire {

std::optional<store::RegistryPull> registry_place(const std::string& name, bool is_insecure) {
  const auto parsed = parse_ollama_name(name);
  if (!parsed) return std::nullopt;
  store::RegistryPull place;
  place.name = store::store_name_of(name);
  if (const auto scheme = place.name.find("://"); scheme != place.name.npos) {
    place.name.erase(0, scheme + 3);
  }
  if (!parsed->host.empty()) place.host = parsed->host;
  if (!parsed->space.empty()) place.space = parsed->space;
  place.model = parsed->model;
  if (!parsed->tag.empty()) place.tag = parsed->tag;
  place.is_insecure = is_insecure;
  return place;
}

Status check_pushable(const std::string& name, bool is_insecure) {
  const auto parsed = parse_ollama_name(name);
  const bool is_hub = store::is_remote_name(name) ||
                      (parsed && (parsed->host == "hf.co" || parsed->host == "huggingface.co"));
  if (is_hub) {
    return error(StatusCode::kUnsupported, "the hub takes no model that is pushed: give '{}' a "
                 "name of a registry first (copy, cp)", name);
  }
  if (!parsed) return error(StatusCode::kInvalidArgument, "invalid model name");
  if (name.starts_with("http://") && !is_insecure) {
    return error(StatusCode::kInvalidArgument, "insecure protocol http");
  }
  return ok_status();
}

store::PushFacts push_facts(const ModelCard& card) {
  return {.family = card.family,
          .parameters = card.parameters > 0 ? shown_count(card.parameters) : std::string(),
          .quantization = card.quantization};
}

}  // namespace quire
