// A causal convolution over time, each channel by itself, as short as the state remembers: the last
// width - 1 inputs. A channel's sum is one chain of fma from its bias on, the oldest input first.
// Included once per instruction set, after gates.inl (see cpu/*.cc).

constexpr int kConvChannels = 64;  // at a time: their history lies on the stack

struct ConvHistory {
  float columns[kConvWidthMax - 1][kConvChannels];
};

// The inputs of the channels from `channel` on at token t, which may lie before the run.
inline const float* conv_input(const ConvTask& task, const ConvHistory& history, int channel,
                               int t) {
  return t < 0 ? history.columns[t + task.width - 1] : task.x + t * task.x_stride + channel;
}

// The state after token t.
inline void put_conv_state(const ConvTask& task, const ConvHistory& history, int channel, int count,
                           int t, float* state) {
  for (int i = 0; i < task.width - 1; ++i) {
    std::memcpy(state + static_cast<std::ptrdiff_t>(i) * task.channels + channel,
                conv_input(task, history, channel, t - task.width + 2 + i),
                static_cast<std::size_t>(count) * sizeof(float));
  }
}

template <bool kIsSilu>
void conv_channels(const ConvTask& task, int channel, int count) {
  ConvHistory history;
  for (int i = 0; i < task.width - 1; ++i) {
    std::memcpy(history.columns[i],
                task.state + static_cast<std::ptrdiff_t>(i) * task.channels + channel,
                static_cast<std::size_t>(count) * sizeof(float));
  }
  for (int t = 0; t < task.tokens; ++t) {
    const float* inputs[kConvWidthMax];
    for (int i = 0; i < task.width; ++i) {
      inputs[i] = conv_input(task, history, channel, t - task.width + 1 + i);
    }
    float* out = task.out + t * task.out_stride + channel;
    for_each_vector(count, [&](int c, auto at) {
      const float* weights = task.weights + channel + c;
      F sum = task.bias != nullptr ? at.read(task.bias + channel + c) : splat(0);
      for (int i = 0; i < task.width; ++i, weights += task.channels) {
        sum = fma(at.read(weights), at.read(inputs[i] + c), sum);
      }
      at.write(out + c, kIsSilu ? silu(sum) : sum);
    });
    if (task.states != nullptr) {
      put_conv_state(task, history, channel, count, t, task.states[t]);
    }
  }
  if (task.states == nullptr) {
    put_conv_state(task, history, channel, count, task.tokens - 1, task.state);
  }
}

void conv(const ConvTask& task) {
  for (int channel = task.channel_begin; channel < task.channel_end; channel += kConvChannels) {
    const int rest = task.channel_end - channel;
    const int count = rest < kConvChannels ? rest : kConvChannels;
    task.is_silu ? conv_channels<true>(task, channel, count)
                 : conv_channels<false>(task, channel, count);
  }
}
