/** Studies by name, loaded when asked for. */
import type { Study } from "./study.ts";

export const STUDIES: Readonly<Record<string, () => Promise<Study>>> = Object.freeze({
  attention: async () => (await import("./attention.ts")).attentionStudy,
  clocks: async () => (await import("./clocks.ts")).clocksStudy,
  headline: async () => (await import("./headline.ts")).headlineStudy,
  http: async () => (await import("./http.ts")).httpStudy,
  principles: async () => (await import("./principles.ts")).principlesStudy,
  switch: async () => (await import("./switch.ts")).switchStudy,
});
