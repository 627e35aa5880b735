// What a person types into the tools panel and the schema editor, read: the fields of a request, or
// what is wrong with the text.
import type { AnswerRules, ToolChoice } from "../api/chat";

export interface ReadText<T> {
  value?: T; // absent: the text is empty or wrong
  error?: string;
}

export const EXAMPLE_TOOLS = `[
  {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {
      "type": "object",
      "properties": {
        "city": { "type": "string" },
        "unit": { "enum": ["celsius", "fahrenheit"] }
      },
      "required": ["city"]
    }
  }
]`;

export const EXAMPLE_SCHEMA = `{
  "type": "object",
  "properties": {
    "answer": { "type": "string", "maxLength": 200 },
    "certainty": { "enum": ["low", "medium", "high"] }
  },
  "required": ["answer", "certainty"],
  "additionalProperties": false
}`;

function parsed(text: string): ReadText<unknown> {
  if (!text.trim()) return {};
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { error: error instanceof Error ? error.message : "This is no JSON." };
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// One function or a list; each as it is, or as OpenAI wraps it.
export function readTools(text: string): ReadText<unknown[]> {
  const { value, error } = parsed(text);
  if (error || value === undefined) return { error };
  const list = Array.isArray(value) ? value : [value];
  const tools: unknown[] = [];
  for (const [index, one] of list.entries()) {
    const inner = isObject(one) && isObject(one.function) ? one.function : one;
    if (!isObject(inner) || typeof inner.name !== "string" || !inner.name) {
      return { error: `Tool ${index + 1} has no name.` };
    }
    tools.push({ type: "function", function: inner });
  }
  return { value: tools };
}

export function readSchema(text: string): ReadText<unknown> {
  const { value, error } = parsed(text);
  if (error || value === undefined) return { error };
  if (!isObject(value) && typeof value !== "boolean") {
    return { error: "A schema is a JSON object." };
  }
  return { value };
}

// What is wrong is left out; the editors say so.
export function rulesOf(typed: {
  tools?: string;
  toolChoice?: ToolChoice;
  schema?: string;
}): AnswerRules {
  return {
    tools: readTools(typed.tools ?? "").value,
    toolChoice: typed.toolChoice,
    schema: readSchema(typed.schema ?? "").value,
  };
}
