// Keys of a GGUF file on their way: what a converter writes of a config.json, and those that it
// writes of most models. Used by gguf_form, gguf_families and gguf_recurrent; one thread.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>

#include "base/check.h"
#include "base/json.h"
#include "formats/testing/gguf_writer.h"

namespace quire::testing {

// Later ones replace earlier ones of the same name, as in the converter.
class Keys {
 public:
  Keys(const Json& config, std::string architecture)
      : config_(config), prefix_(std::move(architecture) + ".") {}

  template <typename T>
  void set(const std::string& key, T value) {
    set_bare(prefix_ + key, value);
  }
  // Without the architecture in front.
  template <typename T>
  void set_bare(const std::string& key, T value) {
    entries_[key] = [value](GgufWriter& writer, const std::string& name) {
      writer.set(name, value);
    };
  }
  void whole(const std::string& key, std::size_t value) {
    set(key, static_cast<std::uint32_t>(value));
  }
  void real(const std::string& key, double value) { set(key, static_cast<float>(value)); }

  const Json* find(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      const Json* value = config_.find(name);
      if (value != nullptr && !value->is_null()) return value;
    }
    return nullptr;
  }
  std::size_t number(const char* name) const {
    const Json* value = find({name});
    QUIRE_CHECK(value != nullptr, "the configuration has no '{}'", name);
    return value->as_uint();
  }
  // The first of the names that the configuration has, if any.
  void copy_whole(const std::string& key, std::initializer_list<const char*> names) {
    if (const Json* value = find(names)) whole(key, value->as_uint());
  }
  void copy_real(const std::string& key, std::initializer_list<const char*> names) {
    if (const Json* value = find(names)) real(key, value->as_double());
  }

  void write(GgufWriter& writer) const {
    for (const auto& [name, put] : entries_) put(writer, name);
  }

 private:
  const Json& config_;
  std::string prefix_;
  std::map<std::string, std::function<void(GgufWriter&, const std::string&)>> entries_;
};

void add_rope(Keys& keys);
// What the converter writes of every model, but for those that say all themselves.
void add_common(Keys& keys);
void add_llama(Keys& keys);  // the same, and what it writes of Llama and what is made of it

}  // namespace quire::testing
