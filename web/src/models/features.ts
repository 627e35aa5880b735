// What this server can do with models, as its own document says: a part of the view whose endpoint
// is not there is not shown.
import type { Document } from "../reference/document";

export interface Features {
  hasStore: boolean;
  canPull: boolean;
}

export const NO_FEATURES: Features = { hasStore: false, canPull: false };

export function featuresOf(document: Document): Features {
  const has = (method: string, path: string) => document.paths[path]?.[method] !== undefined;
  return {
    hasStore: has("get", "/api/tags"),
    canPull: has("post", "/api/pull"),
  };
}
