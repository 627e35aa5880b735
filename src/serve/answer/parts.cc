// Cutter: a text in which three kinds of literals matter: what opens a thought, what opens calls,
// and what stands for nothing. Bytes that may still become one of them are held back.
#include "serve/answer/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "serve/answer/argument_types.h"
#include "serve/answer/call_reader.h"
#include "serve/answer/literals.h"

namespace quire {
namespace {

std::string id_of_call(IdStyle style, const ReadCall& call, const std::string& written,
                       const PartStreamOptions& options, std::size_t index) {
  if (style == IdStyle::kFunctions) {
    const bool is_written = written.starts_with("functions.");
    return is_written ? written : fmt::format("functions.{}:{}", call.name, index);
  }
  if (style == IdStyle::kNine && written.size() == 9) return written;
  constexpr std::string_view kDigits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const std::size_t size = style == IdStyle::kNine ? 9 : 24;
  std::string id = style == IdStyle::kNine ? "" : "call_";
  const std::string& request = options.request_id;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t seed = (index << 16 | static_cast<std::uint64_t>(options.choice)) << 8 | i;
    id += kDigits[hash_bytes(request.data(), request.size(), seed) % kDigits.size()];
  }
  return id;
}

}  // namespace

class PartStream::Cutter {
 public:
  explicit Cutter(PartStreamOptions options)
      : options_(std::move(options)), types_(options_.tools) {
    list_literals();
    state_ = options_.begins_in_thought && thoughts() != nullptr ? State::kThought : State::kText;
    const CallFormat* format = options_.format.calls;
    if (format != nullptr && state_ == State::kText) tail_ = format->prompt_tail;
    pending_ = tail_;
  }

  void leave_free() { options_.is_guaranteed = false; }

  void take(const TokenEvent& event, std::vector<PartDelta>& out) {
    out_ = &out;
    for (const TokenId token : event.accepted) {
      if (std::ranges::find(options_.opening_tokens, token) != options_.opening_tokens.end()) {
        ++opened_[token];
      }
    }
    pending_ += event.text;
    cut(false);
  }

  void finish(std::vector<PartDelta>& out) {
    if (is_over_) return;
    is_over_ = true;
    out_ = &out;
    cut(true);
    while (reader_) {  // cut off within a section: what there is of it is looked at once more
      end_section();
      cut(true);
    }
    if (state_ == State::kText) emit_text(PartKind::kText, std::exchange(white_, {}));
  }

 private:
  enum class State : std::uint8_t { kText, kThought };
  enum class Mark : std::uint8_t { kThoughtBegins, kThoughtEnds, kHidden, kCalls };
  struct Literal {
    Mark mark;
    std::size_t syntax = 0;
    ReadFrom from = ReadFrom::kCall;
  };
  struct Literals {
    std::vector<std::string_view> texts;
    std::vector<Literal> marks;
    void add(std::string_view text, Literal literal) {
      if (text.empty()) return;
      texts.push_back(text);
      marks.push_back(literal);
    }
  };

  const ThoughtFormat* thoughts() const {
    return options_.reads_thoughts ? options_.format.thoughts : nullptr;
  }
  const CallFormat* calls() const { return options_.reads_calls ? options_.format.calls : nullptr; }

  void list_literals() {
    if (const CallFormat* format = calls()) {
      for (std::size_t i = 0; i < format->syntaxes.size(); ++i) {
        const CallSyntax& syntax = format->syntaxes[i];
        if (syntax.begins_answer) continue;
        const bool has_section = !syntax.opens.empty();
        const ReadFrom from = has_section ? ReadFrom::kCallOpens : ReadFrom::kCall;
        const Literal literal{Mark::kCalls, i, from};
        in_text_.add(has_section ? syntax.opens : syntax.call_opens, literal);
      }
    }
    if (options_.format.calls != nullptr) {
      for (const auto hidden : options_.format.calls->hidden) in_text_.add(hidden, {Mark::kHidden});
    }
    if (thoughts() == nullptr) return;
    for (const auto hidden : thoughts()->hidden) in_text_.add(hidden, {Mark::kHidden});
    for (const auto begin : thoughts()->begins) in_text_.add(begin, {Mark::kThoughtBegins});
    in_thought_.add(thoughts()->ends, {Mark::kThoughtEnds});
    if (!thoughts()->ends_at_calls) return;
    for (std::size_t i = 0; i < in_text_.texts.size(); ++i) {
      if (in_text_.marks[i].mark == Mark::kCalls) {
        in_thought_.add(in_text_.texts[i], in_text_.marks[i]);
      }
    }
  }

  void cut(bool is_end) {
    std::size_t at = 0;
    while (step(at, is_end)) {
    }
    pending_.erase(0, at);
  }

  // Whether there is more to do with what has come.
  bool step(std::size_t& at, bool is_end) {
    if (reader_) return read_calls(at);
    if (may_begin_bare_ && state_ == State::kText) {
      if (try_bare_calls(at)) return true;
    }
    const Literals& literals = state_ == State::kText ? in_text_ : in_thought_;
    const LiteralFound found = find_literal(pending_, at, literals.texts, is_end);
    pass(std::string_view(pending_).substr(at, found.at - at));
    at = found.at;
    if (found.size == 0) return false;
    take_mark(literals.marks[found.which], std::string_view(pending_).substr(at, found.size));
    at += found.size;
    return true;
  }

  void take_mark(const Literal& literal, std::string_view text) {
    switch (literal.mark) {
      case Mark::kThoughtBegins:
        state_ = State::kThought;
        break;
      case Mark::kThoughtEnds:
        state_ = State::kText;
        may_begin_bare_ = true;
        break;
      case Mark::kHidden: tail_ = {}; break;
      case Mark::kCalls:
        begin_calls(literal.syntax, literal.from, text);
        return;
    }
    white_.clear();
    is_fresh_ = true;
  }

  // --- text and thoughts ---

  // White space waits for what follows it, and is dropped beside anything but text.
  void pass(std::string_view text) {
    const std::size_t said = std::min(tail_.size(), text.size());
    text.remove_prefix(said);
    tail_.remove_prefix(said);
    if (text.empty()) return;
    const std::size_t begin = is_fresh_ ? text.find_first_not_of(" \t\r\n") : 0;
    if (begin == std::string_view::npos) return;
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    if (last == std::string_view::npos) {
      white_ += text;
      return;
    }
    may_begin_bare_ = is_fresh_ = false;
    std::string piece = std::exchange(white_, {});
    piece += text.substr(begin, last + 1 - begin);
    white_ = text.substr(last + 1);
    emit_text(state_ == State::kText ? PartKind::kText : PartKind::kReasoning, std::move(piece));
  }

  void emit_text(PartKind kind, std::string text) {
    if (text.empty()) return;
    out_->push_back({.kind = kind, .index = index_of(kind), .text = std::move(text)});
  }

  std::size_t index_of(PartKind kind) {
    if (!last_kind_ || *last_kind_ != kind || kind == PartKind::kToolCall) ++parts_;
    last_kind_ = kind;
    return parts_ - 1;
  }

  // --- calls ---

  void begin_calls(std::size_t syntax, ReadFrom from, std::string_view opening) {
    is_held_ = options_.is_guaranteed && opens_as_grammar_has_it(syntax);
    reader_.emplace(calls()->syntaxes[syntax], types_, from);
    bare_ = nullptr;
    raw_ = opening;
    raw_.erase(0, std::exchange(tail_, {}).size());
    sent_ = 0;
  }

  // A control token that opens calls has come as that token, or in the prompt.
  bool opens_as_grammar_has_it(std::size_t syntax) {
    if (options_.opening_tokens.empty() || !tail_.empty()) return true;
    const TokenId token = options_.opening_tokens.at(syntax);
    if (token < 0) return true;
    const auto opened = opened_.find(token);
    if (opened == opened_.end() || opened->second == 0) return false;
    --opened->second;
    return true;
  }

  // Whether what nothing marks has come to where the grammar is certain that it is a call: see
  // ToolGrammarWriter::bare_calls().
  bool begins_as_grammar_has_it(const CallSyntax& syntax) const {
    std::string_view text = raw_;
    const auto skip = [&](std::string_view literal) {
      text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
      const bool is_there = text.starts_with(literal);
      if (is_there) text.remove_prefix(literal.size());
      return is_there;
    };
    if (!syntax.opens.empty() && !skip(syntax.opens)) return false;
    if (syntax.name == NamePlace::kBefore) {
      return skip(reader_->call().name + std::string(syntax.name_closes));
    }
    return skip("{") && skip('"' + std::string(syntax.name_member) + '"') && skip(":");
  }

  // An answer, or what follows a thought, may begin with a call that nothing marks.
  bool try_bare_calls(std::size_t& at) {
    if (calls() == nullptr) return false;
    std::size_t begin = at;
    while (begin < pending_.size() && is_white(pending_[begin])) ++begin;
    if (begin == pending_.size()) return false;
    may_begin_bare_ = false;
    for (const CallSyntax& syntax : calls()->syntaxes) {
      if (!syntax.begins_answer) continue;
      const std::string_view opens = syntax.opens.empty() ? "{" : syntax.opens;
      if (opens.front() != pending_[begin]) continue;
      is_held_ = options_.is_guaranteed && options_.opening_tokens.empty();
      reader_.emplace(syntax, types_, ReadFrom::kOpens);
      bare_ = &syntax;
      raw_ = white_ + pending_.substr(at, begin - at);
      at = begin;
      sent_ = 0;
      return true;
    }
    return false;
  }

  bool read_calls(std::size_t& at) {
    const std::size_t before = at;
    const ReadStep step = reader_->read(pending_, at);
    raw_.append(pending_, before, at - before);
    if (bare_ != nullptr && !is_held_ && !has_called_ && reader_->call().is_named) {
      is_held_ = options_.is_guaranteed && begins_as_grammar_has_it(*bare_);
    }
    if (step == ReadStep::kBroken) {
      if (is_held_) send_call();  // as it would have come in smaller pieces
      break_calls();
    } else if (step == ReadStep::kCallRead) {
      if (!end_call()) break_calls();
    } else if (step == ReadStep::kSectionRead) {
      leave_calls();
    } else if (is_held_) {
      send_call();
    }
    return step != ReadStep::kWait;
  }

  // As much of the call as has come.
  void send_call() {
    const ReadCall& call = reader_->call();
    if (!call.is_named) return;
    PartDelta delta{.kind = PartKind::kToolCall};
    if (!is_call_begun_) {
      begin_call_part();
      delta.call_name = call.name;
      delta.call_id = id_of_call(calls()->ids, call, written_id(call), options_, calls_++);
    }
    delta.index = parts_ - 1;
    delta.text = call.arguments.substr(sent_);
    sent_ = call.arguments.size();
    if (!delta.text.empty() || !delta.call_name.empty()) out_->push_back(std::move(delta));
  }

  // Of a call that is passed on with its name, what comes behind the name is too late.
  const std::string& written_id(const ReadCall& call) const {
    return call.written_id.empty() && !is_held_ ? call.late_id : call.written_id;
  }

  void begin_call_part() {
    is_call_begun_ = true;
    index_of(PartKind::kToolCall);
    white_.clear();  // before a call it is nobody's
    is_fresh_ = true;
  }

  // False: the call is none.
  bool end_call() {
    const ReadCall& call = reader_->call();
    if (!is_held_) {
      const Result<Json> arguments = parse_json(call.arguments);
      if (!arguments.is_ok() || !arguments->is_object()) return false;
    }
    send_call();
    is_call_begun_ = false;
    has_called_ = true;
    sent_ = 0;
    raw_.clear();
    return true;
  }

  void leave_calls() {
    reader_.reset();
    raw_.clear();
    state_ = State::kText;
  }

  // What has been read since the last whole call is text. Of a call that is passed on as it comes,
  // what comes behind its last piece is.
  void break_calls() {
    const bool is_sent = std::exchange(is_call_begun_, false);
    std::string raw = is_sent ? std::string() : std::exchange(raw_, {});
    reader_.reset();
    may_begin_bare_ = false;
    if (bare_ != nullptr) white_.clear();  // it stands in `raw`
    bare_ = nullptr;
    pass(raw);
  }

  // The answer ends within a section.
  void end_section() {
    const bool is_whole = reader_->lacks_only_closing();
    if ((is_whole && end_call()) || is_call_begun_ || reader_->is_between_calls()) {
      is_call_begun_ = false;
      leave_calls();
      pending_.clear();  // the beginning of a closing literal, or of what is being passed on
    } else {
      raw_ += std::exchange(pending_, {});
      break_calls();
    }
  }

  PartStreamOptions options_;
  const ArgumentTypes types_;
  Literals in_text_, in_thought_;
  State state_ = State::kText;
  std::optional<CallReader> reader_;  // within a section
  std::string pending_;               // has come, and is not cut yet
  std::string_view tail_;             // what of it the prompt has said, not the model
  std::string white_;                 // behind the last text
  std::string raw_;                   // of the section, since its last whole call
  std::size_t sent_ = 0;              // of the arguments of the call that is being read
  std::size_t parts_ = 0, calls_ = 0;
  std::optional<PartKind> last_kind_;
  bool may_begin_bare_ = true;  // nothing but white space and thoughts has come
  bool is_fresh_ = false;       // white space that comes is dropped
  const CallSyntax* bare_ = nullptr;  // of a section that nothing opened
  bool is_held_ = false;        // a grammar holds the section
  bool has_called_ = false;     // there has been a call
  std::unordered_map<TokenId, std::size_t> opened_;  // such tokens that no section has begun with
  bool is_call_begun_ = false;  // its name has been passed on
  bool is_over_ = false;
  std::vector<PartDelta>* out_ = nullptr;
};

PartStream::PartStream() = default;
PartStream::PartStream(PartStreamOptions options) {
  const AnswerFormat& format = options.format;
  const bool is_plain = format.calls == nullptr && format.thoughts == nullptr;
  if (!is_plain) cutter_ = std::make_unique<Cutter>(std::move(options));
}
PartStream::PartStream(PartStream&&) noexcept = default;
PartStream& PartStream::operator=(PartStream&&) noexcept = default;
PartStream::~PartStream() = default;

void PartStream::take(const TokenEvent& event, std::vector<PartDelta>& out) {
  if (cutter_ == nullptr) {
    if (!event.text.empty()) out.push_back({.kind = PartKind::kText, .text = event.text});
    return;
  }
  cutter_->take(event, out);
  if (event.finish != FinishReason::kNone) cutter_->finish(out);
}

void PartStream::leave_free() {
  if (cutter_ != nullptr) cutter_->leave_free();
}

void PartStream::finish(std::vector<PartDelta>& out) {
  if (cutter_ != nullptr) cutter_->finish(out);
}

}  // namespace quire
