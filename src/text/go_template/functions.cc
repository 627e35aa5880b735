#include "text/go_template/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "text/go_template/go_format.h"

namespace quire::go {
namespace {

using Arguments = std::span<const Value>;

constexpr std::size_t kAny = 1000;  // arguments

Value make(Json value) { return std::make_shared<const Json>(std::move(value)); }

template <typename... Args>
Status wrong(fmt::format_string<Args...> format, Args&&... args) {
  return Status(StatusCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

const Json& json_of(const Value& value) {
  static const Json nil;
  return value == nullptr ? nil : *value;
}

// --- comparisons ---

enum class Family { kNil, kBool, kNumber, kText, kOther };

Family family_of(const Json& value) {
  if (value.is_null()) return Family::kNil;
  if (value.is_bool()) return Family::kBool;
  if (value.is_number()) return Family::kNumber;
  return value.is_string() ? Family::kText : Family::kOther;
}

Result<bool> are_equal(const Json& a, const Json& b) {
  const Family x = family_of(a), y = family_of(b);
  if (x == Family::kNil || y == Family::kNil) return x == y;
  if (x == Family::kOther || y == Family::kOther) return wrong("non-comparable type");
  if (x != y) return wrong("incompatible types for comparison");
  return x == Family::kNumber ? a.as_double() == b.as_double() : a == b;
}

Result<bool> is_less(const Json& a, const Json& b) {
  const Family x = family_of(a), y = family_of(b);
  if (x != y) return wrong("incompatible types for comparison");
  if (x == Family::kNumber) return a.as_double() < b.as_double();
  if (x == Family::kText) return a.as_string() < b.as_string();
  return wrong("invalid type for comparison");
}

Result<Value> call_eq(Arguments all, const Now&, std::size_t) {
  for (std::size_t i = 1; i < all.size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(const bool is_it, are_equal(json_of(all[0]), json_of(all[i])));
    if (is_it) return make(true);
  }
  return make(false);
}

Result<Value> call_ne(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const bool is_it, are_equal(json_of(all[0]), json_of(all[1])));
  return make(!is_it);
}

Result<Value> call_lt(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const bool is_it, is_less(json_of(all[0]), json_of(all[1])));
  return make(is_it);
}

Result<Value> call_gt(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const bool is_it, is_less(json_of(all[1]), json_of(all[0])));
  return make(is_it);
}

Result<Value> call_le(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const bool is_it, is_less(json_of(all[1]), json_of(all[0])));
  return make(!is_it);
}

Result<Value> call_ge(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const bool is_it, is_less(json_of(all[0]), json_of(all[1])));
  return make(!is_it);
}

Result<Value> call_not(Arguments all, const Now&, std::size_t) { return make(!is_true(all[0])); }

Result<Value> call_self(Arguments all, const Now&, std::size_t) { return all[0]; }

// --- parts ---

Result<std::size_t> length_of(const Json& value) {
  if (value.is_string()) return value.as_string().size();
  if (value.is_array()) return value.items().size();
  if (value.is_object()) return value.members().size();
  return wrong("len of {}", value.is_null() ? "nil pointer" : kind_name(value.kind()));
}

Result<Value> call_len(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const std::size_t length, length_of(json_of(all[0])));
  return make(length);
}

Result<std::size_t> place_of(const Json& index, std::size_t end) {
  if (!index.is_int()) return wrong("cannot index slice/array with {}", kind_name(index.kind()));
  if (index.as_int() < 0 || static_cast<std::uint64_t>(index.as_int()) > end) {
    return wrong("index out of range: {}", index.as_int());
  }
  return static_cast<std::size_t>(index.as_int());
}

Result<Value> part_of(const Value& value, const Json& index) {
  const Json& whole = json_of(value);
  if (whole.is_object()) {
    if (!index.is_string()) return wrong("value has type {}; should be string",
                                         kind_name(index.kind()));
    const Json* found = whole.find(index.as_string());
    return found == nullptr ? Value() : Value(value, found);
  }
  if (whole.is_null()) return wrong("index of untyped nil");
  if (!whole.is_array() && !whole.is_string()) {
    return wrong("can't index item of type {}", kind_name(whole.kind()));
  }
  QUIRE_ASSIGN_OR_RETURN(const std::size_t size, length_of(whole));
  QUIRE_ASSIGN_OR_RETURN(const std::size_t at, place_of(index, size));
  if (at == size) return wrong("index out of range: {}", at);
  if (whole.is_string()) return make(static_cast<unsigned char>(whole.as_string()[at]));
  return Value(value, &whole.items()[at]);
}

Result<Value> call_index(Arguments all, const Now&, std::size_t) {
  Value value = all[0];
  for (std::size_t i = 1; i < all.size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(value, part_of(value, json_of(all[i])));
  }
  return value;
}

struct Slice {
  std::size_t begin = 0, end = 0;
};

Result<Slice> slice_of(Arguments all) {
  const Json& whole = json_of(all[0]);
  if (!whole.is_string() && !whole.is_array()) {
    return wrong("can't slice item of type {}", kind_name(whole.kind()));
  }
  if (whole.is_string() && all.size() > 3) return wrong("cannot 3-index slice a string");
  QUIRE_ASSIGN_OR_RETURN(const std::size_t size, length_of(whole));
  std::size_t places[3] = {0, size, size};
  for (std::size_t i = 1; i < all.size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(places[i - 1], place_of(json_of(all[i]), size));
  }
  const auto [begin, end, most] = places;
  if (begin > end || end > most) return wrong("invalid slice index: {} > {}", begin, end);
  return Slice{begin, end};
}

Result<Value> call_slice(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const Slice slice, slice_of(all));
  const auto [begin, end] = slice;
  const Json& whole = json_of(all[0]);
  if (whole.is_string()) return make(whole.as_string().substr(begin, end - begin));
  const auto first = whole.items().begin();
  return make(Json::array({first + static_cast<std::ptrdiff_t>(begin),
                           first + static_cast<std::ptrdiff_t>(end)}));
}

Result<Value> call_slice_length(Arguments all, const Now&, std::size_t) {
  QUIRE_ASSIGN_OR_RETURN(const Slice slice, slice_of(all));
  return make(slice.end - slice.begin);
}

// --- texts ---

Status check_size(const std::string& text, std::size_t size_max) {
  if (text.size() <= size_max) return ok_status();
  return error(StatusCode::kResourceExhausted, "it makes more than {} bytes", size_max);
}

enum class Blanks { kNone, kBetween, kBetweenOthers };  // kBetweenOthers: unless one is a text

Result<std::string> joined(Arguments all, Blanks blanks, std::size_t size_max) {
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool are_texts = i > 0 && (json_of(all[i]).is_string() ||
                                     json_of(all[i - 1]).is_string());
    const bool is_apart = blanks == Blanks::kBetween ||
                          (blanks == Blanks::kBetweenOthers && !are_texts);
    if (i > 0 && is_apart) text += ' ';
    text += printed(all[i]);
    QUIRE_RETURN_IF_ERROR(check_size(text, size_max));
  }
  return text;
}

Result<Value> call_print(Arguments all, const Now&, std::size_t size_max) {
  QUIRE_ASSIGN_OR_RETURN(std::string text, joined(all, Blanks::kBetweenOthers, size_max));
  return make(std::move(text));
}

Result<Value> call_println(Arguments all, const Now&, std::size_t size_max) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, joined(all, Blanks::kBetween, size_max));
  return make(text + "\n");
}

Result<Value> call_printf(Arguments all, const Now&, std::size_t size_max) {
  if (!json_of(all[0]).is_string()) return wrong("printf wants a format, a string, first");
  QUIRE_ASSIGN_OR_RETURN(std::string text,
                         go_format(json_of(all[0]).as_string(), all.subspan(1), size_max));
  return make(std::move(text));
}

Result<Value> call_json(Arguments all, const Now&, std::size_t) {
  return make(marshalled(json_of(all[0])));
}

Result<Value> call_html(Arguments all, const Now&, std::size_t size_max) {
  constexpr std::pair<char, std::string_view> kEscapes[] = {
      {'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
  QUIRE_ASSIGN_OR_RETURN(const std::string plain, joined(all, Blanks::kNone, size_max));
  std::string text;
  for (const char c : plain) {
    const auto* known = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                     [c](const auto& it) { return it.first == c; });
    if (known == std::end(kEscapes)) {
      text += c;
    } else {
      text += known->second;
    }
  }
  return make(std::move(text));
}

Result<Value> call_urlquery(Arguments all, const Now&, std::size_t size_max) {
  QUIRE_ASSIGN_OR_RETURN(const std::string plain, joined(all, Blanks::kNone, size_max));
  std::string text;
  for (const char c : plain) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                          (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.' || c == '~';
    text += is_plain   ? std::string(1, c)
            : c == ' ' ? "+"
                       : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return make(std::move(text));
}

std::string date(const Now& now, int days_before) {
  using namespace std::chrono;
  const sys_seconds moment{seconds(now.unix_seconds + now.utc_offset_seconds) -
                           days(days_before)};
  const year_month_day day(floor<days>(moment));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

Result<Value> call_current_date(Arguments, const Now& now, std::size_t) {
  return make(date(now, 0));
}

Result<Value> call_yesterday(Arguments, const Now& now, std::size_t) { return make(date(now, 1)); }

// --- types of TypeScript, for templates that describe tools so ---

std::string type_script_name(const std::string& type) {
  if (type == "string" || type == "boolean" || type == "null") return type;
  if (type == "number" || type == "integer") return "number";
  if (type == "array") return "any[]";
  if (type == "object") return "Record<string, any>";
  return "any";
}

Result<Value> call_type_script(Arguments all, const Now&, std::size_t) {
  const Json& property = json_of(all[0]);
  const Json* any_of = property.find("anyOf");
  const Json* type = property.is_object() ? property.find("type") : &property;
  std::vector<std::string> names;
  if (any_of != nullptr && any_of->is_array() && !any_of->items().empty()) {
    for (const Json& item : any_of->items()) {
      const Value inner = make(item);
      const Json* inner_type = item.find("type");
      names.push_back(inner_type != nullptr && inner_type->is_string()
                          ? type_script_name(inner_type->as_string())
                          : "any");
    }
  } else if (type != nullptr && type->is_string()) {
    names.push_back(type_script_name(type->as_string()));
  } else if (type != nullptr && type->is_array()) {
    for (const Json& item : type->items()) {
      names.push_back(item.is_string() ? type_script_name(item.as_string()) : "any");
    }
  }
  if (names.empty()) return make("any");
  std::string text = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) text += " | " + names[i];
  return make(std::move(text));
}

constexpr Function kFunctions[] = {
    {"and", 1, kAny, call_self},
    {"currentDate", 0, kAny, call_current_date},
    {"eq", 2, kAny, call_eq},
    {"ge", 2, 2, call_ge},
    {"gt", 2, 2, call_gt},
    {"html", 1, kAny, call_html},
    {"index", 1, kAny, call_index},
    {"json", 1, 1, call_json},
    {"le", 2, 2, call_le},
    {"len", 1, 1, call_len},
    {"lt", 2, 2, call_lt},
    {"ne", 2, 2, call_ne},
    {"not", 1, 1, call_not},
    {"or", 1, kAny, call_self},
    {"print", 0, kAny, call_print},
    {"printf", 1, kAny, call_printf},
    {"println", 0, kAny, call_println},
    {"slice", 1, 4, call_slice},
    {kSliceLength, 1, 4, call_slice_length},
    {"toTypeScriptType", 1, 1, call_type_script},
    {"urlquery", 1, kAny, call_urlquery},
    {"yesterdayDate", 0, kAny, call_yesterday},
};

}  // namespace

const Function* find_function(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                   [&](const Function& it) { return it.name == name; });
  return found == std::end(kFunctions) ? nullptr : found;
}

bool is_true(const Value& value) {
  const Json& json = json_of(value);
  switch (json.kind()) {
    case Json::Kind::kNull: return false;
    case Json::Kind::kBool: return json.as_bool();
    case Json::Kind::kString: return !json.as_string().empty();
    case Json::Kind::kArray: return !json.items().empty();
    case Json::Kind::kObject: return !json.members().empty();
    default: return json.as_double() != 0;
  }
}

std::string marshalled(const Json& value) {
  std::string text;
  const std::string plain = dump(value);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::string_view rest = std::string_view(plain).substr(i);
    if (plain[i] == '<' || plain[i] == '>' || plain[i] == '&') {
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(plain[i]));
    } else if (rest.starts_with("\xE2\x80\xA8") || rest.starts_with("\xE2\x80\xA9")) {
      text += rest[2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      text += plain[i];
    }
  }
  return text;
}

std::string printed(const Value& value) {
  const Json& json = json_of(value);
  if (json.is_null()) return {};  // a key that is not there is a zero value
  if (json.is_string()) return json.as_string();
  if (json.is_bool()) return json.as_bool() ? "true" : "false";
  if (json.is_number()) return go_number(json);
  const bool is_plain_list =
      json.is_array() && std::none_of(json.items().begin(), json.items().end(), [](const Json& it) {
        return it.is_object() || it.is_array();
      });
  if (!is_plain_list || json.items().empty()) return marshalled(json);
  std::string text = "[";
  for (std::size_t i = 0; i < json.items().size(); ++i) {
    text += (i > 0 ? " " : "") + printed(Value(value, &json.items()[i]));
  }
  return text + "]";
}

}  // namespace quire::go
