// Recurrences whose channels do not see each other: Mamba's selective scan (Gu and Dao, 2023) and
// the gated linear unit of Griffin (De et al., 2024). A lane is a channel, which meets all tokens
// of the run before the next ones, so that its state stays in the first level of caches. The sum
// over the rows of a state is one chain in their order: the same bits whatever the lanes.
// Included once per instruction set, after gates.inl (see cpu/*.cc).

void selective(const SelectiveTask& task) {
  const int count = task.channel_end - task.channel_begin;
  for_each_vector(count, [&](int i, auto at) {
    const int c = task.channel_begin + i;
    const F bias = at.read(task.bias + c), skip = at.read(task.skip + c);
    const float* from = task.state;
    for (int t = 0; t < task.tokens; ++t) {
      float* to = task.states != nullptr ? task.states[t] : task.state;
      const F x = at.read(task.x + t * task.x_stride + c);
      const F step = softplus(at.read(task.steps + t * task.step_stride + c) + bias);
      const F gain = step * x;
      const float* keys = task.keys + t * task.key_stride;
      const float* queries = task.queries + t * task.query_stride;
      F sum = skip * x;
      std::ptrdiff_t place = c;
      for (int n = 0; n < task.rows; ++n, place += task.channels) {
        const F decay = exponential(at.read(task.rates + place) * step);
        const F next = fma(at.read(from + place), decay, gain * splat(keys[n]));
        at.write(to + place, next);
        sum = fma(next, splat(queries[n]), sum);
      }
      at.write(task.out + t * task.out_stride + c, sum);
      from = to;
    }
  });
}

void gated_unit(const GatedUnitTask& task) {
  const int count = task.channel_end - task.channel_begin;
  for_each_vector(count, [&](int i, auto at) {
    const int c = task.channel_begin + i;
    const F rate = at.read(task.rates + c);
    const F input_bias = at.read(task.input_bias + c), gate_bias = at.read(task.gate_bias + c);
    F state = at.read(task.state + c);
    for (int t = 0; t < task.tokens; ++t) {
      const F gate = sigmoid(at.read(task.gates + t * task.gate_stride + c) + gate_bias);
      const F input = sigmoid(at.read(task.inputs + t * task.input_stride + c) + input_bias);
      const F exponent = rate * gate;
      const F decay = exponential(exponent);
      // As files' own code has it: not decay * decay, which is less exact near one.
      F root = square_root(splat(1.0f) - exponential(exponent + exponent));
      if (task.is_new && t == 0) root = splat(1.0f);
      const F gained = input * at.read(task.x + t * task.x_stride + c) * root;
      state = fma(decay, state, gained);
      at.write(task.out + t * task.out_stride + c, state);
      if (task.states != nullptr) at.write(task.states[t] + c, state);
    }
    if (task.states == nullptr) at.write(task.state + c, state);
  });
}
