// An answer as its tokens, each shaded by how unlikely it was. Hovering, or the arrow keys, shows
// what else could have stood there.
import { useRef, useState } from "preact/hooks";
import type { ScoredToken } from "../api/chat";
import { percent } from "../ui/format";

// From "nearly certain" to "hardly expected".
export function shade(logprob: number): number {
  const probability = Math.exp(logprob);
  return [0.9, 0.6, 0.3, 0.1].filter((bound) => probability < bound).length;
}

export function visible(text: string): string {
  return text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replace(/^ | $/g, "␣") || "∅";
}

export function TokenView({ tokens }: { tokens: ScoredToken[] }) {
  const [active, setActive] = useState(-1);
  const frame = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    setActive(Math.min(Math.max(active + step, 0), tokens.length - 1));
  };
  const element =
    active < 0 ? undefined : frame.current?.querySelector<HTMLElement>(`[data-token="${active}"]`);
  const token = tokens[active];
  const left = Math.min(element?.offsetLeft ?? 0, (frame.current?.clientWidth ?? 0) - 232);
  return (
    <div class="token-frame" ref={frame} onMouseLeave={() => setActive(-1)}>
      <div
        class="tokens"
        role="group"
        tabIndex={0}
        onKeyDown={move}
        onFocus={() => setActive(Math.max(active, 0))}
        onBlur={() => setActive(-1)}
        aria-label="Tokens; left and right arrow keys go from one to the next"
      >
        {tokens.map((one, index) => (
          <span
            key={index}
            data-token={index}
            onMouseEnter={() => setActive(index)}
            class={`token shade-${shade(one.logprob)} ${index === active ? "is-active" : ""}`}
          >
            {one.text}
          </span>
        ))}
      </div>
      <div class="token-legend" aria-hidden="true">
        {["over 90 %", "60 %", "30 %", "10 %", "less"].map((label, index) => (
          <span key={label}>
            <i class={`shade-${index}`} />
            {label}
          </span>
        ))}
      </div>
      <div
        aria-live="polite"
        class="token-card"
        hidden={!token}
        style={{
          left: `${Math.max(left, 0)}px`,
          top: `${(element?.offsetTop ?? 0) + (element?.offsetHeight ?? 0) + 6}px`,
        }}
      >
        {token && <Alternatives token={token} />}
      </div>
    </div>
  );
}

function Alternatives({ token }: { token: ScoredToken }) {
  const isListed = token.top.some(([text]) => text === token.text);
  const rows: [string, number][] = isListed
    ? token.top
    : [[token.text, token.logprob], ...token.top];
  return (
    <table>
      <caption class="hidden">Likeliest tokens here</caption>
      <tbody>
        {rows.map(([text, logprob]) => (
          <tr key={text} class={text === token.text ? "is-chosen" : ""}>
            <th scope="row">{visible(text)}</th>
            <td>
              <meter min={0} max={1} value={Math.exp(logprob)} aria-hidden="true" />
            </td>
            <td class="number">{percent(Math.exp(logprob))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
