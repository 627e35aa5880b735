#include "apps/create.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "apps/flags.h"
#include "apps/model_path.h"
#include "apps/quantize_progress.h"
#include "base/file.h"
#include "store/human.h"
#include "store/modelfile/adapters.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_store.h"
#include "text/chat_template.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

struct CreateArguments {
  std::string name;
  std::string file = "Modelfile";
  std::string quantize;
};

// What stands behind FROM or ADAPTER as a path: of the user's home, or beside the Modelfile.
std::string path_from(const std::string& from, const std::string& modelfile) {
  const char* home = std::getenv("HOME");
  if (from.starts_with("~/") && home != nullptr) return std::string(home) + from.substr(1);
  const fs::path beside = fs::path(modelfile).parent_path() / from;
  std::error_code failure;
  return fs::path(from).is_relative() && fs::exists(beside, failure) ? beside.string() : from;
}

Result<store::Weights> find_weights(const store::LocalStore& store, const std::string& from,
                                    const std::string& modelfile,
                                    const store::Quantization* how) {
  const std::string path = path_from(from, modelfile);
  std::error_code failure;
  const bool is_path = fs::exists(path, failure) &&
                       (from.find('/') != from.npos || !store.find(from).is_ok());
  if (is_path) return store::import_weights(store, path, how);
  const std::string name = store::store_name_of(from);
  QUIRE_ASSIGN_OR_RETURN(const FoundModel found, find_model(name));
  if (found.manifest) {
    store::Weights weights{found.manifest->files, found.manifest->dress, found.manifest->source,
                           found.manifest->adapters};
    if (how == nullptr) return weights;
    return store::quantize_weights(store, std::move(weights), *how);
  }
  QUIRE_ASSIGN_OR_RETURN(store::Weights weights, store::import_weights(store, found.path, how));
  weights.dress = found.dress;
  weights.source = from;
  for (const AdapterChoice& choice : found.adapters) {
    QUIRE_ASSIGN_OR_RETURN(store::StoredAdapter adapter,
                           store::import_adapter(store, choice.path));
    weights.adapters.push_back(std::move(adapter));
  }
  return weights;
}

Status check_supported(const store::Modelfile& file) {
  const auto refuse = [](std::string_view what, std::string_view why) {
    return error(StatusCode::kUnsupported, "{} is not supported: {}", what, why);
  };
  if (!file.drafts.empty()) return refuse("DRAFT", "the engine takes no draft model of a file");
  if (file.from.size() > 1) return refuse("a second FROM", "models read text and have one file");
  if (file.dress.chat_template.empty()) return ok_status();
  const auto compiled = ChatTemplate::compile_go(file.dress.chat_template);
  if (compiled.is_ok()) return ok_status();
  return error(StatusCode::kInvalidArgument, "TEMPLATE: {}", compiled.status().message());
}

Status create(const CreateArguments& arguments) {
  QuantizeProgress progress;
  QUIRE_RETURN_IF_ERROR(progress.choose(arguments.quantize));
  QUIRE_ASSIGN_OR_RETURN(const std::string text,
                         read_file(arguments.file, store::kModelfileMax));
  auto file = store::parse_modelfile(text);
  if (!file.is_ok()) {
    return error(file.status().code(), "{}: {}", arguments.file, file.status().message());
  }
  QUIRE_RETURN_IF_ERROR(check_supported(*file));
  for (const std::string& warning : file->warnings) {
    std::fprintf(stderr, "%s: %s\n", arguments.file.c_str(), warning.c_str());
  }
  for (const auto& [name, value] : {std::pair{"RENDERER", file->dress.renderer},
                                    std::pair{"PARSER", file->dress.parser},
                                    std::pair{"REQUIRES", file->dress.needs}}) {
    if (!value.empty()) {
      std::fprintf(stderr, "%s is kept and has no effect: templates say how to write, and their "
                           "marks how to read\n", name);
    }
  }
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  QUIRE_ASSIGN_OR_RETURN(const store::FileLock held, store.hold());
  const auto check = [](const std::string& path) { return check_opens(path, {}); };
  QUIRE_ASSIGN_OR_RETURN(store::Weights weights,
                         find_weights(store, file->from.front(), arguments.file,
                                      progress.quantization(check)));
  for (const std::string& path : file->adapters) {  // behind those that FROM has already
    QUIRE_ASSIGN_OR_RETURN(store::StoredAdapter adapter,
                           store::import_adapter(store, path_from(path, arguments.file)));
    weights.adapters.push_back(std::move(adapter));
  }
  QUIRE_ASSIGN_OR_RETURN(
      const store::Manifest made,
      store::create_model(store, store::store_name_of(arguments.name), weights, file->dress,
                          check_opens));
  const std::size_t adapters = made.adapters.size();
  const std::string with = adapters == 0 ? "" : fmt::format(" with {} adapter{}", adapters,
                                                            adapters == 1 ? "" : "s");
  std::printf("created %s: %s of weights from %s%s\n", made.name.c_str(),
              store::human_bytes(made.bytes()).c_str(), file->from.front().c_str(), with.c_str());
  return ok_status();
}

}  // namespace

void declare_create(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<CreateArguments>();
  Command command = parent.command("create", "Make a model of the store from a Modelfile");
  command.value("NAME", arguments->name, "what it is called: NAME or NAME:TAG").required();
  command.value("-f,--file", arguments->file, "the Modelfile");
  command.value("-q,--quantize", arguments->quantize,
                "what F16, BF16 or F32 weights become: q8_0, q4_K_M, ...");
  command.when_chosen([arguments, &chosen] {
    chosen = [arguments] {
      const Status status = create(*arguments);
      if (status.is_ok()) return 0;
      std::fprintf(stderr, "quire: %s\n", status.message().c_str());
      return 1;
    };
  });
}

}  // namespace quire
