/** What is priced, as the view's link says it; what a link leaves out is as by default. */

import { CATALOG_IDS } from "../catalog-ids.ts";
import { card } from "../home/server-facts.ts";
import { remember } from "../route.ts";
import type { ProfileSpec } from "./profile.ts";

export const DEFAULTS: ProfileSpec = {
  model: "meta-llama/Llama-3.1-8B-Instruct",
  instance: "trn2.3xlarge",
  tensorParallel: 4,
  rows: 8,
  context: 4096,
  steps: 1,
  prompt: 0,
  kernels: "",
  quantization: "",
  stack: "",
  set: "",
};

/** `prefix` tells the second profile's settings from the first's. */
export function specOf(link: URLSearchParams, prefix = "", plain = defaults()): ProfileSpec {
  return Object.fromEntries(
    Object.entries(plain).map(([name, value]) => {
      const said = link.get(prefix + name);
      if (said === null) return [name, value];
      return [name, typeof value === "number" ? Number(said) : said];
    }),
  ) as unknown as ProfileSpec; // the same names as DEFAULTS
}

export function defaults(): ProfileSpec {
  const served = card.value?.root ?? "";
  return CATALOG_IDS.includes(served) ? { ...DEFAULTS, model: served } : DEFAULTS;
}

/** Writes what differs from `plain` into the link. */
export function rememberSpec(spec: ProfileSpec, prefix = "", plain = DEFAULTS): void {
  for (const [name, value] of Object.entries(spec)) {
    const usual = plain[name as keyof ProfileSpec]; // names of a spec
    remember(prefix + name, String(value) === String(usual) ? undefined : String(value));
  }
}
