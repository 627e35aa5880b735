// The explain view: the requests that live or ended lately, and the life of one of them.
import { Failure, getJson, sentence } from "../api/client";
import { usePolled } from "../api/polled";
import type { RequestLife, RequestSummary } from "../api/status";
import { clockTime, count, duration } from "../ui/format";
import { requestHref, route } from "../ui/route";
import { Life } from "./life";

const SHOWN_MAX = 100;

export function RequestsView() {
  const { id } = route.value;
  return (
    <main class="page requests" tabIndex={0} aria-label="Requests">
      <div class="page-content">{id ? <OneRequest key={id} id={id} /> : <RequestList />}</div>
    </main>
  );
}

function problem(error: unknown, path: string): string {
  if (!(error instanceof Failure) || error.status !== 404) return sentence(error);
  return path === "/debug/requests"
    ? "This server does not explain requests: it knows no /debug/requests."
    : "The server no longer knows this request. It keeps those that ended last.";
}

// What stands where an answer is not there yet, or could not be renewed.
function Pending({ isHere, error }: { isHere: boolean; error: string }) {
  return (
    <>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {!isHere && !error && (
        <p class="hint" role="status">
          Asking…
        </p>
      )}
    </>
  );
}

function RequestList() {
  const path = "/debug/requests";
  const { value, error } = usePolled(
    path,
    (signal) => getJson<{ requests: RequestSummary[] }>(path, signal),
    { problem: (one) => problem(one, path) },
  );
  const requests = value?.requests.slice(0, SHOWN_MAX) ?? [];
  return (
    <>
      <div class="page-head">
        <h1>Requests</h1>
        <p class="hint">Those that run or ended lately, the newest first</p>
      </div>
      <Pending isHere={value !== null} error={error} />
      {value && requests.length === 0 && (
        <p class="hint">No request has come yet. Ask something in the chat.</p>
      )}
      {requests.length > 0 && (
        <div class="table-frame" tabIndex={0} role="region" aria-label="Requests">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Request</th>
                <th scope="col">Model</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Prompt
                </th>
                <th scope="col" class="number">
                  Cached
                </th>
                <th scope="col" class="number">
                  Generated
                </th>
                <th scope="col" class="number">
                  First token
                </th>
                <th scope="col" class="number">
                  Total
                </th>
              </tr>
            </thead>
            <tbody>
              {requests.map((request) => (
                <Row key={request.id} request={request} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Row({ request }: { request: RequestSummary }) {
  return (
    <tr>
      <td class="time">{clockTime(request.created)}</td>
      <th scope="row">
        <a href={requestHref(request.id)} class="id">
          {request.id}
        </a>
      </th>
      <td>{request.model}</td>
      <td>{request.finish_reason ?? request.state}</td>
      <td class="number">{count(request.prompt_tokens)}</td>
      <td class="number">{count(request.cached_tokens)}</td>
      <td class="number">{count(request.generated_tokens)}</td>
      <td class="number">{duration(request.ttft_ms)}</td>
      <td class="number">{duration(request.total_ms)}</td>
    </tr>
  );
}

const isFinished = (life: RequestLife) => life.state === "finished";

function OneRequest({ id }: { id: string }) {
  const path = `/debug/requests/${encodeURIComponent(id)}`;
  const { value, error } = usePolled(path, (signal) => getJson<RequestLife>(path, signal), {
    isFinal: isFinished,
    problem: (one) => problem(one, path),
  });
  return (
    <>
      <p class="back">
        <a href="#/requests">All requests</a>
      </p>
      <div class="page-head">
        <h1 class="id">{value?.id ?? id}</h1>
      </div>
      <Pending isHere={value !== null} error={error} />
      {value && <Life life={value} />}
    </>
  );
}
