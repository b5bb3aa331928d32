/** Figures as text: three digits that mean something, and their unit. */

export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** Milliseconds, or seconds from ten of them on. */
export function duration(ms: number): string {
  return ms >= 10_000 ? `${digits(ms / 1000)} s` : `${digits(ms)} ms`;
}

const SHORT_MS = 10_000;

/** Times of day of two moments, Unix ms, to the digit that tells them apart; of none (0) nothing. */
export function clockTimes(began: number, ended: number): readonly [string, string] {
  const digits = ended - began < SHORT_MS ? { fractionalSecondDigits: 3 as const } : {};
  const parts = { hour: "2-digit", minute: "2-digit", second: "2-digit", ...digits } as const;
  const clock = (unixMs: number): string =>
    unixMs === 0 ? "" : new Date(unixMs).toLocaleTimeString("en-GB", parts);
  return [clock(began), clock(ended)];
}
