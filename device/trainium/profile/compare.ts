/**
 * Two profiles, side by side and as a difference: what was set otherwise, and where
 * the time between them went. The differences of the parts sum to that of the whole.
 */
import type { Profile } from "./profile.ts";

/** ns */
export interface Difference {
  readonly name: string;
  readonly a: number;
  readonly b: number;
}

export interface ProfileComparison {
  /** Settings that are not the same; empty text: not said. */
  readonly settings: readonly { readonly name: string; readonly a: string; readonly b: string }[];
  readonly whole: Difference;
  /** Largest change first. */
  readonly parts: readonly Difference[];
  readonly engines: readonly Difference[];
  readonly ops: readonly Difference[];
}

export function compareProfiles(a: Profile, b: Profile): ProfileComparison {
  const names = [...new Set([...Object.keys(a.settings), ...Object.keys(b.settings)])];
  return {
    settings: names
      .map((name) => ({ name, a: a.settings[name] ?? "", b: b.settings[name] ?? "" }))
      .filter((its) => its.a !== its.b),
    whole: { name: "whole", a: a.duration, b: b.duration },
    parts: paired(a.totals?.parts ?? {}, b.totals?.parts ?? {}),
    engines: paired(a.totals?.engines ?? {}, b.totals?.engines ?? {}),
    ops: paired(opsOf(a), opsOf(b)),
  };
}

export const change = ({ a, b }: Difference): number => b - a;

/** Keys of either, by the size of their change. */
export function paired(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): readonly Difference[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .map((name) => ({ name, a: a[name] ?? 0, b: b[name] ?? 0 }))
    .sort((left, right) => Math.abs(change(right)) - Math.abs(change(left)));
}

/** ns by operation's role: kernels of one role are what one switches. */
function opsOf(profile: Profile): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { name, nanos } of opRows(profile)) {
    const role = name.split(": ")[0] ?? name;
    sums[role] = (sums[role] ?? 0) + nanos;
  }
  return sums;
}

/** Ops as the profile has them, or spans by name where it has none: the dearest 500. */
export function opRows({ totals, spans }: Profile): readonly {
  readonly name: string;
  readonly cause: string;
  readonly count: number;
  readonly nanos: number;
  readonly bytes: number;
  readonly flops: number;
}[] {
  if (totals !== undefined) return totals.ops;
  const sums = spans.names.map((name) => ({
    name,
    cause: "",
    count: 0,
    nanos: 0,
    bytes: 0,
    flops: 0,
  }));
  for (let span = 0; span < spans.start.length; span++) {
    const row = sums[spans.name[span] ?? 0];
    if (row === undefined) continue;
    row.count++;
    row.nanos += spans.duration[span] ?? 0;
  }
  return sums.sort((x, y) => y.nanos - x.nanos).slice(0, 500);
}
