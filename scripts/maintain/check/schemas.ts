/**
 * Structured output against suites of JSON schemas: how many are refused (400),
 * enforced, and wrong. Wrong: the grammar lets a value through that the suite says
 * is invalid. Narrow: it would never write a value that the suite says is valid
 * (allowed: a grammar need not write everything).
 *
 *     npx tsx scripts/maintain/check/schemas.ts [--show 20] [--suite maskbench]
 *
 * Data: `json-schema-*` under TRAINYARD_DATA (default ../shared/data).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { Automaton } from "../../../server/grammar/automaton.ts";
import { GrammarError } from "../../../server/grammar/grammar.ts";
import { compileSchema } from "../../../server/grammar/schema/compile.ts";
import type { Schema } from "../../../server/grammar/schema/flat.ts";

export interface SchemaCheck {
  readonly schemas: number;
  readonly refused: number;
  readonly enforced: number;
  readonly narrow: number;
  readonly wrong: readonly string[];
  /** Schemas refused, by reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Milliseconds of the slowest schema, its instances included. */
  readonly slowestMs: number;
}

interface Group {
  readonly id?: string;
  readonly description: string;
  readonly optional?: boolean;
  readonly schema: Schema;
  readonly tests: readonly {
    readonly valid: boolean;
    readonly data: unknown;
    readonly description: string;
  }[];
}

export const SUITES = {
  "draft2020-12": "json-schema-test-suite/draft2020-12.jsonl.gz",
  draft7: "json-schema-test-suite/draft7.jsonl.gz",
  maskbench: "json-schema-maskbench/maskbench.jsonl.gz",
} as const;

export const schemaData = (suite: keyof typeof SUITES): string =>
  join(process.env["TRAINYARD_DATA"] ?? "../shared/data", SUITES[suite]);

/** `every`: only each n-th schema. */
export function checkSchemas(file: string, every = 1): SchemaCheck {
  const groups = gunzipSync(readFileSync(file))
    .toString("utf8")
    .trim()
    .split("\n")
    .filter((_, i) => i % every === 0)
    .map((line) => JSON.parse(line) as Group); // our data sets
  const reasons = new Map<string, number>();
  const wrong: string[] = [];
  let enforced = 0;
  let narrow = 0;
  let slowestMs = 0;
  for (const group of groups) {
    const began = performance.now();
    try {
      const automaton = new Automaton(compileSchema(group.schema));
      const found = compare(automaton, group);
      enforced++;
      if (found.narrow) narrow++;
      wrong.push(...found.wrong);
    } catch (error) {
      if (!(error instanceof GrammarError)) throw error;
      const reason = error.message
        .replace(/^the (pattern|bounds) .*? (has|and|of|need)/, "the $1 … $2")
        .slice(0, 60);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    slowestMs = Math.max(slowestMs, performance.now() - began);
  }
  return {
    schemas: groups.length,
    refused: groups.length - enforced,
    enforced,
    narrow,
    wrong,
    reasons,
    slowestMs,
  };
}

function compare(
  automaton: Automaton,
  group: Group,
): { readonly narrow: boolean; readonly wrong: readonly string[] } {
  const ordered = inOrderOf(group.schema);
  const texts = group.tests.map(({ data }) => JSON.stringify(ordered(data)));
  const valid = new Set(texts.filter((_, i) => group.tests[i]?.valid));
  const wrong: string[] = [];
  let narrow = false;
  for (const [i, test] of group.tests.entries()) {
    const text = texts[i] ?? "";
    const accepted = automaton.accepts(text);
    if (test.valid && !accepted) narrow = true;
    // 1 and 1.0 are one text here, though draft 4 tells them apart: valid as one, it is valid.
    if (!test.valid && accepted && !valid.has(text)) {
      wrong.push(`${group.id ?? group.description}: ${test.description}: ${text.slice(0, 120)}`);
    }
  }
  return { narrow, wrong };
}

/** Sorts keys as the schema names them: the grammar writes properties in that order. */
function inOrderOf(schema: unknown): (value: unknown) => unknown {
  const rank = new Map<string, number>();
  const read = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(read);
    else if (typeof part === "object" && part !== null) {
      for (const [keyword, inner] of Object.entries(part)) {
        if (keyword === "properties" && typeof inner === "object" && inner !== null) {
          for (const name of Object.keys(inner)) if (!rank.has(name)) rank.set(name, rank.size);
        }
        read(inner);
      }
    }
  };
  read(schema);
  const place = (name: string) => rank.get(name) ?? Number.POSITIVE_INFINITY;
  const sort = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sort);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).sort(([a], [b]) =>
      place(a) === place(b) ? 0 : place(a) < place(b) ? -1 : 1,
    );
    return Object.fromEntries(entries.map(([name, inner]) => [name, sort(inner)]));
  };
  return sort;
}

export function run(argv: readonly string[]): number {
  const { values } = parseArgs({
    args: [...argv],
    options: { show: { type: "string", default: "0" }, suite: { type: "string" } },
  });
  const show = Number(values.show);
  let wrong = 0;
  process.stdout.write("suite          schemas  refused  enforced  narrow  wrong  slowest ms\n");
  for (const suite of Object.keys(SUITES) as (keyof typeof SUITES)[]) {
    if (values.suite !== undefined && values.suite !== suite) continue;
    const file = schemaData(suite);
    if (!existsSync(file)) {
      process.stderr.write(`check-schemas: no data at ${file}; set TRAINYARD_DATA.\n`);
      return 1;
    }
    const found = checkSchemas(file);
    wrong += found.wrong.length;
    const cells = [
      found.schemas,
      found.refused,
      found.enforced,
      found.narrow,
      found.wrong.length,
      Math.round(found.slowestMs),
    ];
    const widths = [7, 7, 8, 6, 5, 10];
    process.stdout.write(
      `${suite.padEnd(14)} ${cells.map((cell, i) => String(cell).padStart(widths[i] ?? 0)).join("  ")}\n`,
    );
    for (const line of found.wrong.slice(0, show)) process.stdout.write(`  wrong: ${line}\n`);
    const reasons = [...found.reasons].sort((a, b) => b[1] - a[1]);
    for (const [reason, count] of reasons.slice(0, show))
      process.stdout.write(`  ${String(count).padStart(5)}  ${reason}\n`);
  }
  return wrong === 0 ? 0 : 1;
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith(process.argv[1].replace(/^.*\//, "/"))
) {
  process.exitCode = run(process.argv.slice(2));
}
