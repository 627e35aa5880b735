// Elementwise work on activations: gates and activation functions, soft caps, scaled sums, and the
// decays of recurrent layers. out may be an input. One lane per element: nothing is summed.
// Included once per instruction set, after math.inl (see cpu/*.cc).

void silu_mul(const float* gate, const float* up, int count, float* out) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, silu(load(gate + i)) * load(up + i));
  if (i < count) {
    const int rest = count - i;
    store_partial(out + i, silu(load_partial(gate + i, rest)) * load_partial(up + i, rest), rest);
  }
}

struct WholeVector {
  inline F read(const float* p) const { return load(p); }
  inline void write(float* p, F x) const { store(p, x); }
};
struct PartVector {
  int count;
  inline F read(const float* p) const { return load_partial(p, count); }
  inline void write(float* p, F x) const { store_partial(p, x, count); }
};
// body(first element, how a vector is read and written)
template <typename Body>
inline void for_each_vector(int count, const Body& body) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) body(i, WholeVector{});
  if (i < count) body(i, PartVector{count - i});
}

// Calls body(the function of a vector).
template <typename Body>
inline void with_activation(Activation kind, const Body& body) {
  switch (kind) {
    case Activation::kSilu:
      return body([&](F x) { return silu(x); });
    case Activation::kGelu:
      return body([&](F x) { return gelu(x); });
    case Activation::kGeluTanh:
      return body([&](F x) { return gelu_tanh(x); });
    case Activation::kRelu:
      return body([&](F x) { return relu(x); });
    case Activation::kReluSquared:
      return body([&](F x) { return relu_squared(x); });
    case Activation::kSigmoid:
      return body([&](F x) { return sigmoid(x); });
    case Activation::kTanh:
      return body([&](F x) { return hyperbolic_tangent(x); });
    case Activation::kSoftplus:
      return body([&](F x) { return softplus(x); });
    case Activation::kExp:
      return body([&](F x) { return exponential(x); });
    case Activation::kNone:
      return body([&](F x) { return x; });
  }
}

void act(Activation kind, const float* x, int count, float* out) {
  with_activation(kind, [&](auto f) {
    for_each_vector(count, [&](int i, auto at) { at.write(out + i, f(at.read(x + i))); });
  });
}

void act_mul(Activation kind, const float* gate, const float* up, int count, float* out) {
  with_activation(kind, [&](auto f) {
    for_each_vector(count, [&](int i, auto at) {
      at.write(out + i, f(at.read(gate + i)) * at.read(up + i));
    });
  });
}

void soft_cap(float cap, const float* x, int count, float* out) {
  const F top = splat(cap);
  for_each_vector(count, [&](int i, auto at) {
    at.write(out + i, top * hyperbolic_tangent(at.read(x + i) / top));
  });
}

void add_scaled(const float* x, float scale, int count, float* out) {
  for_each_vector(count, [&](int i, auto at) {
    at.write(out + i, fma(at.read(x + i), splat(scale), at.read(out + i)));
  });
}

void scaled(const float* x, float factor, int count, float* out) {
  for_each_vector(count, [&](int i, auto at) {
    at.write(out + i, at.read(x + i) * splat(factor));
  });
}

void decays(const DecayTask& task) {
  for_each_vector(task.count, [&](int i, auto at) {
    F x = at.read(task.x + i);
    if (task.bias != nullptr) x = x + at.read(task.bias + i);
    const F step = min(splat(task.step_max), max(splat(task.step_min), softplus(x)));
    if (task.steps != nullptr) at.write(task.steps + i, step);
    at.write(task.decays + i, exponential(at.read(task.rates + i) * step));
  });
}
