// FieldNotes: what a parser asks of a body. While one is being taken on a thread, the first Fields
// that is made there writes down every field that it is asked for, with type and bounds, so that
// the document of our endpoints says what their parsers really read and nobody keeps a second list.
// A thread-local switch, because a parser is a plain function of a request. Used by openapi.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

enum class FieldKind : std::uint8_t { kAny, kBoolean, kInteger, kNumber, kText, kNeutral };

struct FieldNote {
  std::string name;
  FieldKind kind = FieldKind::kAny;
  double min = std::numeric_limits<double>::lowest();  // of numbers
  double max = std::numeric_limits<double>::max();
  std::string neutral;  // JSON text of the only value that is accepted, beside null
  bool is_required = false;
};

class FieldNotes {
 public:
  FieldNotes();  // this thread's Fields write here from now on
  ~FieldNotes();
  FieldNotes(const FieldNotes&) = delete;
  FieldNotes& operator=(const FieldNotes&) = delete;

  // In the order of the first question.
  const std::vector<FieldNote>& all() const { return all_; }

  // This thread's parsers are asked what they read, and nothing else: they change nothing.
  static bool are_taken();

  // For Fields. Null: nobody takes notes, or somebody else's fields are being noted.
  static FieldNotes* claim();
  // The more that is known of a field, the better: a type wins over a bare look.
  void add(FieldNote note);
  // An empty body was refused for want of this field.
  void require(std::string_view name);

 private:
  std::vector<FieldNote> all_;
  bool is_claimed_ = false;
};

}  // namespace quire
