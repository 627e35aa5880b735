// The waist's own arithmetic: totals, and the flat encoding that the hash, the journal and ranks
// share. The checks of both sides of the seam are in validate.cc.
#include "core/step.h"

#include <cstring>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace quire {
namespace {

constexpr std::uint32_t kMagic = 0x33505351;  // "QSP3"
constexpr std::size_t kHeaderBytes = 16 + 5 * 4;
constexpr std::size_t kRowBytes = 42;  // of one encoded StepRow
constexpr std::size_t kSpanBytes = 8;
constexpr std::size_t kCopyBytes = 12;

class ByteWriter {
 public:
  template <typename T>
  void put(T value) {
    static_assert(std::is_integral_v<T>);
    const auto* from = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof value);
  }
  void reserve(std::size_t size) { bytes_.reserve(size); }
  std::size_t size() const { return bytes_.size(); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Reads what it is known to have: the caller compares sizes first.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <typename T>
  void get(T& value) {
    std::memcpy(&value, bytes_.data() + offset_, sizeof value);
    offset_ += sizeof value;
  }
  std::size_t offset() const { return offset_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

// Calls visit(field) for every field of the item, in encoding order.
template <typename Row, typename Visit>
void visit_row(Row& row, Visit visit) {
  visit(row.seq.value), visit(row.tokens.begin), visit(row.tokens.count);
  visit(row.first_position), visit(row.want_last), visit(row.drafts);
  visit(row.adapter), visit(row.encoder_tokens), visit(row.second_segment);
  visit(row.lane), visit(row.flags);
}
template <typename Copy, typename Visit>
void visit_copy(Copy& copy, Visit visit) {
  visit(copy.group), visit(copy.src_tier), visit(copy.dst_tier), visit(copy.src), visit(copy.dst);
}

Status corrupt(std::size_t at, const char* what) {
  return error(StatusCode::kCorrupt, "step plan, offset {}: {}", at, what);
}

}  // namespace

std::uint32_t StepPlan::logits_rows() const {
  std::uint32_t wanted = 0;
  for (const StepRow& row : rows) wanted += row.want_last;
  return wanted;
}

std::uint64_t StepPlan::hash() const {
  const std::vector<std::byte> bytes = to_bytes(*this);
  return hash_bytes(bytes.data(), bytes.size());
}

SampleSpec discard_all(const StepPlan& plan) {
  SampleSpec spec;
  spec.rows.resize(plan.logits_rows());
  for (SampleRow& row : spec.rows) row.is_discarded = true;
  return spec;
}

std::vector<std::byte> to_bytes(const StepPlan& plan) {
  ByteWriter out;
  const std::size_t size =
      kHeaderBytes + plan.rows.size() * kRowBytes + plan.tables.size() * kSpanBytes +
      (plan.tokens.size() + plan.blocks.size()) * 4 + plan.copies.size() * kCopyBytes;
  out.reserve(size);
  const auto put = [&out](auto field) { out.put(field); };
  put(kMagic), put(plan.groups), put(plan.step);
  for (const std::size_t count : {plan.rows.size(), plan.tokens.size(), plan.tables.size(),
                                  plan.blocks.size(), plan.copies.size()}) {
    put(static_cast<std::uint32_t>(count));
  }
  for (const StepRow& row : plan.rows) visit_row(row, put);
  for (const TokenId token : plan.tokens) put(token);
  for (const Span& table : plan.tables) put(table.begin), put(table.count);
  for (const BlockId block : plan.blocks) put(block);
  for (const BlockCopy& copy : plan.copies) visit_copy(copy, put);
  QUIRE_CHECK(out.size() == size, "a plan of {} bytes was written as {}", size, out.size());
  return out.take();
}

Result<StepPlan> plan_from_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes) return corrupt(bytes.size(), "the header is cut off");
  ByteReader in(bytes);
  const auto get = [&in](auto& field) { in.get(field); };
  StepPlan plan;
  std::uint32_t magic = 0;
  get(magic), get(plan.groups), get(plan.step);
  if (magic != kMagic) return corrupt(0, "not a step plan");
  std::uint32_t rows = 0, tokens = 0, tables = 0, blocks = 0, copies = 0;
  get(rows), get(tokens), get(tables), get(blocks), get(copies);
  // 32-bit counts times small sizes: the sum stays far below 2^64.
  const std::uint64_t expected = kHeaderBytes + std::uint64_t{rows} * kRowBytes +
                                 std::uint64_t{tokens} * 4 + std::uint64_t{tables} * kSpanBytes +
                                 std::uint64_t{blocks} * 4 + std::uint64_t{copies} * kCopyBytes;
  if (expected != bytes.size()) return corrupt(16, "the counts do not match the length");
  plan.rows.resize(rows);
  plan.tokens.resize(tokens);
  plan.tables.resize(tables);
  plan.blocks.resize(blocks);
  plan.copies.resize(copies);
  for (StepRow& row : plan.rows) visit_row(row, get);
  for (TokenId& token : plan.tokens) get(token);
  for (Span& table : plan.tables) get(table.begin), get(table.count);
  for (BlockId& block : plan.blocks) get(block);
  for (BlockCopy& copy : plan.copies) visit_copy(copy, get);
  QUIRE_CHECK(in.offset() == bytes.size(), "{} of the {} bytes of a plan were read", in.offset(),
              bytes.size());
  return plan;
}

}  // namespace quire
