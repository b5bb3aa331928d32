/** A comparison as tables, for the terminal and for a page alike. */
import {
  change,
  compareProfiles,
  type Difference,
} from "../../../device/trainium/profile/compare.ts";
import type { Profile } from "../../../device/trainium/profile/profile.ts";
import { chanceText, comparePoints, type PointPair } from "../../report/compare-points.ts";
import type { Point } from "../../report/point.ts";

export interface ComparisonTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Comparison {
  /** The answer in a sentence or two. */
  readonly says: readonly string[];
  readonly tables: readonly ComparisonTable[];
}

/** Without a sign where nothing is left of it. */
const rounded = (value: number, digits: number): string =>
  value.toFixed(digits).replace(/^-(?=[0.]*$)/, "");
const micros = (nanos: number): string => rounded(nanos / 1000, 1);

function percent(share: number): string {
  const text = rounded(100 * share, 2);
  return `${Number(text) > 0 ? "+" : ""}${text} %`;
}

export function profilesCompared(a: Profile, b: Profile): Comparison {
  const { settings, whole, parts, engines, ops } = compareProfiles(a, b);
  const all = change(whole);
  const rows = (list: readonly Difference[]): readonly string[][] =>
    list
      .filter((its) => its.a !== 0 || its.b !== 0)
      .map((its) => [
        its.name,
        micros(its.a),
        micros(its.b),
        micros(change(its)),
        all === 0 ? "–" : percent(change(its) / all),
      ]);
  const [most] = parts;
  return {
    says: [
      all === 0
        ? "No difference: both take the same time."
        : `${b.title} takes ${percent(all / whole.a)} of the time more than ${a.title}${most === undefined || change(most) === 0 ? "" : `; most of the change is ${most.name} (${percent(change(most) / all)} of it)`}.`,
    ],
    tables: [
      settingsTable(settings),
      {
        title: "Parts (they sum to the whole)",
        head: ["part", "A µs", "B µs", "B − A", "of the change"],
        rows: [
          ...rows(parts),
          ["whole", micros(whole.a), micros(whole.b), micros(all), all === 0 ? "–" : percent(1)],
        ],
      },
      {
        title: "Operations by role",
        head: ["operation", "A µs", "B µs", "B − A", "of the change"],
        rows: rows(ops).slice(0, 16),
      },
      {
        title: "Engines",
        head: ["engine", "A µs", "B µs", "B − A"],
        rows: rows(engines).map((row) => row.slice(0, 4)),
      },
    ].filter((table) => table.rows.length > 0),
  };
}

export function pointsCompared(a: readonly Point[], b: readonly Point[]): Comparison {
  const { settings, pairs, alone } = comparePoints(a, b);
  const differing = pairs.flatMap((pair) => pair.measures.filter((its) => its.differs));
  const parts = pairs.flatMap((pair) => {
    const sum = (side: "a" | "b"): number => pair.parts.reduce((all, part) => all + part[side], 0);
    const all = sum("b") - sum("a");
    if (pair.parts.length === 0 || all === 0) return [];
    const row = (name: string, from: number, to: number): string[] => [
      pair.name,
      name,
      from.toFixed(4),
      to.toFixed(4),
      rounded(to - from, 4),
      percent((to - from) / all),
    ];
    return [
      ...pair.parts.filter((its) => its.a !== its.b).map((its) => row(its.name, its.a, its.b)),
      row("whole", sum("a"), sum("b")),
    ];
  });
  return {
    says: [
      pairs.length === 0
        ? "No point of one has the load of a point of the other."
        : differing.length === 0
          ? `No difference beyond chance at ${pairs.length} loads.`
          : `${differing.length} of ${pairs.reduce((sum, pair) => sum + pair.measures.length, 0)} measures differ beyond chance, at ${pairs.length} loads.`,
      ...tooShort(pairs),
      ...(alone > 0 ? [`${alone} points have no counterpart of the same load.`] : []),
    ],
    tables: [
      settingsTable(settings),
      {
        title: "Measures (* beyond chance)",
        head: ["load", "measure", "A", "B", "change", "chance"],
        rows: pairs.flatMap((pair) =>
          pair.measures.map((its) => [
            pair.name,
            its.title,
            its.a.toFixed(2),
            its.b.toFixed(2),
            `${percent(its.change)}${its.differs ? " *" : "  "}`,
            chanceText(its.noise),
          ]),
        ),
      },
      {
        title: "The engines' time (parts sum to the whole)",
        head: ["load", "part", "A s", "B s", "B − A", "of the change"],
        rows: parts,
      },
    ].filter((table) => table.rows.length > 0),
  };
}

function tooShort(pairs: readonly PointPair[]): readonly string[] {
  const short = pairs.filter((pair) => pair.measures.some(({ noise }) => noise === Infinity));
  if (short.length === 0) return [];
  return [
    `Too short to tell at ${short.map(({ name }) => name).join("; ")}: run each for more seconds (more requests).`,
  ];
}

const settingsTable = (
  settings: readonly { readonly name: string; readonly a: string; readonly b: string }[],
): ComparisonTable => ({
  title: "Set otherwise",
  head: ["part", "A", "B"],
  rows: settings.map((its) => [its.name, its.a || "–", its.b || "–"]),
});
