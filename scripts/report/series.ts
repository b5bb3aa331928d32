/** Lines of a chart: points of one identity, named by what tells it from the others. */
import type { Identity, Point } from "./point.ts";

/**
 * The same points with `series` set: equal identities, equal names; different
 * identities, different names. A name holds the parts in which they differ, or, of
 * a single one, its system's.
 */
export function labelled(points: readonly Point[]): Point[] {
  const identities = new Map(points.map(({ identity }) => [keyOf(identity), identity]));
  const parts = [...new Set([...identities.values()].flatMap((its) => Object.keys(its)))];
  const differing = parts.filter(
    (part) => new Set([...identities.values()].map((its) => its[part])).size > 1,
  );
  const named = differing.length > 0 ? differing : parts.filter((part) => OF_ONE.has(part));
  const short = shortModels([...identities.values()]);
  const nameOf = (identity: Identity): string =>
    named
      .map((part) => {
        const value = identity[part] ?? "";
        return part === "model" ? (short.get(value) ?? value) : value;
      })
      .filter((value) => value !== "")
      .join(" ");
  return points.map((point) => ({ ...point, series: nameOf(point.identity) }));
}

/** Parts that name a line which is alone: the model stands in the title. */
const OF_ONE = new Set(["instance", "tensorParallel", "server"]);

/** What all the points have in common beside model and workload, in words: it stands in titles. */
export function commonParts(points: readonly Point[]): string {
  const [first] = points;
  return Object.entries(first?.identity ?? {})
    .filter(([part]) => !OWN_PLACE.has(part))
    .filter(([part, value]) => points.every(({ identity }) => identity[part] === value))
    .map(([, value]) => value)
    .filter((value) => value !== "")
    .join(" ");
}

/** Parts that titles name in a way of their own, or that nobody reads. */
const OWN_PLACE = new Set(["model", "workload", "settings"]);

function keyOf(identity: Identity): string {
  return JSON.stringify(Object.entries(identity));
}

/** Without the publisher, where that leaves the names different. */
function shortModels(identities: readonly Identity[]): ReadonlyMap<string, string> {
  const full = [...new Set(identities.map(({ model }) => model ?? ""))];
  const short = full.map((name) => name.slice(name.lastIndexOf("/") + 1));
  const distinct = new Set(short).size === full.length;
  return new Map(full.map((name, index) => [name, distinct ? (short[index] ?? name) : name]));
}
