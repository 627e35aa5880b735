#include "model/describe.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/json.h"
#include "formats/adapter.h"
#include "formats/config/gguf_config.h"
#include "formats/containers/file_kind.h"
#include "formats/containers/gguf.h"
#include "formats/containers/safetensors.h"
#include "formats/in_file.h"
#include "formats/words/hf_tokenizer.h"
#include "model/model_files.h"
#include "model/registry.h"


namespace quire {
namespace {

constexpr std::size_t kLineMax = 100;  // characters shown of a text from a file

// `text` in quotes on one line, cut off, with nothing that a terminal would act on.
std::string printable(std::string_view text) {
  std::string out;
  append_json_string(text.substr(0, kLineMax), out);
  return text.size() > kLineMax ? out + "..." : out;
}

std::string bytes_text(double bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(units); ++unit) bytes /= 1024;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

std::string count_text(double count) {
  if (count >= 1e9) return fmt::format("{:.2f} billion", count / 1e9);
  if (count >= 1e6) return fmt::format("{:.1f} million", count / 1e6);
  return fmt::format("{:.0f}", count);
}

// Lines of "name   value" in one column each.
class Page {
 public:
  template <typename... Args>
  void line(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format("{:<14}{}\n", name, fmt::format(format, std::forward<Args>(args)...));
  }

  void tensors(std::span<const TensorView> tensors) {
    line("tensors", "{}", tensors.size());
    std::size_t width = 0;
    for (const TensorView& tensor : tensors) width = std::max(width, tensor.name.size());
    for (const TensorView& tensor : tensors) {
      text_ +=
          fmt::format("  {:<{}}  {:<5} {:<16} {:>10}\n", tensor.name, width,
                      dtype_name(tensor.dtype), fmt::format("[{}]", fmt::join(tensor.shape, ", ")),
                      bytes_text(static_cast<double>(tensor.bytes())));
    }
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// The first line of a template that says something.
std::string template_text(const std::string& source) {
  if (source.empty()) return "no";
  const std::size_t begin = std::min(source.find_first_not_of(" \t\r\n"), source.size());
  const std::size_t end = std::min(source.find_first_of("\r\n", begin), source.size());
  return "yes: " + printable(std::string_view(source).substr(begin, end - begin));
}

// Of what makes vectors of texts: how long those may be, what stands before them, what comes.
void describe_pooled(const PooledWords& words, Page& page) {
  constexpr std::size_t kShown = 8;
  const auto some = [](std::vector<std::string> names) {
    const std::size_t count = names.size();
    if (count > kShown) names.resize(kShown);
    for (std::string& name : names) name = printable(name);
    return fmt::format("{}{}", fmt::join(names, ", "),
                       count > kShown ? fmt::format(" and {} more", count - kShown) : "");
  };
  if (words.tokens_max > 0) page.line("texts", "of up to {} tokens", words.tokens_max);
  std::vector<std::string> prompts;
  for (const auto& [name, text] : words.prompts) prompts.push_back(name);
  if (!prompts.empty()) page.line("prompts", "{}", some(prompts));
  if (!words.labels.empty()) page.line("labels", "{}", some(words.labels));
}

// What is kept of a sequence; the types are a setting of who runs the model.
std::string memory_text(const GroupFacts& group) {
  const std::string layers =
      fmt::format("{}: {} layer{}", group.name, group.layers.size(),
                  group.layers.size() == 1 ? "" : "s");
  if (group.holds_state) {
    return fmt::format("{}, a state of {} in float32 each", layers,
                       bytes_text(static_cast<double>(group.state_bytes)));
  }
  std::string text = fmt::format("{}, {} of {} and {} a position, F16 or as --kv-cache-dtype says",
                                 layers, group.kv_heads, group.k_width,
                                 group.v_width > 0 ? fmt::format("{}", group.v_width)
                                                   : std::string("the same"));
  if (group.window > 0) text += fmt::format("; of the last {}", group.window);
  if (group.sinks > 0) text += fmt::format(" and the first {}", group.sinks);
  return group.is_encoder_long ? text + "; of what the encoder reads" : text;
}

void describe_facts(const ModelFacts& facts, Page& page) {
  const Words& words = facts.words;
  if (!facts.name.empty()) page.line("name", "{}", printable(facts.name));
  page.line("architecture", "{}", facts.architecture);
  page.line("parameters", "{}", count_text(static_cast<double>(facts.parameters)));
  page.line("weights", "{}: {}", bytes_text(static_cast<double>(facts.weight_bytes)),
            facts.weight_types);
  page.line("layers", "{}", facts.layers);
  page.line("context", "{}", facts.context_max);
  for (const auto& [name, text] : facts.notes) page.line(name, "{}", text);
  for (const GroupFacts& group : facts.groups) page.line("memory", "{}", memory_text(group));
  page.line("vocabulary", "{}, head {}", facts.vocab, facts.has_tied_head ? "tied" : "of its own");
  if (words.bos_id >= 0) {
    page.line("BOS", "{} {}{}", words.bos_id, printable(words.bos_text),
              words.add_bos ? ", added to prompts" : "");
  }
  if (!words.decoder_start.empty()) {
    page.line("decoder", "begins with {}", fmt::join(words.decoder_start, ", "));
  }
  if (!words.eos_ids.empty()) {
    page.line("EOS", "{} {}", fmt::join(words.eos_ids, ", "), printable(words.eos_text));
  }
  page.line("chat template", "{}", template_text(words.chat_template));
  if (facts.can_pool) describe_pooled(words.pooled, page);
}

// The vocabulary must turn into a tokenizer, or be of a kind that we know we do not know.
Status describe_tokenizer(const Result<std::string>& json, Page& page) {
  if (json.is_ok()) {
    page.line("tokenizer", "yes");
    return ok_status();
  }
  const StatusCode code = json.status().code();
  const bool is_absence = code == StatusCode::kUnsupported || code == StatusCode::kNotFound ||
                          code == StatusCode::kInvalidArgument;
  if (!is_absence) return json.status();
  page.line("tokenizer", "no: {}", json.status().message());
  return ok_status();
}

// By layer, the tensors of no layer around them, as the file names them.
std::vector<TensorView> in_model_order(const TensorMap& tensors) {
  std::vector<std::pair<int, TensorView>> keyed;
  for (const auto& [name, tensor] : tensors) {
    const bool is_layer = name.starts_with("layers.");
    const int layer = is_layer ? std::atoi(name.c_str() + 7) : name == "embed" ? -1 : INT_MAX;
    keyed.emplace_back(layer, tensor);
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<TensorView> ordered;
  for (auto& [layer, tensor] : keyed) ordered.push_back(std::move(tensor));
  return ordered;
}

using AdapterChoices = std::span<const AdapterChoice>;

Status describe_loaded(const std::string& path, AdapterChoices adapters, Page& page) {
  QUIRE_ASSIGN_OR_RETURN(const auto files, open_model(path, {}, adapters));
  const Result<std::string> tokenizer = files->tokenizer_json();
  ModelFacts facts = files->facts();
  // What is done, whatever the switches of the files say.
  Words& words = facts.words;
  if (tokenizer.is_ok()) words.add_bos = tokenizer_adds(*tokenizer, words.bos_text);
  describe_facts(facts, page);
  if (!files->left_out().empty()) {
    const std::size_t count = files->left_out().size();
    page.line("left out", "{} {} of another kind of model, such as {}", count,
              count == 1 ? "tensor" : "tensors", printable(files->left_out().front()));
  }
  QUIRE_RETURN_IF_ERROR(describe_tokenizer(tokenizer, page));
  page.tensors(in_model_order(files->tensors()));
  return ok_status();
}

std::string entry_text(const GgufFile& file, const GgufEntry& entry) {
  if (entry.type == GgufType::kArray) {
    return fmt::format("{} of {}", entry.count, gguf_type_name(entry.element_type));
  }
  if (const auto text = file.string(entry.key); text.is_ok()) return printable(**text);
  if (const auto value = file.boolean(entry.key); value.is_ok()) return **value ? "true" : "false";
  if (const auto value = file.f64(entry.key); value.is_ok()) return fmt::format("{}", **value);
  if (const auto value = file.i64(entry.key); value.is_ok()) return fmt::format("{}", **value);
  return std::string(gguf_type_name(entry.type));
}

// A GGUF file that is no model of ours: its metadata as it stands there.
Status describe_other_gguf(const GgufFile& file, Page& page) {
  page.line("metadata", "{}", file.entries().size());
  for (const GgufEntry& entry : file.entries()) {
    page.line("", "{} = {}", printable(entry.key), entry_text(file, entry));
  }
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_gguf_vocabulary(file));
  if (!vocabulary.tokens.empty() || vocabulary.model.size() > 0) {
    QUIRE_RETURN_IF_ERROR(describe_tokenizer(read_gguf_tokenizer(file), page));
  }
  page.tensors(file.tensors());
  return ok_status();
}

Status describe_gguf(const std::string& path, AdapterChoices adapters, Page& page) {
  QUIRE_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  page.line("format", "GGUF version {}, {} file{}", file.version(), file.part_count(),
            file.part_count() == 1 ? "" : "s");
  if (file.trailing_bytes() > 0) {
    page.line("warning", "{} bytes behind the tensors are ignored", file.trailing_bytes());
  }
  QUIRE_ASSIGN_OR_RETURN(const auto architecture, file.string("general.architecture"));
  QUIRE_ASSIGN_OR_RETURN(const auto type, file.string("general.type"));
  const bool is_model = !type || *type == "model";
  if (architecture && is_model) {
    const Status known = find_architecture(*architecture).status();
    if (!known.is_ok()) page.line("warning", "{}", known.message());
    if (file.tensors().empty()) page.line("warning", "a vocabulary without weights");
    if (!known.is_ok() || file.tensors().empty()) return describe_other_gguf(file, page);
  }
  if (type && *type == "adapter") {
    QUIRE_RETURN_IF_ERROR(AdapterFile::open(path).status());
    page.line("warning", "an adapter, which is added to a model: ADAPTER in a Modelfile");
    return describe_other_gguf(file, page);
  }
  return describe_loaded(path, adapters, page);
}

Status describe_weights(const std::string& path, Page& page) {
  QUIRE_ASSIGN_OR_RETURN(const SafetensorsFiles files, SafetensorsFiles::open(path));
  page.line("format", "safetensors, {} file{}", files.file_count(),
            files.file_count() == 1 ? "" : "s");
  page.line("warning", "weights only: a model is a directory with config.json and a tokenizer");
  page.tensors(files.tensors());
  return ok_status();
}

Status describe_into(const std::string& path, AdapterChoices adapters, Page& page) {
  QUIRE_ASSIGN_OR_RETURN(const FileKind kind, find_file_kind(path));
  switch (kind) {
    case FileKind::kGguf:
      return describe_gguf(path, adapters, page);
    case FileKind::kSafetensors:
    case FileKind::kSafetensorsIndex:
      return describe_weights(path, page);
    case FileKind::kDirectory:
      page.line("format", "Hugging Face directory");
      break;
    case FileKind::kLlama2c:
      page.line("format", "llama2.c checkpoint");
      break;
  }
  return describe_loaded(path, adapters, page);
}

}  // namespace

Result<std::string> describe_model(const std::string& path,
                                   std::span<const AdapterChoice> adapters) {
  Page page;
  if (const Status status = describe_into(path, adapters, page); !status.is_ok()) {
    return in_file(path, status);
  }
  return page.take();
}

}  // namespace quire
