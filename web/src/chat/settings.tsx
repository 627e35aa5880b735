// How to ask: the system prompt and the sampling fields of POST /v1/chat/completions. An empty
// field is not sent, which leaves it to the model.
import { useState } from "preact/hooks";
import type { Sampling, ToolChoice } from "../api/chat";
import { type Conversation, hasAnswers, toJson, toMarkdown } from "./conversation";
import { EXAMPLE_SCHEMA, EXAMPLE_TOOLS, readSchema, readTools } from "./rules";
import { configure, current } from "./session";

type NumberField = Exclude<keyof Sampling, "stop">;

interface FieldRule {
  name: NumberField;
  label: string;
  hint: string;
  min: number;
  max: number;
  step: number;
}

const INT32_MAX = 2 ** 31 - 1;

// The ranges are the server's own.
const FIELDS: FieldRule[] = [
  {
    name: "temperature",
    label: "Temperature",
    hint: "0: the likeliest",
    min: 0,
    max: 2,
    step: 0.1,
  },
  { name: "top_p", label: "Top p", hint: "over 0, to 1", min: 0, max: 1, step: 0.05 },
  { name: "top_k", label: "Top k", hint: "0: off", min: 0, max: INT32_MAX, step: 1 },
  { name: "min_p", label: "Min p", hint: "0 to 1", min: 0, max: 1, step: 0.01 },
  {
    name: "repetition_penalty",
    label: "Repetition",
    hint: "1: off",
    min: 0,
    max: 1000,
    step: 0.05,
  },
  { name: "presence_penalty", label: "Presence", hint: "−2 to 2", min: -2, max: 2, step: 0.1 },
  { name: "frequency_penalty", label: "Frequency", hint: "−2 to 2", min: -2, max: 2, step: 0.1 },
  {
    name: "max_tokens",
    label: "Max tokens",
    hint: "of an answer",
    min: 1,
    max: INT32_MAX,
    step: 1,
  },
  {
    name: "seed",
    label: "Seed",
    hint: "repeats an answer",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    step: 1,
  },
];

export function Settings() {
  const { system, sampling, wantsTokens } = current.value;
  const set = (name: NumberField, value: number | undefined) => {
    const next = { ...sampling };
    if (value === undefined) delete next[name];
    else next[name] = value;
    configure({ sampling: next });
  };
  return (
    <div class="settings">
      <label class="field">
        <span>System prompt</span>
        <textarea
          rows={4}
          value={system}
          placeholder="None"
          onInput={(event) => configure({ system: event.currentTarget.value })}
        />
      </label>
      <fieldset>
        <legend>
          Sampling <small>empty: as the model prefers</small>
        </legend>
        <div class="number-fields">
          {FIELDS.map((rule) => (
            <NumberInput
              key={rule.name}
              rule={rule}
              value={sampling[rule.name]}
              onChange={(value) => set(rule.name, value)}
            />
          ))}
        </div>
        <label class="field">
          <span>
            Stop at <small>one text a line, at most 16</small>
          </span>
          <textarea
            rows={2}
            value={(sampling.stop ?? []).join("\n")}
            onInput={(event) => {
              const stops = event.currentTarget.value.split("\n").filter(Boolean).slice(0, 16);
              const { stop: _, ...rest } = sampling;
              configure({ sampling: stops.length > 0 ? { ...rest, stop: stops } : rest });
            }}
          />
        </label>
      </fieldset>
      <Rules />
      <label class="check">
        <input
          type="checkbox"
          checked={wantsTokens}
          onChange={(event) => configure({ wantsTokens: event.currentTarget.checked })}
        />
        <span>Ask for token probabilities</span>
      </label>
      <div class="field">
        <span id="export-label">Export this conversation</span>
        <div class="row" role="group" aria-labelledby="export-label">
          <ExportButton format="Markdown" ending="md" type="text/markdown" write={toMarkdown} />
          <ExportButton format="JSON" ending="json" type="application/json" write={toJson} />
        </div>
      </div>
    </div>
  );
}

// What an answer may call and has to look like.
function Rules() {
  const { tools = "", toolChoice = "auto", schema = "" } = current.value;
  return (
    <fieldset>
      <legend>
        Answers <small>empty: free text</small>
      </legend>
      <JsonEditor
        label="Tools"
        hint="functions, as JSON"
        text={tools}
        example={EXAMPLE_TOOLS}
        error={readTools(tools).error}
        onChange={(text) => configure({ tools: text || undefined })}
      />
      {tools.trim() && (
        <label class="field">
          <span>Calls</span>
          <select
            value={toolChoice}
            onChange={(event) =>
              configure({ toolChoice: event.currentTarget.value as ToolChoice })
            }
          >
            <option value="auto">as the model likes</option>
            <option value="required">at least one</option>
            <option value="none">none</option>
          </select>
        </label>
      )}
      <JsonEditor
        label="Schema"
        hint="the answer is JSON of it"
        text={schema}
        example={EXAMPLE_SCHEMA}
        error={readSchema(schema).error}
        onChange={(text) => configure({ schema: text || undefined })}
      />
    </fieldset>
  );
}

interface JsonEditorProps {
  label: string;
  hint: string;
  text: string;
  example: string;
  error: string | undefined;
  onChange: (text: string) => void;
}

function JsonEditor({ label, hint, text, example, error, onChange }: JsonEditorProps) {
  const id = `json-${label.toLowerCase()}`;
  return (
    <div class="field json-editor">
      <label for={id}>
        {label} <small>{hint}</small>
      </label>
      <textarea
        id={id}
        rows={text ? 8 : 2}
        value={text}
        spellcheck={false}
        placeholder="None"
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-error`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <small id={`${id}-error`} class={error ? "error" : ""}>
        {error ?? ""}
      </small>
      {!text.trim() && (
        <button type="button" class="button" onClick={() => onChange(example)}>
          Insert an example
        </button>
      )}
    </div>
  );
}

interface NumberInputProps {
  rule: FieldRule;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
}

function NumberInput({ rule, value, onChange }: NumberInputProps) {
  const { name, label, hint, min, max, step } = rule;
  const [isWrong, setWrong] = useState(false);
  const read = (event: { currentTarget: HTMLInputElement }) => {
    const { value: text, valueAsNumber: typed, validity } = event.currentTarget;
    const isWhole = step !== 1 || Number.isInteger(typed);
    const isGood = !validity.badInput && (text === "" || (typed >= min && typed <= max && isWhole));
    setWrong(!isGood);
    if (isGood) onChange(text === "" ? undefined : typed);
  };
  return (
    <label class="number-field">
      <span>{label}</span>
      <input
        type="number"
        name={name}
        value={value ?? ""}
        min={min}
        max={max}
        step={step}
        inputMode="decimal"
        aria-invalid={isWrong}
        aria-describedby={`hint-${name}`}
        onInput={read}
      />
      <small id={`hint-${name}`}>{isWrong ? `from ${min} to ${max}` : hint}</small>
    </label>
  );
}

interface ExportButtonProps {
  format: string;
  ending: string;
  type: string;
  write: (conversation: Conversation) => string;
}

function ExportButton({ format, ending, type, write }: ExportButtonProps) {
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([write(current.value)], { type }));
    link.download = `${fileName(current.value.title)}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  return (
    <button type="button" class="button" disabled={!hasAnswers(current.value)} onClick={save}>
      {format}
    </button>
  );
}

export function fileName(title: string): string {
  return (
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-+|-+$/g, "") || "conversation"
  );
}
