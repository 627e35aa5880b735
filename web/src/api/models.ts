// The models that the server offers.
import { computed, signal } from "@preact/signals";
import { getJson, sentence } from "./client";

export interface Model {
  id: string;
  root: string; // the model's first name; other names are aliases of it
  max_model_len: number | null; // not known before it was loaded once
  capabilities?: string[]; // likewise: "chat", "completion", "embedding", "score", "classify"
}

// What makes vectors of texts is no partner of a chat.
export function canAnswer(model: Model): boolean {
  return !model.capabilities || model.capabilities.includes("completion");
}

export const models = signal<Model[]>([]);
export const modelsError = signal("");
export const areModelsLoaded = signal(false);
export const defaultModel = computed(() => models.value[0]?.id ?? "");

export async function loadModels(): Promise<void> {
  try {
    const list = await getJson<{ data: Model[] }>("/v1/models");
    models.value = list.data.filter(
      (model) => canAnswer(model) && (!model.root || model.root === model.id),
    );
    modelsError.value = "";
    areModelsLoaded.value = true;
  } catch (error) {
    modelsError.value = sentence(error);
  }
}
