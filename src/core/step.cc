// The waist's own arithmetic: totals, the checks of both sides of the seam, and the flat encoding
// that the hash, the journal and ranks share.
#include "core/step.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/hash.h"
#include "core/executor.h"

namespace quire {
namespace {

constexpr std::uint32_t kMagic = 0x31505351;  // "QSP1"
constexpr std::uint8_t kRowFlags = kRowHashLogits | kRowPool;
constexpr std::size_t kRowBytes = 34;  // of one encoded StepRow
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

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

// Calls visit(field) for every field of the item, in encoding order.
template <typename Row, typename Visit>
void visit_row(Row& row, Visit visit) {
  visit(row.seq.value), visit(row.tokens.begin), visit(row.tokens.count);
  visit(row.first_position), visit(row.want_last), visit(row.tables_begin);
  visit(row.adapter), visit(row.lane), visit(row.flags);
}
template <typename Copy, typename Visit>
void visit_copy(Copy& copy, Visit visit) {
  visit(copy.group), visit(copy.src_tier), visit(copy.dst_tier), visit(copy.src), visit(copy.dst);
}

Status corrupt(std::size_t at, const char* what) {
  return error(StatusCode::kCorrupt, "step plan, offset {}: {}", at, what);
}

template <typename... Args>
Status bad(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "step plan: {}",
               fmt::format(format, std::forward<Args>(args)...));
}

using GroupBlock = std::pair<std::uint32_t, BlockId>;

Status validate_totals(const StepPlan& plan, const Capacity& capacity) {
  if (plan.step == 0) return bad("steps are counted from 1");
  if (plan.groups != capacity.groups.size()) {
    return bad("{} KV groups, the model has {}", plan.groups, capacity.groups.size());
  }
  if (plan.rows.size() > capacity.rows_max) {
    return bad("{} rows, at most {}", plan.rows.size(), capacity.rows_max);
  }
  if (plan.tokens.size() > capacity.tokens_max) {
    return bad("{} tokens, at most {}", plan.tokens.size(), capacity.tokens_max);
  }
  std::uint64_t wanted = 0;
  for (const StepRow& row : plan.rows) wanted += row.want_last;
  if (wanted > capacity.logits_rows_max) {
    return bad("{} logits rows, at most {}", wanted, capacity.logits_rows_max);
  }
  if (plan.tables.size() != plan.rows.size() * plan.groups) {
    return bad("{} block tables for {} rows of {} groups", plan.tables.size(), plan.rows.size(),
               plan.groups);
  }
  return ok_status();
}

Status validate_row(const StepPlan& plan, std::size_t r, const Capacity& capacity,
                    std::uint64_t tokens_before) {
  const StepRow& row = plan.rows[r];
  if (row.tokens.begin != tokens_before || row.tokens.count == 0 ||
      tokens_before + row.tokens.count > plan.tokens.size()) {
    return bad("row {}: tokens [{}, +{}) do not follow the row before, within {}", r,
               row.tokens.begin, row.tokens.count, plan.tokens.size());
  }
  if (row.want_last > row.tokens.count) {
    return bad("row {}: wants {} logits of {} tokens", r, row.want_last, row.tokens.count);
  }
  const std::uint64_t end = std::uint64_t{row.first_position} + row.tokens.count;
  if (end > capacity.context_max) {
    return bad("row {}: ends at position {}, the context is {}", r, end, capacity.context_max);
  }
  if (row.tables_begin != r * plan.groups) {
    return bad("row {}: tables begin at {}", r, row.tables_begin);
  }
  if (row.adapter < 0 || row.lane > 1 || (row.flags & ~kRowFlags) != 0) {
    return bad("row {}: adapter {}, lane {}, flags {}", r, row.adapter, row.lane, row.flags);
  }
  for (std::uint32_t i = 0; i < row.tokens.count; ++i) {
    const std::int64_t token = plan.tokens[row.tokens.begin + i];
    const bool is_promise = token < 0;
    // Only the newest token can be unknown, and a promise is for one token.
    if (is_promise ? capacity.depth < 2 || i != 0 || -1 - token >= capacity.logits_rows_max
                   : token >= capacity.vocab) {
      return bad("row {}: token {} at {}", r, token, i);
    }
  }
  return ok_status();
}

// Tables long enough for the row's positions; id 0 only for blocks behind the window.
Status validate_tables(const StepPlan& plan, std::size_t r, const Capacity& capacity,
                       std::vector<GroupBlock>& written) {
  const StepRow& row = plan.rows[r];
  const std::uint64_t end = std::uint64_t{row.first_position} + row.tokens.count;
  for (std::uint32_t g = 0; g < plan.groups; ++g) {
    const KvGroup& group = capacity.groups[g];
    const Span table = plan.tables[row.tables_begin + g];
    if (std::uint64_t{table.begin} + table.count > plan.blocks.size()) {
      return bad("row {}: table [{}, +{}) of {} blocks", r, table.begin, table.count,
                 plan.blocks.size());
    }
    if (std::uint64_t{table.count} * group.block_tokens < end) {
      return bad("row {}: {} blocks of {} for {} positions", r, table.count, group.block_tokens,
                 end);
    }
    const std::uint32_t visible =  // the first position that the first token sees
        group.window != 0 && row.first_position >= group.window
            ? row.first_position - group.window + 1
            : 0;
    for (std::uint32_t i = 0; i < table.count; ++i) {
      const BlockId block = plan.blocks[table.begin + i];
      const bool is_behind = (std::uint64_t{i} + 1) * group.block_tokens <= visible;
      if (block < 0 || static_cast<std::uint32_t>(block) >= group.blocks ||
          (block == 0 && !is_behind)) {
        return bad("row {}: block {} at {} of group {}", r, block, i, g);
      }
    }
    for (std::uint64_t i = row.first_position / group.block_tokens; i * group.block_tokens < end;
         ++i) {
      written.emplace_back(g, plan.blocks[table.begin + i]);
    }
  }
  return ok_status();
}

// What one row writes, no other row names: rows of a step run in any order.
Status validate_writes(const StepPlan& plan, const Capacity& capacity,
                       std::vector<GroupBlock>& written) {
  std::sort(written.begin(), written.end());
  const auto twice = std::adjacent_find(written.begin(), written.end());
  if (twice != written.end()) return bad("block {} is written by two rows", twice->second);
  std::size_t named = 0;
  for (std::uint32_t g = 0; g < plan.groups; ++g) {
    std::vector<std::uint8_t> is_written(capacity.groups[g].blocks, 0);
    for (const GroupBlock& it : written) {
      if (it.first == g) is_written[static_cast<std::size_t>(it.second)] = 1;
    }
    for (const StepRow& row : plan.rows) {
      const Span table = plan.tables[row.tables_begin + g];
      for (std::uint32_t i = 0; i < table.count; ++i) {
        named += is_written[static_cast<std::size_t>(plan.blocks[table.begin + i])];
      }
    }
  }
  if (named != written.size()) return bad("a block is written by one row and read by another");
  return ok_status();
}

Status validate_copies(const StepPlan& plan, const Capacity& capacity) {
  std::vector<GroupBlock> sources, destinations;
  for (const BlockCopy& copy : plan.copies) {
    if (copy.group >= plan.groups) return bad("a copy in group {}", copy.group);
    const auto blocks = static_cast<BlockId>(capacity.groups[copy.group].blocks);
    if (copy.src_tier != 0 || copy.dst_tier != 0 || copy.src < 1 || copy.src >= blocks ||
        copy.dst < 1 || copy.dst >= blocks) {
      return bad("a copy from block {} (tier {}) to {} (tier {})", copy.src, copy.src_tier,
                 copy.dst, copy.dst_tier);
    }
    sources.emplace_back(copy.group, copy.src);
    destinations.emplace_back(copy.group, copy.dst);
  }
  std::sort(sources.begin(), sources.end());
  std::sort(destinations.begin(), destinations.end());
  if (std::adjacent_find(destinations.begin(), destinations.end()) != destinations.end()) {
    return bad("two copies have one destination");
  }
  for (const GroupBlock& destination : destinations) {
    if (std::binary_search(sources.begin(), sources.end(), destination)) {
      return bad("block {} is the source of a copy and the destination of one", destination.second);
    }
  }
  return ok_status();
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

Status validate(const StepPlan& plan, const Capacity& capacity) {
  QUIRE_RETURN_IF_ERROR(validate_totals(plan, capacity));
  std::vector<SeqId> seqs;
  std::vector<GroupBlock> written;
  std::uint64_t tokens_before = 0;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    QUIRE_RETURN_IF_ERROR(validate_row(plan, r, capacity, tokens_before));
    QUIRE_RETURN_IF_ERROR(validate_tables(plan, r, capacity, written));
    tokens_before += plan.rows[r].tokens.count;
    seqs.push_back(plan.rows[r].seq);
  }
  if (tokens_before != plan.tokens.size()) {
    return bad("rows feed {} tokens of {}", tokens_before, plan.tokens.size());
  }
  std::sort(seqs.begin(), seqs.end());
  if (std::adjacent_find(seqs.begin(), seqs.end()) != seqs.end()) {
    return bad("a sequence has two rows");
  }
  QUIRE_RETURN_IF_ERROR(validate_writes(plan, capacity, written));
  return validate_copies(plan, capacity);
}

std::vector<std::byte> to_bytes(const StepPlan& plan) {
  ByteWriter out;
  out.reserve(64 + plan.rows.size() * kRowBytes + plan.tables.size() * kSpanBytes +
              (plan.tokens.size() + plan.blocks.size()) * 4 + plan.copies.size() * kCopyBytes);
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
  return out.take();
}

Result<StepPlan> plan_from_bytes(std::span<const std::byte> bytes) {
  constexpr std::size_t kHeaderBytes = 16 + 5 * 4;
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
  return plan;
}

}  // namespace quire
