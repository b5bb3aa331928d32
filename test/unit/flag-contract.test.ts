/** What every flag of every table keeps, the server's and the commands': one suite, a table a run. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseFlags, shownDefault as shownOfCommand } from "../../scripts/commands/flags.ts";
import { COMMAND_TABLES } from "../../scripts/maintain/flags-document.ts";
import { parseSettings } from "../../server/config.ts";
import { shownDefault } from "../../server/settings/command-line.ts";
import type { Row } from "../../server/settings/row.ts";
import { TABLE } from "../../server/settings/table.ts";

interface Flags {
  readonly rows: Readonly<Record<string, Row<unknown>>>;
  /** Values by flag. */
  readonly parse: (argv: readonly string[]) => Readonly<Record<string, unknown>>;
  readonly help: () => string;
  readonly document: string;
  /** A default as help and document write it. */
  readonly shown: (row: Row<unknown>) => string;
  /** Flags whose value stands elsewhere, or means nothing without another. */
  readonly elsewhere?: readonly string[];
}

const read = (path: string): string => readFileSync(path, "utf8");

const TABLES: Readonly<Record<string, Flags>> = {
  "trainyard serve": {
    rows: TABLE,
    parse: (argv) => parseSettings(argv).settings,
    help: () => printed((out) => parseSettings(["--help"], {}, { out, err: out })),
    document: read("server/SETTINGS.md"),
    shown: shownDefault,
    elsewhere: ["model", "config"],
  },
  ...Object.fromEntries(
    Object.entries(COMMAND_TABLES).map(([name, rows]): [string, Flags] => {
      const spec = { name, sentence: "x", flags: rows };
      return [
        name,
        {
          rows,
          parse: (argv) => parseFlags(spec, argv, () => {}).values,
          help: () => printed((out) => parseFlags(spec, ["--help"], out)),
          document: read("scripts/commands/FLAGS.md").split(`\n## ${name}\n`)[1] ?? "",
          shown: shownOfCommand,
        },
      ];
    }),
  ),
};

/** What is written until it throws: help ends a command. */
function printed(write: (out: (text: string) => void) => void): string {
  let text = "";
  expect(() => write((part) => (text += part))).toThrow();
  return text;
}

/** A value that no row of this kind takes; undefined: any text is one. */
function wrongFor({ value }: Row<unknown>): string | undefined {
  if (value === undefined) return undefined;
  if (/^(?:N|X)\b/.test(value)) return "abc";
  if (value.startsWith("JSON")) return "{";
  return /^[\w.-]+(?:\|[\w.-]+)+$/.test(value) ? "no-such-choice" : undefined;
}

/** Alone on its line, be the value one that begins with a dash. */
const given = (flag: string, text: string): readonly string[] => [`--${flag}=${text}`];

describe.each(Object.entries(TABLES))("flags of %s", (_, table) => {
  const { rows, parse, document, elsewhere = [] } = table;
  const typed = Object.entries(rows).filter(([flag]) => !elsewhere.includes(flag));

  it("have the default of their row when nothing is given", () => {
    const values = parse([]);
    for (const [flag, row] of Object.entries(rows)) {
      if (row.env !== undefined && process.env[row.env] !== undefined) continue;
      expect(values[flag], flag).toEqual(row.default);
    }
  });

  it("come to their default when it is typed as help shows it", () => {
    for (const [flag, row] of typed) {
      const shown = table.shown(row);
      if (row.value === undefined || shown === "" || row.many === true) continue;
      expect(parse(given(flag, shown))[flag], flag).toEqual(row.default);
    }
  });

  it("turn on and off where they take no value", () => {
    for (const [flag, { value }] of typed) {
      if (value !== undefined) continue;
      for (const [spelling, wanted] of [
        [flag, true],
        [`no-${flag}`, false],
      ] as const) {
        // What means nothing without another flag says so, and names itself.
        let found: unknown;
        try {
          found = parse([`--${spelling}`])[flag];
        } catch (error) {
          expect((error as Error).message).toContain(flag);
          continue;
        }
        expect(found, spelling).toBe(wanted);
      }
    }
  });

  it("are named when their value is refused, and the value is told unless it is secret", () => {
    for (const [flag, row] of typed) {
      const wrong = wrongFor(row);
      if (wrong === undefined) continue;
      const attempt = () => parse(given(flag, wrong));
      expect(attempt, flag).toThrow(`--${flag}`);
      if (row.secret === true) expect(attempt, flag).not.toThrow(wrong);
      else expect(attempt, flag).toThrow(wrong);
    }
    expect(() => parse(["--no-such-flag"])).toThrow("no-such-flag");
  });

  it("are in the help and in the document, with a sentence", () => {
    const help = table.help().replaceAll(/\s+/g, " ");
    for (const [flag, { sentence, env }] of Object.entries(rows)) {
      expect(sentence, flag).not.toBe("");
      expect(document, flag).toContain(`--${flag}`.replace("--", ""));
      expect(document, flag).toContain(sentence.replaceAll("|", "\\|"));
      expect(help, flag).toContain(flag);
      if (env !== undefined) expect(document, flag).toContain(env);
    }
  });
});

it("the suite notices a row that breaks it", () => {
  expect(wrongFor({ value: "N" } as Row<unknown>)).toBe("abc");
  expect(wrongFor({ value: "a|b-c" } as Row<unknown>)).toBe("no-such-choice");
  expect(wrongFor({ value: "TEXT" } as Row<unknown>)).toBeUndefined();
});
