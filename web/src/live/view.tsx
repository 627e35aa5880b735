// The live view: what the server does now. It asks only while it is seen.
import { useEffect, useState } from "preact/hooks";
import type { KvGroup, ModelStatus, Percentiles, Radix } from "../api/status";
import { apiKey } from "../api/client";
import { bytes, count, duration, percent, rate } from "../ui/format";
import { isPageVisible } from "../ui/media";
import { Tile } from "../ui/tile";
import { BarList, Legend, LineChart, StepChart } from "./charts";
import { feedError, history, status, watchStatus } from "./feed";
import { barOf, mapPaths, type Point } from "./history";
import { mapLabel, nature, onlyGroup, usage } from "./kv";

export function LiveView() {
  const isSeen = isPageVisible.value;
  const key = apiKey.value;
  useEffect(() => (isSeen ? watchStatus() : undefined), [isSeen, key]);
  const [chosen, setChosen] = useState("");
  const now = status.value;
  const model = now?.models.find(({ name }) => name === chosen) ?? now?.models[0];
  return (
    <main class="page live" tabIndex={0} aria-label="Live">
      <div class="page-content">
        <div class="page-head">
          <h1>Live</h1>
          {now && (
            <p class="hint">
              Quire {now.version} · up {duration(now.uptime_s * 1000)} · {bytes(now.rss_bytes)}{" "}
              resident
              {now.draining && " · draining"}
            </p>
          )}
        </div>
        {feedError.value && (
          <p class="error" role="alert">
            {feedError.value}
          </p>
        )}
        {!now && !feedError.value && (
          <p class="hint" role="status">
            Waiting for the first figures…
          </p>
        )}
        {now && now.models.length > 1 && model && (
          <ModelTable models={now.models} chosen={model.name} onChoose={setChosen} />
        )}
        {model && <ModelFigures model={model} points={history.value[model.name] ?? []} />}
      </div>
    </main>
  );
}

function ModelTable({
  models,
  chosen,
  onChoose,
}: {
  models: ModelStatus[];
  chosen: string;
  onChoose: (name: string) => void;
}) {
  return (
    <div class="table-frame" tabIndex={0} role="region" aria-label="Models">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Running
            </th>
            <th scope="col" class="number">
              Waiting
            </th>
            <th scope="col" class="number">
              Tokens/s
            </th>
            <th scope="col" class="number">
              First token p50
            </th>
            <th scope="col" class="number">
              Requests
            </th>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <tr key={model.name} class={model.name === chosen ? "is-current" : ""}>
              <th scope="row">
                <button
                  type="button"
                  class="link"
                  aria-pressed={model.name === chosen}
                  onClick={() => onChoose(model.name)}
                >
                  {model.name}
                </button>
              </th>
              <td>{model.state}</td>
              <td class="number">{count(model.running)}</td>
              <td class="number">{count(model.waiting)}</td>
              <td class="number">{rate(model.tokens.generated_per_s)}</td>
              <td class="number">{duration(model.latency_ms.ttft.p50)}</td>
              <td class="number">{count(model.requests_total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ModelFigures({ model, points }: { model: ModelStatus; points: readonly Point[] }) {
  const hits = model.prefix;
  return (
    <section aria-label={`Model ${model.name}`}>
      <div class="model-head">
        <h2>{model.name}</h2>
        <p class="hint">
          {[
            model.state,
            model.isa,
            model.context_max && `context ${count(model.context_max)}`,
            `${count(model.requests_total)} requests`,
            model.preemptions_total > 0 && `${count(model.preemptions_total)} preemptions`,
          ]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </div>
      <dl class="tiles">
        <Tile
          name="Generated"
          value={rate(model.tokens.generated_per_s)}
          unit="tokens/s"
          id="generated"
        />
        <Tile
          name="Prompts computed"
          value={rate(model.tokens.prompt_per_s)}
          unit="tokens/s"
          id="prompt"
        />
        <Tile
          name="Running"
          value={count(model.running)}
          unit={`${count(model.waiting)} waiting`}
          id="running"
        />
        <Tile
          name="Prefix cache hits"
          value={percent(hits.hit_rate)}
          unit={`${count(hits.cached_tokens)} of ${count(hits.prompt_tokens)} tokens`}
          id="hits"
        />
      </dl>
      <div class="cards">
        <div class="card">
          <LineChart
            title="Throughput"
            unit="tokens/s"
            points={points}
            series={[
              { name: "generated", color: "decode", value: (point) => point.generated },
              { name: "prompts", color: "prefill", value: (point) => point.prompt },
            ]}
          />
        </div>
        <div class="card">
          <LineChart
            title="Requests"
            unit=""
            points={points}
            series={[
              { name: "running", color: "decode", value: (point) => point.running },
              { name: "waiting", color: "wait", value: (point) => point.waiting },
            ]}
          />
        </div>
        <div class="card">
          <StepChart bars={model.steps.map(barOf)} />
        </div>
        <div class="card">
          <Latency latency={model.latency_ms} />
        </div>
        <div class="card">
          <KvCache kv={model.kv} />
        </div>
        <div class="card">
          <RadixTree radix={model.radix} blockTokens={model.kv.block_tokens} />
        </div>
      </div>
    </section>
  );
}

function Latency({ latency }: { latency: ModelStatus["latency_ms"] }) {
  const rows: [string, Percentiles][] = [
    ["First token", latency.ttft],
    ["Between tokens", latency.itl],
    ["Step", latency.step],
  ];
  return (
    <table class="table latency">
      <caption>Latency, the last minute</caption>
      <thead>
        <tr>
          <td />
          <th scope="col" class="number">
            p50
          </th>
          <th scope="col" class="number">
            p90
          </th>
          <th scope="col" class="number">
            p99
          </th>
          <th scope="col" class="number">
            of
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, { p50, p90, p99, count: samples }]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">{duration(p50)}</td>
            <td class="number">{duration(p90)}</td>
            <td class="number">{duration(p99)}</td>
            <td class="number">{count(samples)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const MAP_COLUMNS = 64;
const BLOCK_STATES = [
  { letter: "r", name: "in use", color: "decode" },
  { letter: "s", name: "in use by several", color: "shared" },
  { letter: "c", name: "cached", color: "cached" },
  { letter: "f", name: "free", color: "free" },
];

function KvCache({ kv }: { kv: ModelStatus["kv"] }) {
  const only = onlyGroup(kv);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">KV cache</span>
        <Legend entries={BLOCK_STATES} />
      </figcaption>
      {only ? (
        <>
          {only.layers > 0 && <p class="hint">{nature(only)}</p>}
          <BlockMap group={only} label={mapLabel(only, false)} />
        </>
      ) : (
        kv.groups.map((group, index) => (
          <section key={index} class="kv-group" aria-label={`KV group ${index + 1}: ${group.name}`}>
            <h3>
              {group.name} <span class="hint">{nature(group)}</span>
            </h3>
            <BlockMap group={group} label={mapLabel(group, true)} />
          </section>
        ))
      )}
    </figure>
  );
}

function BlockMap({ group, label }: { group: KvGroup; label: string }) {
  const paths = mapPaths(group.map, MAP_COLUMNS);
  const rows = Math.max(1, Math.ceil(group.map.length / MAP_COLUMNS));
  return (
    <>
      <svg class="block-map" viewBox={`0 0 ${MAP_COLUMNS} ${rows}`} role="img" aria-label={label}>
        {BLOCK_STATES.map(({ letter, color }) => (
          <path key={letter} class={color} d={paths[letter] ?? ""} />
        ))}
      </svg>
      <p class="hint">{usage(group)}</p>
    </>
  );
}

// Names for buckets that each end at a bound; the last one is open.
export function bucketNames(bounds: (number | null)[], unit: string): string[] {
  return bounds.map((bound, index) => {
    const before = index > 0 ? bounds[index - 1] : undefined;
    if (bound == null) return before == null ? `any ${unit}` : `over ${count(before)} ${unit}`;
    return `to ${count(bound)} ${unit}`;
  });
}

function RadixTree({ radix, blockTokens }: { radix: Radix | null; blockTokens: number }) {
  if (!radix) return <p class="hint">The tree of cached prefixes has not been looked at yet.</p>;
  const ages = bucketNames(
    radix.by_age.map((bucket) => bucket.steps_ago_max),
    "steps",
  );
  const depths = bucketNames(
    radix.by_depth.map((bucket) => bucket.tokens_max),
    "tokens",
  );
  return (
    <div class="radix">
      <h3 class="chart-title">Cached prefixes</h3>
      <p class="hint">
        {count(radix.nodes)} nodes hold {count(radix.tokens)} tokens in {count(radix.blocks)} blocks
        of {count(blockTokens)}
      </p>
      <div class="radix-lists">
        <BarList
          title="Blocks by last use"
          rows={radix.by_age.map(({ blocks }, i) => ({ name: ages[i] ?? "", value: blocks }))}
        />
        <BarList
          title="Blocks by depth"
          rows={radix.by_depth.map(({ blocks }, i) => ({ name: depths[i] ?? "", value: blocks }))}
        />
      </div>
      {radix.largest.length > 0 && (
        <p class="hint">
          Longest:{" "}
          {radix.largest
            .slice(0, 3)
            .map(
              ({ tokens, steps_ago }) => `${count(tokens)} tokens (${count(steps_ago)} steps ago)`,
            )
            .join(", ")}
        </p>
      )}
    </div>
  );
}
