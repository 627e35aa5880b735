// One request's life: its figures, a time line, and the same as a table.
import type { RequestEvent, RequestLife } from "../api/status";
import { clockTime, count, duration, plural } from "../ui/format";
import { requestHref } from "../ui/route";
import { Tile } from "../ui/tile";
import { Legend } from "../live/charts";
import {
  type Mark,
  type Span,
  sumsOf,
  ticks,
  type Timeline,
  timelineOf,
  type Track,
  wordsFor,
} from "./timeline";

export function Life({ life }: { life: RequestLife }) {
  const sums = sumsOf(life);
  return (
    <>
      <p class="hint">
        {life.model} · {life.endpoint} · {clockTime(life.created)}
        {life.request_id && life.request_id !== life.id && ` · x-request-id ${life.request_id}`}
      </p>
      <dl class="tiles life-tiles">
        <Tile
          name="Prompt"
          value={count(life.prompt_tokens)}
          unit={`${count(life.cached_tokens)} cached`}
          id="prompt"
        />
        <Tile
          name="Generated"
          value={count(life.generated_tokens)}
          unit={life.finish_reason ?? life.state}
          id="generated"
        />
        <Tile name="First token" value={duration(life.ttft_ms)} unit="" id="first-token" />
        <Tile
          name="Total"
          value={duration(life.total_ms)}
          unit={life.preemptions > 0 ? plural(life.preemptions, "preemption") : ""}
          id="total"
        />
      </dl>
      <div class="card life-card">
        <TimelineFigure timeline={timelineOf(life)} />
      </div>
      {life.earlier_prompt && (
        <p class="companions" id="earlier-prompt">
          Prompt: {life.earlier_prompt.says}
        </p>
      )}
      {(life.volatile_lines ?? []).length > 0 && (
        <p class="companions" id="volatile-lines">
          Lines that change with every request:{" "}
          {life.volatile_lines?.map((line) => `${line.pattern} ${line.done}`).join(", ")}
        </p>
      )}
      {sums.sharedWith.length > 0 && (
        <p class="companions">
          Shared steps with{" "}
          {sums.sharedWith.map((id) => (
            <a key={id} class="id" href={requestHref(id)}>
              {id}
            </a>
          ))}
        </p>
      )}
      <EventTable events={life.events} dropped={life.events_dropped ?? 0} />
    </>
  );
}

const WIDTH = 1000;
const ROW = 30;
const TRACKS: { track: Track; name: string; color: string }[] = [
  { track: "queued", name: "queued", color: "wait" },
  { track: "prefill", name: "prefill", color: "prefill" },
  { track: "decode", name: "decode", color: "decode" },
];
const MARK_NAMES: Partial<Record<RequestEvent["kind"], string>> = {
  first_token: "first token",
  preempted: "preempted",
  resumed: "resumed",
  cancelled: "cancelled",
};
const SPAN_WIDTH_MIN = 2; // so that a short one is seen

function TimelineFigure({ timeline }: { timeline: Timeline }) {
  const { total, spans, marks } = timeline;
  const x = (at: number) => (at / total) * WIDTH;
  const height = TRACKS.length * ROW;
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">Time line</span>
        <Legend entries={[...TRACKS, ...markLegend(marks)]} />
      </figcaption>
      <svg
        class="timeline"
        viewBox={`0 0 ${WIDTH} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={describe(timeline)}
      >
        {ticks(total).map((at) => (
          <path key={at} class="grid" d={`M${x(at)} 0V${height}`} />
        ))}
        {spans.map((span, index) => (
          <SpanRect key={index} span={span} x={x} />
        ))}
        {marks.map((mark, index) => (
          <g key={index}>
            <title>{markTitle(mark)}</title>
            <path class={`mark mark-${mark.kind}`} d={`M${x(mark.at)} 0V${height}`} />
          </g>
        ))}
      </svg>
      <div class="ticks" aria-hidden="true">
        {ticks(total).map((at) => (
          <span
            key={at}
            class={at > 0.9 * total ? "is-last" : ""}
            style={{ left: `${(at / total) * 100}%` }}
          >
            {at === 0 ? "0" : duration(at)}
          </span>
        ))}
      </div>
    </figure>
  );
}

function SpanRect({ span, x }: { span: Span; x: (at: number) => number }) {
  const row = TRACKS.findIndex(({ track }) => track === span.track);
  const left = x(span.start);
  return (
    <rect
      class={TRACKS[row]?.color}
      x={left}
      y={row * ROW + 5}
      height={ROW - 10}
      rx={2}
      width={Math.max(x(span.end) - left - 1, SPAN_WIDTH_MIN)}
    >
      <title>{`${span.track}, ${duration(span.end - span.start)}: ${wordsFor(span.event)}`}</title>
    </rect>
  );
}

// One entry for each kind of mark that is there.
function markLegend(marks: Mark[]): { name: string; color: string }[] {
  return [...new Set(marks.map(({ kind }) => kind))].map((kind) => ({
    name: MARK_NAMES[kind] ?? kind,
    color: `line-${kind}`,
  }));
}

function markTitle({ kind, at }: Mark): string {
  return `${MARK_NAMES[kind] ?? kind} after ${duration(at)}`;
}

function describe({ total, spans, marks }: Timeline): string {
  const phases = TRACKS.map(({ track, name }) => {
    const ms = spans
      .filter((span) => span.track === track)
      .reduce((sum, { start, end }) => sum + end - start, 0);
    return `${name} ${duration(ms)}`;
  });
  return [`${duration(total)} in all: ${phases.join(", ")}`, ...marks.map(markTitle)].join("; ");
}

function EventTable({ events, dropped }: { events: RequestEvent[]; dropped: number }) {
  return (
    <div class="table-frame" tabIndex={0} role="region" aria-label="What happened">
      <table class="table events">
        <thead>
          <tr>
            <th scope="col" class="number">
              At
            </th>
            <th scope="col">What</th>
            <th scope="col" class="number">
              For
            </th>
            <th scope="col">Details</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event, index) => (
            <tr key={index}>
              <td class="number">{duration(event.t_ms)}</td>
              <th scope="row">{MARK_NAMES[event.kind] ?? event.kind}</th>
              <td class="number">{event.ms === undefined ? "" : duration(event.ms)}</td>
              <td>{wordsFor(event)}</td>
            </tr>
          ))}
          {dropped > 0 && (
            <tr>
              <td colSpan={4}>{plural(dropped, "event")} beyond the bound left out</td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
