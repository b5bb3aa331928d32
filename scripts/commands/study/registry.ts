/** Studies by name, loaded when asked for. */
import type { Study } from "./study.ts";

interface StudyRow {
  readonly sentence: string;
  readonly load: () => Promise<Study>;
}

export const STUDY_ROWS: Readonly<Record<string, StudyRow>> = Object.freeze({
  headline: {
    sentence: "users against tokens/s/user on two UltraServers, and what is claimed of them",
    load: async () => (await import("./headline.ts")).headlineStudy,
  },
  attention: {
    sentence: "one layer's attention, the compiler's graph against the kernels, by engine",
    load: async () => (await import("./attention.ts")).attentionStudy,
  },
  switch: {
    sentence: "experts over 16, 64 and 144 chips: torus against switch",
    load: async () => (await import("./switch.ts")).switchStudy,
  },
  principles: {
    sentence: "each rule of fast kernels, alone",
    load: async () => (await import("./principles.ts")).principlesStudy,
  },
  clocks: {
    sentence: "the same requests under the wall's clock and in virtual time",
    load: async () => (await import("./clocks.ts")).clocksStudy,
  },
  http: {
    sentence: "gaps that a client sees against the price",
    load: async () => (await import("./http.ts")).httpStudy,
  },
});

/** Only what runs them. */
export const STUDIES: Readonly<Record<string, () => Promise<Study>>> = Object.fromEntries(
  Object.entries(STUDY_ROWS).map(([name, { load }]) => [name, load]),
);
