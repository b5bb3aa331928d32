/** What the server says of itself, read once, and of its load, read each two seconds. */
import { signal } from "@preact/signals";
import { getJson } from "../api.ts";

export interface Card {
  readonly id: string;
  readonly root: string;
  readonly max_model_len: number;
  /** What is simulated, whose words these are; absent: nothing is. */
  readonly simulation?: string;
}

interface Hygiene {
  readonly requests: number;
  readonly mean_concurrency: number;
  readonly peak_concurrency: number;
  readonly notices: readonly { readonly code: string; readonly text: string }[];
}

export const card = signal<Card | undefined>(undefined);
export const version = signal<string | undefined>(undefined);
export const healthy = signal<boolean | undefined>(undefined);
export const hygiene = signal<Hygiene | undefined>(undefined);

export async function readFacts(): Promise<void> {
  const [models, { version: said }] = await Promise.all([
    getJson<{ data: readonly Card[] }>("v1/models"),
    getJson<{ version: string }>("version"),
  ]);
  card.value = models.data[0];
  version.value = said;
}

const EVERY_MS = 2000;

/** Returns what ends it. */
export function watchHealth(): () => void {
  let over = false;
  const look = async (): Promise<void> => {
    try {
      hygiene.value = await getJson<Hygiene>("hygiene");
      healthy.value = true;
    } catch {
      healthy.value = false;
    }
    if (!over) setTimeout(() => void look(), document.hidden ? 5 * EVERY_MS : EVERY_MS);
  };
  void look();
  return () => {
    over = true;
  };
}
