// Small figures, drawn as SVG. Each says in words what it shows.
import type { JSX } from "preact";
import { count, rate } from "../ui/format";
import { type Point, POINTS_MAX, niceTop, type StepBar } from "./history";

export interface Series {
  name: string;
  color: string;
  value: (point: Point) => number;
}

const WIDTH = 600;
const HEIGHT = 120;

// Two minutes, the newest point at the right.
export function LineChart({
  title,
  series,
  points,
  unit,
}: {
  title: string;
  series: Series[];
  points: readonly Point[];
  unit: string;
}) {
  const top = niceTop(
    Math.max(0, ...points.flatMap((point) => series.map(({ value }) => value(point)))),
  );
  const x = (index: number) => WIDTH - (points.length - 1 - index) * (WIDTH / (POINTS_MAX - 1));
  const y = (value: number) => HEIGHT - (value / top) * (HEIGHT - 4) - 1;
  const last = points.at(-1);
  const words = series.map(({ name, value }) => `${name} ${last ? rate(value(last)) : "unknown"}`);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <Legend entries={series} />
      </figcaption>
      <div class="plot">
        <span class="scale">
          {rate(top)} {unit}
        </span>
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title}, the last two minutes. Now: ${words.join(", ")} ${unit}.`}
        >
          <path
            class="grid"
            d={`M0 ${y(top)}H${WIDTH}M0 ${y(top / 2)}H${WIDTH}M0 ${HEIGHT - 1}H${WIDTH}`}
          />
          {series.map(({ name, color, value }) => (
            <polyline
              key={name}
              class={`line ${color}`}
              points={points.map((point, index) => `${x(index)},${y(value(point))}`).join(" ")}
            />
          ))}
        </svg>
        <span class="ends">
          <span>2 min ago</span>
          <span>now</span>
        </span>
      </div>
    </figure>
  );
}

export function Legend({ entries }: { entries: { name: string; color: string }[] }) {
  return (
    <span class="legend">
      {entries.map(({ name, color }) => (
        <span key={name}>
          <i class={color} />
          {name}
        </span>
      ))}
    </span>
  );
}

const BARS_MAX = 40;

// What each of the last steps was made of: tokens of prompts below, one token a row on top.
export function StepChart({ bars }: { bars: StepBar[] }) {
  const shown = bars.slice(-BARS_MAX);
  const top = niceTop(Math.max(1, ...shown.map(({ prefill, decode }) => prefill + decode)));
  const height = (tokens: number) => (tokens / top) * (HEIGHT - 4);
  const slot = WIDTH / BARS_MAX;
  const last = shown.at(-1);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">Batch of each step</span>
        <Legend
          entries={[
            { name: "decode", color: "decode" },
            { name: "prefill", color: "prefill" },
          ]}
        />
      </figcaption>
      <div class="plot">
        <span class="scale">{count(top)} tokens</span>
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={
            last
              ? `Tokens in the last ${shown.length} steps. Step ${last.step}: ` +
                `${last.prefill} of prompts, ${last.decode} decoded.`
              : "No step has run yet."
          }
        >
          <path class="grid" d={`M0 ${HEIGHT - 1}H${WIDTH}M0 3H${WIDTH}`} />
          {shown.map((bar, index) => {
            const x = (BARS_MAX - shown.length + index) * slot + slot * 0.12;
            const prefill = height(bar.prefill);
            const decode = height(bar.decode);
            return (
              <g key={bar.step}>
                <title>
                  {`Step ${bar.step}: ${bar.prefill} prefill + ${bar.decode} decode tokens, ` +
                    `${bar.rows} rows, ${bar.ms.toFixed(1)} ms`}
                </title>
                <rect
                  class="prefill"
                  x={x}
                  width={slot * 0.76}
                  y={HEIGHT - 1 - prefill}
                  height={prefill}
                />
                <rect
                  class="decode"
                  x={x}
                  width={slot * 0.76}
                  y={HEIGHT - 1 - prefill - decode}
                  height={decode}
                />
              </g>
            );
          })}
        </svg>
        <span class="ends">
          <span>{shown[0] ? `step ${count(shown[0].step)}` : ""}</span>
          <span>{last ? `step ${count(last.step)}` : ""}</span>
        </span>
      </div>
    </figure>
  );
}

// Lengths side by side, each with its name and figure.
export function BarList({
  title,
  rows,
}: {
  title: string;
  rows: { name: string; value: number }[];
}): JSX.Element {
  const top = Math.max(1, ...rows.map(({ value }) => value));
  return (
    <table class="bar-list">
      <caption>{title}</caption>
      <tbody>
        {rows.map(({ name, value }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td aria-hidden="true">
              {value > 0 && <i style={{ width: `${(value / top) * 100}%` }} />}
            </td>
            <td class="number">{count(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
