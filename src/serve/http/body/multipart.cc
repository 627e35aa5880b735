#include "serve/http/body/multipart.h"

#include <algorithm>
#include <utility>

#include "base/text/ascii.h"
#include "base/text/utf8.h"
#include "serve/http/request_gate.h"

namespace quire::http {
namespace {

constexpr std::string_view kType = "multipart/form-data";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kBoundaryMax = 70;  // RFC 2046, 5.1.1
constexpr std::size_t kNameMax = 256;     // bytes of a name or a file's name

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool is_same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

template <typename... Args>
Status broken(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

// What may stand in quotes: `text` begins behind the first one and loses what was read. A quote or
// a backslash may follow a backslash; any other backslash is one (a path of Windows). False: there
// is no second quote.
bool take_quoted(std::string_view& text, std::string& value) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
    const bool is_escape = text[i] == '\\' && i + 1 < text.size() &&
                           (text[i + 1] == '"' || text[i + 1] == '\\');
    if (is_escape) ++i;
    value += text[i];
  }
  return false;
}

// Browsers write a quote and line ends in names so, and nothing else (HTML's multipart encoding).
std::string without_escapes(std::string_view text) {
  constexpr std::pair<std::string_view, char> kEscapes[] = {{"%22", '"'}, {"%0D", '\r'},
                                                            {"%0A", '\n'}};
  std::string out;
  while (!text.empty()) {
    const auto found = std::find_if(std::begin(kEscapes), std::end(kEscapes), [&](const auto& e) {
      return is_same(text.substr(0, e.first.size()), e.first);
    });
    out += found == std::end(kEscapes) ? text.front() : found->second;
    text.remove_prefix(found == std::end(kEscapes) ? 1 : found->first.size());
  }
  return out;
}

struct Parameter {
  std::string name;  // lower case
  std::string value;
};

// `; name=value; other="value"`. False: not that.
bool read_parameters(std::string_view text, std::vector<Parameter>& parameters) {
  constexpr std::size_t kParametersMax = 8;
  while (!(text = trimmed(text)).empty()) {
    if (text.front() != ';' || parameters.size() == kParametersMax) return false;
    text = trimmed(text.substr(1));
    if (text.empty()) return true;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !is_http_token(text.substr(0, equals))) return false;
    Parameter& parameter = parameters.emplace_back();
    for (const char c : text.substr(0, equals)) parameter.name += lower(c);
    text.remove_prefix(equals + 1);
    if (text.starts_with('"')) {
      text.remove_prefix(1);
      if (!take_quoted(text, parameter.value)) return false;
    } else {
      const std::string_view token = text.substr(0, std::min(text.find_first_of("; \t"),
                                                             text.size()));
      if (!is_http_token(token)) return false;
      parameter.value = token;
      text.remove_prefix(token.size());
    }
    const auto twice = std::find_if(parameters.begin(), parameters.end() - 1, [&](const auto& p) {
      return p.name == parameter.name;
    });
    if (twice != parameters.end() - 1) return false;
  }
  return true;
}

const std::string* find(const std::vector<Parameter>& parameters, std::string_view name) {
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [&](const Parameter& p) { return p.name == name; });
  return found == parameters.end() ? nullptr : &found->value;
}

// What is the type of a header's value, and its parameters: "a/b; c=d" -> "a/b" and the rest.
std::string_view before_parameters(std::string_view& text) {
  const std::size_t end = std::min(text.find(';'), text.size());
  const std::string_view value = trimmed(text.substr(0, end));
  text.remove_prefix(end);
  return value;
}

bool is_boundary(std::string_view text) {
  constexpr std::string_view kMarks = "'()+_,-./:=? ";
  return !text.empty() && text.size() <= kBoundaryMax && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
                  kMarks.find(c) != std::string_view::npos;
         });
}

bool is_good_name(std::string_view name) {
  return name.size() <= kNameMax && !first_invalid_utf8(name) &&
         name.find('\0') == std::string_view::npos;
}

Status read_disposition(std::string_view value, std::size_t number, Part& part) {
  std::vector<Parameter> parameters;
  if (!is_same(before_parameters(value), "form-data") || !read_parameters(value, parameters)) {
    return broken("part {} has a Content-Disposition that is not form-data", number);
  }
  const std::string* name = find(parameters, "name");
  if (name == nullptr || name->empty()) return broken("part {} has no name", number);
  part.name = without_escapes(*name);
  if (const std::string* filename = find(parameters, "filename")) {
    part.filename = without_escapes(*filename);
  }
  if (!is_good_name(part.name) || !is_good_name(part.filename.value_or(""))) {
    return broken("part {} has a name that is too long or not UTF-8", number);
  }
  return ok_status();
}

Status read_part_header(std::string_view line, std::size_t number, bool& has_disposition,
                        Part& part) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, std::min(colon, line.size()));
  const bool is_text = std::none_of(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
  if (colon == std::string_view::npos || !is_http_token(name) || !is_text) {
    return broken("part {} has a header that is not well formed", number);
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (is_same(name, "content-type")) part.content_type = value;
  const bool is_plain =
      is_same(value, "binary") || is_same(value, "8bit") || is_same(value, "7bit");
  if (is_same(name, "content-transfer-encoding") && !is_plain) {
    return broken("part {} is encoded; parts come as they are", number);
  }
  if (!is_same(name, "content-disposition")) return ok_status();
  if (std::exchange(has_disposition, true)) {
    return broken("part {} has more than one Content-Disposition", number);
  }
  return read_disposition(value, number, part);
}

// The headers of a part; `rest` begins with them and loses them and the empty line.
Status read_part_head(std::string_view& rest, std::size_t number, const MultipartLimits& limits,
                      Part& part) {
  constexpr std::string_view kHeadEnd = "\r\n\r\n";
  const std::string_view reach = rest.substr(0, limits.part_head_max + kHeadEnd.size());
  const std::size_t end = rest.starts_with(kLineEnd) ? 0 : reach.find(kHeadEnd);
  if (end == std::string_view::npos) {
    return reach.size() == rest.size()
               ? broken("part {} ends within its headers", number)
               : error(StatusCode::kResourceExhausted, "part {} has headers of more than {} bytes",
                       number, limits.part_head_max);
  }
  std::string_view head = rest.substr(0, end);
  rest.remove_prefix(end == 0 ? kLineEnd.size() : end + kHeadEnd.size());
  bool has_disposition = false;
  for (std::size_t headers = 0; !head.empty(); ++headers) {
    if (headers == limits.part_headers_max) {
      return error(StatusCode::kResourceExhausted, "part {} has more than {} headers", number,
                   limits.part_headers_max);
    }
    const std::size_t line = std::min(head.find(kLineEnd), head.size());
    QUIRE_RETURN_IF_ERROR(read_part_header(head.substr(0, line), number, has_disposition, part));
    head.remove_prefix(std::min(line + kLineEnd.size(), head.size()));
  }
  return has_disposition ? ok_status() : broken("part {} has no Content-Disposition", number);
}

Result<std::string> boundary_of(std::string_view content_type) {
  std::vector<Parameter> parameters;
  const bool is_form = is_same(before_parameters(content_type), kType);
  if (!is_form || !read_parameters(content_type, parameters)) {
    return broken("the content type is not {}", kType);
  }
  const std::string* boundary = find(parameters, "boundary");
  if (boundary == nullptr || !is_boundary(*boundary)) {
    return broken("the content type {} has no boundary of 1 to {} characters", kType, kBoundaryMax);
  }
  return *boundary;
}

}  // namespace

bool is_multipart(std::string_view content_type) {
  return is_same(before_parameters(content_type), kType);
}

Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body,
                                          const MultipartLimits& limits) {
  QUIRE_ASSIGN_OR_RETURN(const std::string boundary, boundary_of(content_type));
  const std::string delimiter = "\r\n--" + boundary;
  // The first delimiter begins the body or follows a preamble, which is nobody's.
  const std::string_view opening = std::string_view(delimiter).substr(kLineEnd.size());
  std::string_view rest = body;
  if (!body.starts_with(opening)) {
    rest.remove_prefix(std::min(body.find(delimiter), body.size()));
    if (rest.empty()) return broken("the body does not have its boundary");
    rest.remove_prefix(kLineEnd.size());
  }
  rest.remove_prefix(opening.size());
  std::vector<Part> parts;
  for (;;) {  // `rest` begins behind a delimiter
    if (rest.starts_with("--")) return parts;
    const std::size_t blanks = std::min(rest.find_first_not_of(" \t"), rest.size());
    rest.remove_prefix(blanks);  // transport padding
    if (!rest.starts_with(kLineEnd)) {
      return broken("the boundary before part {} is followed by something else", parts.size());
    }
    rest.remove_prefix(kLineEnd.size());
    if (parts.size() == limits.parts_max) {
      return error(StatusCode::kResourceExhausted, "the form has more than {} parts",
                   limits.parts_max);
    }
    const std::size_t number = parts.size();
    Part& part = parts.emplace_back();
    QUIRE_RETURN_IF_ERROR(read_part_head(rest, number, limits, part));
    const std::size_t end = rest.find(delimiter);
    if (end == std::string_view::npos) return broken("part {} does not end", number);
    part.data = rest.substr(0, end);
    rest.remove_prefix(end + delimiter.size());
  }
}

}  // namespace quire::http
