// What GET /quire/status and GET /debug/requests say. null: not known (yet).

export interface Percentiles {
  p50: number | null;
  p90: number | null;
  p99: number | null;
  count: number;
}

export interface StepRow {
  request: string;
  phase: "prefill" | "decode";
  tokens: number;
}

export interface Step {
  step: number;
  ms: number;
  rows: StepRow[];
  rows_total?: number;
}

export interface Radix {
  nodes: number;
  blocks: number;
  tokens: number;
  by_age: { steps_ago_max: number | null; blocks: number }[];
  by_depth: { tokens_max: number | null; blocks: number }[];
  largest: { tokens: number; blocks: number; steps_ago: number }[];
}

// One kind of memory that a model keeps of each sequence. Who owns its blocks is null until
// somebody has looked.
export interface KvGroup {
  name: string;
  holds: "positions" | "state";
  of: "text" | "encoder";
  layers: number;
  block_tokens: number;
  window: number | null; // tokens; null: all
  sinks: number; // first tokens that are kept beside the window
  k_type: string | null; // "F16"; null: of a state
  v_type: string | null;
  bytes_per_block: number;
  blocks: number;
  free: number | null;
  cached: number | null;
  referenced: number | null;
  shared: number | null;
  map: string;
  blocks_per_letter: number;
}

export interface ModelStatus {
  name: string;
  aliases: string[];
  state: string;
  isa: string | null;
  context_max: number | null;
  rows_max: number | null;
  tokens_max: number | null;
  running: number;
  waiting: number;
  requests_total: number;
  tokens: {
    prompt_total: number;
    cached_total: number;
    generated_total: number;
    prompt_per_s: number;
    generated_per_s: number;
  };
  latency_ms: { ttft: Percentiles; itl: Percentiles; step: Percentiles };
  preemptions_total: number;
  kv: {
    block_tokens: number;
    blocks: number;
    free: number;
    cached: number;
    referenced: number;
    map: string;
    blocks_per_letter: number;
    groups: KvGroup[];
  };
  radix: Radix | null;
  prefix: { prompt_tokens: number; cached_tokens: number; hit_rate: number | null };
  steps: Step[];
}

export interface Status {
  time: number; // seconds since 1970
  version: string;
  uptime_s: number;
  rss_bytes: number;
  heap_bytes: number; // allocated, of these
  draining: boolean;
  models: ModelStatus[];
}

export type EventKind =
  | "queued"
  | "admitted"
  | "prefill"
  | "decode"
  | "preempted"
  | "resumed"
  | "first_token"
  | "finished"
  | "cancelled";

export interface RequestEvent {
  t_ms: number; // since the request came
  kind: EventKind;
  ms?: number;
  steps?: [first: number, last: number];
  step_count?: number;
  tokens?: number;
  generated?: number;
  cached?: number;
  shared_with?: string[];
  shared_count?: number;
  reason?: string;
  branch?: number;
}

export interface RequestSummary {
  id: string;
  request_id?: string;
  model: string;
  endpoint: string;
  created: number; // seconds since 1970
  state: "waiting" | "running" | "finished";
  finish_reason: string | null;
  choices?: number;
  prompt_tokens: number;
  cached_tokens: number;
  generated_tokens: number;
  preemptions: number;
  ttft_ms: number | null;
  total_ms: number | null;
  events_dropped?: number;
}

// The prompt beside the earlier one of the same client that it shares most with; null: none is
// known, or the server is an older one.
export interface EarlierPrompt {
  id: string;
  tokens: number;
  equal_tokens: number;
  first_difference: number | null;
  says: string;
}

export interface RequestLife extends RequestSummary {
  events: RequestEvent[];
  earlier_prompt?: EarlierPrompt | null;
  volatile_lines?: { pattern: string; done: "removed" | "kept" }[];
}
