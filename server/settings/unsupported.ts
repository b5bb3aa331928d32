/**
 * Flags of vLLM that are not settings here: taken without effect (accepted.ts, a
 * warning says why), or refused (refused.ts) because an answer without them would
 * be another answer.
 */

export interface UnsupportedFlag {
  /** What follows it on a command line: a switch takes nothing and has a `--no-` form. */
  readonly takes: "nothing" | "value" | "values";
  readonly why: string;
  /** A further spelling, e.g. `-ac`. */
  readonly short?: string;
  /** Values that ask for what happens anyway: taken in silence. A switch that is off is one. */
  readonly harmless?: readonly string[];
}

type Extra = Pick<UnsupportedFlag, "short" | "harmless">;

export const value = (why: string, extra: Extra = {}): UnsupportedFlag => ({
  takes: "value",
  why,
  ...extra,
});

export const values = (why: string, extra: Extra = {}): UnsupportedFlag => ({
  takes: "values",
  why,
  ...extra,
});

export const toggle = (why: string, extra: Extra = {}): UnsupportedFlag => ({
  takes: "nothing",
  why,
  harmless: ["false"],
  ...extra,
});

/** Does `text` ask for what happens anyway? */
export function isHarmless({ harmless }: UnsupportedFlag, text: string): boolean {
  return harmless?.includes(text.toLowerCase()) ?? false;
}

/** Reasons that several flags share. */
export const PYTHON = "there is no Python process to configure";
export const GPU = "it configures a GPU";
export const MEDIA = "only text is served";
export const PROCESS = "all engines run in this process";
export const COMPILER = "there is no compiler to configure";
export const DOWNLOAD = "nothing is downloaded";
