// TensorRule: one tensor of an architecture as data: the name that everything behind the files uses
// (canonical), how each kind of file holds it, the shape that the configuration implies and what it
// is for. Readers, random models, the memory plan, the cost model and `show` go through a model's
// rules; none of them knows which architecture it is.
// Plain values; any thread. Made by model/arch.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

// What a tensor is for.
enum class Role {
  kMatrix,   // [rows, columns]: a product of every token
  kTable,    // [rows, columns]: gathered from; a tied head's products read it, too
  kHead,     // [rows, columns]: a product of wanted or pooled rows only
  kRouter,   // [experts, columns]: chooses among experts; small, and held as float32
  kExperts,  // [experts, rows, columns]: products of the tokens that are sent there
  kHeads,    // [heads, rows, columns]: a product of every token, each head with its own part
  kNorm,     // [columns]: about 1
  kBias,     // [columns]: about 0
  kVector,   // any small shape: float32, about `center`
};

// What is done to values on the way in; of vectors, where nothing else is said.
enum class Convert {
  kNone,
  kPlusOne,   // a norm's weight that is stored as its distance from 1
  kUnitRows,  // of a matrix: rows divided by their lengths, in the type of the file
  kFirstLessSecond,  // of a matrix: one row that is the first of two less the second, in float32
  kMinusExp,  // a decay that is stored as the logarithm of its size
};

// How one kind of file holds a tensor. A row r of ours is the row
//   first + r / run * stride + r % run
// of the stored one, which has `total` rows: part of a fused tensor, or heads taken out of a weave.
struct Stored {
  std::string name;           // {e} stands for the expert where each has its own; empty: nowhere
  std::size_t first = 0;
  std::size_t run = 0;        // 0: all rows are one run
  std::size_t stride = 0;
  std::size_t total = 0;      // 0: as many as ours
  bool is_transposed = false;  // [columns, rows]: floats only
  std::size_t column = 0;     // of what is transposed: our first column is this one of `columns`;
  std::size_t columns = 0;    // 0: all are ours
  Convert convert = Convert::kNone;

  Stored(const char* file_name = "") : name(file_name) {}
  Stored(std::string file_name) : name(std::move(file_name)) {}

  // Rows [first, first + ours) of `total`.
  Stored rows(std::size_t first_row, std::size_t of_total) const {
    Stored stored = *this;
    stored.first = first_row;
    stored.total = of_total;
    return stored;
  }
  // `run_rows` of every `every` rows, from `first_row` on.
  Stored runs(std::size_t first_row, std::size_t run_rows, std::size_t every,
              std::size_t of_total) const {
    Stored stored = rows(first_row, of_total);
    stored.run = run_rows;
    stored.stride = every;
    return stored;
  }
  Stored transposed() const {
    Stored stored = *this;
    stored.is_transposed = true;
    return stored;
  }
  // Transposed, with columns [first, first + ours) of `of_columns`.
  Stored transposed(std::size_t first_column, std::size_t of_columns) const {
    Stored stored = transposed();
    stored.column = first_column;
    stored.columns = of_columns;
    return stored;
  }
  Stored converted(Convert how) const {
    Stored stored = *this;
    stored.convert = how;
    return stored;
  }
};

struct TensorRule {
  std::string canonical;           // "layers.3.q"
  Stored gguf;
  Stored hf;                       // of llama2.c as well
  std::vector<std::size_t> shape;  // [columns], [rows, columns] or [experts, rows, columns]
  Role role = Role::kMatrix;
  std::vector<Stored> others;      // looked for where a file has none of that name
  bool is_optional = false;        // a file may be without it
  float center = 0;                // of a random vector's values
  // Rows of a head whose rotary pairs are neighbours in files of GGUF and llama2.c, and half a head
  // apart in those of Hugging Face; 0: all files have the same order.
  std::size_t woven = 0;

  bool is_stack() const { return role == Role::kExperts || role == Role::kHeads; }
  bool is_vector() const {
    return role == Role::kNorm || role == Role::kBias || role == Role::kVector;
  }
  std::size_t elements() const {
    std::size_t count = 1;
    for (const std::size_t size : shape) count *= size;
    return count;
  }
};

// All tensors of a model, and what its files may hold beside them: "name", "prefix*" or "*suffix".
struct TensorRules {
  std::vector<TensorRule> rules;
  std::vector<std::string> ignored;
  bool are_alike = false;  // the rules say all in which the kinds of files differ: one kind's
                           // adapter fits the other's weights

  // REQUIRES: a shape without zeros, of three dimensions for a stack; names of no layer.
  void add(TensorRule rule);
  // {} in all names becomes the layer.
  void add_layer(int layer, TensorRule rule);
  void ignore(std::string pattern) { ignored.push_back(std::move(pattern)); }

  bool is_ignored(std::string_view name) const;
};

// The rules of one layer, whose names begin alike: ours with "layers.{}.", those of GGUF with
// "blk.{}.", those of Hugging Face with "model.layers.{}.". An empty name stays empty.
class LayerRules {
 public:
  LayerRules(TensorRules& rules, int layer) : rules_(rules), layer_(layer) {}

  void add(const char* name, Stored gguf, Stored hf, std::vector<std::size_t> shape,
           Role role = Role::kMatrix, std::vector<Stored> others = {}, float center = 0);

 private:
  TensorRules& rules_;
  int layer_;
};

}  // namespace quire
