// Checkpoint: an opened model of any kind (GGUF in one file or split, a Hugging Face directory, a
// llama2.c checkpoint): its configuration as ConfigFields, its tensors under the file's own names,
// its words and its tokenizer. It knows no architecture: whoever does (model/registry) asks the
// fields and matches the tensors. It owns the mapped files that the tensors point into.
// Immutable once opened, but for the marks of the fields; any thread, one at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "formats/config/fields.h"
#include "formats/quant/late_tensor.h"
#include "formats/words/words.h"
#include "tensor/tensor.h"

namespace quire {

struct Checkpoint {
  std::string name;          // the directory's, or what the file calls itself
  std::string architecture;  // as the file writes it: model_type, general.architecture
  bool is_part = false;  // of a model that also sees or hears, whose other parts are left out
  std::string architecture_place;    // of that value, for messages: "model_type in config.json"
  std::vector<std::string> classes;  // `architectures` of config.json
  int vocab = 0;
  Words words;
  ConfigFields fields;

  // By the file's own name, without the prefix of a text model nested in another. The views' names
  // are the file's.
  std::map<std::string, TensorView, std::less<>> tensors;
  // Of those without data, by the views' names: what makes it.
  std::map<std::string, std::shared_ptr<const LateTensor>, std::less<>> late;
  std::string quantization;           // the method as `show` prints it; empty: none
  std::string rounded;                // which weights are not kept as they are, and why; or empty
  std::string activations;            // what quantization asks of them where asked to; or empty
  std::string cache;                  // what it asks of the KV cache, and how to; or empty
  std::vector<std::string> left_out;  // names of tensors of a vision or audio model around it
  std::function<std::string(const TensorView&)> place;  // "at offset 123": for messages

  std::function<Result<std::string>()> tokenizer_json;
  std::shared_ptr<const void> owner;  // keeps the mapped files
  std::span<const MappedFile> files;  // of the weights, in order

  // `tokenizer_path` replaces the model's own tokenizer (tokenizer.json, tokenizer.model, or for
  // llama2.c its .bin, which has none of its own); empty: the model's. Errors name file and field.
  static Result<Checkpoint> open(const std::string& path, const std::string& tokenizer_path = {});
};

// The name that a tensor has in a text model of its own, where it is nested in another's.
std::string plain_name(const std::string& name);

}  // namespace quire
