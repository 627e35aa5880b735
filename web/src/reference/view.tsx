// The endpoints of this server as its own document tells them: what they are called, which fields
// they read and within which bounds.
import { useEffect, useState } from "preact/hooks";
import { apiKey, getJson, sentence } from "../api/client";
import { type Document, type Endpoint, type Protocol, protocolsOf } from "./document";

const NAMES: Record<string, string> = {
  anthropic: "Anthropic",
  openai: "OpenAI",
  quire: "Quire",
  tgi: "TGI",
  vllm: "vLLM",
};

export function ReferenceView() {
  const [protocols, setProtocols] = useState<Protocol[]>([]);
  const [error, setError] = useState("");
  const key = apiKey.value;
  useEffect(() => {
    const controller = new AbortController();
    getJson<Document>("/openapi.json", controller.signal)
      .then((document) => {
        setProtocols(protocolsOf(document));
        setError("");
      })
      .catch((problem: unknown) => {
        if (!controller.signal.aborted) setError(sentence(problem));
      });
    return () => controller.abort();
  }, [key]);
  return (
    <main class="page reference" tabIndex={0} aria-label="API">
      <div class="page-content">
        <div class="page-head">
          <h1>API</h1>
          <a href="/openapi.json">openapi.json</a>
        </div>
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        {protocols.map((protocol) => (
          <section key={protocol.name}>
            <h2>{NAMES[protocol.name] ?? protocol.name}</h2>
            {protocol.endpoints.map((endpoint) => (
              <OneEndpoint key={`${endpoint.method} ${endpoint.path}`} endpoint={endpoint} />
            ))}
          </section>
        ))}
      </div>
    </main>
  );
}

function OneEndpoint({ endpoint }: { endpoint: Endpoint }) {
  const head = (
    <>
      <span class={`method method-${endpoint.method.toLowerCase()}`}>{endpoint.method}</span>
      <code>{endpoint.path}</code>
      <span class="hint">
        {endpoint.summary}
        {endpoint.isKeyed ? "" : " (open)"}
      </span>
    </>
  );
  if (endpoint.fields.length === 0) return <div class="endpoint">{head}</div>;
  return (
    <details class="endpoint">
      <summary>{head}</summary>
      <dl class="fields">
        {endpoint.fields.map((field) => (
          <div key={field.name}>
            <dt>
              <code>{field.name}</code>
            </dt>
            <dd>{field.type}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
