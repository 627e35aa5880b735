#include "serve/intake/field_notes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quire {
namespace {

thread_local FieldNotes* taken = nullptr;

}  // namespace

FieldNotes::FieldNotes() {
  QUIRE_CHECK(taken == nullptr, "two notes are taken at once");
  taken = this;
}

FieldNotes::~FieldNotes() { taken = nullptr; }

bool FieldNotes::are_taken() { return taken != nullptr; }

FieldNotes* FieldNotes::claim() {
  if (taken == nullptr || std::exchange(taken->is_claimed_, true)) return nullptr;
  return taken;
}

void FieldNotes::add(FieldNote note) {
  const auto known = std::find_if(all_.begin(), all_.end(), [&](const FieldNote& other) {
    return other.name == note.name;
  });
  if (known == all_.end()) {
    all_.push_back(std::move(note));
  } else if (known->kind == FieldKind::kAny) {
    note.is_required = known->is_required;
    *known = std::move(note);
  }
}

void FieldNotes::require(std::string_view name) {
  for (FieldNote& note : all_) note.is_required |= note.name == name;
}

}  // namespace quire
