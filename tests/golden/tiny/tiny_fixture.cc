#include "tiny_fixture.h"

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"

namespace quire::testing {
namespace {

constexpr std::size_t kFixtureSizeMax = std::size_t{1} << 20;

std::string folder() { return std::string(QUIRE_SOURCE_DIR) + "/tests/golden/tiny"; }

const Json& field(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  QUIRE_CHECK(value != nullptr, "a fixture has no field '{}'", key);
  return *value;
}

template <typename T>
std::vector<T> numbers(const Json* array) {
  std::vector<T> values;
  if (array == nullptr) return values;
  for (const Json& item : array->items()) values.push_back(static_cast<T>(item.as_double()));
  return values;
}

TinySpelling spelling_of(const Json& object) {
  TinySpelling spelling{field(object, "config"), {}};
  for (const Json& pair : field(object, "rename").items()) {
    spelling.rename.emplace_back(pair.items().at(0).as_string(), pair.items().at(1).as_string());
  }
  return spelling;
}

GoldenTensor tensor_of(const Json& object) {
  return {field(object, "name").as_string(), numbers<std::size_t>(&field(object, "shape")),
          static_cast<float>(field(object, "mean").as_double()),
          static_cast<float>(field(object, "scale").as_double())};
}

std::vector<GoldenRow> rows_of(const Json* array, std::string_view values) {
  std::vector<GoldenRow> rows;
  if (array == nullptr) return rows;
  for (const Json& item : array->items()) {
    rows.push_back({static_cast<std::size_t>(field(item, "position").as_int()),
                    numbers<float>(&field(item, values))});
  }
  return rows;
}

}  // namespace

std::vector<TokenId> TinyFixture::text() const {
  std::vector<TokenId> ids = decoded;
  ids.insert(ids.end(), greedy.begin(), greedy.end());
  return ids;
}

std::vector<std::string> tiny_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TinyFixture read_tiny(const std::string& name) {
  const auto text = read_file(folder() + "/" + name + ".json", kFixtureSizeMax);
  QUIRE_CHECK(text.is_ok(), "{}", text.status().message());
  const auto json = parse_json(*text);
  QUIRE_CHECK(json.is_ok(), "{}: {}", name, json.status().message());

  TinyFixture fixture;
  fixture.name = name;
  fixture.kind = field(*json, "kind").as_string();
  fixture.spellings.push_back({field(*json, "config"), {}});
  for (const Json& item : field(*json, "other_spellings").items()) {
    fixture.spellings.push_back(spelling_of(item));
  }
  fixture.seed = field(*json, "seed").as_uint();
  for (const Json& item : field(*json, "tensors").items()) {
    fixture.tensors.push_back(tensor_of(item));
  }
  fixture.prompt = numbers<TokenId>(&field(*json, "prompt"));
  fixture.decoded = fixture.prompt;
  if (const Json* start = json->find("decoder_start")) {
    fixture.decoded = {static_cast<TokenId>(start->as_int())};
  }
  fixture.greedy = numbers<TokenId>(json->find("greedy"));
  fixture.margins = numbers<float>(json->find("margins"));
  fixture.next_logprobs = numbers<float>(json->find("next_logprobs"));
  fixture.rows = rows_of(json->find("rows"), "logprobs");
  fixture.token_types = numbers<std::int32_t>(json->find("token_types"));
  if (const Json* pooled = json->find("pooled")) {
    for (const auto& [kind, values] : pooled->members()) {
      fixture.pooled.emplace_back(kind, numbers<float>(&values));
    }
  }
  if (const Json* files = json->find("files")) {
    for (const auto& [path, json_file] : files->members()) {
      fixture.files.emplace_back(path, json_file);
    }
  }
  return fixture;
}

}  // namespace quire::testing
