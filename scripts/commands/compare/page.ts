/** A comparison as the pages show it, in one file. */

import { type ReadProfile, writeProfile } from "../../../device/trainium/profile/read.ts";
import type { Point } from "../../report/point.ts";
import type { SavedState } from "../../report/saved-state.ts";
import { quoted } from "../quoted.ts";

/** Two of one kind, in the order they are compared. */
export type Compared =
  | { readonly kind: "points"; readonly sides: readonly [readonly Point[], readonly Point[]] }
  | { readonly kind: "profile"; readonly sides: readonly [ReadProfile, ReadProfile] };

/** `names` as they were typed; `says` is the answer in a sentence or two. */
export function comparisonState(
  names: readonly [string, string],
  compared: Compared,
  says: readonly string[],
): SavedState {
  const [a, b] = distinct(names);
  const shown = {
    title: `${a} against ${b}`,
    command: `trainyard compare ${names.map(quoted).join(" ")}`,
    notes: says,
  };
  const link = (page: string, query: Readonly<Record<string, string>>): string =>
    `#/${page}?${new URLSearchParams({ view: "compare", ...query }).toString()}`;
  if (compared.kind === "points") {
    const [first, second] = compared.sides;
    const runs = [
      { name: a, points: first },
      { name: b, points: second },
    ];
    return { ...shown, link: link("curves", { a, b }), runs };
  }
  const [first, second] = compared.sides.map(base64Of);
  const files = { "a.spans": first ?? "", "b.spans": second ?? "" };
  return { ...shown, link: link("explorer", { open: "a.spans", "b.open": "b.spans" }), files };
}

/** By columns, whatever it was read from. */
const base64Of = (its: ReadProfile): string => Buffer.from(writeProfile(its)).toString("base64");

function distinct([a, b]: readonly [string, string]): readonly [string, string] {
  return a === b ? [a, `${b} (again)`] : [a, b];
}
