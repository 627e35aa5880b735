#include "serve/answer/call_reader.h"

#include <array>

#include "base/json.h"
#include "base/text/ascii.h"
#include "serve/answer/literals.h"

namespace quire {
namespace {

constexpr std::size_t kNameSizeMax = 256;  // bytes; what is longer is no name
constexpr std::string_view kWhite = " \t\r\n";

// Whether `text`, the beginning of what stands before the end of a name, can still become one.
bool may_be_name(std::string_view text) {
  const std::string_view name = trimmed(text, kWhite);
  return text.size() <= kNameSizeMax && name.find_first_of(" \t\r\n<>\"'{}") == name.npos;
}

}  // namespace

CallReader::CallReader(const CallSyntax& syntax, const ArgumentTypes& types, ReadFrom from)
    : syntax_(syntax), types_(types) {
  phase_ = from == ReadFrom::kOpens       ? Phase::kOpens
           : from == ReadFrom::kCallOpens ? Phase::kCallOpens
                                          : Phase::kNameOpens;
}

ReadStep CallReader::read(std::string_view text, std::size_t& at) {
  if (phase_ == Phase::kCallRead) {
    phase_ = Phase::kBetween;
    begin_call();
  }
  Place place{text, at};
  Went went = Went::kOn;
  while (went == Went::kOn && phase_ != Phase::kCallRead && phase_ != Phase::kSectionRead) {
    went = go(place);
  }
  at = place.at;
  if (went == Went::kBroken) return ReadStep::kBroken;
  if (phase_ == Phase::kCallRead) return ReadStep::kCallRead;
  return phase_ == Phase::kSectionRead ? ReadStep::kSectionRead : ReadStep::kWait;
}

CallReader::Went CallReader::go(Place& place) {
  switch (phase_) {
    case Phase::kOpens: return read_literal(place, syntax_.opens, Phase::kCallOpens);
    case Phase::kCallOpens: return read_literal(place, syntax_.call_opens, Phase::kNameOpens);
    case Phase::kNameOpens: return read_name_opens(place);
    case Phase::kName: return read_name(place);
    case Phase::kId: return read_id(place);
    case Phase::kObject: return expect(place, '{', Phase::kMemberKey);
    case Phase::kMemberKey: return read_member_key(place);
    case Phase::kMemberColon: return expect(place, ':', Phase::kMemberValue);
    case Phase::kMemberValue: return read_member_value(place);
    case Phase::kMemberNext: return read_member_next(place);
    case Phase::kArguments: return read_arguments(place);
    case Phase::kJson: return read_json(place);
    case Phase::kTag: return read_tag(place);
    case Phase::kTagKey: return read_tag_key(place);
    case Phase::kTextValue: return read_text_value(place);
    case Phase::kJsonValue: return read_json_value(place);
    case Phase::kLooseKey: return read_loose_key(place);
    case Phase::kLooseValue: return read_loose_value(place);
    case Phase::kCallCloses: return read_literal(place, syntax_.call_closes, Phase::kCallRead);
    case Phase::kBetween: return read_between(place);
    case Phase::kCallRead:
    case Phase::kSectionRead: break;
  }
  return Went::kBroken;
}

// --- small steps ---

namespace {

bool skip_white(std::string_view text, std::size_t& at) {
  while (at < text.size() && is_white(text[at])) ++at;
  return at < text.size();
}

}  // namespace

CallReader::Went CallReader::read_literal(Place& place, std::string_view literal, Phase next) {
  if (!literal.empty()) {
    if (!skip_white(place.text, place.at)) return Went::kWait;
    const LiteralAt here = match_literal(place.text, place.at, literal);
    if (here.match == LiteralMatch::kPartial) return Went::kWait;
    if (here.match == LiteralMatch::kNo) return Went::kBroken;
    place.at += here.size;
  }
  phase_ = next;
  return Went::kOn;
}

CallReader::Went CallReader::expect(Place& place, char byte, Phase next) {
  return read_literal(place, std::string_view(&byte, 1), next);
}

void CallReader::begin_call() {
  call_ = {};
  value_.clear();
  scanned_ = 0;
  scan_ = {};
}

void CallReader::begin_argument(std::string_view key) {
  if (call_.arguments.size() > 1) call_.arguments += ',';
  call_.arguments += '"';
  append_json_escaped(key, call_.arguments);
  call_.arguments += "\":";
}

CallReader::Went CallReader::take_name(std::string_view name) {
  if (name.empty() || name.size() > kNameSizeMax || call_.is_named) return Went::kBroken;
  if (syntax_.begins_answer && !types_.has_tool(name)) return Went::kBroken;
  call_.name = name;
  call_.is_named = true;
  return Went::kOn;
}

// --- a name before the arguments ---

CallReader::Went CallReader::read_name_opens(Place& place) {
  phase_ = Phase::kName;
  if (syntax_.name_opens.empty()) return Went::kOn;
  const std::array<std::string_view, 1> stops = {syntax_.name_opens};
  const LiteralFound found = find_literal(place.text, place.at + scanned_, stops, false);
  if (!may_be_name(place.text.substr(place.at, found.at - place.at))) return Went::kBroken;
  scanned_ = found.size == 0 ? found.at - place.at : 0;
  if (found.size != 0) place.at = found.at + found.size;
  if (found.size == 0) phase_ = Phase::kNameOpens;
  return found.size == 0 ? Went::kWait : Went::kOn;
}

CallReader::Went CallReader::read_name(Place& place) {
  if (syntax_.name != NamePlace::kBefore) {
    phase_ = Phase::kObject;
    return Went::kOn;
  }
  const bool has_end = !syntax_.name_closes.empty();
  std::array<std::string_view, 2> stops = {syntax_.name_closes, syntax_.id_opens};
  if (!has_end && syntax_.arguments == ArgumentSyntax::kTags) {
    stops = {syntax_.tags.key_opens, syntax_.call_closes};
  } else if (!has_end) {
    stops = {"{", syntax_.id_opens};
  }
  const LiteralFound end = find_literal(place.text, place.at + scanned_, stops, false);
  std::string_view written = place.text.substr(place.at, end.at - place.at);
  if (!syntax_.name_follow.empty()) {
    const std::string_view name = trimmed(written, kWhite);
    written = name.substr(0, name.find_first_of(" \t\r\n<"));
  }
  if (!may_be_name(written) || end.at - place.at > kNameSizeMax) return Went::kBroken;
  if (end.size == 0) {
    scanned_ = end.at - place.at;
    return Went::kWait;
  }
  std::string_view name = trimmed(written, kWhite);
  if (!syntax_.index_opens.empty()) {
    call_.written_id = name;
    const std::size_t index = name.rfind(syntax_.index_opens);
    const std::string_view digits =
        index == name.npos ? "" : name.substr(index + syntax_.index_opens.size());
    if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) {
      return Went::kBroken;
    }
    name = name.substr(0, index);
  }
  if (name.starts_with(syntax_.name_prefix)) name.remove_prefix(syntax_.name_prefix.size());
  const bool is_id = !syntax_.id_opens.empty() && end.which == 1;
  place.at = end.at + (has_end || is_id ? end.size : 0);
  scanned_ = 0;
  phase_ = is_id ? Phase::kId : Phase::kArguments;
  const Went went = take_name(name);
  if (is_id) call_.is_named = false;  // the id comes first: whoever passes the name on passes both
  return went;
}

CallReader::Went CallReader::read_id(Place& place) {
  const std::array<std::string_view, 1> stops = {syntax_.name_closes};
  const LiteralFound end = find_literal(place.text, place.at + scanned_, stops, false);
  if (!may_be_name(place.text.substr(place.at, end.at - place.at))) return Went::kBroken;
  if (end.size == 0) {
    scanned_ = end.at - place.at;
    return Went::kWait;
  }
  call_.written_id = trimmed(place.text.substr(place.at, end.at - place.at), kWhite);
  call_.is_named = true;
  place.at = end.at + end.size;
  scanned_ = 0;
  phase_ = Phase::kArguments;
  return Went::kOn;
}

// --- an object that has the name and the arguments as members ---

CallReader::Went CallReader::read_member_key(Place& place) {
  if (value_.empty()) {
    if (!skip_white(place.text, place.at)) return Went::kWait;
    if (place.text[place.at] != '"') return Went::kBroken;
  }
  while (place.at < place.text.size()) {
    const char byte = place.text[place.at++];
    value_ += byte;
    if (value_.size() > kNameSizeMax) return Went::kBroken;
    if (scan_.take(byte) != ScanStep::kLast) continue;
    const Result<Json> key = parse_json(value_);
    if (!key.is_ok()) return Went::kBroken;
    member_ = key->as_string();
    value_.clear();
    scan_ = {};
    phase_ = Phase::kMemberColon;
    return syntax_.name == NamePlace::kKey ? take_name(member_) : Went::kOn;
  }
  return Went::kWait;
}

bool CallReader::is_arguments_member() const {
  return syntax_.name == NamePlace::kKey || member_ == syntax_.arguments_member ||
         member_ == "arguments" || member_ == "parameters";
}

CallReader::Went CallReader::read_member_value(Place& place) {
  if (value_.empty()) {
    if (!skip_white(place.text, place.at)) return Went::kWait;
    if (is_arguments_member() && place.text[place.at] == '{') {
      if (!call_.arguments.empty()) return Went::kBroken;
      phase_ = Phase::kJson;
      return Went::kOn;
    }
  }
  while (place.at < place.text.size()) {
    const ScanStep step = scan_.take(place.text[place.at]);
    if (step == ScanStep::kAfter) return end_member();
    value_ += place.text[place.at++];
    if (step == ScanStep::kLast) return end_member();
  }
  return Went::kWait;
}

CallReader::Went CallReader::end_member() {
  const Result<Json> value = parse_json(value_);
  value_.clear();
  scan_ = {};
  phase_ = Phase::kMemberNext;
  if (!value.is_ok()) return Went::kBroken;
  if (is_arguments_member()) {
    if (!call_.arguments.empty()) return Went::kBroken;
    if (value->is_null()) {
      call_.arguments = "{}";
      return Went::kOn;
    }
    if (!value->is_string()) return Went::kBroken;
    const Result<Json> inner = parse_json(value->as_string());  // written as a text of a text
    if (!inner.is_ok() || !inner->is_object()) return Went::kBroken;
    call_.arguments = value->as_string();
  } else if (member_ == syntax_.name_member) {
    return value->is_string() ? take_name(value->as_string()) : Went::kBroken;
  } else if (member_ == syntax_.id_member && value->is_string()) {
    (call_.is_named ? call_.late_id : call_.written_id) = value->as_string();
  }
  return Went::kOn;
}

CallReader::Went CallReader::read_member_next(Place& place) {
  if (!skip_white(place.text, place.at)) return Went::kWait;
  const char byte = place.text[place.at++];
  if (byte == ',' && syntax_.name != NamePlace::kKey) {
    phase_ = Phase::kMemberKey;
    return Went::kOn;
  }
  if (byte != '}' || !call_.is_named) return Went::kBroken;
  if (call_.arguments.empty()) call_.arguments = "{}";
  phase_ = Phase::kCallCloses;
  return Went::kOn;
}

// --- arguments ---

CallReader::Went CallReader::read_arguments(Place& place) {
  if (syntax_.arguments == ArgumentSyntax::kJson) {
    if (!skip_white(place.text, place.at)) return Went::kWait;
    if (place.text[place.at] != '{') return Went::kBroken;
    phase_ = Phase::kJson;
    return Went::kOn;
  }
  call_.arguments = "{";
  phase_ = syntax_.arguments == ArgumentSyntax::kTags ? Phase::kTag : Phase::kLooseKey;
  return Went::kOn;
}

CallReader::Went CallReader::read_json(Place& place) {
  while (place.at < place.text.size()) {
    const char byte = place.text[place.at++];
    call_.arguments += byte;
    if (scan_.take(byte) != ScanStep::kLast) continue;
    scan_ = {};
    const bool is_member = syntax_.name != NamePlace::kBefore;
    phase_ = is_member ? Phase::kMemberNext : Phase::kCallCloses;
    return Went::kOn;
  }
  return Went::kWait;
}

CallReader::Went CallReader::read_tag(Place& place) {
  if (!skip_white(place.text, place.at)) return Went::kWait;
  const LiteralAt key = match_literal(place.text, place.at, syntax_.tags.key_opens);
  if (key.match == LiteralMatch::kFull) {
    place.at += key.size;
    phase_ = Phase::kTagKey;
    return Went::kOn;
  }
  const LiteralAt end = match_literal(place.text, place.at, syntax_.call_closes);
  if (end.match == LiteralMatch::kFull) {
    call_.arguments += '}';
    phase_ = Phase::kCallCloses;
    return Went::kOn;
  }
  const bool may_grow =
      key.match == LiteralMatch::kPartial || end.match == LiteralMatch::kPartial;
  return may_grow ? Went::kWait : Went::kBroken;
}

CallReader::Went CallReader::read_tag_key(Place& place) {
  const TagSyntax& tags = syntax_.tags;
  const std::array<std::string_view, 2> stops = {tags.key_closes, tags.json_key_closes};
  const LiteralFound end = find_literal(place.text, place.at + scanned_, stops, false);
  const std::string_view key = place.text.substr(place.at, end.at - place.at);
  if (key.size() > kNameSizeMax || key.find('\n') != key.npos) return Went::kBroken;
  if (end.size == 0) {
    scanned_ = end.at - place.at;
    return Went::kWait;
  }
  kind_ = !tags.json_key_closes.empty()
              ? (end.which == 0 ? ArgumentKind::kText : ArgumentKind::kJson)
              : types_.kind(call_.name, trimmed(key, kWhite));
  begin_argument(trimmed(key, kWhite));
  place.at = end.at + end.size;
  scanned_ = 0;
  is_value_begun_ = false;
  phase_ = kind_ == ArgumentKind::kText ? Phase::kTextValue : Phase::kJsonValue;
  return Went::kOn;
}

// A text is passed on as it comes, but for a line break that may turn out to be the wrapping.
CallReader::Went CallReader::read_text_value(Place& place) {
  const std::array<std::string_view, 1> stops = {syntax_.tags.value_closes};
  const LiteralFound end = find_literal(place.text, place.at, stops, false);
  std::string_view body = place.text.substr(place.at, end.at - place.at);
  const bool is_whole = end.size != 0;
  if (!is_value_begun_) {
    if (body.empty() && !is_whole) return Went::kWait;
    call_.arguments += '"';
    is_value_begun_ = true;
    if (syntax_.tags.wraps_lines && body.starts_with('\n')) {
      body.remove_prefix(1);
      ++place.at;
    }
  }
  if (syntax_.tags.wraps_lines && body.ends_with('\n')) body.remove_suffix(1);
  append_json_escaped(body, call_.arguments);
  place.at += body.size();
  if (!is_whole) return Went::kWait;
  call_.arguments += '"';
  place.at = end.at + end.size;
  phase_ = Phase::kTag;
  return Went::kOn;
}

CallReader::Went CallReader::read_json_value(Place& place) {
  const std::array<std::string_view, 1> stops = {syntax_.tags.value_closes};
  const LiteralFound end = find_literal(place.text, place.at + scanned_, stops, false);
  if (end.size == 0) {
    scanned_ = end.at - place.at;
    return Went::kWait;
  }
  std::string_view body = place.text.substr(place.at, end.at - place.at);
  if (syntax_.tags.wraps_lines) {
    if (body.starts_with('\n')) body.remove_prefix(1);
    if (body.ends_with('\n')) body.remove_suffix(1);
  }
  call_.arguments += json_of_written(body, kind_);
  place.at = end.at + end.size;
  scanned_ = 0;
  phase_ = Phase::kTag;
  return Went::kOn;
}

CallReader::Went CallReader::read_loose_key(Place& place) {
  const bool is_python = syntax_.arguments == ArgumentSyntax::kPython;
  if (!skip_white(place.text, place.at)) return Went::kWait;
  if (place.text[place.at] == (is_python ? ')' : '}')) {
    ++place.at;
    call_.arguments += '}';
    phase_ = Phase::kCallCloses;
    return Went::kOn;
  }
  const std::size_t end = place.text.find(is_python ? '=' : ':', place.at);
  const bool is_whole = end != std::string_view::npos;
  const std::string_view key =
      place.text.substr(place.at, is_whole ? end - place.at : std::string_view::npos);
  if (!may_be_name(key) || key.find_first_of("()[],") != key.npos) return Went::kBroken;
  if (!is_whole) return Went::kWait;
  if (trimmed(key, kWhite).empty()) return Went::kBroken;
  begin_argument(trimmed(key, kWhite));
  place.at = end + 1;
  loose_ = LooseScan(syntax_.quote);
  phase_ = Phase::kLooseValue;
  return Went::kOn;
}

CallReader::Went CallReader::read_loose_value(Place& place) {
  const char closes = syntax_.arguments == ArgumentSyntax::kPython ? ')' : '}';
  std::size_t end = place.at + scanned_;
  if (!loose_.take(place.text, end, closes)) {
    scanned_ = end - place.at;
    return Went::kWait;
  }
  const auto value = json_of_loose(place.text.substr(place.at, end - place.at), syntax_.quote);
  if (!value) return Went::kBroken;
  call_.arguments += *value;
  place.at = end + (place.text[end] == ',' ? 1 : 0);
  scanned_ = 0;
  phase_ = Phase::kLooseKey;
  return Went::kOn;
}

// --- behind a call ---

CallReader::Went CallReader::read_between(Place& place) {
  phase_ = Phase::kSectionRead;
  if (syntax_.is_single) return Went::kOn;
  phase_ = Phase::kBetween;
  const std::string_view next =
      syntax_.separator.empty() ? syntax_.call_opens : syntax_.separator;
  std::size_t at = place.at;
  if (!skip_white(place.text, at)) return Went::kWait;
  const std::array<std::string_view, 2> options = {syntax_.closes, next};
  bool may_grow = false;
  for (std::size_t which = 0; which < options.size(); ++which) {
    if (options[which].empty()) continue;
    const LiteralAt here = match_literal(place.text, at, options[which]);
    may_grow = may_grow || here.match == LiteralMatch::kPartial;
    if (here.match != LiteralMatch::kFull) continue;
    place.at = at + here.size;
    phase_ = which == 0                  ? Phase::kSectionRead
             : syntax_.separator.empty() ? Phase::kNameOpens
                                         : Phase::kCallOpens;
    return Went::kOn;
  }
  if (may_grow) return Went::kWait;
  // Calls that nothing separates go on until the section closes.
  phase_ = next.empty() && !syntax_.closes.empty() ? Phase::kCallOpens : Phase::kSectionRead;
  return Went::kOn;
}

}  // namespace quire
