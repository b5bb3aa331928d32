/** One hue a name: calm, so that dark letters can be read on it in the dark as in the light. */
const HUES = [
  "#8fb8f5",
  "#f2c078",
  "#8fd6b4",
  "#c8b1f5",
  "#f0a3a3",
  "#9fd3e6",
  "#d9d28a",
  "#e5b3d6",
  "#b3cf8d",
  "#c9c3b8",
] as const;

/** Hues of what every profile of this project has, so that views and profiles agree. */
const KNOWN: Readonly<Record<string, string>> = {
  layers: HUES[5],
  self_attn: HUES[0],
  mlp: HUES[1],
  residual: HUES[9],
  lm_head: HUES[7],
  embed_tokens: HUES[6],
  attention: HUES[0],
  qkv: HUES[3],
  "attention-out": HUES[5],
  experts: HUES[1],
  "gate-up": HUES[1],
  down: HUES[6],
  router: HUES[4],
  head: HUES[7],
  "all-reduce": HUES[4],
};

const hues = new Map<string, string>();

/** Names that differ in their numbers alone share theirs. */
export function hueOf(name: string): string {
  const plain = name.replace(/[.\d*]+$/, "");
  let hue = hues.get(plain);
  if (hue === undefined) {
    hue = KNOWN[plain] ?? HUES[hues.size % HUES.length] ?? HUES[0];
    hues.set(plain, hue);
  }
  return hue;
}
