#include "formats/checkpoint.h"

#include <array>
#include <filesystem>

#include "formats/config/gguf_config.h"
#include "formats/config/hf_config.h"
#include "formats/containers/file_kind.h"
#include "formats/containers/llama2c.h"
#include "formats/containers/safetensors.h"
#include "formats/in_file.h"
#include "formats/quant/quant_methods.h"
#include "formats/words/tokenizer_files.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using TensorMap = std::map<std::string, TensorView, std::less<>>;

std::function<const TensorView*(std::string_view)> finder(std::shared_ptr<const TensorMap> map) {
  return [map = std::move(map)](std::string_view name) -> const TensorView* {
    const auto at = map->find(name);
    return at == map->end() ? nullptr : &at->second;
  };
}

// --- GGUF ---

Result<Checkpoint> open_gguf(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(GgufFile opened, GgufFile::open(path));
  const auto file = std::make_shared<const GgufFile>(std::move(opened));
  Checkpoint checkpoint;
  checkpoint.owner = file;
  checkpoint.files = file->files();
  QUIRE_ASSIGN_OR_RETURN(GgufConfig config, read_gguf_config(file));
  if (file->tensors().empty()) {
    return error(StatusCode::kUnsupported,
                 "tensor_count at offset 8: a vocabulary without weights, not a model");
  }
  checkpoint.name = std::move(config.name);
  checkpoint.architecture = std::move(config.architecture);
  checkpoint.architecture_place = fmt::format("general.architecture at offset {}",
                                              file->find_entry("general.architecture")->offset);
  checkpoint.vocab = config.vocab;
  checkpoint.words = std::move(config.words);
  checkpoint.fields = std::move(config.fields);
  for (const TensorView& tensor : file->tensors()) checkpoint.tensors[tensor.name] = tensor;
  checkpoint.place = [file](const TensorView& tensor) {
    return fmt::format("at offset {}", file->offset_of(tensor));
  };
  checkpoint.tokenizer_json = [file] { return read_gguf_tokenizer(*file); };
  return checkpoint;
}

// --- Hugging Face directories ---

// The weights of a directory: the index if there is one, else the single file.
Result<SafetensorsFiles> open_directory_weights(const fs::path& directory,
                                                bool takes_integers) {
  for (const char* name : {"model.safetensors.index.json", "model.safetensors"}) {
    const fs::path path = directory / name;
    if (fs::exists(path)) return SafetensorsFiles::open(path, takes_integers);
  }
  return error(StatusCode::kNotFound,
               "'{}' has neither model.safetensors nor model.safetensors.index.json{}",
               directory.string(),
               fs::exists(directory / "pytorch_model.bin")
                   ? "; pytorch_model.bin is a pickle, which can run code and is never read"
                   : "");
}

// Where the tensors of a text model lie in a model of several kinds, in the order of trial; what is
// put in their place; and the parts that are no text.
struct Nesting {
  std::string_view prefix, plain;
};
constexpr std::array<Nesting, 4> kNestings = {{
    {"model.language_model.", "model."},
    {"language_model.model.", "model."},
    {"language_model.", ""},
    {"model.text_model.", "model."},
}};
constexpr std::string_view kOtherParts[] = {
    "vision_tower.",       "model.vision_tower.",       "visual.",
    "model.visual.",       "vision_model.",             "model.vision_model.",
    "audio_tower.",        "model.audio_tower.",        "multi_modal_projector.",
    "image_newline",       "model.image_newline",       "model.connector.",
    "model.embed_vision.", "model.multi_modal_projector.", "model.embed_audio.",
};

bool is_other_part(std::string_view name) {
  for (const std::string_view prefix : kOtherParts) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

void add_tensors(std::span<const TensorView> tensors, bool is_nested, Checkpoint& checkpoint) {
  for (const TensorView& tensor : tensors) {
    if (!is_nested) {
      checkpoint.tensors[tensor.name] = tensor;
    } else if (is_other_part(tensor.name)) {
      checkpoint.left_out.push_back(tensor.name);
    } else {
      checkpoint.tensors[plain_name(tensor.name)] = tensor;
    }
  }
}

void add_quantization(const Quantization& method, const ScaledTensors& scaled,
                      Checkpoint& checkpoint) {
  checkpoint.quantization = method.text;
  checkpoint.late = scaled.late;
  checkpoint.activations = method.activations;
  if (!method.cache.empty()) {
    checkpoint.cache =
        fmt::format("the checkpoint was made for a quantized KV cache ({}), which is a setting of "
                    "its own: --kv-cache-dtype", method.cache);
  }
  if (scaled.rounded == 0) return;
  checkpoint.rounded =
      fmt::format("{} of {} quantized weights fit no tile losslessly and are held in BF16, such as "
                  "{}", scaled.rounded, scaled.late.size(), scaled.reason);
}

Result<Checkpoint> open_directory(const std::string& directory) {
  if (!fs::exists(fs::path(directory) / "config.json")) {
    return error(StatusCode::kNotFound, "'{}' has no config.json", directory);
  }
  QUIRE_ASSIGN_OR_RETURN(HfConfig config, read_hf_config(directory));
  QUIRE_ASSIGN_OR_RETURN(const Quantization method, read_quantization(*config.root, directory));
  QUIRE_ASSIGN_OR_RETURN(SafetensorsFiles opened,
                         open_directory_weights(directory, method.takes_integers));
  for (const std::string& folder : config.dense_folders) {
    QUIRE_RETURN_IF_ERROR(opened.add_folder(directory, folder));
  }
  const auto files = std::make_shared<const SafetensorsFiles>(std::move(opened));
  Checkpoint checkpoint;
  checkpoint.place = [files](const TensorView& tensor) {
    return fmt::format("at offset {}", files->offset_of(tensor));
  };
  std::span<const TensorView> tensors = files->tensors();
  const auto scaled = std::make_shared<ScaledTensors>();
  if (method) {
    QUIRE_ASSIGN_OR_RETURN(*scaled, method.apply({tensors, files->integers(), checkpoint.place}));
    tensors = scaled->tensors;
    add_quantization(method, *scaled, checkpoint);
  }
  checkpoint.is_part = config.is_part();
  add_tensors(tensors, checkpoint.is_part, checkpoint);
  checkpoint.owner =
      std::make_shared<const std::pair<decltype(files), decltype(scaled)>>(files, scaled);
  checkpoint.files = files->files();
  checkpoint.name = config.name;
  checkpoint.architecture = config.architecture;
  checkpoint.architecture_place = "model_type in config.json";
  checkpoint.classes = config.classes;
  checkpoint.vocab = config.vocab;
  checkpoint.words = config.words;
  checkpoint.fields = config.fields(finder(std::make_shared<TensorMap>(checkpoint.tensors)));
  checkpoint.tokenizer_json = [directory, vocab = config.vocab] {
    return read_directory_tokenizer(directory, vocab);
  };
  return checkpoint;
}

// --- llama2.c ---

Result<Checkpoint> open_llama2c(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(MappedFile opened, MappedFile::open(path));
  const auto file = std::make_shared<const MappedFile>(std::move(opened));
  QUIRE_ASSIGN_OR_RETURN(Llama2cModel model, read_llama2c(file->bytes()));
  const auto config = std::make_shared<const Json>(std::move(model.config));
  Checkpoint checkpoint;
  checkpoint.owner = file;
  checkpoint.files = {file.get(), 1};
  checkpoint.name = fs::path(path).stem();
  checkpoint.architecture = kLlama2cArchitecture;
  checkpoint.architecture_place = "the kind of file";
  for (const TensorView& tensor : model.tensors) checkpoint.tensors[tensor.name] = tensor;
  checkpoint.place = [file](const TensorView& tensor) {
    return fmt::format("at offset {}", tensor.data - file->bytes().data());
  };
  checkpoint.fields = config_fields(config, nullptr, Naming::kLlama2c,
                                    finder(std::make_shared<TensorMap>(checkpoint.tensors)));
  checkpoint.vocab = static_cast<int>(config->find("vocab_size")->as_int());
  checkpoint.words = std::move(model.words);
  checkpoint.tokenizer_json = []() -> Result<std::string> {
    return error(StatusCode::kInvalidArgument,
                 "a llama2.c checkpoint has no tokenizer; name its file with --tokenizer FILE");
  };
  return checkpoint;
}

Result<Checkpoint> open_any(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const FileKind kind, find_file_kind(path));
  switch (kind) {
    case FileKind::kGguf:
      return open_gguf(path);
    case FileKind::kDirectory:
      return open_directory(path);
    case FileKind::kLlama2c:
      return open_llama2c(path);
    case FileKind::kSafetensors:
    case FileKind::kSafetensorsIndex:
      break;
  }
  // Weights alone are no model, but a broken file should be called broken first.
  QUIRE_RETURN_IF_ERROR(SafetensorsFiles::open(path).status());
  const fs::path directory = fs::absolute(path).parent_path();
  if (!fs::exists(directory / "config.json")) {
    return error(StatusCode::kInvalidArgument,
                 "weights only: a model is a directory with config.json and a tokenizer");
  }
  return open_directory(directory);
}

}  // namespace

std::string plain_name(const std::string& name) {
  for (const Nesting& nesting : kNestings) {
    if (!name.starts_with(nesting.prefix)) continue;
    return std::string(nesting.plain) + name.substr(nesting.prefix.size());
  }
  return name;
}

Result<Checkpoint> Checkpoint::open(const std::string& path, const std::string& tokenizer_path) {
  Result<Checkpoint> opened = open_any(path);
  if (!opened.is_ok()) return in_file(path, opened.status());
  if (!tokenizer_path.empty()) {
    opened->words.warnings.clear();  // they were about the model's own
    opened->tokenizer_json = [tokenizer_path, vocab = opened->vocab] {
      return read_tokenizer_file(tokenizer_path, vocab);
    };
  }
  return opened;
}

}  // namespace quire
