// ConfigFields: what a model's file says about its model, one reader over config.json and the keys
// of GGUF. Readers are lists of fields with one check at the end: the first error stays, and every
// later read returns a harmless value of its range. A key that somebody asked for is marked; at the
// end `check_all_used` refuses by name what nobody asked for, unless it is known to change nothing
// (harmless_keys.h) or asks for nothing (null, false, 0, ""). So an option that we do not compute
// is an error where the file is read, never ignored.
// Copies share the marks and the error. One thread; lives while a model is opened.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "tensor/tensor.h"

namespace quire {

// Who named the keys and tensors of a file. llama2.c has neither; its reader uses the names of
// Hugging Face, but rows of queries and keys lie as in GGUF.
enum class Naming { kHuggingFace, kGguf, kLlama2c };

// What the two kinds of files call one thing; GGUF keys without the architecture in front, which
// one behind a '/' has not. Empty: that kind never says it, which is as if it were absent.
struct Key {
  std::string_view hf;
  std::string_view gguf;

  constexpr Key(std::string_view hf_name, std::string_view gguf_name)
      : hf(hf_name), gguf(gguf_name) {}
  constexpr Key(const char* both) : hf(both), gguf(both) {}  // NOLINT: a key is its name
};

struct Field {
  Json value;         // null: absent
  std::string where;  // "at offset 123", "in config.json"

  bool is_absent() const { return value.is_null(); }
};

class ConfigFields {
 public:
  // Where fields come from.
  struct Source {
    Naming naming = Naming::kHuggingFace;
    std::function<Field(std::string_view name)> find;
    std::function<std::vector<std::string>()> names;  // of all that are there; empty: unknown
    std::string prefix;                               // in front of GGUF keys: "ARCHITECTURE."
    std::string place;                                // "rope_scaling in config.json", of objects
    // A tensor of the file, where a reader must know whether it is there, and where that is, for
    // messages; may be empty.
    std::function<const TensorView*(std::string_view name)> tensor;
    std::function<std::string(const TensorView&)> place_of;
  };

  ConfigFields() : ConfigFields(Source{}) {}
  explicit ConfigFields(Source source);
  // The members of one JSON object. REQUIRES: it is one, and it outlives the fields.
  static ConfigFields of_json(const Json& object, std::string where);

  Naming naming() const { return source_.naming; }
  bool is_gguf() const { return source_.naming == Naming::kGguf; }

  // Without a fallback the field must be there.
  int integer(Key key, int min, int max, std::optional<int> fallback = std::nullopt) const;
  // Finite and in [min, max].
  double number(Key key, double min, double max,
                std::optional<double> fallback = std::nullopt) const;
  bool boolean(Key key, bool fallback) const;
  // A boolean, or a number that stands for one: 0 is false.
  bool truth(Key key, bool fallback) const;
  std::string string(Key key, std::optional<std::string> fallback = std::nullopt) const;

  // Lists; absent is empty. A list is refused that has more than kListMax items.
  std::vector<int> integers(Key key, int min, int max) const;
  // As a number counts what transformers writes for want of a word: {"__float__":"Infinity"}.
  std::vector<double> numbers(Key key, double min, double max) const;
  std::vector<bool> booleans(Key key) const;
  std::vector<std::string> strings(Key key) const;
  // One value for each layer: a list of `count`, or a number that stands for all of them.
  std::vector<int> integers_per_layer(Key key, int count, int min, int max,
                                      std::optional<int> fallback = std::nullopt) const;

  // An object inside: its members are fields of the same marks and error. Absent or null: nullopt.
  std::optional<ConfigFields> object(Key key) const;

  bool has(Key key) const;       // there and not null
  std::size_t size_of(Key key) const;  // members of an object there, items of a list; else 0
  bool is_text(Key key) const;   // there, and a string
  bool has_name(Key key) const;  // there, perhaps null; JSON only
  // A tensor of the file by its own name; null: not there.
  const TensorView* tensor(Key key) const;
  std::string place_of(const TensorView& tensor) const;

  // A feature that we do not have: the field must be absent, null, false, 0 or "".
  void refuse(Key key) const;
  // One that we always have: the field must be absent, null or true.
  void refuse_false(Key key) const;
  // The same for a number that changes nothing at one value only.
  void refuse_unless(Key key, double neutral) const;
  void refuse_unless(Key key, std::string_view neutral) const;

  // What the key is called in this file, and where: "llama.block_count at offset 77".
  std::string name_of(Key key) const;
  const std::string& place() const { return source_.place; }  // of an object inside

  void mark(Key key) const { find(key); }  // somebody else reads it
  void fail(Status status) const;
  const Status& status() const;

  // The error, or the first key that nobody asked for and that may mean something.
  Status check_all_used() const;

 private:
  struct Marks;

  Field find(Key key) const;
  std::string file_name(Key key) const;
  Field find_needed(Key key, bool is_needed) const;
  std::vector<Json> list(Key key, std::string_view wanted, bool (*fits)(const Json&)) const;
  void wrong_kind(Key key, const Field& field, std::string_view wanted) const;
  template <typename T>
  void out_of_range(Key key, const Field& field, T value, T min, T max) const;

  Source source_;
  std::shared_ptr<Marks> marks_;
};

inline constexpr std::size_t kListMax = 4096;  // items of a list in a configuration

}  // namespace quire
