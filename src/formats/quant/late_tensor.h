// LateTensor: the bytes of a weight that no file holds as a product reads it, made when they are
// first asked for and kept until they are let go; then made anew. What makes them was checked while
// the file was opened and cannot fail.
// A lock guards them; any thread. Made by the methods of quantization, asked by model/tensor_match.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace quire {

class LateTensor {
 public:
  explicit LateTensor(std::function<std::vector<std::byte>()> make,
                      std::shared_ptr<const LateTensor> in_bf16 = nullptr)
      : make_(std::move(make)), in_bf16_(std::move(in_bf16)) {}

  const std::byte* bytes() const {
    const std::lock_guard held(mutex_);
    if (bytes_.empty()) bytes_ = make_();
    return bytes_.data();
  }
  // REQUIRES: nobody reads bytes() that it was given.
  void let_go() const {
    const std::lock_guard held(mutex_);
    std::vector<std::byte>().swap(bytes_);
  }

  // The same weight value by value, for who reads it with rows and columns exchanged; null: it is
  // so, or cannot be.
  const std::shared_ptr<const LateTensor>& in_bf16() const { return in_bf16_; }

 private:
  std::function<std::vector<std::byte>()> make_;
  std::shared_ptr<const LateTensor> in_bf16_;
  mutable std::mutex mutex_;
  mutable std::vector<std::byte> bytes_;  // under the lock
};

}  // namespace quire
