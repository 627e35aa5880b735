// The server's OpenAPI document as lists to show: endpoints in their tables' order, by protocol.
export interface Endpoint {
  method: string;
  path: string;
  summary: string;
  isKeyed: boolean;
  fields: Field[];
}

export interface Field {
  name: string;
  type: string; // "number 0 to 2", "text", "any", "only null"
}

export interface Protocol {
  name: string;
  endpoints: Endpoint[];
}

interface Schema {
  type?: string | string[];
  anyOf?: Schema[];
  minimum?: number;
  maximum?: number;
  enum?: unknown[];
}

interface Operation {
  tags?: string[];
  summary?: string;
  security?: unknown[];
  requestBody?: { content?: Record<string, { schema?: { properties?: Record<string, Schema> } }> };
}

export interface Document {
  paths: Record<string, Record<string, Operation>>;
}

const WORDS: Record<string, string> = {
  string: "text",
  boolean: "true or false",
  array: "list",
};

export function typeOf(schema: Schema): string {
  if (schema.enum) return `only ${schema.enum.map((one) => JSON.stringify(one)).join(" or ")}`;
  if (schema.anyOf) {
    const kinds = schema.anyOf.map(typeOf).filter((kind) => kind !== "any");
    return [...new Set(kinds)].join(" or ") || "any";
  }
  const type = [schema.type ?? []].flat().find((one) => one !== "null");
  if (!type) return "any";
  const { minimum, maximum } = schema;
  let range = "";
  if (minimum !== undefined && maximum !== undefined) range = ` ${minimum} to ${maximum}`;
  else if (minimum !== undefined) range = ` from ${minimum}`;
  else if (maximum !== undefined) range = ` up to ${maximum}`;
  return (WORDS[type] ?? type) + range;
}

export function protocolsOf(document: Document): Protocol[] {
  const protocols: Protocol[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = operation.tags?.[0] ?? "other";
      let protocol = protocols.find((one) => one.name === name);
      if (!protocol) protocols.push((protocol = { name, endpoints: [] }));
      const schema = operation.requestBody?.content?.["application/json"]?.schema;
      protocol.endpoints.push({
        method: method.toUpperCase(),
        path,
        summary: operation.summary ?? "",
        isKeyed: operation.security !== undefined,
        fields: Object.entries(schema?.properties ?? {}).map(([field, inner]) => ({
          name: field,
          type: typeOf(inner),
        })),
      });
    }
  }
  return protocols;
}
