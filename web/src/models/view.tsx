// The models view: what is served and what it takes, loading and unloading; the versions of a model
// repository; the store, and what is being fetched into it.
import { useEffect, useRef, useState } from "preact/hooks";
import { apiKey, Failure, getJson, sentence } from "../api/client";
import { loadModels } from "../api/models";
import { type Polled, usePolled } from "../api/polled";
import type { Document } from "../reference/document";
import { bytes, count, percent, plural } from "../ui/format";
import { notify } from "../ui/notice";
import { Tile } from "../ui/tile";
import { type Features, featuresOf, NO_FEATURES } from "./features";
import {
  askHost,
  bytesInMemory,
  deedOf,
  doing,
  factsOf,
  type Host,
  type HostedModel,
  isMoving,
  keepAlive,
  order,
  pinOf,
  refreshOf,
  shareOf,
} from "./host";
import { NO_PULL, progress, type Pull, pullModel } from "./pull";
import { askRepository, byModel, isServed, type Row, told, type Traffic } from "./repository";

export function ModelsView() {
  const features = useFeatures();
  const [turn, setTurn] = useState(0);
  const host = usePolled("host", askHost, { refreshMs: refreshOf, problem, turn });
  const act = (path: string) =>
    order(path)
      .catch((error: unknown) => notify({ text: sentence(error) }))
      .finally(() => {
        setTurn((before) => before + 1);
        void loadModels();
      });
  return (
    <main class="page models" tabIndex={0} aria-label="Models">
      <div class="page-content">
        <div class="page-head">
          <h1>Models</h1>
          {host.value && (
            <p class="hint">They stay in memory {keepAlive(host.value.keep_alive_seconds)}</p>
          )}
        </div>
        <Pending of={host} />
        {host.value && <Served host={host.value} act={act} />}
        {host.value?.has_repository && <RepositoryPart act={act} turn={turn} />}
        {features.hasStore && <Store canPull={features.canPull} />}
      </div>
    </main>
  );
}

function useFeatures(): Features {
  const [features, setFeatures] = useState(NO_FEATURES);
  const key = apiKey.value;
  useEffect(() => {
    const controller = new AbortController();
    getJson<Document>("/openapi.json", controller.signal)
      .then((document) => setFeatures(featuresOf(document)))
      .catch(() => {}); // then there is what every server has
    return () => controller.abort();
  }, [key]);
  return features;
}

function problem(error: unknown): string {
  return error instanceof Failure && error.status === 404
    ? "This server does not say what it serves: it knows no /quire/models."
    : sentence(error);
}

// What stands where an answer is not there yet, or could not be renewed.
function Pending({ of }: { of: Polled<unknown> }) {
  return (
    <>
      {of.error && (
        <p class="error" role="alert">
          {of.error}
        </p>
      )}
      {of.value === null && !of.error && (
        <p class="hint" role="status">
          Asking…
        </p>
      )}
    </>
  );
}

type Act = (path: string) => void;

function Served({ host, act }: { host: Host; act: Act }) {
  const ready = host.models.filter(({ state }) => state === "ready").length;
  const used = bytesInMemory(host);
  return (
    <>
      <dl class="tiles model-tiles">
        <Tile
          id="in-memory"
          name="In memory"
          value={count(ready)}
          unit={`of ${count(host.models.length)}`}
        />
        <Tile
          id="memory"
          name="Weights and KV"
          value={bytes(used)}
          unit={host.bytes_max ? `of ${bytes(host.bytes_max)}` : ""}
        />
        <Tile
          id="running"
          name="Requests"
          value={count(host.models.reduce((sum, one) => sum + one.requests_running, 0))}
          unit="running"
        />
      </dl>
      <ul class="model-list" aria-label="Served models">
        {host.models.map((model) => (
          <ModelCard key={model.name} model={model} host={host} act={act} />
        ))}
      </ul>
      {host.models.length === 0 && <p class="hint">No model is served.</p>}
    </>
  );
}

function ModelCard({ model, host, act }: { model: HostedModel; host: Host; act: Act }) {
  const deed = deedOf(model);
  const pin = pinOf(model);
  const share = shareOf(model, host);
  const hasFailed = model.failure !== null && model.state === "unloaded";
  return (
    <li class="card model-card" data-state={model.state} aria-label={model.name}>
      <div class="model-name">
        <h2>{model.name}</h2>
        <span class={`state state-${hasFailed ? "failed" : model.state}`}>
          {doing(model)}
        </span>
      </div>
      {model.aliases.length > 0 && <p class="hint">also {model.aliases.join(", ")}</p>}
      <p class="hint">{factsOf(model).join(" · ") || "not loaded yet"}</p>
      {isMoving(model) ? (
        <progress aria-label={`${model.name} is ${model.state}`} />
      ) : (
        model.bytes > 0 && (
          <progress
            max={1}
            value={share}
            aria-label={`${model.name}: ${percent(share)} of the memory of models`}
          />
        )
      )}
      {model.failure && <p class="error">{model.failure}</p>}
      {model.warnings.length > 0 && (
        <details>
          <summary>{plural(model.warnings.length, "note")} of its loading</summary>
          <ul class="hint">
            {model.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </details>
      )}
      <div class="row-end">
        {pin && (
          <button
            type="button"
            class="button"
            aria-label={`${pin.name} ${model.name}`}
            onClick={() => act(pin.path)}
          >
            {pin.name}
          </button>
        )}
        <button
          type="button"
          class="button"
          disabled={!deed.isPossible}
          aria-label={`${deed.name} ${model.name}`}
          onClick={() => act(deed.path)}
        >
          {deed.name}
        </button>
      </div>
    </li>
  );
}

// Load and unload are orders to a repository whose mode is explicit; others say so.
function RepositoryPart({ act, turn }: { act: Act; turn: number }) {
  const repository = usePolled("repository", askRepository, { turn });
  const models = byModel(repository.value ?? { models: [] });
  return (
    <section aria-label="Model repository">
      <div class="model-head">
        <h2>Repository</h2>
      </div>
      <Pending of={repository} />
      {repository.value?.models.length === 0 && <p class="hint">There is nothing in it.</p>}
      {models.size > 0 && (
        <div class="table-frame" tabIndex={0} role="region" aria-label="Versions">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col" class="number">
                  Version
                </th>
                <th scope="col">State</th>
                <th scope="col">Share</th>
                <th scope="col">What came of it</th>
                <th scope="col">
                  <span class="hidden">Deeds</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {[...models].flatMap(([name, versions]) =>
                versions.map((version, nth) => (
                  <VersionRow
                    key={`${name} ${version.version}`}
                    {...{ version, versions, act, isFirst: nth === 0 }}
                  />
                )),
              )}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function VersionRow({
  version,
  versions,
  isFirst,
  act,
}: {
  version: Row;
  versions: Row[];
  isFirst: boolean;
  act: Act;
}) {
  const { name, traffic } = version;
  const path = `/quire/repository/${encodeURIComponent(name)}`;
  const isReady = versions.some(isServed);
  const load = isReady ? "Load again" : "Load";
  const reasons = [version.reason, traffic && told(traffic), traffic?.reason].filter(Boolean);
  return (
    <tr>
      {isFirst && (
        <th scope="rowgroup" rowSpan={versions.length}>
          {name}
        </th>
      )}
      <td class="number">{version.version ?? "–"}</td>
      <td>{version.state.toLowerCase()}</td>
      <td>{traffic && <Share traffic={traffic} />}</td>
      <td class="reason">{reasons.join(" · ")}</td>
      {isFirst && (
        <td rowSpan={versions.length}>
          <button
            type="button"
            class="link"
            aria-label={`${load} ${name}`}
            onClick={() => act(`${path}/load`)}
          >
            {load}
          </button>
          {isReady && (
            <button
              type="button"
              class="link"
              aria-label={`Unload ${name}`}
              onClick={() => act(`${path}/unload`)}
            >
              Unload
            </button>
          )}
        </td>
      )}
    </tr>
  );
}

function Share({ traffic }: { traffic: Traffic }) {
  const share = percent(traffic.percent / 100);
  return (
    <div class="share">
      <span>
        {traffic.role} · {share}
      </span>
      <progress
        max={100}
        value={traffic.percent}
        aria-label={`Version ${traffic.version} of ${traffic.name} gets ${share}`}
      />
    </div>
  );
}

interface Stored {
  name: string;
  size: number;
  modified_at?: string;
  details?: { family?: string; parameter_size?: string; quantization_level?: string };
}

function Store({ canPull }: { canPull: boolean }) {
  const [turn, setTurn] = useState(0);
  const tags = usePolled(
    "tags",
    (signal) => getJson<{ models: Stored[] }>("/api/tags", signal),
    { refreshMs: () => 10_000, turn },
  );
  return (
    <section aria-label="Store">
      <div class="model-head">
        <h2>Store</h2>
      </div>
      <Pending of={tags} />
      {tags.value && tags.value.models.length > 0 && (
        <div class="table-frame" tabIndex={0} role="region" aria-label="Stored models">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Family</th>
                <th scope="col">Weights</th>
                <th scope="col" class="number">
                  Size
                </th>
              </tr>
            </thead>
            <tbody>
              {tags.value.models.map((model) => (
                <tr key={model.name}>
                  <th scope="row">{model.name}</th>
                  <td>{model.details?.family || "–"}</td>
                  <td>
                    {[model.details?.parameter_size, model.details?.quantization_level]
                      .filter(Boolean)
                      .join(" ") || "–"}
                  </td>
                  <td class="number">{bytes(model.size)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {tags.value?.models.length === 0 && <p class="hint">There is nothing in it.</p>}
      {canPull && <PullForm onEnd={() => setTurn((before) => before + 1)} />}
    </section>
  );
}

function PullForm({ onEnd }: { onEnd: () => void }) {
  const [name, setName] = useState("");
  const [pull, setPull] = useState<Pull | null>(null);
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);
  const isRunning = pull !== null && !pull.isOver;
  const begin = (event: Event) => {
    event.preventDefault();
    const asked = name.trim();
    if (!asked || isRunning) return;
    const own = new AbortController();
    controller.current = own;
    setPull(NO_PULL);
    pullModel(asked, own.signal, setPull)
      .catch((error: unknown) => {
        const text = own.signal.aborted ? "Stopped; what has come is kept." : sentence(error);
        setPull({ ...NO_PULL, isOver: true, error: text });
      })
      .finally(onEnd);
  };
  const part = pull && progress(pull);
  return (
    <form class="card pull" onSubmit={begin}>
      <label class="field">
        <span>Fetch a model</span>
        <input
          value={name}
          placeholder="smollm2, or hf:OWNER/NAME:Q8_0"
          autoComplete="off"
          spellcheck={false}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      {isRunning ? (
        <button type="button" class="button" onClick={() => controller.current?.abort()}>
          Stop
        </button>
      ) : (
        <button type="submit" class="button primary" disabled={!name.trim()}>
          Fetch
        </button>
      )}
      {pull && (
        <div class="pull-progress" role="status">
          {isRunning && (
            <progress
              aria-label="How much has come"
              {...(part && part.total > 0 ? { max: part.total, value: part.completed } : {})}
            />
          )}
          <p class={pull.error ? "error" : "hint"}>
            {pull.error ||
              [pull.status || "asking", part && `${bytes(part.completed)} of ${bytes(part.total)}`]
                .filter(Boolean)
                .join(" · ")}
          </p>
        </div>
      )}
    </form>
  );
}
